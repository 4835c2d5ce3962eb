"""Parcels, region questions, the map."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from protocol import llsd
from protocol.message import Message, text
from protocol.wellknown import NULL, region_handle
from sim.handlers.parcels import parcel_overlay_messages, place_id, place_of
from sim.world.world import Parcel
from tests.kit.world import TestSimulator, Viewer, add_region, add_root, settle


def split(sim: TestSimulator, owner: UUID) -> Parcel:
    """The eastern half becomes a parcel of its own."""
    west = sim.world.parcels[0]
    east = Parcel(2, uuid4(), "East", owner, 0, np.zeros((64, 64), bool))
    east.cells[:, 32:] = True
    west.cells = ~east.cells
    sim.world.add_parcel(east)
    return east


async def test_land_is_the_owners_that_backbone_names(sim: TestSimulator) -> None:
    first, second, friend = uuid4(), uuid4(), uuid4()
    east = split(sim, friend)
    anna = add_root(sim)
    assert ask_properties(anna, 1, 0, 0, 4, 4)["ParcelData"][0]["OwnerID"] == NULL  # the grid has no accounts yet
    sim.world.belongs_to(first)
    told = ask_properties(anna, 1, 0, 0, 4, 4)["ParcelData"][0]
    assert told["OwnerID"] == sim.world.facts.owner_id == first
    assert east.owner_id == friend  # what is somebody's stays theirs
    sim.world.belongs_to(second)
    assert [parcel.owner_id for parcel in sim.world.parcels] == [second, friend]
    number = sim.world.changes.number
    sim.world.belongs_to(second)  # each heartbeat says it
    assert sim.world.changes.number == number


# --- overlay


async def test_the_overlay_of_one_parcel(sim: TestSimulator) -> None:
    anna = add_root(sim)
    messages = parcel_overlay_messages(sim.world, anna.agent)
    assert [message["ParcelData"]["SequenceID"] for message in messages] == [0, 1, 2, 3]
    cells = np.frombuffer(b"".join(message["ParcelData"]["Data"] for message in messages), np.uint8).reshape(64, 64)
    assert (cells[:, 0] & 0x40).all() and not (cells[:, 1:] & 0x40).any()
    assert (cells[0] & 0x80).all() and not (cells[1:] & 0x80).any()
    assert not (cells & 7).any()


async def test_the_overlay_draws_borders_and_owners(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    split(sim, anna.id)

    def cells(viewer: Viewer) -> np.ndarray:
        data = b"".join(message["ParcelData"]["Data"] for message in parcel_overlay_messages(sim.world, viewer.agent))
        return np.frombuffer(data, np.uint8).reshape(64, 64)

    assert (cells(anna)[:, 32] & 0x40).all()
    assert not (cells(anna)[:, 33] & 0x40).any()
    assert (cells(anna)[:, 32:] & 7 == 3).all() and (cells(bert)[:, 32:] & 7 == 1).all()


# --- properties


def ask_properties(viewer: Viewer, sequence: int, west: float, south: float, east: float, north: float) -> dict:
    viewer.forget()
    data = {"SequenceID": sequence, "West": west, "South": south, "East": east, "North": north, "SnapSelection": True}
    viewer.sends(Message("ParcelPropertiesRequest", ParcelData=data))
    (body,) = viewer.events("ParcelProperties")
    return body


async def test_properties_of_one_point(sim: TestSimulator) -> None:
    """As hippolyzer asks: all four sides at one point."""
    anna = add_root(sim)
    split(sim, anna.id)
    body = ask_properties(anna, 7, 200, 10, 200, 10)
    data = body["ParcelData"][0]
    assert (data["SequenceID"], data["RequestResult"], data["SnapSelection"]) == (7, 0, True)
    assert (data["LocalID"], data["Name"], data["OwnerID"]) == (2, "East", anna.id)
    assert data["AABBMin"][:2] == [128.0, 0.0] and data["AABBMax"][:2] == [256.0, 256.0]
    assert data["Area"] == 32768
    bits = np.unpackbits(np.frombuffer(data["Bitmap"], np.uint8), bitorder="little").reshape(64, 64)
    assert bits[:, 32:].all() and not bits[:, :32].any()


async def test_properties_have_every_block_and_only_speakable_values(sim: TestSimulator) -> None:
    anna = add_root(sim)
    body = ask_properties(anna, -10000, 100, 100, 101, 101)
    assert set(body) == {
        "ParcelData", "MediaData", "AgeVerificationBlock", "RegionAllowAccessBlock", "ParcelEnvironmentBlock",
    }  # fmt: skip
    data = body["ParcelData"][0]
    assert isinstance(data["AuctionID"], bytes) and isinstance(data["ParcelFlags"], bytes)
    assert len(data["Bitmap"]) == 512
    assert llsd.parse_xml(llsd.format_xml(body))["ParcelData"][0]["SequenceID"] == -10000


async def test_areas_add_up(sim: TestSimulator) -> None:
    anna = add_root(sim)
    split(sim, anna.id)
    areas = [ask_properties(anna, n, x, 0, x, 0)["ParcelData"][0]["Area"] for n, x in ((1, 0), (2, 255))]
    assert sum(areas) == 65536


@pytest.mark.parametrize("box", [(0, 0, 256, 256), (-1e30, -5, 1e30, 300), (126, 3, 130, 4)])
async def test_several_parcels(sim: TestSimulator, box: tuple[float, float, float, float]) -> None:
    anna = add_root(sim)
    split(sim, anna.id)
    data = ask_properties(anna, 3, *box)["ParcelData"][0]
    assert data["RequestResult"] == 1


async def test_a_square_outside_is_the_nearest_cell(sim: TestSimulator) -> None:
    anna = add_root(sim)
    assert ask_properties(anna, 3, 5000, 5000, 5001, 5001)["ParcelData"][0]["LocalID"] == 1


async def test_dwell_access_and_info(sim: TestSimulator) -> None:
    anna = add_root(sim)
    parcel = sim.world.parcels[0]
    anna.sends(Message("ParcelDwellRequest", Data={"LocalID": 1}))
    (dwell,) = anna.heard("ParcelDwellReply")
    assert dwell["Data"]["ParcelID"] == parcel.parcel_id
    anna.sends(Message("ParcelDwellRequest", Data={"LocalID": 99}))
    assert len(anna.heard("ParcelDwellReply")) == 1
    anna.sends(Message("ParcelAccessListRequest", Data={"SequenceID": 4, "Flags": 2, "LocalID": 1}))
    (access,) = anna.heard("ParcelAccessListReply")
    assert (access["Data"]["SequenceID"], access["Data"]["Flags"], access["List"]) == (4, 2, [])
    anna.sends(Message("ParcelInfoRequest", Data={"ParcelID": parcel.parcel_id}))
    (info,) = anna.heard("ParcelInfoReply")
    assert text(info["Data"]["SimName"]) == "Here"
    assert info["Data"]["GlobalX"] == 256000 + 126


async def test_places_elsewhere_have_ids_of_their_own(sim: TestSimulator) -> None:
    there = region_handle(1001, 1000)
    assert place_of(place_id(there, 12.7, 255.9)) == (there, 12, 255)
    assert place_of(uuid4()) is None
    add_region(sim, "Over There", 1001, 1000)
    anna = add_root(sim)
    anna.sends(Message("ParcelInfoRequest", Data={"ParcelID": place_id(there, 12, 34)}))
    anna.sends(Message("ParcelInfoRequest", Data={"ParcelID": uuid4()}))
    (info,) = anna.heard("ParcelInfoReply")
    assert text(info["Data"]["SimName"]) == "Over There"
    assert (info["Data"]["GlobalX"], info["Data"]["GlobalY"]) == (1001 * 256 + 12, 256000 + 34)


async def test_only_owners_change_parcels(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    parcel = split(sim, anna.id)
    change = {"LocalID": 2, "Name": "Mine" + "x" * 100, "ParcelFlags": 1, "LandingType": 77}
    change |= {"UserLocation": (-5.0, 3.0, 1e20)}
    bert.sends(Message("ParcelPropertiesUpdate", ParcelData=change))
    assert parcel.name == "East" and bert.heard("AlertMessage")
    anna.sends(Message("ParcelPropertiesUpdate", ParcelData=change))
    assert parcel.name.startswith("Minex") and len(parcel.name) == 63
    assert parcel.flags == 1 and parcel.landing_position == (0.0, 3.0, 4096.0)
    nobodys = {"LocalID": 1, "Name": "Stolen"}
    bert.sends(Message("ParcelPropertiesUpdate", ParcelData=nobodys))
    assert sim.world.parcels[0].name == "Here"


# --- region


async def test_estate_tools_inform_but_change_nothing(sim: TestSimulator) -> None:
    anna = add_root(sim)
    invoice = uuid4()
    anna.sends(Message("EstateOwnerMessage", MethodData={"Method": "getinfo", "Invoice": invoice}))
    (info,) = anna.heard("EstateOwnerMessage")
    assert info["MethodData"]["Method"] == b"estateupdateinfo\0" and info["MethodData"]["Invoice"] == invoice
    assert len(info["ParamList"]) == 10
    anna.sends(Message("EstateOwnerMessage", MethodData={"Method": "restart", "Invoice": invoice}))
    assert anna.heard("AlertMessage")


async def test_home_is_where_the_avatar_stands(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(50, 60, 30))
    anna.sends(Message("SetStartLocationRequest", StartLocationData={"LocationID": 1, "LocationPos": (1e9, 0, 0)}))
    await settle(sim)
    assert sim.backbone.homes[str(anna.id)]["position"] == [50, 60, 30]
    assert text(anna.heard("AlertMessage")[0]["AlertData"]["Message"]) == "Home position set."
    sim.backbone.down = True
    anna.sends(Message("SetStartLocationRequest", StartLocationData={"LocationID": 1}))
    await settle(sim)
    assert "could not be set" in text(anna.heard("AlertMessage")[1]["AlertData"]["Message"])


# --- map


def blocks(viewer: Viewer) -> list[tuple[int, int, str, int]]:
    found = [
        (block["X"], block["Y"], text(block["Name"]), block["Access"])
        for reply in viewer.heard("MapBlockReply")
        for block in reply["Data"]
    ]
    viewer.forget()
    return found


def area(viewer: Viewer, flags: int, *bounds: int) -> None:
    position = dict(zip(("MinX", "MaxX", "MinY", "MaxY"), bounds, strict=True))
    viewer.sends(Message("MapBlockRequest", AgentData={"Flags": flags}, PositionData=position))


async def test_map_of_an_area(sim: TestSimulator) -> None:
    add_region(sim, "Over There", 1001, 1000, access=13, agents=3)
    add_region(sim, "Far Away", 1200, 1000)
    anna = add_root(sim)
    area(anna, 2, 990, 1010, 990, 1010)
    (reply,) = anna.heard("MapBlockReply")
    assert reply["AgentData"]["Flags"] == 2
    assert [block["Agents"] for block in reply["Data"]] == [1, 3]
    assert blocks(anna) == [(1000, 1000, "Here", 13), (1001, 1000, "Over There", 13)]
    area(anna, 0, 5, 6, 7, 8)
    assert blocks(anna) == [(5, 7, "", 255)]


async def test_empty_squares_on_request(sim: TestSimulator) -> None:
    anna = add_root(sim)
    area(anna, 0x10002, 999, 1001, 1000, 1000)
    assert {reply["AgentData"]["Flags"] for reply in anna.heard("MapBlockReply")} == {2}
    assert sorted(blocks(anna)) == [(999, 1000, "", 255), (1000, 1000, "Here", 13), (1001, 1000, "", 255)]
    area(anna, 0x10002, 0, 65535, 0, 65535)  # four thousand million squares: only what there is
    assert blocks(anna) == [(1000, 1000, "Here", 13)]


async def test_a_large_grid_comes_in_packets_that_fit(sim: TestSimulator) -> None:
    for n in range(300):
        add_region(sim, f"Region with a longish name {n}", 2000 + n % 20, 1000 + n // 20)
    anna = add_root(sim)
    area(anna, 2, 0, 65535, 0, 65535)
    replies = anna.heard("MapBlockReply")
    assert all(len(reply["Data"]) == len(reply["Size"]) < 40 for reply in replies)
    assert len(blocks(anna)) == 301


@pytest.mark.parametrize(
    ("asked", "found"),
    [("her", ["Here", "Heresy"]), ("HERE", ["Here", "Heresy"]), ("nowhere", []), ("", []), ("x" * 200, [])],
)
async def test_map_by_name(sim: TestSimulator, asked: str, found: list[str]) -> None:
    add_region(sim, "Heresy", 1001, 1000)
    anna = add_root(sim)
    anna.sends(Message("MapNameRequest", AgentData={"Flags": 2}, NameData={"Name": asked}))
    *matches, end = blocks(anna)
    assert [name for _, _, name, _ in matches] == found
    assert end == (0, 0, asked, 255)


async def test_dots_of_this_region(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    add_root(sim, position=(101, 101, 25))
    add_root(sim, position=(10, 200, 25))
    anna.sends(Message("MapItemRequest", RequestData={"ItemType": 6}))
    (reply,) = anna.heard("MapItemReply")
    assert sorted((item["X"] - 256000, item["Y"] - 256000, item["Extra"]) for item in reply["Data"]) == [
        (12, 204, 1),
        (100, 100, 2),
    ]
    anna.sends(Message("MapItemRequest", RequestData={"ItemType": 7}))
    assert [(item["X"], item["Y"], item["Extra"]) for item in anna.heard("MapItemReply")[1]["Data"]] == [
        (256001, 256001, 0)
    ]


@pytest.mark.parametrize("down", [False, True])
async def test_dots_of_another_region(sim: TestSimulator, down: bool) -> None:
    there = add_region(sim, "Over There", 1001, 1000, agents=2)
    sim.backbone.presence = {str(uuid4()): str(there.region_id) for _ in range(3)}
    anna = add_root(sim)
    await settle(sim)
    sim.backbone.down = down
    anna.sends(Message("MapItemRequest", RequestData={"ItemType": 6, "RegionHandle": region_handle(1001, 1000)}))
    await settle(sim)
    (reply,) = anna.heard("MapItemReply")
    assert [item["Extra"] for item in reply["Data"]] == [2 if down else 3]
    anna.sends(Message("MapItemRequest", RequestData={"ItemType": 6, "RegionHandle": region_handle(5, 5)}))
    assert anna.heard("MapItemReply")[1]["Data"][0]["Extra"] == 0


async def test_handles_of_regions(sim: TestSimulator) -> None:
    there = add_region(sim, "Over There", 1001, 1000)
    anna = add_root(sim)
    asked = [sim.world.facts.region_id, there.region_id, uuid4()]
    for region_id in asked:
        anna.sends(Message("RegionHandleRequest", RequestBlock={"RegionID": region_id}))
    replies = [reply["ReplyBlock"] for reply in anna.heard("RegionIDAndHandleReply")]
    assert [reply["RegionID"] for reply in replies] == asked
    assert [reply["RegionHandle"] for reply in replies] == [region_handle(1000, 1000), region_handle(1001, 1000), 0]
