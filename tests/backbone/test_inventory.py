"""Inventory: what a new person has, what changes do, and whose it stays."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from backbone.storage.inventory import MAX_DEPTH
from protocol.wellknown import DEFAULT_WEARABLES, LIBRARY_OWNER, LIBRARY_ROOT, Folder
from tests.backbone.kit import PASSWORD, unique

ITEM_MEMBERS = {
    "item_id", "parent_id", "asset_id", "name", "desc", "type", "inv_type", "flags", "created_at", "creator_id",
    "owner_id", "last_owner_id", "group_id", "is_owner_group", "base_mask", "owner_mask", "group_mask",
    "everyone_mask", "next_owner_mask", "sale_price", "sale_type",
}  # fmt: skip


class Tree:
    """A person's inventory, with shorthands."""

    def __init__(self, backbone: BackboneClient, agent_id: str, folders: list[dict[str, Any]]) -> None:
        self.backbone, self.agent_id = backbone, agent_id
        self.system = {folder["type"]: folder["folder_id"] for folder in folders}

    async def contents(self, folder_id: str) -> dict[str, Any]:
        asked = {"folder_id": folder_id, "fetch_folders": True, "fetch_items": True}
        found = (await self.backbone.fetch_folders(self.agent_id, [asked]))["folders"]
        return found[0]

    async def version(self, folder_id: str) -> int:
        return (await self.contents(folder_id))["version"]

    async def item(self, kind: Folder = Folder.NOTECARDS, **more: Any) -> dict[str, Any]:
        given = {
            "parent_id": self.system[kind],
            "asset_id": str(uuid4()),
            "name": "a thing",
            "type": int(kind),
            "inv_type": 7,
            **more,
        }
        return await self.backbone.create_item(self.agent_id, given)

    async def folder(self, parent_id: str, name: str = "New Folder") -> str:
        return (await self.backbone.create_folder(self.agent_id, uuid4(), parent_id, name))["folder_id"]


async def new_tree(backbone: BackboneClient) -> Tree:
    user = await backbone.create_user(unique("Inv"), "Tester", PASSWORD)
    skeleton = await backbone.get_inventory_skeleton(user["agent_id"])
    return Tree(backbone, user["agent_id"], skeleton["folders"])


async def refused(awaitable: Any) -> int:
    with pytest.raises(BackboneError) as error:
        await awaitable
    return error.value.status


async def test_a_new_person_wears_the_default_outfit(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    body = await tree.contents(tree.system[Folder.BODY_PARTS])
    clothes = await tree.contents(tree.system[Folder.CLOTHING])
    worn = await tree.contents(tree.system[Folder.CURRENT_OUTFIT])
    items = {item["item_id"]: item for item in body["items"] + clothes["items"]}
    assert {item["flags"]: item["asset_id"] for item in items.values()} == {
        int(kind): str(asset) for kind, asset in DEFAULT_WEARABLES.items()
    }
    assert {item["type"] for item in body["items"]} == {13}
    assert {item["type"] for item in clothes["items"]} == {5}
    assert all(set(item) == ITEM_MEMBERS for item in items.values())
    assert {link["asset_id"] for link in worn["items"]} == set(items)
    assert all(link["type"] == 24 and link["inv_type"] == 18 for link in worn["items"])
    assert worn["descendents"] == len(DEFAULT_WEARABLES)
    skeleton = await backbone.get_inventory_skeleton(tree.agent_id)
    assert skeleton["root"] == tree.system[Folder.ROOT]
    for folder in skeleton["folders"]:
        assert folder["version"] == await tree.version(folder["folder_id"])


async def test_versions_grow_by_one_with_each_direct_change(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    root, notes, trash = (tree.system[kind] for kind in (Folder.ROOT, Folder.NOTECARDS, Folder.TRASH))

    async def versions() -> tuple[int, ...]:
        return await tree.version(root), await tree.version(notes), await tree.version(trash)

    before = await versions()
    item = await tree.item()
    assert await versions() == (before[0], before[1] + 1, before[2])
    await backbone.update_item(tree.agent_id, item["item_id"], name="another name")
    assert await versions() == (before[0], before[1] + 2, before[2])
    await backbone.update_item(tree.agent_id, item["item_id"], name="another name")  # no change
    assert await versions() == (before[0], before[1] + 2, before[2])
    await backbone.update_item(tree.agent_id, item["item_id"], parent_id=trash)
    assert await versions() == (before[0], before[1] + 3, before[2] + 1)
    await backbone.purge_folder(tree.agent_id, trash)
    assert await versions() == (before[0], before[1] + 3, before[2] + 2)
    folder = await tree.folder(root)
    assert await versions() == (before[0] + 1, before[1] + 3, before[2] + 2)
    await backbone.update_folder(tree.agent_id, folder, parent_id=trash)
    assert await versions() == (before[0] + 2, before[1] + 3, before[2] + 3)
    await backbone.delete_folder(tree.agent_id, folder)
    assert await versions() == (before[0] + 2, before[1] + 3, before[2] + 4)


async def test_repeated_creations_make_one(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    notes = tree.system[Folder.NOTECARDS]
    given: dict[str, Any] = {"item_id": str(uuid4()), "asset_id": str(uuid4())}
    assert await tree.item(**given) == await tree.item(**given)
    assert await refused(tree.item(**{**given, "name": "something else"})) == 409
    folder_id = str(uuid4())
    first = await backbone.create_folder(tree.agent_id, folder_id, notes, "Once")
    again = await backbone.create_folder(tree.agent_id, folder_id, notes, "Once")
    assert first == again
    assert await refused(backbone.create_folder(tree.agent_id, folder_id, notes, "Twice")) == 409
    assert (await tree.contents(notes))["descendents"] == 2
    source = await tree.item()
    copy_id = uuid4()
    copies = [await backbone.copy_item(tree.agent_id, source["item_id"], notes, "copy", copy_id) for _ in range(2)]
    assert copies[0] == copies[1]
    assert copies[0]["name"] == "copy"
    assert (await backbone.copy_item(tree.agent_id, source["item_id"], notes))["name"] == source["name"]


async def test_system_folders_stay(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    root, clothes, notes = (tree.system[kind] for kind in (Folder.ROOT, Folder.CLOTHING, Folder.NOTECARDS))
    for attempt in (
        backbone.delete_folder(tree.agent_id, clothes),
        backbone.delete_folder(tree.agent_id, root),
        backbone.purge_folder(tree.agent_id, root),
        backbone.update_folder(tree.agent_id, clothes, parent_id=notes),
        backbone.update_folder(tree.agent_id, clothes, name="Rags"),
        backbone.update_folder(tree.agent_id, await tree.folder(root), type=14),
    ):
        assert await refused(attempt) == 403
    assert await refused(backbone.create_folder(tree.agent_id, uuid4(), root, "Trash 2", 14)) == 409
    assert (await backbone.create_folder(tree.agent_id, uuid4(), root, "Outfit", 47))["type"] == 47


async def test_a_tree_stays_a_tree(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    top = await tree.folder(tree.system[Folder.ROOT])
    deep = top
    for _ in range(5):
        deep = await tree.folder(deep)
    assert await refused(backbone.update_folder(tree.agent_id, top, parent_id=deep)) == 409
    assert await refused(backbone.update_folder(tree.agent_id, top, parent_id=top)) == 409
    assert await refused(backbone.update_folder(tree.agent_id, top, parent_id=str(uuid4()))) == 404
    item = await tree.item(parent_id=deep)
    await backbone.delete_folder(tree.agent_id, top)
    assert await backbone.fetch_items(tree.agent_id, [item["item_id"]]) == []
    asked = {"folder_id": deep, "fetch_folders": True, "fetch_items": True}
    assert (await backbone.fetch_folders(tree.agent_id, [asked])) == {"folders": [], "bad_folders": [deep]}


async def test_depth_has_an_end(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    deep = tree.system[Folder.ROOT]
    with pytest.raises(BackboneError) as error:
        for _ in range(MAX_DEPTH + 1):
            deep = await tree.folder(deep)
    assert error.value.status == 409


async def test_nobody_reaches_into_another_inventory(backbone: BackboneClient) -> None:
    mine, yours = await new_tree(backbone), await new_tree(backbone)
    item = await yours.item()
    item_id, folder_id = item["item_id"], await yours.folder(yours.system[Folder.ROOT])
    for attempt in (
        backbone.update_item(mine.agent_id, item_id, name="mine"),
        backbone.delete_item(mine.agent_id, item_id),
        backbone.copy_item(mine.agent_id, item_id, mine.system[Folder.ROOT]),
        backbone.copy_item(yours.agent_id, item_id, mine.system[Folder.ROOT]),
        backbone.give(mine.agent_id, uuid4(), yours.agent_id, item_id=item_id),
        backbone.give(mine.agent_id, uuid4(), yours.agent_id, folder_id=folder_id),
        backbone.update_folder(mine.agent_id, folder_id, name="mine"),
        backbone.delete_folder(mine.agent_id, folder_id),
        backbone.purge_folder(mine.agent_id, folder_id),
        mine.item(parent_id=folder_id),
        backbone.create_folder(mine.agent_id, uuid4(), folder_id, "inside yours"),
        backbone.update_item(yours.agent_id, item_id, parent_id=mine.system[Folder.ROOT]),
    ):
        assert await refused(attempt) == 404
    assert await refused(mine.item(item_id=item_id)) == 409
    assert await refused(mine.item(owner_id=yours.agent_id)) == 403
    assert await refused(backbone.create_folder(mine.agent_id, folder_id, mine.system[8], "taken")) == 409
    assert await backbone.fetch_items(mine.agent_id, [item_id]) == []
    asked = {"folder_id": folder_id, "fetch_folders": True, "fetch_items": True}
    assert (await backbone.fetch_folders(mine.agent_id, [asked]))["bad_folders"] == [folder_id]
    assert await backbone.fetch_items(yours.agent_id, [item_id]) == [item]


async def test_library_items_can_be_copied(backbone: BackboneClient) -> None:
    tree = await new_tree(backbone)
    skeleton = await backbone.get_inventory_skeleton(LIBRARY_OWNER)
    assert skeleton["root"] == str(LIBRARY_ROOT)
    asked = [{"folder_id": folder["folder_id"]} for folder in skeleton["folders"]]
    found = (await backbone.fetch_folders(LIBRARY_OWNER, asked))["folders"]
    item = next(item for folder in found for item in folder["items"])
    copy = await backbone.copy_item(tree.agent_id, item["item_id"], tree.system[Folder.CLOTHING])
    assert (copy["asset_id"], copy["owner_id"]) == (item["asset_id"], tree.agent_id)
    assert copy["item_id"] != item["item_id"]


@pytest.mark.parametrize(
    "wrong",
    [{"flags": -1}, {"owner_mask": 2**32}, {"name": "x" * 300}, {"sale_type": 9}, {"type": 1.5}, {"what": 1},
     {"is_owner_group": 0}, {"asset_id": "no"}, {"created_at": -5}],
)  # fmt: skip
async def test_odd_items_are_refused(backbone: BackboneClient, wrong: dict[str, Any]) -> None:
    tree = await new_tree(backbone)
    assert await refused(tree.item(**wrong)) == 400
