"""Rules that hold whoever asks: who may, how far, how much, and what is let in."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.objects import Edit
from protocol.textures import PLAIN, Face, TextureEntry, decode_texture_entry, encode_texture_entry
from protocol.wellknown import NULL, Permission
from sim.actions import edit, land, link, may, permit, remove
from sim.actions.copy import duplicate
from sim.actions.make import New, make
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import OverBorder, place
from sim.region import Region
from sim.world.changes import What
from sim.world.linkset_data import LinksetStore
from sim.world.objects import MAX_APART, MAX_SCALE, MIN_SCALE, Prim
from sim.world.world import Parcel
from tests.kit.world import TestSimulator

ANNA, BEN = Actor(uuid4()), Actor(uuid4())


@pytest.fixture
def region(sim: TestSimulator) -> Region:
    return sim.region


def box(region: Region, actor: Actor = ANNA, x: float = 128.0, **new: object) -> Prim:
    made = make(region, actor, New((x, 128.0, 60.0), **new))  # type: ignore[arg-type]
    assert isinstance(made, Prim)
    return made


def pair(region: Region, actor: Actor = ANNA) -> Prim:
    root = link.link(region, actor, [box(region, actor), box(region, actor, 130.0)])
    assert isinstance(root, Prim)
    return root


def refused(outcome: object) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.why


# --- who may


def test_each_verb_asks_who_may(region: Region) -> None:
    root = pair(region)
    child = root.children[0]
    before = region.world.changes.number
    outcomes = [
        place(region, BEN, root, Edit((9.0, 9.0, 30.0), None, None, True, False)),
        place(region, BEN, child, Edit(None, None, (2.0, 2.0, 2.0), False, False)),
        edit.shape(region, BEN, root, root.shape),
        edit.surface(region, BEN, root, PLAIN),
        edit.extra(region, BEN, root, 0x20, bytes(16)),
        edit.name(region, BEN, root, "x"),
        edit.description(region, BEN, root, "x"),
        edit.category(region, BEN, root, 1),
        edit.floating_text(region, BEN, root, "x", bytes(4)),
        edit.click_action(region, BEN, root, 1),
        edit.sit_target(region, BEN, root, None),
        edit.material(region, BEN, root, 1),
        edit.flags(region, BEN, root, edit.Flags(physical=True)),
        edit.features(region, BEN, root, root.features),
        permit.permit(region, BEN, root, "everyone", Permission.MOVE, True),
        permit.set_group(region, BEN, root, NULL),
        permit.sell(region, BEN, root, 1, 1),
        link.unlink(region, BEN, [child]),
        link.link(region, BEN, [root, box(region, BEN)]),
        duplicate(region, BEN, root, (1.0, 0.0, 0.0)),
        remove.delete(region, BEN, root),
    ]
    assert all(isinstance(outcome, Refused) for outcome in outcomes)
    assert region.world.changes.number == before + 1  # Ben's own box
    root.leaving = True
    for outcome in (
        place(region, ANNA, child, Edit((1.0, 0.0, 0.0), None, None, False, False)), edit.name(region, ANNA, child, "x"),
        permit.permit(region, ANNA, root, "everyone", 1, True), duplicate(region, ANNA, root, (1.0, 0.0, 0.0)),
        link.unlink(region, ANNA, [child]),
    ):  # fmt: skip
        assert refused(outcome) == "object is crossing"


def test_a_friend_who_may_edit_modifies_and_deletes_and_gives_nothing_away(region: Region) -> None:
    friend = replace(BEN, edits_of=frozenset({ANNA.agent_id}))
    prim = box(region)
    assert edit.name(region, friend, prim, "by Ben") is None and prim.name == "by Ben"
    assert place(region, friend, prim, Edit((50.0, 50.0, 50.0), None, (2.0, 2.0, 2.0), False, False)) is None
    assert isinstance(permit.permit(region, friend, prim, "everyone", Permission.COPY, True), Refused)
    assert isinstance(permit.sell(region, friend, prim, 1, 0), Refused)
    assert refused(duplicate(region, friend, prim, (1.0, 0.0, 0.0))) == "no copy"
    assert permit.permit(region, ANNA, prim, "owner", Permission.MODIFY | Permission.MOVE, False) is None
    assert isinstance(edit.name(region, friend, prim, "locked"), Refused)
    assert isinstance(remove.delete(region, friend, prim), Refused)
    assert refused(remove.delete(region, ANNA, prim)) == "locked"
    assert permit.permit(region, ANNA, prim, "owner", Permission.MODIFY | Permission.MOVE, True) is None
    assert remove.delete(region, friend, prim) is prim and prim.row < 0


def test_a_group_is_named_only_by_who_is_in_it(region: Region) -> None:
    group = uuid4()
    member = replace(ANNA, groups=frozenset({group}))
    assert box(region, ANNA, group_id=group).group_id == NULL
    prim = box(region, member, group_id=group)
    assert prim.group_id == group
    assert isinstance(permit.set_group(region, ANNA, prim, uuid4()), Refused)
    permit.permit(region, ANNA, prim, "group", Permission.MODIFY, True)
    other = replace(BEN, groups=frozenset({group}))
    assert edit.name(region, other, prim, "ours") is None and isinstance(edit.name(region, BEN, prim, "no"), Refused)


def test_a_copy_by_another_is_worth_what_a_next_owner_is_left(region: Region) -> None:
    root = pair(region)
    for one in root.linkset():
        permit.permit(region, ANNA, one, "everyone", Permission.COPY, True)
    root.linkset_data, root.scripted, root.touchable = LinksetStore(), True, True
    root.linkset_data.pairs["secret"] = ("value", "")
    mine, theirs = (duplicate(region, actor, root, (0.0, 5.0, 0.0)) for actor in (ANNA, BEN))
    assert isinstance(mine, Prim) and isinstance(theirs, Prim)
    assert mine.permissions == root.permissions
    for one in theirs.linkset():
        assert one.owner_id == BEN.agent_id and one.last_owner_id == ANNA.agent_id and one.creator_id == ANNA.agent_id
        left = Permission.MOVE | Permission.TRANSFER
        assert (one.permissions.base, one.permissions.owner, one.permissions.everyone) == (left, left, 0)
    assert refused(duplicate(region, BEN, theirs, (1.0, 0.0, 0.0))) == "no copy"
    for twin in (mine, theirs):
        assert not twin.scripted and not twin.touchable and twin.linkset_data is not root.linkset_data
    assert permit.hand_over(region, ANNA, root, BEN.agent_id) is None
    assert root.permissions.owner == Permission.MOVE | Permission.TRANSFER and region.world.objects.owned[BEN.agent_id] == 4


# --- how much


def test_a_region_a_parcel_and_a_person_have_a_limit(region: Region) -> None:
    world, facts = region.world, region.facts
    facts.max_prims = 40
    for _ in range(10):
        box(region)
    assert refused(make(region, ANNA, New((128.0, 128.0, 60.0)))) == "share is full"
    assert refused(duplicate(region, ANNA, next(world.objects.roots()), (1.0, 0.0, 0.0))) == "share is full"
    for number in range(3):
        someone = Actor(uuid4())
        for _ in range(10):
            box(region, someone, 100.0 + number)
    assert refused(make(region, BEN, New((128.0, 128.0, 60.0)))) == "region is full"
    facts.max_prims = 64
    cells = world.parcels[0].cells.copy()
    cells[:, 32:] = False
    half = Parcel(2, uuid4(), "half", ANNA.agent_id, 0, cells, flags=0)
    world.add_parcel(half)
    assert may.most_prims(region, half) == 32
    assert refused(make(region, BEN, New((10.0, 10.0, 60.0)))) == "parcel"
    assert may.prims_on(region, half) == 30
    box(region, ANNA, 10.0), box(region, ANNA, 11.0)  # beyond her share: it is her land
    assert refused(make(region, ANNA, New((10.0, 10.0, 60.0)))) == "parcel is full"


def test_what_is_not_let_onto_a_parcel_stays_where_it_is(region: Region) -> None:
    cells = region.world.parcels[0].cells.copy()
    cells[:, 32:] = False
    region.world.add_parcel(Parcel(2, uuid4(), "closed", BEN.agent_id, 0, cells, flags=0))
    prim = box(region, ANNA, 200.0)
    assert refused(place(region, ANNA, prim, Edit((20.0, 20.0, 60.0), None, None, False, False))) == "parcel"
    assert region.world.objects.world_place(prim)[0][0] == 200.0


def test_a_parcel_is_its_owner_s_to_change_and_the_change_is_noted(region: Region) -> None:
    parcel, changes = region.world.parcels[0], region.world.changes.parcels.reader()
    parcel.owner_id = ANNA.agent_id
    assert isinstance(land.change_parcel(region, BEN, parcel, {"name": "Ben's"}), Refused) and not changes.take()
    wish = {"name": "ä" * 100, "category": 9999, "landing_position": (math.nan, -5.0, 1e9)}
    assert land.change_parcel(region, ANNA, parcel, wish) is None
    assert parcel.name == "ä" * 31 and parcel.category == 255 and parcel.landing_position == (0.0, 0.0, 4096.0)
    assert changes.take() == {parcel: What.SETTINGS}


# --- how far


number = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1e-30, 1e6, -1e6, 3e38, -3e38, 5.0, 255.999])
)
vectors = st.tuples(number, number, number)
turns = st.sampled_from([(0.0, 0.0, 0.0, 1.0), (0.6, 0.0, 0.0, 0.8), (0.0, 0.6, 0.0, -0.8), (0.5, 0.5, 0.5, 0.5)])
moves = st.tuples(
    st.sampled_from(["root", "child", "link", "unlink", "copy"]), st.none() | vectors, st.none() | turns, st.none() | vectors, st.booleans()
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(moves, min_size=1, max_size=12))
def test_nothing_can_be_put_out_of_bounds(sim: TestSimulator, steps: list[tuple[str, object, object, object, bool]]) -> None:
    """Whatever is moved, stretched, joined, taken apart and copied, by whatever numbers."""
    region, objects = sim.region, sim.world.objects
    root = pair(region)
    other = root.children[0]
    for what, position, rotation, scale, linked in steps:
        wish = Edit(position, rotation, scale, linked, False)  # type: ignore[arg-type]
        if what == "link":
            link.link(region, ANNA, [root, other])
        elif what == "unlink":
            link.unlink(region, ANNA, [other])
        elif what == "copy":
            duplicate(region, ANNA, root, position or (1.0, 1.0, 1.0))  # type: ignore[arg-type]
        else:
            outcome = place(region, ANNA, root if what == "root" else other, wish)
            if isinstance(outcome, OverBorder):
                place(region, ANNA, outcome.root, wish, inside=True)
    for prim in list(objects.by_id.values()):
        row = objects.row(prim)
        values = [*row["position"].tolist(), *row["rotation"].tolist(), *row["scale"].tolist(), *row["world_position"].tolist()]
        assert all(math.isfinite(value) for value in values)
        assert all(MIN_SCALE * 0.999 <= part <= MAX_SCALE for part in row["scale"].tolist())
        x, y, z = row["position"].tolist()
        if prim.root is None:
            assert 0 <= x < 256 and 0 <= y < 256 and -200 < z <= 4096
        else:
            assert math.hypot(x, y, z) <= MAX_APART * 1.001
    for root in list(objects.roots()):
        remove.remove(region, root)


def test_a_set_is_stretched_as_far_as_its_parts_allow_and_keeps_its_proportions(region: Region) -> None:
    root, objects = pair(region), region.world.objects
    child = root.children[0]
    place(region, ANNA, root, Edit(None, None, (0.01, 0.01, 0.01), False, False))
    for _ in range(11):  # a tiny root, and then the whole set again and again
        place(region, ANNA, root, Edit(None, None, (64.0, 64.0, 64.0), True, False))
    root_scale, child_scale = (objects.row(prim)["scale"].tolist() for prim in (root, child))
    assert child_scale[0] / root_scale[0] == pytest.approx(50, rel=0.01)
    assert math.hypot(*objects.row(child)["position"].tolist()) <= MAX_APART * 1.001


def test_what_is_too_far_apart_is_not_linked_nor_left_so(region: Region) -> None:
    far = box(region, ANNA, 10.0), box(region, ANNA, 10.0 + MAX_APART + 1)
    assert refused(link.link(region, ANNA, list(far))) == "cannot be linked"
    middle = box(region, ANNA, 75.0)
    root = link.link(region, ANNA, [middle, *far])
    assert root is middle
    assert refused(link.unlink(region, ANNA, [middle])) == "cannot be unlinked" and len(middle.children) == 2
    moved = place(region, ANNA, middle, Edit((200.0, 128.0, 60.0), None, None, False, False))
    assert refused(moved) == "too far apart"


# --- what is let in


def entry(**face: object) -> bytes:
    return encode_texture_entry(TextureEntry(Face(), {1: Face(**face)}))  # type: ignore[arg-type]


def test_only_looks_that_can_be_read_are_taken_and_scripts_hear_what_differs(region: Region) -> None:
    prim, changes = box(region), region.world.changes.prims.reader()
    assert prim.texture_entry == PLAIN and decode_texture_entry(PLAIN).default == Face()
    nan = PLAIN[:22] + struct.pack("<f", math.nan) + PLAIN[26:]
    for broken in (b"y", PLAIN[:30], nan, PLAIN + b"\xff" * 9, bytes(9000)):
        assert refused(edit.surface(region, ANNA, prim, broken)) == "unreadable surface"
    assert not changes.take() and prim.texture_entry == PLAIN
    for look, what in (
        (entry(color=(1, 2, 3, 4)), What.COLOUR), (entry(texture=uuid4()), What.SURFACE | What.COLOUR), (b"", What.SURFACE),
    ):  # fmt: skip
        assert edit.surface(region, ANNA, prim, look) is None
        assert changes.take() == {prim: what}
    assert prim.texture_entry == PLAIN
    assert edit.surface(region, ANNA, prim, PLAIN, "http://x") is None and changes.take() == {prim: What.MEDIA}


def test_extra_parameters_are_held_to_what_fits_together(region: Region) -> None:
    prim = box(region)
    for kind, data in ((99, b"x"), (0x20, b"light"), (0x20, bytes(4) + struct.pack("<3f", 1, math.inf, 1)), (0x80, b"\x02" + bytes(17))):
        assert refused(edit.extra(region, ANNA, prim, kind, data)) == "unreadable extra parameter"
    assert edit.extra(region, ANNA, prim, 0x80, b"\x0e" + bytes(17 * 14)) is None  # 246 bytes: as many as the field holds
    assert refused(edit.extra(region, ANNA, prim, 0x20, bytes(16))) == "unreadable extra parameter"
    assert edit.extra(region, ANNA, prim, 0x80, None) is None and edit.extra(region, ANNA, prim, 0x20, bytes(16)) is None
    assert prim.extra_params == {0x20: bytes(16)}


def test_texts_are_cut_between_characters(region: Region) -> None:
    prim = box(region)
    for action, field, most in ((edit.name, "name", 63), (edit.description, "description", 127)):
        assert action(region, ANNA, prim, "€" * 200) is None
        assert getattr(prim, field) == "€" * (most // 3)


def test_what_comes_in_by_another_way_is_made_fit_for_viewers(region: Region) -> None:
    prim = Prim(
        uuid4(), ANNA.agent_id, ANNA.agent_id, name="ü" * 90, text="\ud800!", texture_entry=b"y" * 700, text_color=b"",
        extra_params={0x20: bytes(16), 0x30: b"?", 0x80: b"\x0e" + bytes(17 * 14)}, texture_anim=b"abc", particles=bytes(900),
    )  # fmt: skip
    region.world.objects.add(prim, region.world.new_local_id(), (1.0, 1.0, 50.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    assert prim.name == "ü" * 31 and prim.text == "!" and prim.texture_entry == PLAIN and prim.text_color == bytes(4)
    assert prim.extra_params == {0x20: bytes(16)} and prim.texture_anim == b"" and prim.particles == b""
