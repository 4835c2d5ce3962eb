"""The land, its parcels and the map: complete, seamless, and the same whoever looks."""
from __future__ import annotations

import pytest

from .conftest import Visit
from .driver import Driver, Event, until
from .grid import Grid, Region
from .raw.viewer import Viewer

FLAGS_OF_A_MAP_REQUEST = 2
JPEG_2000 = b"\xff\x4f\xff\x51"


@pytest.fixture(scope="module")
def hippo(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.east)


@pytest.fixture(scope="module")
def node(stay: Visit, grid: Grid) -> Driver:
    return stay.node(grid.west)


@pytest.fixture(scope="module")
def viewer(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west)


def test_terrain_is_complete_and_the_same_for_two_decoders(node: Driver, viewer: Viewer) -> None:
    samples = node.do("terrain")
    viewer.land_complete()
    heights = viewer.heights()
    spots = [(x, y) for y in range(0, 256, 16) for x in range(0, 256, 16)]
    worst = max(abs(heights[spot] - height) for spot, height in zip(spots, samples, strict=True))
    assert worst < 0.2, "two decoders of other make agree"


def test_neighbours_meet_without_a_seam(grid: Grid, viewer: Viewer) -> None:
    """The child circuit to the east sends its land too; the step over the border is no larger than steps inside."""
    east = until(lambda: viewer.neighbour(grid.east.handle), "a child circuit to the east")
    viewer.land_complete(east)
    here, there = viewer.heights(), viewer.heights(east)
    step = max(abs(here[255, y] - there[0, y]) for y in range(256))
    inside = max(abs(here[254, y] - here[255, y]) for y in range(256))
    assert step < inside + 0.5


def test_ground_textures_are_named_and_can_be_fetched(viewer: Viewer, node: Driver) -> None:
    info = viewer.wait("RegionHandshake")
    assert info["RegionInfo4.RegionProtocols"] & 1 == 0, "no server-side baking"
    for number in range(4):
        texture = info[f"RegionInfo.TerrainDetail{number}"]
        assert int(texture.replace("-", ""), 16), "null ground textures look like nothing"
        status, headers, whole = viewer.fetch("ViewerAsset", f"texture_id={texture}")
        assert status == 200 and headers["Content-Type"] == "image/x-j2c"
        assert whole[:4] == JPEG_2000, "a JPEG 2000 codestream"
        assert node.do("asset", type=0, id=texture) == {"size": len(whole), "head": whole[:12].hex()}
        status, headers, part = viewer.fetch("GetTexture", f"texture_id={texture}", "bytes=0-599")
        assert (status, part) == (206, whole[:600])
        assert headers["Content-Range"] == f"bytes 0-599/{len(whole)}"
        assert viewer.fetch("ViewerAsset", f"texture_id={texture}", f"bytes={len(whole)}-")[0] in (206, 416)


def test_assets_that_are_not_there(viewer: Viewer) -> None:
    for query in ("texture_id=deadbeef-0000-4000-8000-000000000000", "texture_id=nonsense", "", "what=ever"):
        assert viewer.fetch("ViewerAsset", query)[0] in (400, 404)


def test_the_sky_can_be_read(node: Driver) -> None:
    sky = node.do("environment")
    assert sky["day"] and sky["length"] > 0


def test_parcels_cover_the_region(node: Driver, hippo: Driver) -> None:
    parcels = node.do("parcels")
    assert sum(parcel["area"] for parcel in parcels) == 65536
    assert all(parcel["name"] and int(parcel["parcel_id"].replace("-", ""), 16) for parcel in parcels)
    assert len(hippo.do("parcels")) >= 1
    event = hippo.wait("ParcelProperties", lambda event: event["ParcelData.SequenceID"] == 1)
    data = event.blocks("ParcelData")[0]
    assert data["RequestResult"] == 0 and data["Area"] <= 65536 and len(data["Bitmap"]) == 1024, "512 bytes in hex"


def test_the_parcel_under_a_point_is_told_over_the_queue(viewer: Viewer) -> None:
    mark = viewer.mark()
    viewer.send("ParcelPropertiesRequest", ParcelData={
        "SequenceID": 77, "West": 10.0, "South": 20.0, "East": 10.0, "North": 20.0, "SnapSelection": True})
    event = viewer.wait("ParcelProperties", lambda event: event["ParcelData.SequenceID"] == 77, since=mark)
    data = event.blocks("ParcelData")[0]
    cell = (20 // 4) * 64 + 10 // 4
    assert data["Bitmap"][cell >> 3] & 1 << (cell & 7)
    assert data["SnapSelection"] is True and isinstance(data["ParcelFlags"], bytes)
    assert event.blocks("MediaData") and event.blocks("AgeVerificationBlock")
    viewer.send("ParcelDwellRequest", Data={"LocalID": data["LocalID"]})
    dwell = viewer.wait("ParcelDwellReply", since=mark)
    assert dwell["Data.LocalID"] == data["LocalID"]


def test_the_agents_own_parcel_is_told_unasked(viewer: Viewer) -> None:
    viewer.wait("ParcelProperties", lambda event: event["ParcelData.RequestResult"] == 0)


def regions(event: Event) -> dict[str, tuple[int, int]]:
    return {block["Name"]: (block["X"], block["Y"]) for block in event.blocks("Data") if block["Access"] != 255}


def test_map_blocks_by_area(grid: Grid, viewer: Viewer, node: Driver) -> None:
    mark = viewer.mark()
    four = (grid.west, grid.north, grid.east, grid.far)
    everywhere = {region.name: (region.grid_x, region.grid_y) for region in four}
    viewer.send("MapBlockRequest", AgentData={"Flags": FLAGS_OF_A_MAP_REQUEST}, PositionData={
        "MinX": grid.west.grid_x, "MaxX": grid.far.grid_x, "MinY": grid.west.grid_y, "MaxY": grid.far.grid_y})
    found: dict[str, tuple[int, int]] = {}

    def complete() -> bool:
        for event in viewer.since(mark, "MapBlockReply"):
            assert event["AgentData.Flags"] == FLAGS_OF_A_MAP_REQUEST
            found.update(regions(event))
        return found == everywhere

    until(complete, "all four regions")
    block = node.do("map_at", x=grid.far.grid_x, y=grid.far.grid_y)
    assert block["name"] == grid.far.name


def test_the_map_is_answered_where_nothing_is(viewer: Viewer) -> None:
    for flags in (2, 2 | 0x10000):
        mark = viewer.mark()
        viewer.send("MapBlockRequest", AgentData={"Flags": flags},
                    PositionData={"MinX": 3, "MaxX": 4, "MinY": 3, "MaxY": 4})
        reply = viewer.wait("MapBlockReply", since=mark)
        assert reply["AgentData.Flags"] == 2 and regions(reply) == {}


def test_map_by_name_ends_with_the_name_asked_for(grid: Grid, viewer: Viewer, node: Driver) -> None:
    for asked, expected in ((grid.north.name.upper(), [grid.north.name]), ("No Such Region", [])):
        mark = viewer.mark()
        viewer.send("MapNameRequest", AgentData={"Flags": 2}, NameData={"Name": asked})
        blocks = viewer.wait("MapBlockReply", since=mark).blocks("Data")
        end = blocks[-1]
        assert (end["X"], end["Y"], end["Access"], end["Name"]) == (0, 0, 255, asked)
        assert [block["Name"] for block in blocks[:-1]] == expected
    found = node.do("map_by_name", name=grid.far.name)
    assert (found["x"], found["y"]) == (grid.far.grid_x, grid.far.grid_y)
    assert int(found["handle"]) == grid.far.handle


def test_people_on_the_map(grid: Grid, viewer: Viewer, hippo: Driver) -> None:
    """Dots of another region, asked for by its handle."""
    x, y, _ = hippo.position()

    def dots(region: Region) -> list[tuple[float, float, int]]:
        mark = viewer.mark()
        viewer.send("MapItemRequest", AgentData={"Flags": 2},
                    RequestData={"ItemType": 6, "RegionHandle": region.handle})
        reply = viewer.wait("MapItemReply", since=mark)
        assert reply["RequestData.ItemType"] == 6 and reply.blocks("Data")
        return [(block["X"] - region.grid_x * 256, block["Y"] - region.grid_y * 256, block["Extra"])
                for block in reply.blocks("Data")]

    until(lambda: any(abs(dot[0] - x) < 8 and abs(dot[1] - y) < 8 for dot in dots(grid.east)), "hippo's dot", every=0.5)


def test_region_ids_and_handles(grid: Grid, viewer: Viewer, node: Driver) -> None:
    assert int(node.do("region_handle", id=grid.east.region_id)) == grid.east.handle
    viewer.send("RegionHandleRequest", RequestBlock={"RegionID": grid.far.region_id})
    reply = viewer.wait("RegionIDAndHandleReply")
    assert reply["ReplyBlock.RegionHandle"] == grid.far.handle
    assert viewer.root.region_id == grid.west.region_id


def test_the_region_tells_its_state(grid: Grid, viewer: Viewer) -> None:
    mark = viewer.mark()
    viewer.send("RequestRegionInfo")
    assert viewer.wait("RegionInfo", since=mark)["RegionInfo.SimName"] == grid.west.name
    stats = viewer.wait("SimStats", lambda event: event.region == grid.west.name, since=mark)
    assert (stats["Region.RegionX"], stats["Region.RegionY"]) == (grid.west.grid_x, grid.west.grid_y)
    values = {block["StatID"]: block["StatValue"] for block in stats.blocks("Stat")}
    assert 0 < values[0] <= 1.01, "time dilation"
    assert values[13] >= 2, "root agents"
    viewer.wait("SimulatorViewerTimeMessage")
