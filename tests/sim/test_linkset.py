"""What a prim is goes wherever it goes: through a copy, the one form, and a border. And whatever comes as a form is read or refused."""

from __future__ import annotations

import base64
import dataclasses
import struct
import zlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.message import Message, encode
from protocol.objects import Motion, encode_extra_params, full_block
from protocol.wellknown import NULL
from sim.world import fields, form
from sim.world.drives import Drives, Keyframes, MadeBy
from sim.world.fields import FIELDS, PLACES, Blob, Copied, Field, Goes, Id, Packed, Real, Record, Text, Whole
from sim.world.linkset import Linkset, Part, ScriptState, copy_prim, gather
from sim.world.linkset_data import LinksetStore, size_of
from sim.world.objects import OBJECT_DTYPE, Material, Objects, Permissions, Prim
from sim.world.rare import Material as LegacyMaterial
from sim.world.rare import Media, Rare
from sim.world.shapes import clean_shape
from tests.kit.joined import joined, run
from tests.kit.world import close_sim

PACKED: dict[str, Any] = {
    "extra_params": {0x20: b"light", 0x30: b"sculpt"},
    "sit_target": ((1.0, 0.0, 0.5), (0.0, 0.0, 0.6, 0.8)),
    "linkset_data": LinksetStore({"name": ("value", ""), "é": ("secret", "phrase")}, size_of("name", "value", "") + size_of("é", "secret", "phrase")),
    "expires": 60.0,
    "contents": [Item(UUID(int=8), UUID(int=9), "Note", asset_type=7, inventory_type=7)],
    "lineage": (UUID(int=5), UUID(int=6)),
    "rare": Rare(
        (1.0, 2.0, 3.0), (0.5, 0.0, 0.0), True, -7, True, (1, -1, -2, 5, 10), 6, (UUID(int=9),), (None, Media(home_url="http://x")), 3,
        (None, LegacyMaterial(normal=UUID(int=4))), ("", "{}"),
    ),
    "drives": Drives(force=(1.0, 2.0, 3.0), keyframes=Keyframes((((0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0), 1.0),), playing=False), spin=(0.0, 0.0, 1.0)),
    "made_by": MadeBy(UUID(int=11), UUID(int=12), 2),
}  # fmt: skip
RECORDS: dict[str, Any] = {"permissions": Permissions, "features": Material}
numbers = iter(range(1, 10**9))


def unlike(row: Field) -> Any:
    """A value that no new prim has."""
    holds, number = row.holds, next(numbers)
    if isinstance(holds, Id):
        return UUID(int=number)
    if isinstance(holds, Whole):
        return True if holds is fields.FLAG else 1 + number % min(holds.high, 2)
    if isinstance(holds, Real):
        return 0.1 + number % 7
    if isinstance(holds, Text):
        return f"text {number} é"
    if isinstance(holds, Blob):
        return number.to_bytes(4)
    if isinstance(holds, Packed):
        return PACKED[row.name]
    assert isinstance(holds, Record)
    if row.name == "shape":
        return clean_shape({name: 1 + number % 90 for name in holds.parts} | {"PathCurve": 0x20, "ProfileCurve": 0x11})
    values = {name: 1 if isinstance(part, Whole) else 0.1 + number % 9 / 10 for name, part in holds.parts.items()}
    return RECORDS[row.name](**values)


def unlike_any() -> Prim:
    """A prim of which every field that travels is different from a new one's."""
    return Prim(**{row.name: unlike(row) for row in FIELDS if row.goes is Goes.WITH_IT})


def test_every_field_of_a_prim_has_a_row() -> None:
    assert [row.name for row in FIELDS] == [field.name for field in dataclasses.fields(Prim)]
    new, other = Prim(uuid4(), NULL, NULL), unlike_any()
    for row in FIELDS:
        same = getattr(new, row.name) == getattr(other, row.name)
        assert same == (row.goes is not Goes.WITH_IT), row.name
        assert (row.holds is None) == (row.goes is not Goes.WITH_IT), row.name
        assert row.since <= form.VERSION, f"{row.name} belongs to a version of the form that is not written yet"
    assert {column.name for column in fields.COLUMNS} <= set(OBJECT_DTYPE.names or ())
    tags = [row.holds.tag for row in FIELDS if isinstance(row.holds, Text | Blob | Packed)]
    assert len(set(tags)) == len(tags)


def test_a_copy_is_like_the_original_and_shares_nothing_that_changes() -> None:
    prim = unlike_any()
    prim.row, prim.local_id, prim.scripted, prim.touchable, prim.leaving = 5, 7, True, True, True
    prim.root, prim.children = prim, [prim]
    new, twin = Prim(NULL, NULL, NULL), copy_prim(prim, UUID(int=77), 88)
    for row in FIELDS:
        here, there = getattr(prim, row.name), getattr(twin, row.name)
        if row.copied is Copied.DROPPED:
            assert there == getattr(new, row.name), row.name
        elif row.copied is not Copied.FRESH:
            assert there == here, row.name
            assert (there is not here) == (row.copied is Copied.DEEP), row.name
    assert (twin.full_id, twin.created) == (UUID(int=77), 88)
    assert twin.linkset_data is not None and prim.linkset_data is not None
    twin.linkset_data.pairs.clear()
    assert prim.linkset_data.pairs
    twin.children.append(twin)
    assert copy_prim(prim, uuid4(), 0).children == []


def stand(parts: int = 3) -> tuple[Objects, Prim]:
    """A linkset in a world, all its prims and places different."""
    objects = Objects()
    for number in range(1, parts + 1):
        turn = np.array([0.1 * number, 0.2, 0.3, 1.0])
        turn /= np.linalg.norm(turn)
        objects.add(unlike_any(), number, (10.0 * number, 20.3, 30.1), tuple(turn), (1.5, 0.3, number))  # type: ignore[arg-type]
    root = objects.by_local_id[1]
    objects.link(root, [objects.by_local_id[number] for number in range(2, parts + 1)])
    objects.row(root)["velocity"], objects.row(root)["angular_velocity"] = (1.0, 2.0, 3.5), (0.1, 0.2, 0.3)
    return objects, root


def filled() -> Linkset:
    """A linkset with everything that one can have."""
    objects, root = stand()
    (linkset,) = gather(objects, [root], 10.0)
    linkset.parts[0].scripts = [ScriptState(f"script {number}", uuid4(), "default {}" * (number % 2), b"state") for number in range(4)]
    linkset.parts[2].scripts = [ScriptState("é", uuid4(), "default {}", b"")]
    linkset.parts[1].prim.contents = [
        Item(uuid4(), uuid4(), "é", "a thing", uuid4(), uuid4(), uuid4(), uuid4(), 10, -1, 1 << 31, Permissions(1, 2, 3, 4, 5), 2, -1, 1 << 40),
        Item(uuid4()),
    ]  # fmt: skip
    return linkset


def comes_back(before: Prim, after: Prim) -> None:
    for row in FIELDS:
        if row.goes is Goes.WITH_IT and row.name not in ("linkset_data", "expires"):
            assert getattr(after, row.name) == getattr(before, row.name), row.name


def test_everything_about_a_linkset_comes_back_out_of_its_form() -> None:
    linkset = filled()
    data = form.encode(linkset)
    back = form.decode(data)
    assert (back.velocity, back.angular_velocity) == ((1.0, 2.0, 3.5), pytest.approx((0.1, 0.2, 0.3)))
    assert back.expires_in == 50.0 and back.parts[0].prim.linkset_data == PACKED["linkset_data"]
    for before, after in zip(linkset.parts, back.parts, strict=True):
        comes_back(before.prim, after.prim)
        assert all(getattr(after, name) == getattr(before, name) for name in ("position", "scale", "scripts"))
        assert after.rotation == pytest.approx(before.rotation, abs=1e-6)
    assert form.encode(back) == data


def test_many_are_read_as_one_and_a_wrong_one_among_them_is_told() -> None:
    forms = [form.encode(filled()) for _ in range(5)]
    read = form.decode_all([forms[0], b"nothing", *forms[1:3], forms[3][:-1], forms[4]])
    assert [isinstance(each, Linkset) for each in read] == [True, False, True, True, False, True]
    assert [each.parts[2].prim.full_id for each in read if isinstance(each, Linkset)] == [
        form.decode(each).parts[2].prim.full_id for each in (*forms[:3], forms[4])
    ]


async def test_everything_about_a_linkset_goes_over_a_border() -> None:
    west, east = joined((1000, 1000), (1001, 1000))
    prims = [unlike_any() for _ in range(3)]
    for number, prim in enumerate(prims):
        prim.pcode, prim.physical, prim.linkset_data = 9, False, PACKED["linkset_data"] if number == 0 else None
        prim.expires = west.clock.now() + 60.0
        west.world.objects.add(prim, west.world.new_local_id(), (250.0, 100.0 + number, 40.0), (0.0, 0.0, 0.0, 1.0), (1.0, 2.0, 0.5))
    west.world.objects.link(prims[0], prims[1:])
    before = [copy_prim(prim, prim.full_id, prim.created) for prim in prims]
    lineages = [prim.lineage for prim in prims]
    assert west.neighbours.objects.begin(prims[0], (257.0, 100.0, 40.0))
    await run([west, east], 0.5)
    assert not west.world.objects.by_id
    root = east.world.objects.by_id[prims[0].full_id]
    for there, here, lineage in zip(root.linkset(), before, lineages, strict=True):
        assert there.lineage[:-1] == lineage
        there.lineage = here.lineage
        comes_back(here, there)
    assert root.linkset_data == PACKED["linkset_data"] and root.expires == pytest.approx(east.clock.now() + 60.0, abs=1.0)
    assert east.world.objects.row(root.children[1])["scale"].tolist() == [1.0, 2.0, 0.5]
    for sim in (west, east):
        close_sim(sim)


# --- other versions


def test_a_newer_form_is_refused_with_a_word() -> None:
    data = bytearray(form.encode(filled()))
    data[4] = form.VERSION + 1
    with pytest.raises(ProtocolError, match=f"version {form.VERSION + 1}"):
        form.decode(bytes(data))


def test_an_older_form_is_read_with_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if some fields had come with the next version: what is written today is read then."""
    newer = form.VERSION + 1
    late = ("category", "touch_name", "group_id")
    table = [dataclasses.replace(row, since=newer) if row.name in late else row for row in FIELDS]
    linkset = filled()
    monkeypatch.setattr(form, "LAYOUTS", {form.VERSION: form.Layout(form.VERSION, table)})
    old = form.encode(linkset)
    monkeypatch.setattr(form, "LAYOUTS", {version: form.Layout(version, table) for version in (form.VERSION, newer)})
    monkeypatch.setattr(form, "VERSION", newer)
    back, new = form.decode(old), Prim(NULL, NULL, NULL)
    for before, after in zip(linkset.parts, back.parts, strict=True):
        for row in FIELDS:
            if row.goes is Goes.WITH_IT and row.name not in ("linkset_data", "expires"):
                expected = new if row.name in late else before.prim
                assert getattr(after.prim, row.name) == getattr(expected, row.name), row.name
    again = form.encode(back)
    assert again[4] == newer and form.encode(form.decode(again)) == again

# A form as version 1 writes it. Regions' stores are full of these: they must be readable for good.
VERSION_1 = (
    "eNrz8fMOZmRgYljO8f0LAypgROMzofGZGWgJHPodjMHgsT1E4AGU/mD/////ehCGq1XgAFOsMD4n3G0CYE+kpGAY3wAyzQGIHDDFYXIM9miaWI"
    "ZaiDAgQoSRUIighAyWEIFgTkY2oJh7fk5Kah47J8gmYLDnZKZnlHCwA3n5ZalFCpklPBY4jf9gj9+XH+x5+aCJD+bkxCQBCaxOgwBBkHoukKdS"
    "0xJLc0oUqmuFZDGVAVMHIyiFFBeXJJakCvdhqmCjTbwRjBxWhpKMzLx0RrDznDMyc1IA5ZBFNw=="
)


def test_what_version_1_wrote_is_read_for_good() -> None:
    """When this fails, a field came without a new version: see `since` in `world/fields.py`."""
    data = zlib.decompress(base64.b64decode(VERSION_1))
    assert data[4] == 1
    linkset = form.decode(data)
    root, child = (part.prim for part in linkset.parts)
    assert (root.full_id, root.owner_id, root.creator_id, root.name, root.text) == (UUID(int=1), UUID(int=2), UUID(int=3), "Golden", "over it")
    assert (root.category, root.extra_params, root.linkset_data) == (5, {32: b"light"}, LinksetStore({"a": ("b", "")}, 2))
    assert root.sit_target == ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0)) and linkset.velocity == (1.0, 0.0, 0.0)
    assert (child.full_id, child.name, child.material) == (UUID(int=4), "Child", 1)
    assert linkset.parts[0].scripts == [ScriptState("s", UUID(int=5), "default {}", b"state")]
    assert root.contents == [Item(UUID(int=6), name="thing")]


# --- what does not fit


@given(st.sampled_from(["nan", "inf", "-inf", "1e30", "-1e30"]).map(float))
def test_what_no_prim_may_have_is_brought_within_its_limits(value: float) -> None:
    prim = Prim(uuid4(), NULL, NULL, name="é" * 63, sound_gain=value, sale_type=200, material=99, media_url="\ud800" * 300)
    prim.features.friction, prim.sit_target = value, ((value, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    linkset = Linkset([Part(prim, (value, 1.0, 2.0), (value, 0.0, 0.0, 0.0), (value, 0.0, 99.0))], (value, 0.0, 0.0))
    back = form.decode(form.encode(linkset))
    part = back.parts[0]
    assert np.isfinite([*part.position, *part.rotation, *part.scale, *back.velocity, part.prim.features.friction]).all()
    assert (part.prim.sale_type, part.prim.material, part.prim.name) == (3, 7, "é" * 31)
    assert part.scale[1:] == pytest.approx((0.01, 64.0), rel=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"texture_entry": bytes(4000)},
        {"sale_price": -1},
        {"created": "today"},
        {"extra_params": {kind: b"" for kind in range(20)}},
        {"extra_params": {1: bytes(300)}},
    ],
)
def test_what_has_no_room_is_refused(wrong: dict[str, Any]) -> None:
    part = Part(Prim(uuid4(), NULL, NULL, **wrong), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    with pytest.raises(ProtocolError):
        form.encode(Linkset([part]))
    good = Part(Prim(uuid4(), NULL, NULL), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    several = form.encode_all([Linkset([good]), Linkset([part]), Linkset([good])])
    assert [isinstance(each, bytes) for each in several] == [True, False, True]


@pytest.mark.parametrize("parts", [0, 257])
def test_a_linkset_has_1_to_256_prims(parts: int) -> None:
    each = [Part(Prim(uuid4(), NULL, NULL), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0)) for _ in range(parts)]
    with pytest.raises(ProtocolError):
        form.encode(Linkset(each))


# --- hostile bytes


GOOD = form.encode(filled())


def sealed(data: bytes) -> bytes:
    """With a checksum that fits."""
    return data[:8] + struct.pack("<I", zlib.crc32(data[12:])) + data[12:]


def is_sound(linkset: Linkset) -> None:
    """Whatever was let in can be told to viewers, and be written again."""
    for part in linkset.parts:
        assert np.isfinite([*part.position, *part.rotation, *part.scale, *linkset.velocity]).all()
        prim = part.prim
        block = full_block(
            1, prim.full_id, Motion(part.position, linkset.velocity, rotation=part.rotation), scale=part.scale, pcode=prim.pcode,
            state=prim.state, material=prim.material, click_action=prim.click_action, shape=prim.shape, text=prim.text,
            texture_entry=prim.texture_entry, texture_anim=prim.texture_anim, text_color=prim.text_color,
            media_url=prim.media_url, particles=prim.particles, extra_params=encode_extra_params(prim.extra_params),
            sound=prim.sound, gain=prim.sound_gain, sound_flags=prim.sound_flags, radius=prim.sound_radius,
        )  # fmt: skip
        encode(Message("ObjectUpdate", ObjectData=[block]))
    data = form.encode(linkset)
    assert form.encode(form.decode(data)) == data


def test_every_flipped_bit_is_found() -> None:
    for place in range(len(GOOD)):
        for bit in range(8):
            with pytest.raises(ProtocolError):
                form.decode(GOOD[:place] + bytes([GOOD[place] ^ 1 << bit]) + GOOD[place + 1 :])


def test_every_shorter_form_is_refused() -> None:
    for end in range(len(GOOD)):
        for data in (GOOD[:end], sealed(GOOD[:end]) if end >= 12 else b""):
            with pytest.raises(ProtocolError):
                form.decode(data)


def damaged() -> Iterator[st.SearchStrategy[bytes]]:
    places = st.integers(0, len(GOOD) - 1)
    yield st.tuples(places, st.integers(1, 255)).map(lambda at: GOOD[: at[0]] + bytes([GOOD[at[0]] ^ at[1]]) + GOOD[at[0] + 1 :])
    yield st.tuples(places, st.binary(max_size=64)).map(lambda at: GOOD[: at[0]] + at[1] + GOOD[at[0] + len(at[1]) :])
    yield st.tuples(places, places).map(lambda at: GOOD[: at[0]] + GOOD[at[1] :])
    yield st.tuples(places, st.sampled_from([b"\xff" * 4, b"\0\0\xc0\x7f", b"\0\0\x80\x7f", bytes(8), b"\xff" * 8])).map(
        lambda at: GOOD[: at[0]] + at[1] + GOOD[at[0] + len(at[1]) :]
    )


@settings(max_examples=1500, deadline=None)
@given(st.one_of(*damaged()))
@example(GOOD)
def test_whatever_is_sealed_is_read_or_refused(data: bytes) -> None:
    if len(data) >= 12:
        data = sealed(data)
    try:
        linkset = form.decode(data)
    except ProtocolError:
        return
    is_sound(linkset)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_break_it(data: bytes) -> None:
    for each in (data, sealed(GOOD[:12] + data)):
        try:
            is_sound(form.decode(each))
        except ProtocolError:
            pass


def test_places_are_of_the_rows_that_hold_them() -> None:
    for column in PLACES:
        assert OBJECT_DTYPE[column.name].shape == (column.width,)
