"""The inventory as it comes at login and by the capabilities."""
from __future__ import annotations

from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver
from .grid import Grid
from .raw.viewer import Viewer
from .test_login import SYSTEM_FOLDERS

NOBODY = "deadbeef-0000-4000-8000-000000000000"
CURRENT_OUTFIT = 46


@pytest.fixture(scope="module")
def viewer(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west)


def fetch(viewer: Viewer, cap: str, folder: str, owner: str) -> dict[str, Any]:
    return viewer.cap(cap, {"folders": [{  # type: ignore[no-any-return]
        "folder_id": folder, "owner_id": owner, "fetch_folders": True, "fetch_items": True, "sort_order": 1}]})


def test_node_metaverse_walks_its_inventory(grid: Grid, visit: Visit) -> None:
    node = visit.node(grid.west)
    found = node.do("inventory")
    assert {folder["type"] for folder in found["folders"]} >= SYSTEM_FOLDERS
    children = {folder["name"] for folder in found["folders"] if folder["parent"] == found["root"]}
    assert set(found["children"]) == children and len(children) >= len(SYSTEM_FOLDERS) - 1
    assert node.do("folder_items", type=CURRENT_OUTFIT), "an outfit is worn"


def test_hippolyzer_fetches_descendents(grid: Grid, visit: Visit) -> None:
    hippo: Driver = visit.hippo(grid.west)
    login = hippo.arrival["login"]
    root = login["inventory-root"][0]["folder_id"]
    reply = hippo.do("cap", name="FetchInventoryDescendents2", body={"folders": [{
        "folder_id": f"uuid:{root}", "owner_id": f"uuid:{hippo.agent_id}", "fetch_folders": True, "fetch_items": True,
        "sort_order": 1}]})
    skeleton = {folder["name"] for folder in login["inventory-skeleton"] if folder["parent_id"] == root}
    assert {category["name"] for category in reply["folders"][0]["categories"]} == skeleton


def test_descendents_agree_with_the_skeleton(viewer: Viewer) -> None:
    skeleton = viewer.account["inventory-skeleton"]
    for folder in skeleton:
        reply = fetch(viewer, "FetchInventoryDescendents2", folder["folder_id"], viewer.agent_id)
        assert not reply.get("bad_folders")
        (found,) = reply["folders"]
        assert found["folder_id"] == folder["folder_id"] and found["owner_id"] == viewer.agent_id
        assert found["version"] == int(folder["version"])
        assert found["descendents"] == len(found["categories"]) + len(found["items"])
        children = {child["folder_id"] for child in skeleton if child["parent_id"] == folder["folder_id"]}
        assert {child.get("folder_id", child.get("category_id")) for child in found["categories"]} == children


def test_items_have_what_a_viewer_reads(viewer: Viewer) -> None:
    outfit = next(folder for folder in viewer.account["inventory-skeleton"] if folder["type_default"] == CURRENT_OUTFIT)
    items = fetch(viewer, "FetchInventoryDescendents2", outfit["folder_id"], viewer.agent_id)["folders"][0]["items"]
    assert items
    for item in items:
        assert isinstance(item["type"], int) and isinstance(item["inv_type"], int)
        assert {"item_id", "parent_id", "asset_id", "name", "desc", "flags", "created_at", "sale_info"} <= set(item)
        assert {"creator_id", "owner_id", "base_mask", "owner_mask", "next_owner_mask"} <= set(item["permissions"])
    reply = viewer.cap("FetchInventory2", {"agent_id": viewer.agent_id, "items": [
        {"item_id": items[0]["item_id"], "owner_id": viewer.agent_id},
        {"item_id": NOBODY, "owner_id": viewer.agent_id}]})
    assert [item["item_id"] for item in reply["items"]] == [items[0]["item_id"]]


def test_what_is_worn_can_be_fetched(viewer: Viewer) -> None:
    """Or the avatar stays a cloud: shape, skin, hair and eyes as the wearables files viewers read."""
    viewer.send("AgentWearablesRequest")
    worn = {block["WearableType"]: block for block in viewer.wait("AgentWearablesUpdate").blocks("WearableData")}
    for kind in (0, 1, 2, 3):
        status, _, text = viewer.fetch("ViewerAsset", f"bodypart_id={worn[kind]['AssetID']}")
        assert status == 200
        assert text.startswith(b"LLWearable version 22") and f"\ntype {kind}\n".encode() in text


def test_folders_that_are_not_there_or_not_ones_own_are_bad(grid: Grid, visit: Visit, viewer: Viewer) -> None:
    other = visit.viewer(grid.west)
    theirs = other.account["inventory-root"][0]["folder_id"]
    for folder, owner in ((NOBODY, viewer.agent_id), (theirs, other.agent_id), (theirs, viewer.agent_id)):
        reply = fetch(viewer, "FetchInventoryDescendents2", folder, owner)
        contents = [found for found in reply["folders"] if found["categories"] or found["items"]]
        assert contents == [], "somebody else's data"


def test_the_library_is_for_everybody(viewer: Viewer) -> None:
    root = viewer.account["inventory-lib-root"][0]["folder_id"]
    owner = viewer.account["inventory-lib-owner"][0]["agent_id"]
    reply = fetch(viewer, "FetchLibDescendents2", root, owner)
    assert reply["folders"][0]["folder_id"] == root and reply["folders"][0]["owner_id"] == owner


def test_unknown_capabilities_are_left_out(viewer: Viewer) -> None:
    assert "NoSuchCapability" not in viewer.root.caps
    assert set(viewer.root.caps) >= {
        "EventQueueGet", "FetchInventoryDescendents2", "FetchInventory2", "SimulatorFeatures"}
    assert isinstance(viewer.cap("SimulatorFeatures"), dict)
