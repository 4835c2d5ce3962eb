"""Gifts between people, here and elsewhere, and from objects to people and to objects: what goes where, and what is told."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.inventory import Item
from protocol.message import Message, text
from protocol.permissions import Masks
from protocol.wellknown import NULL, Folder, Permission
from sim.actions import contents, give
from sim.actions.may import Actor, script_of
from sim.actions.outcome import Refused
from sim.giving import Given
from sim.handlers.giving import read_bucket
from sim.handlers.messages import deliver_message
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root
from tests.sim.handlers.test_contents import box, builder, done, rez_script, words

OFFERED, ACCEPTED, DECLINED, BY_OBJECT, ACCEPTED_OF_OBJECT, DECLINED_OF_OBJECT = 4, 5, 6, 9, 10, 11
NO_COPY, NO_TRANSFER = int(Permission.ALL & ~Permission.COPY), int(Permission.ALL & ~Permission.TRANSFER)


async def people(sim: TestSimulator) -> tuple[Viewer, Viewer, dict[int, str], dict[int, str]]:
    anna, bert = add_root(sim, "Anna Tester"), add_root(sim, "Bert Tester")
    folders = sim.backbone.add_inventory(anna.id), sim.backbone.add_inventory(bert.id)
    await done(sim)
    for one in (anna, bert):
        one.forget()
    return anna, bert, *folders


async def says(sim: TestSimulator, viewer: Viewer, to: UUID, dialog: int, bucket: bytes, gift_id: UUID = NULL, said: str = "") -> None:
    block = {"ToAgentID": to, "Dialog": dialog, "ID": gift_id, "Message": said, "BinaryBucket": bucket, "FromAgentName": "x"}
    viewer.sends(Message("ImprovedInstantMessage", MessageBlock=block))
    await done(sim)


async def offer(sim: TestSimulator, giver: Viewer, to: UUID, thing_id: str, kind: int = 7, gift_id: UUID | None = None) -> UUID:
    gift_id = gift_id or uuid4()
    await says(sim, giver, to, OFFERED, bytes([kind]) + UUID(thing_id).bytes, gift_id, "Thing")
    return gift_id


def heard(viewer: Viewer) -> list[tuple[int, UUID, bytes]]:
    return [
        (message["MessageBlock"]["Dialog"], message["MessageBlock"]["ID"], bytes(message["MessageBlock"]["BinaryBucket"]))
        for message in viewer.heard("ImprovedInstantMessage")
    ]


def order(viewer: Viewer) -> list[str]:
    return [sent.message.name for sent in viewer.circuit.sent if sent.message.name in ("BulkUpdateInventory", "ImprovedInstantMessage")]


def things(sim: TestSimulator, viewer: Viewer, name: str = "Thing") -> list[dict[str, Any]]:
    return [item for item in sim.backbone.items[str(viewer.id)].values() if item["name"] == name]


# --- between people


async def test_a_gift_is_shown_and_then_offered(sim: TestSimulator) -> None:
    anna, bert, folders, _ = await people(sim)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])
    gift_id = await offer(sim, anna, bert.id, item["item_id"])
    (copy,) = things(sim, bert)
    assert heard(bert) == [(OFFERED, gift_id, b"\x07" + UUID(copy["item_id"]).bytes)]
    assert order(bert) == ["BulkUpdateInventory", "ImprovedInstantMessage"]
    (told,) = bert.heard("BulkUpdateInventory")
    assert told["ItemData"][0]["ItemID"] == UUID(copy["item_id"])
    assert len(things(sim, anna)) == 1 and not anna.heard("RemoveInventoryItem") and heard(anna) == []


async def test_what_cannot_be_copied_leaves_the_giver_and_its_viewer(sim: TestSimulator) -> None:
    anna, bert, folders, _ = await people(sim)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], owner_mask=NO_COPY)
    sim.backbone.silent = 1  # it happened, and the answer was lost: asked again, it is the same gift
    await offer(sim, anna, bert.id, item["item_id"])
    assert (len(things(sim, anna)), len(things(sim, bert))) == (0, 1)
    (removed,) = anna.heard("RemoveInventoryItem")
    assert removed["InventoryData"][0]["ItemID"] == UUID(item["item_id"])
    assert len(heard(bert)) == 1


async def test_who_is_away_or_elsewhere_finds_it(sim: TestSimulator) -> None:
    anna, _, folders, _ = await people(sim)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])
    away = uuid4()
    sim.backbone.add_user(away, "Carl", "Away")
    sim.backbone.add_inventory(away)
    await offer(sim, anna, away, item["item_id"])
    ((fields,),) = sim.backbone.called("send_message")
    assert fields["dialog"] == OFFERED and fields["to_agent_id"] == str(away)
    (answer,) = anna.heard("ImprovedInstantMessage")
    assert "inventory has been saved" in text(answer["MessageBlock"]["Message"])
    anna.forget()
    sim.backbone.fates[str(away)] = {"result": "delivered"}
    await offer(sim, anna, away, item["item_id"])
    assert heard(anna) == [] and words(anna) == []
    # The same message as the region gets it in which its receiver is.
    dora = add_root(sim)
    mine = sim.backbone.add_inventory(dora.id)
    gift = sim.backbone.add_item(dora.id, mine[Folder.NOTECARDS])
    bucket = base64.b64encode(b"\x07" + UUID(gift["item_id"]).bytes).decode()
    deliver_message(sim.parts, dora.agent, {**fields, "to_agent_id": str(dora.id), "binary_bucket": bucket})
    await done(sim)
    assert order(dora)[-2:] == ["BulkUpdateInventory", "ImprovedInstantMessage"]


async def test_what_is_refused_is_said_and_shown_again(sim: TestSimulator) -> None:
    anna, bert, folders, _ = await people(sim)
    kept = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], owner_mask=NO_TRANSFER)
    await offer(sim, anna, bert.id, kept["item_id"])
    assert "may not be given away: Thing" in words(anna)[-1] and heard(bert) == [] == things(sim, bert)
    (shown,) = anna.heard("BulkUpdateInventory")
    assert shown["ItemData"][0]["ItemID"] == UUID(kept["item_id"])
    for to, thing in ((uuid4(), kept["item_id"]), (bert.id, str(uuid4()))):
        anna.forget()
        await offer(sim, anna, to, thing)
        assert "was not given" in words(anna)[-1]
    sim.backbone.down = True
    anna.forget()
    await offer(sim, anna, bert.id, kept["item_id"])
    assert "may have been given, or not" in words(anna)[-1]


async def test_a_folder_is_given_as_one(sim: TestSimulator) -> None:
    anna, bert, folders, _ = await people(sim)
    folder_id = str(uuid4())
    sim.backbone.add_folder(anna.id, folder_id, folders[Folder.ROOT], "Boxes", -1)
    bucket = b"\x08" + UUID(folder_id).bytes + b"\x07" + uuid4().bytes
    gift_id = uuid4()
    await says(sim, anna, bert.id, OFFERED, bucket, gift_id, "Boxes")
    ((_, _, _, what),) = sim.backbone.called("give")
    assert what == {"folder_id": UUID(folder_id)}
    ((dialog, heard_id, told),) = heard(bert)
    assert (dialog, heard_id) == (OFFERED, gift_id) and read_bucket(told)[0][0] == 8 and len(told) == 17
    (shown,) = bert.heard("BulkUpdateInventory")
    assert text(shown["FolderData"][0]["Name"]) == "Boxes"


async def test_an_accepted_gift_moves_and_its_giver_is_told(sim: TestSimulator) -> None:
    anna, bert, folders, theirs = await people(sim)
    gift_id = await offer(sim, anna, bert.id, sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"])
    bert.forget()
    await says(sim, bert, uuid4(), ACCEPTED, UUID(theirs[Folder.OBJECTS]).bytes, gift_id)  # whoever it names: the giver is told
    assert things(sim, bert)[0]["parent_id"] == theirs[Folder.OBJECTS]
    assert bert.heard("BulkUpdateInventory")[0]["ItemData"][0]["FolderID"] == UUID(theirs[Folder.OBJECTS])
    assert [(dialog, one) for dialog, one, _ in heard(anna)] == [(ACCEPTED, gift_id)]


async def test_a_declined_gift_is_trash_or_its_givers_again(sim: TestSimulator) -> None:
    anna, bert, folders, theirs = await people(sim)
    gift_id = await offer(sim, anna, bert.id, sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"])
    await says(sim, bert, anna.id, DECLINED, b"", gift_id)
    assert things(sim, bert)[0]["parent_id"] == theirs[Folder.TRASH]
    single = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], owner_mask=NO_COPY, name="Single")
    gift_id = await offer(sim, anna, bert.id, single["item_id"])
    for one in (anna, bert):
        one.forget()
    await says(sim, bert, anna.id, DECLINED, b"", gift_id)
    assert (len(things(sim, anna, "Single")), len(things(sim, bert, "Single"))) == (1, 0)
    assert bert.heard("RemoveInventoryItem")
    assert order(anna) == ["BulkUpdateInventory", "ImprovedInstantMessage"]  # it has it again, and hears so


async def test_nobody_answers_for_another_or_what_was_never_given(sim: TestSimulator) -> None:
    anna, bert, folders, _ = await people(sim)
    carl = add_root(sim)
    sim.backbone.add_inventory(carl.id)
    gift_id = await offer(sim, anna, bert.id, sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"])
    for number in (ACCEPTED, DECLINED, ACCEPTED_OF_OBJECT, DECLINED_OF_OBJECT):
        await says(sim, carl, anna.id, number, b"\0" * 16, gift_id)
        await says(sim, bert, anna.id, number, b"", uuid4())
    assert heard(anna) == []
    assert sim.backbone.gifts[str(gift_id)]["state"] == "offered"


@given(bucket=st.binary(max_size=120))
@settings(max_examples=60)
def test_any_bucket_is_read_or_not(bucket: bytes) -> None:
    assert len(read_bucket(bucket)) == (len(bucket) // 17 if bucket and len(bucket) % 17 == 0 else 0)


async def test_malformed_offers_are_dropped_and_counted(sim: TestSimulator) -> None:
    anna, bert, _, _ = await people(sim)
    for bucket in (b"", b"\x07", b"\x07" * 18):
        await says(sim, anna, bert.id, OFFERED, bucket)
    await says(sim, anna, NULL, OFFERED, b"\x07" * 17)
    assert sim.metrics.value("messages_dropped", "malformed") == 4
    assert sim.backbone.called("give") == [] and heard(bert) == []


# --- from objects


def put(sim: TestSimulator, prim: Prim, name: str = "Hat", owner_mask: int = int(Permission.ALL), kind: int = 6) -> Item:
    masks = Masks(int(Permission.ALL), owner_mask, 0, 0, int(Permission.ALL))
    item = Item(uuid4(), uuid4(), name, owner_id=prim.owner_id, creator_id=prim.owner_id, asset_type=kind, inventory_type=kind, permissions=masks)
    inside = contents.put(sim.region, Actor(prim.owner_id, region=True), prim, item)
    assert isinstance(inside, Item)
    return inside


async def test_an_object_gives_and_its_offer_is_accepted(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    bert = add_root(sim)
    theirs = sim.backbone.add_inventory(bert.id)
    bert.forget()
    prim.name = "Vendor"
    hat = put(sim, prim)
    gift = await sim.giving.give(script_of(prim), prim, [hat.item_id], bert.id)
    await done(sim)
    assert isinstance(gift, Given) and contents.find(prim, hat.item_id) is hat
    assert heard(bert) == [(BY_OBJECT, gift.gift_id, b"\x06")]
    assert order(bert) == ["BulkUpdateInventory", "ImprovedInstantMessage"]
    message = bert.heard("ImprovedInstantMessage")[0]
    assert message["AgentData"]["AgentID"] == anna.id and text(message["MessageBlock"]["FromAgentName"]) == "Vendor"
    await says(sim, bert, anna.id, ACCEPTED_OF_OBJECT, UUID(theirs[Folder.CLOTHING]).bytes, gift.gift_id)
    assert things(sim, bert, "Hat")[0]["parent_id"] == theirs[Folder.CLOTHING]
    assert heard(anna) == []


async def test_several_come_in_a_folder_and_what_cannot_be_copied_leaves(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    bert = add_root(sim)
    sim.backbone.add_inventory(bert.id)
    hat, coat = put(sim, prim), put(sim, prim, "Coat", NO_COPY)
    script = await rez_script(sim, anna, prim)
    assert script is not None
    index = prim.contents.index(script)
    prim.contents[index] = script = replace(script, permissions=Masks(owner=NO_COPY))
    gift = await sim.giving.give(script_of(prim), prim, [hat.item_id, coat.item_id, script.item_id], bert.id, "Clothes")
    await done(sim)
    assert isinstance(gift, Given) and gift.kind == 8
    assert {item["name"] for item in sim.backbone.items[str(bert.id)].values() if item["parent_id"] == str(gift.thing_id)} == {
        "Hat", "Coat", "New Script",
    }  # fmt: skip
    assert [item.name for item in prim.contents] == ["Hat"] and sim.scripts.of(prim) == []
    assert read_bucket(bytes(bert.heard("ImprovedInstantMessage")[0]["MessageBlock"]["BinaryBucket"])) == []


async def test_what_an_object_may_not_give_stays(sim: TestSimulator) -> None:
    anna, folders, prim = await builder(sim)
    bert = add_root(sim)
    sim.backbone.add_inventory(bert.id)
    kept = put(sim, prim, "Keepsake", NO_TRANSFER)
    refused = await sim.giving.give(script_of(prim), prim, [kept.item_id], bert.id)
    assert isinstance(refused, Refused) and "Keepsake" in refused.words
    assert isinstance(await sim.giving.give(script_of(prim), prim, [uuid4()], bert.id), Refused)
    own = await sim.giving.give(script_of(prim), prim, [kept.item_id], anna.id)  # to its owner it may
    assert isinstance(own, Given)
    single = put(sim, prim, "Single", NO_COPY)
    refused = await sim.giving.give(script_of(prim), prim, [single.item_id], uuid4())  # nobody of that id
    assert isinstance(refused, Refused) and [item.name for item in prim.contents] == ["Keepsake", "Single"]
    assert folders


async def test_while_backbone_is_silent_nothing_is_lost_or_doubled(sim: TestSimulator) -> None:
    _, _, prim = await builder(sim)
    bert = add_root(sim)
    sim.backbone.add_inventory(bert.id)
    hat, single = put(sim, prim), put(sim, prim, "Single", NO_COPY)
    sim.backbone.down = True
    refused = await sim.giving.give(script_of(prim), prim, [hat.item_id], bert.id)
    assert isinstance(refused, Refused) and "Nothing was given" in refused.words
    sim.backbone.down, sim.backbone.silent = False, 1
    gift = await sim.giving.give(script_of(prim), prim, [single.item_id], bert.id)
    await done(sim)
    assert isinstance(gift, Given)
    assert [item.name for item in prim.contents] == ["Hat"] and len(things(sim, bert, "Single")) == 1


async def test_a_script_of_a_scene_has_a_text_when_it_is_given(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    script = await rez_script(sim, anna, prim)
    assert script is not None
    prim.contents[0] = script = replace(script, asset_id=NULL)
    gift = await sim.giving.give(script_of(prim), prim, [script.item_id], anna.id)
    assert isinstance(gift, Given)
    asset_id = UUID(things(sim, anna, "New Script")[0]["asset_id"])
    assert sim.assets.stored[asset_id][0].decode() == sim.scripts.of(prim)[0].source
    sim.assets.down = True
    prim.contents[0] = replace(script, asset_id=NULL)
    assert isinstance(await sim.giving.give(script_of(prim), prim, [script.item_id], anna.id), Refused)


async def test_from_object_to_object(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    bert = add_root(sim)
    mine, other = box(sim, anna), box(sim, bert)
    hat, single, kept = put(sim, prim), put(sim, prim, "Single", NO_COPY), put(sim, prim, "Keepsake", NO_TRANSFER)
    inside = give.into(sim.region, script_of(prim), prim, hat.item_id, mine)
    assert isinstance(inside, Item) and inside.item_id != hat.item_id and len(mine.contents) == 1
    assert isinstance(give.into(sim.region, script_of(prim), prim, single.item_id, mine), Item)
    assert [item.name for item in prim.contents] == ["Hat", "Keepsake"]
    for item, target in ((hat, other), (hat, prim), (kept, other)):
        refused = give.into(sim.region, script_of(prim), prim, item.item_id, target)
        assert isinstance(refused, Refused) and refused.words
    assert [item.name for item in prim.contents] == ["Hat", "Keepsake"] and other.contents == []



@pytest.mark.parametrize("count", [0, give.MOST + 1])
async def test_too_many_or_none_are_refused(sim: TestSimulator, count: int) -> None:
    _, _, prim = await builder(sim)
    items = [put(sim, prim, f"Hat {number}") for number in range(count)]
    refused = give.hand_out(sim.region, script_of(prim), prim, [item.item_id for item in items], uuid4())
    assert isinstance(refused, Refused) and refused.words
