"""Objects and land that are for sale: who gets what, on which terms, and that money is asked first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from protocol.message import Message, text
from protocol.permissions import Masks
from protocol.wellknown import NULL, Folder, Permission
from sim.actions.buy import FOR_SALE
from sim.actions.outcome import Refused
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root
from tests.sim.handlers.test_contents import builder, done, rez_script, words
from tests.sim.handlers.test_giving import NO_COPY, NO_TRANSFER, put

NOT, ORIGINAL, COPY, CONTENTS = range(4)


async def shop(sim: TestSimulator) -> tuple[Viewer, Viewer, dict[int, str], Prim]:
    """A seller, a buyer with an inventory, and a box of the seller's."""
    anna, _, prim = await builder(sim)
    bert = add_root(sim)
    folders = sim.backbone.add_inventory(bert.id)
    await done(sim)
    bert.forget()
    return anna, bert, folders, prim


async def offers(sim: TestSimulator, seller: Viewer, prim: Prim, kind: int, price: int = 0) -> None:
    block = {"LocalID": prim.local_id, "SaleType": kind, "SalePrice": price}
    seller.sends(Message("ObjectSaleInfo", ObjectData=[block]))
    await done(sim)


async def buys(sim: TestSimulator, buyer: Viewer, prim: Prim, kind: int, price: int = 0, folder: str | UUID = NULL) -> list[str]:
    """What the buyer was told."""
    buyer.forget()
    buyer.agent.told_until.clear()
    block = {"ObjectLocalID": prim.local_id, "SaleType": kind, "SalePrice": price}
    buyer.sends(Message("ObjectBuy", AgentData={"GroupID": NULL, "CategoryID": UUID(str(folder))}, ObjectData=[block]))
    await done(sim)
    return words(buyer)


def bought(sim: TestSimulator, buyer: Viewer, kind: int = 6) -> list[dict[str, Any]]:
    return [item for item in sim.backbone.items[str(buyer.id)].values() if item["type"] == kind]


async def test_an_original_changes_hands_where_it_stands(sim: TestSimulator) -> None:
    anna, bert, _, prim = await shop(sim)
    prim.permissions = Masks(next_owner=int(Permission.MOVE | Permission.TRANSFER))
    hat = put(sim, prim)
    hat.permissions = Masks(next_owner=int(Permission.MOVE | Permission.TRANSFER))
    await rez_script(sim, anna, prim)
    await offers(sim, anna, prim, ORIGINAL)
    assert await buys(sim, bert, prim, ORIGINAL) == []
    assert (prim.owner_id, prim.last_owner_id, prim.sale_type) == (bert.id, anna.id, NOT)
    assert prim.permissions.owner == prim.permissions.base == Permission.MOVE | Permission.TRANSFER
    assert {(item.owner_id, item.last_owner_id) for item in prim.contents} == {(bert.id, anna.id)}
    assert prim.contents[0].permissions.owner == Permission.MOVE | Permission.TRANSFER
    assert sim.scripts.of(prim)[0].is_running
    assert sim.world.objects.owned[bert.id] == 1 and sim.world.objects.owned[anna.id] == 0
    assert "not for sale" in (await buys(sim, anna, prim, ORIGINAL))[-1]


async def test_a_copy_is_an_item_of_the_buyers(sim: TestSimulator) -> None:
    anna, bert, folders, prim = await shop(sim)
    prim.permissions = Masks(next_owner=int(Permission.MOVE | Permission.COPY))
    await offers(sim, anna, prim, COPY)
    assert await buys(sim, bert, prim, COPY, folder=folders[Folder.CLOTHING]) == []
    (item,) = bought(sim, bert)
    assert item["parent_id"] == folders[Folder.CLOTHING] and item["owner_mask"] == Permission.MOVE | Permission.COPY
    assert prim.owner_id == anna.id and prim.row >= 0
    assert bert.heard("UpdateCreateInventoryItem")


async def test_contents_come_in_a_folder_of_the_objects_name(sim: TestSimulator) -> None:
    anna, bert, _, prim = await shop(sim)
    prim.name = "Box of hats"
    put(sim, prim)
    put(sim, prim, "Single", NO_COPY)
    await offers(sim, anna, prim, CONTENTS)
    assert await buys(sim, bert, prim, CONTENTS) == []
    folder = next(folder for folder in sim.backbone.folders[str(bert.id)].values() if folder["name"] == "Box of hats")
    assert {item["name"] for item in bought(sim, bert)} == {"Hat", "Single"}
    assert {item["parent_id"] for item in bought(sim, bert)} == {folder["folder_id"]}
    assert [item.name for item in prim.contents] == ["Hat"]
    (shown,) = bert.heard("BulkUpdateInventory")
    assert shown["FolderData"][0]["FolderID"] == UUID(folder["folder_id"])
    assert not bert.heard("ImprovedInstantMessage")  # it asked for them: there is nothing to offer


@pytest.mark.parametrize(
    ("offer", "wish", "says"),
    [((NOT, 0), (ORIGINAL, 0), "not for sale"), ((ORIGINAL, 0), (COPY, 0), "offer has changed"),
     ((ORIGINAL, 0), (ORIGINAL, 5), "offer has changed"), ((COPY, 5), (COPY, 0), "offer has changed"),
     ((ORIGINAL, 5), (ORIGINAL, 5), "no money"), ((CONTENTS, 0), (CONTENTS, 0), "nothing in it")],
)  # fmt: skip
async def test_other_terms_are_refused_in_words(
    sim: TestSimulator, offer: tuple[int, int], wish: tuple[int, int], says: str
) -> None:
    anna, bert, _, prim = await shop(sim)
    await offers(sim, anna, prim, *offer)
    assert says in (await buys(sim, bert, prim, *wish))[-1]
    assert prim.owner_id == anna.id and bought(sim, bert) == []


async def test_nobody_sells_what_it_may_not_pass_on(sim: TestSimulator) -> None:
    anna, bert, _, prim = await shop(sim)
    kept = put(sim, prim, "Keepsake", NO_TRANSFER)
    for kind in (ORIGINAL, COPY, CONTENTS):
        await offers(sim, anna, prim, kind)
        assert await buys(sim, bert, prim, kind)
    prim.contents.remove(kept)
    prim.permissions = Masks(owner=NO_COPY)
    await offers(sim, anna, prim, COPY)
    assert await buys(sim, bert, prim, COPY)
    assert prim.owner_id == anna.id and bought(sim, bert) == []
    await offers(sim, bert, prim, ORIGINAL)  # nor what is not its own
    assert prim.sale_type == COPY
    assert await buys(sim, anna, prim, COPY)


class Purse:
    """Everybody is rich; what was paid is noted, and what was paid back."""

    def __init__(self) -> None:
        self.paid: dict[UUID, tuple[UUID, UUID, int]] = {}
        self.back: list[UUID] = []

    async def pay(self, payer: UUID, payee: UUID, amount: int, what: str, transaction: UUID) -> Refused | None:
        self.paid[transaction] = (payer, payee, amount)
        return None

    async def pay_back(self, transaction: UUID) -> None:
        self.back.append(transaction)


async def test_money_is_asked_first_and_given_back_where_nothing_came_of_it(sim: TestSimulator) -> None:
    anna, bert, _, prim = await shop(sim)
    purse = Purse()
    sim.circuits._parts = replace(sim.parts, money=purse)
    await offers(sim, anna, prim, COPY, 7)
    sim.assets.down = True
    assert await buys(sim, bert, prim, COPY, 7)
    assert list(purse.paid.values()) == [(bert.id, anna.id, 7)] and purse.back == list(purse.paid)
    sim.assets.down = False
    assert await buys(sim, bert, prim, COPY, 7) == []
    assert len(purse.paid) == 2 and len(purse.back) == 1 and len(bought(sim, bert)) == 1


async def test_two_buyers_of_one_original(sim: TestSimulator) -> None:
    anna, bert, _, prim = await shop(sim)
    carl = add_root(sim)
    await offers(sim, anna, prim, ORIGINAL)
    block = {"ObjectLocalID": prim.local_id, "SaleType": ORIGINAL, "SalePrice": 0}
    for buyer in (bert, carl):
        buyer.sends(Message("ObjectBuy", AgentData={"GroupID": NULL, "CategoryID": NULL}, ObjectData=[block]))
    await done(sim)
    assert prim.owner_id == bert.id and words(carl)


# --- land


async def land(sim: TestSimulator, buyer: Viewer, price: int = 0, area: int = 65536, **data: Any) -> list[str]:
    buyer.forget()
    block = {"GroupID": NULL, "IsGroupOwned": False, "LocalID": 1, "Final": True, **data}
    buyer.sends(Message("ParcelBuy", Data=block, ParcelData={"Price": price, "Area": area}))
    await done(sim)
    return [text(message["AlertData"]["Message"]) for message in buyer.heard("AlertMessage")]


async def test_land_is_bought_as_it_was_offered(sim: TestSimulator) -> None:
    anna, bert, _, _ = await shop(sim)
    (parcel,) = sim.world.parcels
    parcel.owner_id = anna.id
    assert "not for sale" in (await land(sim, bert))[-1]
    block = {"LocalID": 1, "ParcelFlags": parcel.flags | FOR_SALE, "SalePrice": 5, "Name": "Meadow", "AuthBuyerID": NULL}
    anna.sends(Message("ParcelPropertiesUpdate", ParcelData=block))
    assert parcel.sale_price == 5
    assert "offer has changed" in (await land(sim, bert))[-1]
    assert "no money" in (await land(sim, bert, 5))[-1]
    await anna.cap("ParcelPropertiesUpdate", {"local_id": 1, "sale_price": 0, "auth_buyer_id": anna.id})
    assert "somebody else" in (await land(sim, bert))[-1]
    await anna.cap("ParcelPropertiesUpdate", {"local_id": 1, "auth_buyer_id": NULL})
    assert "group" in (await land(sim, bert, IsGroupOwned=True))[-1]
    assert "offer has changed" in (await land(sim, bert, area=16))[-1]
    assert await land(sim, bert) == []
    assert parcel.owner_id == bert.id and not parcel.flags & FOR_SALE
    assert bert.heard("ParcelOverlay") and anna.heard("ParcelOverlay")
    assert bert.events("ParcelProperties")[-1]["ParcelData"][0]["OwnerID"] == bert.id
    assert "yours already" in (await land(sim, bert))[-1]


async def test_only_its_owner_offers_land(sim: TestSimulator) -> None:
    _, bert, _, _ = await shop(sim)
    (parcel,) = sim.world.parcels
    parcel.owner_id = UUID(int=5)
    block = {"LocalID": 1, "ParcelFlags": parcel.flags | FOR_SALE, "SalePrice": 0, "AuthBuyerID": bert.id}
    bert.sends(Message("ParcelPropertiesUpdate", ParcelData=block))
    assert not parcel.flags & FOR_SALE and parcel.buyer_id == NULL
    assert await land(sim, bert)
