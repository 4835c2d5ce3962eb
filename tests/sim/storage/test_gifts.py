"""What an object gives and there is one of, x every step x a crash after that step: it is found exactly once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.errors import ProtocolError
from protocol.inventory import Item, item_to_json
from protocol.wellknown import NULL, AssetType, Folder
from sim.actions import contents, remove
from sim.actions.may import Actor, script_of
from sim.actions.outcome import Refused
from sim.giving import Given
from sim.storage.batch import TransitRow
from sim.storage.transit import GIVE, Transit, read_transit
from sim.world.objects import Prim
from tests.sim.handlers.test_contents import done
from tests.sim.storage.test_moves import NAME, UNIQUE, Place


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    yield made
    made.kill()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("gave up waiting")


async def vendor(place: Place) -> tuple[Prim, Item, UUID]:
    """An object with the one thing in it, on the disk, and somebody who shall have it."""
    prim = place.prim("vendor")
    item = Item(
        uuid4(), uuid4(), NAME, owner_id=place.owner, creator_id=place.owner, asset_type=int(AssetType.NOTECARD), inventory_type=7,
        permissions=UNIQUE,
    )  # fmt: skip
    inside = contents.put(place.sim.region, Actor(place.owner, region=True), prim, item)
    assert isinstance(inside, Item) and await place.sim.storage.durable()
    return prim, inside, UUID(place.backbone.person("Ben"))


def found(place: Place, ben: UUID) -> list[str]:
    mine = place.found()
    return mine + ["ben's" for item in place.backbone.every_item(ben) if item["name"] == NAME]


async def restart(place: Place) -> None:
    await place.start()
    await place.sim.giving.recover()
    await until(lambda: not place.sim.storage.transits)
    await done(place.sim)


async def test_a_gift_that_nothing_disturbs(place: Place) -> None:
    prim, item, ben = await vendor(place)
    assert isinstance(await place.sim.giving.give(script_of(prim), prim, [item.item_id], ben), Given)
    assert found(place, ben) == ["ben's"] and not place.sim.storage.transits


@pytest.mark.parametrize("step", ["note", "make", "forget"])
async def test_a_crash_after_any_step_leaves_it_in_one_place(place: Place, step: str) -> None:
    prim, item, ben = await vendor(place)
    backbone = place.backbone
    if step == "note":
        backbone.down = True
    elif step == "make":
        backbone.lost = {"give"}
    giving = asyncio.ensure_future(place.sim.giving.give(script_of(prim), prim, [item.item_id], ben))
    if step == "forget":
        assert isinstance(await giving, Given)  # and the row that goes was not written yet
    else:
        await until(lambda: backbone.called("give"))
    giving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await giving
    place.kill()
    await restart(place)
    assert found(place, ben) == ["ben's"]
    ids = {fields["message_id"] for (fields,) in place.backbone.called("send_message")}
    assert len(ids) == 1  # the offer; told twice it is the same
    place.kill()
    await restart(place)  # whether the row had gone by then or not
    assert found(place, ben) == ["ben's"]


async def test_refused_it_is_in_the_object_again(place: Place) -> None:
    prim, item, _ = await vendor(place)
    nobody = uuid4()
    refused = await place.sim.giving.give(script_of(prim), prim, [item.item_id], nobody)
    assert isinstance(refused, Refused) and place.found() == ["contents"]
    place.kill()
    await place.start()
    assert place.found() == ["contents"] and not place.sim.storage.transits


async def test_refused_when_the_object_has_gone_it_is_its_owners(place: Place) -> None:
    prim, item, _ = await vendor(place)
    place.backbone.down = True
    giving = asyncio.ensure_future(place.sim.giving.give(script_of(prim), prim, [item.item_id], uuid4()))
    await until(lambda: place.backbone.called("give"))
    remove.remove(place.sim.region, prim)
    assert await place.sim.storage.durable()
    place.backbone.down = False
    assert isinstance(await giving, Refused)
    await until(lambda: not place.sim.storage.transits)
    assert place.found() == ["inventory"]
    assert place.backbone.folder(place.owner, Folder.TRASH) != next(
        one["parent_id"] for one in place.backbone.every_item(place.owner) if one["name"] == NAME
    )


async def test_a_disk_that_takes_nothing_gives_nothing(place: Place) -> None:
    prim, item, ben = await vendor(place)
    assert place.sim.storage.writer is not None
    place.sim.storage.writer.trouble = "no space left"
    refused = await place.sim.giving.give(script_of(prim), prim, [item.item_id], ben)
    assert isinstance(refused, Refused) and "disk" in refused.words
    assert found(place, ben) == ["contents"]
    place.sim.storage.writer.trouble = ""


def test_a_row_of_a_gift_is_read_as_it_was_written_or_refused() -> None:
    one = item_to_json(Item(uuid4(), NULL, NAME))
    facts: dict[str, Any] = {
        "giver": str(uuid4()), "receiver": str(uuid4()), "prim": str(uuid4()), "name": None, "offer": True, "items": [one], "gone": [one],
    }  # fmt: skip
    row = Transit(GIVE, 5.0, facts).row()
    assert read_transit(row) == Transit(GIVE, 5.0, facts)
    bad: dict[str, Any]
    for bad in ({**facts, "giver": "x"}, {**facts, "items": [{}]}, {**facts, "offer": 1}, {**facts, "name": 5}, {}):
        with pytest.raises(ProtocolError):
            read_transit(TransitRow(GIVE, 5.0, Transit(GIVE, 5.0, bad).row().facts, b""))
