"""How a viewer gets to know a full region: by what its line takes, in full packets, and from its cache when it returns."""

from __future__ import annotations

import math
from itertools import count

import pytest

from protocol.message import Message, encode
from protocol.packet import zero_encode
from sim.circuits.circuit import Circuit
from sim.circuits.datagrams import MTU
from sim.interest.object_blocks import Relation, update_flags
from sim.interest.objects import CACHED_PER_PACKET, ENCODES, OFFERS
from sim.scenes import place
from sim.scenes.reading import parse
from sim.world.changes import What
from tests.kit.world import add_child, region, settle

CACHED, EMPTY = 1, 2
names = count(1)
SCENE = """
origin = [128, 128, 40]
[[prim]]
grid = { count = [40, 25, 2], step = [4, 4, 2] }
[[linkset]]
position = [0, 0, 20]
grid = { count = [10, 1], step = [3, 1, 1] }
  [[linkset.prim]]
  [[linkset.prim]]
  position = [0, 0, 1]
[[prim]]
name = "Ball"
shape = "sphere"
position = [0, 0, 200]
physical = true
"""
PRIMS = 2021


def frames(sim, number):
    for _ in range(number):
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)


async def come(sim, flags, at=(128, 128, 60)):
    viewer = add_child(sim, f"Visitor{next(names)} Tester", "login", at)
    sim.sessions.movement_completed(viewer.agent)
    sim.sessions.handshake_replied(viewer.agent, flags)
    await settle(sim)
    viewer.agent.updates_seen = 1
    return viewer


def told(viewer):
    """Local ids of prims described in full, in order."""
    return [block["ID"] for message in viewer.heard("ObjectUpdate") for block in message["ObjectData"] if block["PCode"] == 9]


def offered(viewer):
    return [block for message in viewer.heard("ObjectUpdateCached") for block in message["ObjectData"]]


@pytest.fixture
async def full():
    with region() as sim:
        assert place(sim.region, sim.scripts, parse(SCENE.encode(), "test.toml")) == PRIMS
        frames(sim, 2)
        yield sim


async def test_a_first_visit_is_told_everything_once_in_full_packets(full):
    anna = await come(full, CACHED | EMPTY)
    frames(full, 200)
    ids = told(anna)
    assert sorted(ids) == sorted(full.world.objects.by_local_id)
    place_of = {local_id: n for n, local_id in enumerate(ids)}
    for prim in full.world.objects.by_local_id.values():
        assert prim.root is None or place_of[prim.root.local_id] < place_of[prim.local_id]
    packets = [message for message in anna.heard("ObjectUpdate") if message["ObjectData"][0]["PCode"] == 9]
    for message in packets:
        body = encode(message)
        assert len(body) < 8192 and len(zero_encode(body)) <= MTU
    assert len(ids) / len(packets) > 5  # near nine; each turn's last packet is not full
    assert not offered(anna)


async def test_a_frame_encodes_only_so_much(full):
    await come(full, CACHED | EMPTY)
    before = 0
    for _ in range(20):
        frames(full, 1)
        after = len(full.interest.objects._blocks)
        assert after - before <= ENCODES
        before = after


async def test_who_comes_again_is_told_checksums_in_few_packets(full):
    anna = await come(full, CACHED)
    frames(full, 30 + math.ceil(PRIMS / OFFERS))
    ball = next(prim for prim in full.world.objects.roots() if prim.physical)
    assert len(anna.heard("ObjectUpdateCached")) <= math.ceil(PRIMS / CACHED_PER_PACKET) + math.ceil(PRIMS / OFFERS)
    rows = {block["ID"]: block for block in offered(anna)}
    assert set(rows) == set(full.world.objects.by_local_id) - {ball.local_id}
    assert told(anna) == [ball.local_id]  # it moves: no cache knows where it is
    for local_id, block in rows.items():
        prim = full.world.objects.by_local_id[local_id]
        assert block["CRC"] == full.world.objects.row(prim)["crc"]
        assert block["UpdateFlags"] == update_flags(prim, Relation.NOBODY)


async def test_misses_are_described_and_owners_are_told_so(full):
    mine, other = list(full.world.objects.roots())[:2]
    anna = add_child(full, "Anna Owner", "login", (128, 128, 60))
    mine.owner_id = anna.id
    full.sessions.movement_completed(anna.agent)
    full.sessions.handshake_replied(anna.agent, CACHED)
    await settle(full)
    frames(full, 60)
    flags = {block["ID"]: block["UpdateFlags"] for block in offered(anna)}
    assert flags[mine.local_id] == update_flags(mine, Relation.OWNER) != update_flags(mine, Relation.NOBODY)
    anna.forget()
    wanted = [mine.local_id, other.local_id, 999_999]
    anna.sends(Message("RequestMultipleObjects", ObjectData=[{"CacheMissType": 0, "ID": n} for n in wanted]))
    frames(full, 4)
    assert sorted(told(anna)) == sorted([mine.local_id, other.local_id])


async def test_a_changed_prim_has_another_checksum(full):
    prim = next(iter(full.world.objects.roots()))
    before = int(full.world.objects.row(prim)["crc"])
    prim.text = "new"
    full.world.changes.prims.note(prim, What.TEXT)
    frames(full, 1)
    anna = await come(full, CACHED)
    frames(full, 30)
    crc = next(block["CRC"] for block in offered(anna) if block["ID"] == prim.local_id)
    assert crc == before + 1


async def test_flags_kept_for_a_row_do_not_outlive_its_prim(full):
    await come(full, CACHED)
    frames(full, 30)
    objects = full.world.objects
    gone = next(prim for prim in objects.roots() if not prim.children)
    row = gone.row
    objects.remove(gone)
    place(full.region, full.scripts, parse(b"[[prim]]\nposition = [9, 9, 90]\nphantom = true", "test.toml"))
    fresh = objects.of_row[row]
    assert fresh.phantom and objects.row(fresh)["crc"] == 2
    frames(full, 2)
    ben = await come(full, CACHED)
    frames(full, 30)
    flags = next(block["UpdateFlags"] for block in offered(ben) if block["ID"] == fresh.local_id)
    assert flags == update_flags(fresh, Relation.NOBODY)


async def test_news_are_told_before_the_rest_of_a_long_load(full):
    anna = await come(full, CACHED | EMPTY)
    frames(full, 6)
    known = set(told(anna))
    assert 0 < len(known) < PRIMS / 2
    late = max(prim.local_id for prim in full.world.objects.roots() if prim.local_id not in known)
    changed = full.world.objects.by_local_id[late]
    changed.text = "look here"
    full.world.changes.prims.note(changed, What.TEXT)
    anna.forget()
    frames(full, 2)
    assert told(anna)[0] == late


# Who stands elsewhere is told something else first, and finds less encoded for others already.
@pytest.mark.parametrize(("apart", "least"), [(0, 0.8), (30, 0.4)])
@pytest.mark.parametrize("many", [2, 3, 7, 12])
async def test_all_who_load_at_once_get_their_part(full, many, apart, least):
    people = [await come(full, CACHED | EMPTY, (20 + apart * (n % 4), 20 + apart * (n // 4), 60)) for n in range(many)]
    frames(full, 36)
    counts = [len(told(person)) for person in people]
    assert min(counts) > least * max(counts) > 0
    frames(full, 400)
    assert [len(set(told(person))) for person in people] == [PRIMS] * many


async def test_who_comes_again_with_many_others_gets_their_part_too(full):
    people = [await come(full, CACHED) for _ in range(7)]
    frames(full, 12)
    counts = [len(offered(person)) for person in people]
    assert min(counts) > 0.8 * max(counts) > 0
    frames(full, 60)
    assert [len(offered(person)) for person in people] == [PRIMS - 1] * 7


async def test_a_slow_line_is_not_stuffed(full):
    anna = await come(full, CACHED | EMPTY)
    full.circuits.rates[anna.circuit.slot] = 8000.0  # bytes a second; the test's circuit lets everything out at once
    frames(full, 3)
    assert 0 < len(told(anna)) < 200


async def test_the_throttle_counts_what_goes_over_the_line(full):
    anna = await come(full, CACHED)
    body = encode(Message("ObjectUpdateCached", RegionData={"RegionHandle": 1, "TimeDilation": 1}, ObjectData=[])) + bytes(600)
    Circuit.send_body(anna.circuit, body, category="task")
    assert anna.circuit.queues["task"].waiting < 40
    Circuit.send_body(anna.circuit, bytes(range(1, 201)), category="task")
    assert anna.circuit.queues["task"].waiting > 200


# --- what is lost


def tellings(viewer):
    return [sent.telling for sent in viewer.circuit.sent if sent.telling is not None]


async def test_what_was_lost_is_told_as_it_is_by_then(full):
    anna = await come(full, CACHED | EMPTY)
    frames(full, 200)
    prim = next(prim for prim in full.world.objects.roots() if not prim.children)
    prim.text = "old"
    full.world.changes.prims.note(prim, What.TEXT)
    anna.forget()
    frames(full, 3)
    (packet,) = tellings(anna)
    assert packet.ids == [prim.local_id]
    prim.text = "new"
    full.world.changes.prims.note(prim, What.TEXT)
    frames(full, 3)
    anna.forget()
    packet.lost()
    frames(full, 3)
    assert [message["ObjectData"][0]["Text"] for message in anna.heard("ObjectUpdate")] == [b"new\0"]
    anna.forget()
    frames(full, 10)
    assert not told(anna)


async def test_what_went_meanwhile_is_not_told_of_again(full):
    anna = await come(full, CACHED | EMPTY)
    frames(full, 30)
    packet = tellings(anna)[-1]
    objects = full.world.objects
    prims = [objects.by_local_id[local_id] for local_id in packet.ids]
    gone = next(prim.local_id for prim in prims if prim.root is None and not prim.children)
    others = [local_id for local_id in packet.ids if local_id != gone]
    frames(full, 200)
    anna.forget()
    assert packet.stands()
    prim = objects.by_local_id[gone]
    objects.remove(prim)
    assert not packet.stands()  # so it would not leave now, had it waited
    frames(full, 1)
    assert [block["ID"] for message in anna.heard("KillObject") for block in message["ObjectData"]] == [gone]
    packet.lost()
    frames(full, 30)
    assert sorted(told(anna)) == sorted(others)


async def test_lost_checksums_are_offered_again(full):
    anna = await come(full, CACHED)
    frames(full, 60)
    packet = next(each for each in tellings(anna) if each.offered)
    anna.forget()
    packet.lost()
    frames(full, 4)
    assert [block["ID"] for block in offered(anna)] == packet.ids and not told(anna)


async def test_a_loss_is_no_matter_once_the_circuit_is_another(full):
    anna = await come(full, CACHED | EMPTY)
    frames(full, 3)
    packet = tellings(anna)[0]
    full.interest.forget_viewer(anna.agent)
    packet.lost()
    frames(full, 3)
    assert anna.agent not in full.interest.objects._busy


async def test_who_acknowledges_nothing_is_not_drowned(full):
    anna = await come(full, CACHED | EMPTY)
    anna.circuit.unacked[1] = anna.circuit.unheard_since = full.clock.now()
    frames(full, 90)
    first = len(told(anna))
    assert first > 0
    frames(full, 180)  # four seconds are over
    anna.forget()
    frames(full, 90)
    assert not told(anna)
    anna.circuit.unacked.clear()
    Circuit.acknowledged(anna.circuit, 1, full.clock.now())
    waiting = full.world.objects.of_row
    full.interest.objects.show(anna.agent, list(waiting.values())[:5])
    frames(full, 6)
    assert told(anna)
