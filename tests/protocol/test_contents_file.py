"""Inventory items, and the file in which viewers read an object's contents."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.contents_file import read, write
from protocol.errors import ProtocolError
from protocol.inventory import ASSET_NAMES, INVENTORY_NAMES, Item, item_from_json, item_to_json
from protocol.permissions import Masks
from protocol.wellknown import NULL

masks = st.builds(Masks, *[st.integers(0, 0xFFFFFFFF)] * 5)
items = st.builds(
    Item, st.uuids(), st.uuids(), st.text(max_size=80), st.text(max_size=150), st.uuids(), st.uuids(), st.uuids(), st.uuids(),
    st.sampled_from(list(ASSET_NAMES)), st.sampled_from(list(INVENTORY_NAMES)), st.integers(0, 0xFFFFFFFF), masks,
    st.integers(0, 3), st.integers(0, (1 << 31) - 1), st.integers(0, 1 << 40),
)  # fmt: skip


def test_an_item_reads_as_clients_expect_it() -> None:
    thing, item_id, owner = UUID(int=1), UUID(int=2), UUID(int=3)
    item = Item(
        item_id, UUID(int=4), "New | Script", "2026", owner, owner, owner, NULL, 10, 10, 0,
        Masks(0x7FFFFFFF, 0x7FFFFFFF, 0, 0, 0x82000), 0, 0, 1_700_000_000,
    )  # fmt: skip
    text = write(thing, [item], lambda one: one.asset_id).decode()
    words = [line.split() for line in text.splitlines()]
    assert text.endswith("\0") and words[0] == ["inv_object", "0"]
    for line in (
        ["obj_id", str(thing)], ["name", "Contents|"], ["inv_item", "0"], ["item_id", str(item_id)], ["parent_id", str(thing)],
        ["next_owner_mask", "00082000"], ["asset_id", str(UUID(int=4))], ["type", "lsltext"], ["inv_type", "script"],
        ["sale_type", "not"], ["name", "New", "Script|"], ["creation_date", "1700000000"],
    ):  # fmt: skip
        assert line in words


@given(st.lists(items, max_size=4), st.uuids())
def test_what_is_written_is_read_again(contents: list[Item], thing: UUID) -> None:
    found = read(write(thing, contents, lambda item: NULL))
    assert len(found) == len(contents)
    for one, other in zip(found, contents, strict=True):
        assert one.asset_id == NULL and one.permissions == other.permissions and one.item_id == other.item_id
        assert (one.asset_type, one.inventory_type, one.flags) == (other.asset_type, other.inventory_type, other.flags)
        assert (one.sale_type, one.sale_price, one.created) == (other.sale_type, other.sale_price, other.created)
        assert len(one.name.encode()) <= 63 and len(one.description.encode()) <= 127


@given(st.binary(max_size=400))
def test_no_bytes_hurt_the_reader(data: bytes) -> None:
    try:
        read(data)
    except ProtocolError:
        pass


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read(at: int, byte: int) -> None:
    data = bytearray(write(UUID(int=7), [Item(UUID(int=9), name="Note", asset_type=7, inventory_type=7)], lambda one: NULL))
    data[at % len(data)] = byte
    try:
        assert len(read(bytes(data))) <= 2
    except ProtocolError:
        pass


@given(items)
def test_an_item_goes_through_json(item: Item) -> None:
    assert item_from_json(item_to_json(item)) == item


@pytest.mark.parametrize("wrong", [None, [], {}, {"item_id": "x"}, {**item_to_json(Item(uuid4())), "flags": -1},
                                   {**item_to_json(Item(uuid4())), "type": True}, {**item_to_json(Item(uuid4())), "base_mask": 1 << 32}])  # fmt: skip
def test_what_is_no_item_is_refused(wrong: object) -> None:
    with pytest.raises(ProtocolError):
        item_from_json(wrong)
