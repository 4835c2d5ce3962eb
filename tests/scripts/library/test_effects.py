"""Sounds, particles and moving textures, on both worlds."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import pytest

from protocol.particles import Particles, encode
from protocol.textures import decode_texture_animation
from protocol.wellknown import NULL
from sim.world.changes import What
from tests.scripts.library.worlds import TEXTURE, bench, item

BELL = UUID(int=0xBE11)


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as found:
        found.root.contents.append(item("bell", 1, BELL))
        yield found


def told(here: Any, name: str) -> list[Any]:
    """What the visitor was told by messages of that name."""
    return [message[next(iter(message))] for to, message in here.shown(name) if to == here.visitor.agent_id]


async def test_sounds_that_pass(here):
    said = here.said('llTriggerSound("bell", 5.0); llTriggerSound("none", 1.0); llTriggerSound("00000000-0000-0000-0000-00000000be11", 0.5);')
    assert len(said) == 1 and "none" in said[0]
    first, second = told(here, "SoundTrigger")
    assert (first["SoundID"], first["Gain"], first["Position"], first["ParentID"]) == (BELL, 1.0, (128.0, 128.0, 25.0), NULL) and second["Gain"] == 0.5
    assert here.root.sound == NULL
    here.region.world.row(here.visitor)["position"] = (10.0, 10.0, 25.0)
    here.said('llTriggerSound("bell", 1.0);')
    assert len(told(here, "SoundTrigger")) == 2  # too far away


async def test_sounds_that_stay_on_their_parcel(here):
    import numpy as np

    from sim.world.world import Parcel

    world = here.region.world
    cells = np.zeros((64, 64), bool)
    cells[:, 32:] = True
    world.row(here.visitor)["position"] = (120.0, 128.0, 25.0)
    world.add_parcel(Parcel(9, UUID(int=99), "Quiet", NULL, 0, cells, flags=0x8000))
    here.said('llTriggerSound("bell", 1.0);')
    assert told(here, "SoundTrigger") == []
    world.parcel_at(130.0, 128.0).flags = 0
    here.said('llTriggerSound("bell", 1.0);')
    assert len(told(here, "SoundTrigger")) == 1


async def test_a_sound_for_those_in_a_box(here):
    x, y, z = here.region.world.position(here.visitor)
    here.said(f'llTriggerSoundLimited("bell", 1.0, <{x + 1}, {y + 1}, {z + 1}>, <{x - 1}, {y - 1}, {z - 1}>); llTriggerSoundLimited("bell", 1.0, <1, 1, 1>, <0, 0, 0>);')
    assert len(told(here, "SoundTrigger")) == 1


async def test_sounds_of_a_prim(here):
    reader = here.region.world.changes.prims.reader(What.EFFECTS)
    here.said('llPlaySound("bell", 0.5); llPlaySoundSlave("bell", 0.5);')
    assert [(one["SoundID"], one["Gain"], one["Flags"]) for one in told(here, "AttachedSound")] == [(BELL, 0.5, 0), (BELL, 0.5, 4)]
    assert reader.take() == {}  # what passes is no change of the prim
    for call, flags in (("llLoopSound", 1), ("llLoopSoundMaster", 3), ("llLoopSoundSlave", 5)):
        here.said(f'{call}("bell", 0.25);')
        assert (here.root.sound, here.root.sound_gain, here.root.sound_flags) == (BELL, 0.25, flags), call
    assert here.root in reader.take()
    here.said("llAdjustSoundVolume(0.75);")
    assert here.root.sound_gain == 0.75 and told(here, "AttachedSoundGainChange") == [{"ObjectID": here.root.full_id, "Gain": 0.75}]
    here.said('llPlaySound("bell", 1.0);')
    assert here.root.sound == NULL
    here.said('llLoopSound("bell", 1.0); llStopSound();')
    assert here.root.sound == NULL and told(here, "AttachedSound")[-1]["Flags"] == 0x20


async def test_sounds_of_links(here):
    here.said('llLinkPlaySound(2, "bell", 1.0, SOUND_LOOP | SOUND_SYNC); llLinkPlaySound(LINK_SET, "bell", 1.0, SOUND_TRIGGER); llLinkPlaySound(2, "bell", 1.0, SOUND_PLAY | SOUND_SYNC);')
    assert len(told(here, "SoundTrigger")) == 2 and told(here, "SoundTrigger")[1]["ParentID"] == here.root.full_id
    assert here.child.sound == NULL and told(here, "AttachedSound")[-1]["Flags"] == 4
    here.said('llLinkPlaySound(2, "bell", 1.0, SOUND_LOOP); llLinkAdjustSoundVolume(2, 0.5); llLinkSetSoundRadius(2, 7.0); llLinkSetSoundQueueing(2, TRUE);')
    assert (here.child.sound, here.child.sound_gain, here.child.sound_radius, here.child.sound_flags) == (BELL, 0.5, 7.0, 0x11)
    here.said("llLinkStopSound(LINK_ALL_CHILDREN); llLinkSetSoundQueueing(2, FALSE); llSetSoundRadius(5.0); llSetSoundQueueing(TRUE);")
    assert (here.child.sound, here.child.sound_flags, here.root.sound_radius, here.root.sound_flags) == (NULL, 0, 5.0, 0x10)


async def test_sounds_that_are_fetched_before_and_older_forms(here):
    here.said('llPreloadSound("bell"); llSoundPreload("bell"); llSound("bell", 1.0, TRUE, FALSE);')
    assert [one[0]["SoundID"] for one in told(here, "PreloadSound")] == [BELL, BELL] and told(here, "AttachedSound")[0]["Flags"] == 0x10


async def test_too_many_sounds_are_told_to_the_owner_once(here):
    said = here.said('integer i; for (i = 0; i < 500; ++i) llTriggerSound("bell", 1.0);')
    assert len(said) == 1 and "400 sounds" in said[0] and len(told(here, "SoundTrigger")) == 400


async def test_particles(here):
    here.said('llParticleSystem([PSYS_PART_FLAGS, PSYS_PART_EMISSIVE_MASK | PSYS_PART_WIND_MASK, PSYS_SRC_PATTERN, PSYS_SRC_PATTERN_EXPLODE, PSYS_PART_START_COLOR, <1, .5, 0>, PSYS_PART_START_ALPHA, 0.5,'
              ' PSYS_PART_START_SCALE, <9, .25, 0>, PSYS_PART_MAX_AGE, 99.0, PSYS_SRC_BURST_RATE, 1, PSYS_SRC_ACCEL, <0, 0, -9.5>, PSYS_SRC_TARGET_KEY, llGetKey(), PSYS_SRC_BURST_PART_COUNT, 7]);')  # fmt: skip
    data = here.root.particles
    assert len(data) == 86 and data[8] == 2
    rate, radius, least, most, count = struct.unpack_from("<HHHHB", data, 15)
    assert (rate, radius, least, most, count) == (256, 0, 256, 256, 7)
    assert [word / 128 - 256 for word in struct.unpack_from("<6H", data, 24)] == [0.0, 0.0, 0.0, 0.0, 0.0, -9.5]
    assert UUID(bytes=data[52:68]) == here.root.full_id
    flags, age, *rest = struct.unpack_from("<IH12B", data, 68)
    assert (flags, age) == (0x108, 30 * 256) and rest == [255, 128, 0, 128, 255, 255, 255, 255, 128, 8, 32, 32]
    here.said('llLinkParticleSystem(2, [PSYS_PART_START_GLOW, 1.0, PSYS_PART_BLEND_FUNC_SOURCE, PSYS_PART_BF_ONE, PSYS_SRC_ANGLE_BEGIN, 1.0]);')
    child = here.child.particles
    assert len(child) == 98 and struct.unpack_from("<i", child)[0] == 68 and struct.unpack_from("<i", child, 72)[0] == 22
    assert struct.unpack_from("<I", child, 8)[0] == 2 and child[94:] == bytes((255, 0, 0, 9))
    said = here.said('llParticleSystem([PSYS_PART_START_COLOR, 1]); llParticleSystem([9999, 1]); llParticleSystem([PSYS_SRC_TEXTURE, "none"]);')
    assert len(said) == 3 and len(here.root.particles) == 86
    here.said("llParticleSystem([]);")
    assert here.root.particles == b""


async def test_every_rule_of_particles_is_read(here):
    every = ", ".join(f"{number}, {value}" for number, value in {
        0: "1", 1: "<1, 1, 1>", 2: "1.0", 3: "<0, 0, 0>", 4: "0.0", 5: "<1, 1, 0>", 6: "<1, 1, 0>", 7: "5.0", 8: "<0, 0, 1>", 9: "8", 10: "0.5", 11: "1.0",
        12: f'"{TEXTURE}"', 13: "0.5", 15: "3", 16: "1.0", 17: "1.0", 18: "2.0", 19: "10.0", 20: "NULL_KEY", 21: "<0, 0, 1>", 22: "0.1", 23: "0.2", 24: "7",
        25: "9", 26: "0.0", 27: "0.0"}.items())  # fmt: skip
    assert here.said(f"llParticleSystem([{every}]);") == [] and UUID(bytes=here.root.particles[36:52]) == TEXTURE


def test_numbers_that_do_not_fit_are_brought_within():
    wild = Particles(age=-5.0, rate=1e9, radius=float("nan"), count=-3, omega=(1e9, -1e9, 0.0), particle_age=1e9, start_color=(9.0, -9.0, 0.0, 2.0))
    assert len(encode(wild)) == 86 and encode(wild, 0)[:4] != bytes(4)


async def test_moving_textures(here):
    here.said("llSetTextureAnim(ANIM_ON | LOOP, ALL_SIDES, 4, 300, 0.0, 16.0, 10.0); llSetLinkTextureAnim(2, ANIM_ON | SMOOTH, 3, 1, 1, 1.0, 1.0, 0.5);")
    one, other = decode_texture_animation(here.root.texture_anim), decode_texture_animation(here.child.texture_anim)
    assert one is not None and tuple(one) == (3, -1, 4, 255, 0.0, 16.0, 10.0) and other is not None and (other.mode, other.face) == (17, 3)
    here.said("llSetTextureAnim(FALSE, ALL_SIDES, 0, 0, 0.0, 0.0, 1.0);")
    assert here.root.texture_anim == b""


async def test_the_makers_of_before(here):
    for call in ('llMakeExplosion(20, 1.0, 5.0, 3.0, PI, "", ZERO_VECTOR)', 'llMakeFountain(20, 1.0, 5.0, 3.0, PI, TRUE, "", ZERO_VECTOR, 0.0)',
                 'llMakeSmoke(20, 1.0, 5.0, 3.0, PI, "", ZERO_VECTOR)', 'llMakeFire(20, 1.0, 5.0, 3.0, PI, "", ZERO_VECTOR)'):  # fmt: skip
        here.root.particles = b""
        here.said(f"{call};")
        assert len(here.root.particles) == 86 and here.root.particles[23] == 20, call
