"""Three clients of different make in one region: each sees the others come, walk, run, fly, jump, sit and leave."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver, until
from .grid import Grid
from .raw.viewer import AT_POS, FLY, SIT_ON_GROUND, STAND_UP, UP_POS, Viewer

ANIMATIONS = {
    "stand": "2408fe9e-df1d-1d7d-f4ff-1384fa7b350f", "walk": "6ed24bd8-91aa-4b12-ccc7-c97c857ab4e0",
    "run": "05ddbff8-aaa9-92a1-2b74-8fe77a29b445", "fly": "aec4610c-757f-bc4e-c092-c6e9caf18daf",
    "hover": "4ae8016b-31b9-03bb-c401-b1ea941db41d", "hover up": "62c5de58-cb33-5743-3d07-9e4cd4352864",
    "sit on ground": "1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e", "jump": "2305bd75-1ca9-b03b-1faa-b176b8a8c49e",
    "pre-jump": "7a4e87fe-de39-6fcb-6223-024b00893244", "falling": "666307d9-a860-572d-6fd4-c3ab8865c094",
}
DANCE = "928cae18-e31d-76fd-9cc9-2f55160ff818"
WEST, EAST = math.pi, 0.0


@pytest.fixture(scope="module")
def hippo(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.west, (120, 128))


@pytest.fixture(scope="module")
def node(stay: Visit, grid: Grid) -> Driver:
    return stay.node(grid.west, (124, 132))


@pytest.fixture(scope="module")
def viewer(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west, (128, 124))


def playing(watcher: Any, who: str) -> set[str]:
    """The animations of an avatar as the watcher last heard: each message carries the full set."""
    told = [event for event in watcher.since(0, "AvatarAnimation") if event["Sender.ID"] == who]
    return {entry["AnimID"] for entry in told[-1].blocks("AnimationList")} if told else set()


def animating(watcher: Any, who: str, *names: str) -> None:
    """Waits until one of the named animations is in what the watcher sees the avatar play."""
    wanted = {ANIMATIONS[name] for name in names}
    until(lambda: wanted & playing(watcher, who), f"{watcher} sees {names}", every=0.01)


def sees(watcher: Any, who: str, check: Callable[[list[float]], bool], what: str) -> None:
    until(lambda: (at := watcher.position(who)) is not None and check(at), f"{watcher} sees {what}")


def seen_by(watchers: list[Any], who: str, check: Callable[[list[float]], bool], what: str) -> None:
    for watcher in watchers:
        sees(watcher, who, check, what)


def near(place: tuple[float, float]) -> Callable[[list[float]], bool]:
    return lambda at: math.dist(at[:2], place) < 2


def gone(watcher: Any, who: str) -> None:
    until(lambda: watcher.position(who) is None, f"{watcher} sees {who} gone")


def test_everybody_sees_everybody_where_they_are(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    everybody = {hippo.agent_id, node.agent_id, viewer.agent_id}
    until(lambda: set(hippo.do("exact_avatars")) >= everybody, "hippo has object updates of all three")
    until(lambda: set(node.do("exact_avatars")) >= everybody, "node has object updates of all three")
    seen_by([hippo, node, viewer], hippo.agent_id, near((120, 128)), "hippo in its place")
    seen_by([hippo, node, viewer], node.agent_id, near((124, 132)), "node in its place")
    seen_by([hippo, node, viewer], viewer.agent_id, near((128, 124)), "the viewer in its place")
    until(lambda: set(node.do("avatar_names").values()) >= {hippo.name, node.name, viewer.name}, "names at node")


def test_names_travel_with_the_avatar(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    updates = [block for event in viewer.since(0, "ObjectUpdate") for block in event.blocks("ObjectData")]
    values = {block["FullID"]: block["NameValue"] for block in updates if block["PCode"] == 47}
    for who in (hippo, node, viewer):
        first, last = who.name.split()
        assert f"FirstName STRING RW SV {first}" in values[who.agent_id]
        assert f"LastName STRING RW SV {last}" in values[who.agent_id]


@pytest.mark.parametrize("walker_kind", ["hippo", "node", "viewer"])
def test_walking_is_seen_by_the_others_and_stops(
    walker_kind: str, hippo: Driver, node: Driver, viewer: Viewer
) -> None:
    clients: dict[str, Any] = {"hippo": hippo, "node": node, "viewer": viewer}
    walker = clients.pop(walker_kind)
    others = list(clients.values())
    x0, y0, _ = walker.position()
    walker.set_keys(AT_POS, EAST)
    seen_by([walker, *others], walker.agent_id, lambda at: at[0] > x0 + 3, f"{walker} go east")
    for other in others:
        animating(other, walker.agent_id, "walk")
    walker.set_keys(0, EAST)
    for other in others:
        animating(other, walker.agent_id, "stand")

    def agreed() -> bool:
        places = [client.position(walker.agent_id) for client in (walker, *others)]
        return all(math.dist(place, places[0]) < 0.3 for place in places)

    until(agreed, "all agree on where it stopped")
    assert abs(walker.position()[1] - y0) < 1.0


def test_running_is_another_animation(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    hippo.do("send", message="SetAlwaysRun", blocks={"AgentData": {"AlwaysRun": True}})
    hippo.set_keys(AT_POS, WEST)
    animating(node, hippo.agent_id, "run")
    animating(viewer, hippo.agent_id, "run")
    hippo.set_keys(0, WEST)
    hippo.do("send", message="SetAlwaysRun", blocks={"AgentData": {"AlwaysRun": False}})


def test_flying_up_and_down(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    ground = hippo.position()[2]
    hippo.set_keys(FLY | UP_POS, EAST)
    seen_by([hippo, node, viewer], hippo.agent_id, lambda at: at[2] > ground + 5, "it fly up")
    hippo.set_keys(FLY, EAST)
    animating(viewer, hippo.agent_id, "hover", "hover up")
    hippo.set_keys(FLY | AT_POS, EAST)
    animating(viewer, hippo.agent_id, "fly")
    hippo.set_keys(0, EAST)
    seen_by([hippo, node, viewer], hippo.agent_id, lambda at: at[2] < ground + 3, "it land again")
    animating(viewer, hippo.agent_id, "stand")


def test_hovering_holds_the_height(viewer: Viewer, hippo: Driver) -> None:
    ground = viewer.position()[2]
    viewer.set_keys(FLY | UP_POS, EAST)
    until(lambda: viewer.position()[2] > ground + 4, "up in the air")
    viewer.set_keys(FLY, EAST)
    until(lambda: abs(viewer.velocity()[2]) < 0.05, "no more rising")
    height = viewer.position()[2]
    mark = hippo.mark()
    hippo.wait("CoarseLocationUpdate", since=mark)  # some seconds of world time
    assert abs(viewer.position()[2] - height) < 1.0
    viewer.set_keys(0, EAST)
    until(lambda: viewer.position()[2] < height - 2, "falls when it no longer flies")


def test_jumping(viewer: Viewer, hippo: Driver) -> None:
    until(lambda: abs(viewer.velocity()[2]) < 0.05, "stands")
    ground = viewer.position()[2]
    viewer.set_keys(UP_POS, EAST)
    animating(hippo, viewer.agent_id, "pre-jump", "jump")
    until(lambda: viewer.position()[2] > ground + 0.5, "in the air", every=0.01)
    viewer.set_keys(0, EAST)
    until(lambda: abs(viewer.position()[2] - ground) < 0.5 and abs(viewer.velocity()[2]) < 0.05, "down again")


def test_sitting_on_the_ground_and_standing_up(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    node.do("sit_on_ground")
    animating(hippo, node.agent_id, "sit on ground")
    animating(viewer, node.agent_id, "sit on ground")
    node.do("stand")
    animating(hippo, node.agent_id, "stand")
    animating(viewer, node.agent_id, "stand")

    hippo.set_keys(SIT_ON_GROUND)
    animating(node, hippo.agent_id, "sit on ground")
    hippo.set_keys(0)  # the key is up, the avatar stays seated
    hippo.set_keys(STAND_UP)
    animating(node, hippo.agent_id, "stand")
    hippo.set_keys(0)


def test_an_animation_of_the_viewers_choice_is_added_and_taken_away(
    hippo: Driver, node: Driver, viewer: Viewer
) -> None:
    node.do("animate", id=DANCE, on=True)
    until(lambda: DANCE in playing(hippo, node.agent_id), "hippo sees the dance")
    until(lambda: DANCE in playing(viewer, node.agent_id), "the viewer sees the dance")
    assert len(playing(viewer, node.agent_id)) > 1, "the full set, not the change"
    node.do("animate", id=DANCE, on=False)
    until(lambda: DANCE not in playing(hippo, node.agent_id), "hippo sees it end")
    until(lambda: DANCE not in playing(viewer, node.agent_id), "the viewer sees it end")


def test_a_newcomer_learns_what_the_others_already_play(grid: Grid, visit: Visit, node: Driver) -> None:
    node.do("animate", id=DANCE, on=True)
    newcomer = visit.viewer(grid.west, (126, 130))
    newcomer.wait("AvatarAnimation", lambda event: event["Sender.ID"] == node.agent_id
                  and DANCE in {entry["AnimID"] for entry in event.blocks("AnimationList")})
    node.do("animate", id=DANCE, on=False)


def test_a_visitor_comes_and_goes(grid: Grid, visit: Visit, hippo: Driver, node: Driver, viewer: Viewer) -> None:
    visitor = visit.viewer(grid.west, (122, 126))
    seen_by([hippo, node, viewer], visitor.agent_id, lambda at: bool(at), "the visitor")
    node.wait("avatar-entered", lambda event: event["avatar-entered.Key"] == visitor.agent_id)
    visitor.leave()
    visit.left(visitor)
    for watcher in (hippo, node, viewer):
        gone(watcher, visitor.agent_id)


def test_map_dots_are_in_order_and_name_the_receiver(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    event = viewer.wait("CoarseLocationUpdate", lambda event: len(event.blocks("AgentData")) >= 3, since=viewer.mark())
    ids = [block["AgentID"] for block in event.blocks("AgentData")]
    assert len(ids) == len(event.blocks("Location"))
    assert {hippo.agent_id, node.agent_id} <= set(ids)
    you = event["Index.You"]
    assert you == (ids.index(viewer.agent_id) if viewer.agent_id in ids else -1)
    for who in (hippo, node):
        dot = event.blocks("Location")[ids.index(who.agent_id)]
        x, y, z = viewer.position(who.agent_id)
        assert abs(dot["X"] - x) < 8 and abs(dot["Y"] - y) < 8 and abs(dot["Z"] * 4 - z) < 12
