"""Rezzing out of a prim's contents, what the rezzed and the rezzer hear, and the fences against things that breed; links."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sim.actions.may import Actor
from sim.world import form
from sim.world.changes import What
from sim.world.drives import MadeBy
from sim.world.linkset import gather
from tests.scripts.library.moving import holds, more, plays, stands
from tests.scripts.library.worlds import bench

ON_REZ = 'default { on_rez(integer p) { llSetObjectName((string)p + llGetStartString() + (string)llGetStartParameter()); } }'


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as made:
        found: Any = made
        found.rooms = found.sim.scripts.rooms if request.param == "region" else found.world.rooms
        yield found


async def time(here: Any, seconds: float) -> list[str]:
    """Time goes by, and what is fetched beside the frame comes."""
    import asyncio

    found = []
    for _ in range(max(round(seconds / 0.1), 1)):
        found = more(here, 0.1)
        if hasattr(here, "sim"):
            for _ in range(2000):
                if not here.sim.region.tasks.errands:
                    break
                await asyncio.sleep(0.005)
    return found


def made(here: Any) -> list[Any]:
    return [prim for prim in here.region.world.objects.roots() if prim.made_by is not None]


async def test_an_object_is_rezzed_and_both_hear_of_it(here):
    holds(here, stands(here, "egg", (10.0, 10.0, 30.0)), script=ON_REZ)
    plays(here, 'default { state_entry() { llRezObject("egg", llGetPos() + <0, 0, 3>, ZERO_VECTOR, ZERO_ROTATION, 7); } object_rez(key k) { llOwnerSay((string)llGetObjectDetails(k, [OBJECT_POS])); } }', 0.1)
    assert await time(here, 1.0) == ["<128.000000, 128.000000, 28.000000>"]
    (egg,) = made(here)
    assert here.region.world.objects.world_place(egg)[0] == (128.0, 128.0, 28.0)
    assert egg.name == "77" and egg.made_by == MadeBy(here.root.full_id, here.root.full_id, 1) and egg.owner_id == here.root.owner_id
    assert [item.name for item in here.root.contents] == ["egg"]


async def test_at_root_with_children_and_without_copies(here):
    root, child = stands(here, "pair", (10.0, 10.0, 30.0)), stands(here, "half", (10.0, 10.0, 32.0))
    from sim.actions.link import link

    link(here.region, Actor(root.owner_id, region=True), [root, child])
    holds(here, root, copy=False)
    plays(here, '''default { state_entry() { llRezAtRoot("pair", llGetPos() + <0, 0, 3>, ZERO_VECTOR, llEuler2Rot(<0, PI, 0>), 0); llRezAtRoot("pair", llGetPos() + <0, 0, 3>, ZERO_VECTOR, ZERO_ROTATION, 0);
        llRezObject("none", llGetPos(), ZERO_VECTOR, ZERO_ROTATION, 0); } }''', 0.1)  # fmt: skip
    assert any("Couldn't find object 'none'" in one for one in await time(here, 1.0))
    (pair,) = made(here)
    place = here.region.world.objects.world_place
    assert place(pair)[0] == (128.0, 128.0, 28.0)
    assert [round(x, 3) for x in place(pair.children[0])[0]] == [128.0, 128.0, 26.0]  # turned over
    assert here.root.contents == []  # it could not be copied


async def test_too_far_away_nothing_comes(here):
    holds(here, stands(here, "egg", (10.0, 10.0, 30.0)))
    plays(here, 'default { state_entry() { llRezObject("egg", llGetPos() + <0, 0, 11>, ZERO_VECTOR, ZERO_ROTATION, 7); llRezObject("egg", <(float)"nan", 0, 0>, ZERO_VECTOR, ZERO_ROTATION, 7); } }', 0.1)
    await time(here, 0.5)
    assert made(here) == []


async def test_with_parameters_and_away_again(here):
    holds(here, stands(here, "egg", (10.0, 10.0, 30.0)), script=ON_REZ)
    source = '''key egg; default { state_entry() {
        egg = llRezObjectWithParams("egg", [REZ_PARAM, 5, REZ_PARAM_STRING, "x", REZ_POS, <0, 0, 2>, TRUE, TRUE, REZ_ROT, llEuler2Rot(<0, 0, PI_BY_TWO>), FALSE, REZ_FLAGS, REZ_FLAG_TEMP | REZ_FLAG_PHANTOM,
            REZ_OMEGA, <0, 0, 2>, FALSE, 0.5, 1.0, REZ_DAMAGE, 10.0, REZ_LOCK_AXES, <1, 0, 0>, REZ_VEL, <1, 0, 0>, FALSE, FALSE, REZ_ACCEL, <0, 0, 1>, FALSE]);
        llOwnerSay((string)llRezObjectWithParams("egg", [REZ_PARAM, "five"])); }
        object_rez(key k) { llOwnerSay((string)(k == egg)); llSetTimerEvent(0.5); }
        timer() { llSetTimerEvent(0.0); llOwnerSay((string)llDerezObject(llGetKey(), DEREZ_DIE) + (string)llDerezObject(egg, DEREZ_TO_INVENTORY) + (string)llDerezObject(egg, DEREZ_MAKE_TEMP)); llSetTimerEvent(0.5); state gone; } }
        state gone { timer() { llSetTimerEvent(0.0); llOwnerSay((string)llDerezObject(egg, DEREZ_DIE)); } }'''
    plays(here, source, 0.1)
    found = await time(here, 0.3)
    assert "wrong parameter REZ_PARAM" in found[0] and found[1:] == ["00000000-0000-0000-0000-000000000000", "1"]
    (egg,) = made(here)
    row = here.region.world.objects.row(egg)
    assert here.region.world.objects.world_place(egg)[0] == (128.0, 128.0, 27.0) and egg.name == "5x5"
    assert egg.temporary and egg.phantom and not egg.physical and row["angular_velocity"].tolist() == [0.0, 0.0, 1.0]
    assert egg.drives.damage == 10.0 and egg.drives.locks == 2 and egg.drives.force[2] > 0
    assert (await time(here, 2.0))[3:] == ["001", "1"] and made(here) == []


async def test_a_form_keeps_who_made_it(here):
    egg = stands(here, "egg", (10.0, 10.0, 30.0))
    egg.made_by = MadeBy(UUID(int=5), UUID(int=6), 3)
    (linkset,) = gather(here.region.world.objects, [egg], 0.0)
    assert form.decode(form.encode(linkset)).parts[0].prim.made_by == egg.made_by


async def test_a_chain_that_breeds_is_slowed_then_stopped_and_its_owner_told(here):
    rezzing, root = here.rooms.rezzing, here.root
    for _ in range(100):
        assert rezzing._fence(root, 50.0, 1)[0]
    assert rezzing._fence(root, 50.0, 1) == (False, 5.0)
    assert rezzing._fence(root, 58.0, 1)[0] is False and rezzing._fence(root, 69.0, 1)[0] is False  # it kept on trying
    assert rezzing._fence(root, 82.0, 1) == (True, 0.0)
    child = stands(here, "child", (100.0, 100.0, 30.0))
    child.made_by = MadeBy(root.full_id, root.full_id, 12)
    free, pause = rezzing._fence(child, 90.0, 1)
    assert free and pause == pytest.approx(0.4)
    for _ in range(60):
        rezzing._fence(root, 90.0, 1)  # one count for all of the chain
    assert rezzing._fence(child, 90.0, 2)[1] == pytest.approx(0.9)
    assert here.region.metrics.value("script_fences", "rez") >= 1


async def test_what_rezzes_itself_does_not_fill_the_region(here):
    """An object that holds objects that hold objects ... each rezzes the next as fast as it may."""
    inner = 'default { on_rez(integer p) { integer i; for (i = 0; i < 50; ++i) llRezObject("egg", llGetPos() + <0, 0, 1>, ZERO_VECTOR, ZERO_ROTATION, 0); } }'
    egg = stands(here, "egg", (10.0, 10.0, 30.0))
    item = holds(here, egg, script=inner)
    from dataclasses import replace

    second = stands(here, "egg", (10.0, 10.0, 30.0))
    second.contents = [replace(item)]
    here.root.contents.clear()
    holds(here, second, script=inner)
    plays(here, 'default { state_entry() { integer i; for (i = 0; i < 200; ++i) llRezObject("egg", llGetPos() + <0, 0, 1>, ZERO_VECTOR, ZERO_ROTATION, 0); } }', 0.1)
    await time(here, 3.0)
    assert 10 < len(made(here)) <= 110


# --- links


def linked(here: Any, does: str) -> list[str]:
    """A script that was granted to change links does something."""
    source = f"default {{ run_time_permissions(integer p) {{ {does} }} touch_start(integer n) {{ {does} }} }}"
    if hasattr(here, "sim"):
        from sim.scripts.language.program import compile_script

        here.heard.clear()
        script = here.sim.scripts.start(here.root, compile_script(source), source)
    else:
        here.start = len(here.world.occurrences)
        script = here.world.add(source)
    script.grant(script.owner, 0x80)
    return more(here, 0.5)


async def test_links_are_made_and_broken(here):
    other: Any = stands(here, "other", (129.0, 128.0, 25.0))
    linked(here, f'llCreateLink("{other.full_id}", TRUE);')
    assert other.root is here.root and here.root.children == [other, here.child]
    linked(here, "llBreakLink(2);")
    assert other.root is None and here.root.children == [here.child]
    linked(here, f'llCreateLink("{other.full_id}", FALSE);')
    assert here.root.linkset_root is other
    linked(here, "llBreakAllLinks();")
    assert other.root is None and here.root.root is None and here.child.root is None


async def test_links_need_permission_and_an_owner(here):
    other, theirs = stands(here, "other", (129.0, 128.0, 25.0)), stands(here, "theirs", (129.0, 129.0, 25.0))
    here.region.world.objects.set_owner(theirs, UUID(int=4711))
    plays(here, f'default {{ state_entry() {{ llCreateLink("{other.full_id}", TRUE); llBreakLink(2); llBreakAllLinks(); }} }}', 0.5)
    assert other.root is None and here.root.children == [here.child]
    linked(here, f'llCreateLink("{theirs.full_id}", TRUE); llCreateLink(NULL_KEY, TRUE); llCreateLink(llGetKey(), TRUE); llBreakLink(99);')
    assert theirs.root is None and here.root.children == [here.child]


async def test_stretching(here):
    objects = here.region.world.objects
    assert plays(here, "default { state_entry() { llOwnerSay((string)llGetMinScaleFactor() + \" \" + (string)llGetMaxScaleFactor()); llOwnerSay((string)llScaleByFactor(2.0)); llOwnerSay((string)llScaleByFactor(1000.0) + (string)llScaleByFactor((float)\"nan\")); } }", 0.5) == ["0.020000 111.000000", "1", "00"]
    assert objects.row(here.root)["scale"].tolist() == [1.0] * 3 and objects.row(here.child)["position"].tolist() == [0.0, 0.0, 2.0]
    here.root.physical = True
    objects.changes.note(here.root, What.BODY)
    assert plays(here, "default { state_entry() { llOwnerSay((string)llScaleByFactor(0.5)); } }", 0.1) == ["0"]
