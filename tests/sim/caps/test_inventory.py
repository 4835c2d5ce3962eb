"""Inventory by capability."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.wellknown import LIBRARY_OWNER, Folder
from sim.caps import Refused
from sim.caps.inventory import signed
from tests.kit.world import TestSimulator, add_root


def ask(folder: Any, owner: Any, **more: Any) -> dict[str, Any]:
    one = {
        "folder_id": UUID(str(folder)),
        "owner_id": owner,
        "fetch_folders": True,
        "fetch_items": True,
        "sort_order": 1,
    }
    return {"folders": [{**one, **more}]}


async def test_current_outfit_as_clients_need_it(sim: TestSimulator) -> None:
    anna = add_root(sim)
    folders = sim.backbone.add_inventory(anna.id)
    outfit = UUID(folders[Folder.CURRENT_OUTFIT])
    answer = await anna.cap("FetchInventoryDescendents2", ask(outfit, anna.id))
    (folder,) = answer["folders"]
    assert (folder["folder_id"], folder["agent_id"], folder["owner_id"]) == (outfit, anna.id, anna.id)
    assert folder["descendents"] == len(folder["items"]) == 6
    item = folder["items"][0]
    assert (item["type"], item["inv_type"], item["agent_id"], item["parent_id"]) == (24, 18, anna.id, outfit)
    assert item["permissions"]["owner_mask"] == 0x7FFFFFFF
    assert item["sale_info"] == {"sale_price": 0, "sale_type": 0}


async def test_categories_go_by_all_their_names(sim: TestSimulator) -> None:
    anna = add_root(sim)
    folders = sim.backbone.add_inventory(anna.id)
    answer = await anna.cap("FetchInventoryDescendents2", ask(folders[Folder.ROOT], anna.id))
    categories = answer["folders"][0]["categories"]
    trash = next(category for category in categories if category["type_default"] == Folder.TRASH)
    assert trash["folder_id"] == trash["category_id"] == UUID(folders[Folder.TRASH])
    assert trash["type"] == trash["preferred_type"] == 14


async def test_nobody_elses_folders(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    folders = sim.backbone.add_inventory(bert.id)
    unknown = uuid4()
    for body in (ask(folders[Folder.ROOT], bert.id), ask(folders[Folder.ROOT], anna.id), ask(unknown, anna.id)):
        answer = await anna.cap("FetchInventoryDescendents2", body)
        assert answer["folders"] == []
        assert answer["bad_folders"][0]["folder_id"] == body["folders"][0]["folder_id"]
    assert {arguments[0] for arguments in sim.backbone.called("fetch_folders")} == {anna.id}


async def test_the_library(sim: TestSimulator) -> None:
    anna = add_root(sim)
    root = sim.backbone.add_folder(LIBRARY_OWNER, uuid4(), uuid4(), "Library", 8)["folder_id"]
    item = sim.backbone.add_item(LIBRARY_OWNER, root)
    for name, owner in (("FetchLibDescendents2", LIBRARY_OWNER), ("FetchInventoryDescendents2", LIBRARY_OWNER)):
        answer = await anna.cap(name, ask(root, owner))
        assert [one["item_id"] for one in answer["folders"][0]["items"]] == [UUID(item["item_id"])]
    answer = await anna.cap("FetchLib2", {"items": [{"item_id": UUID(item["item_id"]), "owner_id": LIBRARY_OWNER}]})
    assert len(answer["items"]) == 1


async def test_items(sim: TestSimulator) -> None:
    anna = add_root(sim)
    item = sim.backbone.add_item(anna.id, uuid4(), base_mask=0xFFFFFFFF, name="é", type=10, inv_type=10)
    wanted = [{"item_id": UUID(item["item_id"]), "owner_id": anna.id}, {"item_id": uuid4()}]
    answer = await anna.cap("FetchInventory2", {"items": wanted})
    assert answer["agent_id"] == anna.id
    (found,) = answer["items"]
    assert (found["name"], found["type"], found["inv_type"], found["permissions"]["base_mask"]) == ("é", 10, 10, -1)
    assert (await anna.cap("FetchInventory2", {"items": []}))["items"] == []


def test_masks_are_signed() -> None:
    assert [signed(mask) for mask in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)] == [0, 0x7FFFFFFF, -(1 << 31), -1]


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("FetchInventoryDescendents2", {}, 400),
        ("FetchInventoryDescendents2", {"folders": 7}, 400),
        ("FetchInventoryDescendents2", {"folders": [7]}, 400),
        ("FetchInventoryDescendents2", {"folders": [{"folder_id": "x"}]}, 400),
        ("FetchInventoryDescendents2", {"folders": [{}] * 201}, 413),
        ("FetchInventoryDescendents2", b"<llsd><map><key>", 400),
        ("FetchInventoryDescendents2", ["x"], 400),
        ("FetchInventory2", {"items": "x"}, 400),
        ("FetchInventory2", {"items": [{"item_id": 3}]}, 400),
        ("FetchInventory2", {"items": [{}] * 1001}, 413),
        ("CreateInventoryCategory", {"folder_id": uuid4(), "parent_id": uuid4(), "type": 1000, "name": "x"}, 400),
        ("CreateInventoryCategory", {"folder_id": uuid4(), "parent_id": uuid4(), "name": ""}, 400),
        (
            "CreateInventoryCategory",
            {"folder_id": uuid4(), "parent_id": uuid4(), "name": "in a stranger's folder"},
            404,
        ),
    ],
)
async def test_bad_requests(sim: TestSimulator, name: str, body: Any, status: int) -> None:
    anna = add_root(sim)
    with pytest.raises(Refused) as refusal:
        await anna.cap(name, body)
    assert refusal.value.status == status


async def test_a_new_folder(sim: TestSimulator) -> None:
    anna = add_root(sim)
    folders = sim.backbone.add_inventory(anna.id)
    folder = uuid4()
    body = {"folder_id": folder, "parent_id": UUID(folders[Folder.ROOT]), "type": -1, "name": "Boats"}
    assert await anna.cap("CreateInventoryCategory", body) == body
    assert sim.backbone.folders[str(anna.id)][str(folder)]["name"] == "Boats"


async def test_without_backbone_the_answer_is_an_error(sim: TestSimulator) -> None:
    anna = add_root(sim)
    sim.backbone.down = True
    requests = {
        "FetchInventoryDescendents2": ask(uuid4(), anna.id),
        "FetchInventory2": {"items": [{"item_id": uuid4()}]},
        "CreateInventoryCategory": {"folder_id": uuid4(), "parent_id": uuid4(), "name": "x"},
    }
    for name, body in requests.items():
        with pytest.raises(Refused) as refusal:
            await anna.cap(name, body)
        assert refusal.value.status == 503
