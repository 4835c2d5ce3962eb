"""Regions over HTTP: what is near and what changed, whose land it is, and writes by claim."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from backbone.directory import REMEMBERED, Directory
from backbone.storage.regions import Claimed, Renewal
from tests.backbone.kit import (
    PASSWORD,
    SECRET,
    WAIT_SECONDS,
    FakeSim,
    Server,
    client_of,
    fake_sim,
    log_in,
    message,
    unique,
)
from tests.backbone.test_presence import enter

HERE, LOOK = (1.0, 2.0, 3.0), (1.0, 0.0, 0.0)


class Rows:
    """A store of regions in memory that lets everybody claim anything."""

    def __init__(self) -> None:
        self.epoch = 0

    def all(self) -> list[dict[str, Any]]:
        return []

    def claim(
        self, wanted: dict[str, Any], held_by: str, lease_seconds: float, renewals: list[Renewal], grace_seconds: float = 0.0
    ) -> Claimed:
        self.epoch += 1
        displaced = wanted.pop("displaced", [])
        return Claimed({**wanted, "epoch": self.epoch, "owner_id": None}, displaced)

    def renew(self, renewals: list[Renewal]) -> None: ...

    def release(self, region_id: str, epoch: int) -> bool:
        return True

    def give(self, region_id: str, owner_id: str | None) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def region(region_id: str, x: int, y: int, **more: Any) -> dict[str, Any]:
    usual = {"ip": "127.0.0.1", "port": 1, "http_url": "", "inner_url": "", "access": "M", "water_height": 20.0, "map_image_id": ""}
    return {"region_id": region_id, "name": region_id, "grid_x": x, "grid_y": y, **usual, **more}


def directory(first_version: int = 1000) -> tuple[Directory, Clock]:
    clock = Clock()
    return Directory(Rows(), clock, 15.0, first_version), clock


def seen(known: Directory, since: int | None, x: int = 5, y: int = 5, radius: int = 1) -> tuple[bool, set[str], set[str]]:
    changes = known.changes(known.near(x, y, radius), since)
    return changes.whole, {r.region_id for r in changes.regions}, set(changes.gone)


def test_a_reader_is_told_what_changed_near_it_and_nothing_else() -> None:
    known, clock = directory()
    for name, x, y in (("mine", 5, 5), ("east", 6, 5), ("far", 9, 9)):
        known.claim(region(name, x, y), "p")
    assert seen(known, None) == (True, {"mine", "east"}, set())
    version = known.version
    assert seen(known, version) == (False, set(), set())
    known.renew("east", 2)  # a heartbeat is no change
    assert known.version == version
    known.claim(region("far", 9, 9), "p")
    assert seen(known, version) == (False, set(), set())
    known.release("east", 2)
    assert seen(known, version) == (False, {"east"}, set())
    version = known.version
    clock.now = 20.0
    assert {r.region_id for r in known.expire()} == {"mine", "far"}
    assert known.expire() == []
    assert seen(known, version) == (False, {"mine"}, set())
    version = known.version
    known.renew("mine", 1)  # it was the network only
    assert seen(known, version) == (False, {"mine"}, set())
    assert known.get_live("mine") is not None and known.get_live("east") is None


def test_a_reader_is_told_what_went_from_where_it_was() -> None:
    known, _ = directory()
    known.claim(region("moves", 5, 5), "p")
    known.claim(region("goes", 6, 5), "p")
    version = known.version
    known.claim(region("moves", 50, 50), "p")
    known.claim(region("heir", 6, 5, displaced=["goes"]), "p")
    assert seen(known, version) == (False, {"heir"}, {"moves", "goes"})
    assert seen(known, version, 50, 50) == (False, {"moves"}, {"goes"})
    assert known.at(5, 5) is None
    heir = known.at(6, 5)
    assert heir is not None and heir.region_id == "heir"
    assert known.called("GOES") is None and known.called(" Heir ") is heir


def test_a_version_from_elsewhere_gets_everything() -> None:
    known, _ = directory(first_version=1000)
    known.claim(region("mine", 5, 5), "p")
    for version in (0, 999, known.version + 1):  # of an earlier Backbone, or of one with a faster clock
        assert seen(known, version) == (True, {"mine"}, set())
    version = known.version
    for number in range(REMEMBERED + 1):  # more went than is remembered
        known.claim(region(f"r{number}", 6, 6, displaced=[f"r{number - 1}"]), "p")
    assert seen(known, version)[0]


def test_far_and_wide_and_near_are_the_same_regions() -> None:
    known, _ = directory()
    for x in range(40):
        for y in range(40):
            if (x * 7 + y * 3) % 4:
                known.claim(region(f"{x},{y}", x, y), "p")
    for x, y, radius in ((0, 0, 0), (3, 3, 1), (20, 39, 5), (20, 20, 25), (1, 1, 1000)):
        expected = [r for r in known.every() if max(abs(r.grid_x - x), abs(r.grid_y - y)) <= radius]
        assert known.near(x, y, radius) == expected


async def test_regions_are_asked_for_by_place_name_and_version(server: Server, backbone: BackboneClient) -> None:
    async with (
        fake_sim(backbone, unique("Mitte"), 2000, 500) as mine,
        fake_sim(backbone, unique("Ost"), 2001, 500) as east,
        fake_sim(backbone, unique("Fern"), 2010, 500) as far,
    ):
        near = await backbone.regions_near(2000, 500)
        assert [one["region_id"] for one in near["regions"]] == [mine.region_id, east.region_id]
        assert near["whole"] and near["gone"] == []
        wide = await backbone.regions_near(2000, 500, 10)
        assert far.region_id in {one["region_id"] for one in wide["regions"]}
        quiet = await backbone.regions_near(2000, 500, since=near["version"])
        assert (quiet["regions"], quiet["gone"], quiet["whole"]) == ([], [], False)
        await backbone.delete_region(east.region_id, east.epoch)
        changed = await backbone.regions_near(2000, 500, since=near["version"])
        assert [(one["region_id"], one["online"]) for one in changed["regions"]] == [(east.region_id, False)]
        heir = await FakeSim(unique("Erbe"), 2001, 500).claim(backbone)
        changed = await backbone.regions_near(2000, 500, since=changed["version"])
        assert [one["region_id"] for one in changed["regions"]] == [heir.region_id]
        assert changed["gone"] == [east.region_id]
        assert await backbone.find_region(mine.name.upper()) == await backbone.region_at(2000, 500)
        assert await backbone.find_region("Nowhere at all") is await backbone.region_at(1, 1) is None
        assert [one["region_id"] for one in await backbone.search_regions(mine.name[3:].lower())] == [mine.region_id]
        everything = {one["region_id"] for one in await backbone.get_regions()}
        assert {mine.region_id, heir.region_id, far.region_id} <= everything
        await backbone.delete_region(heir.region_id, heir.epoch)
        await east.claim(backbone)
    for bad in ("near=1", "near=a,b", "near=1,2&radius=-1", "near=1,2&radius=1001", "since=x", "square=1", "near=1,2,3"):
        assert server.ask("GET", f"/regions?{bad}")[0] == 400, bad


async def test_a_claim_answers_with_its_own_row_alone(backbone: BackboneClient) -> None:
    sim = FakeSim(unique("Row"), 2100)
    lease = await backbone.put_region(
        sim.region_id, name=sim.name, grid_x=2100, grid_y=1000, ip="127.0.0.1", port=9, http_url="http://127.0.0.1:9"
    )
    assert lease["region"] == await backbone.get_region(sim.region_id)
    assert lease["region"]["epoch"] == lease["epoch"]
    await backbone.delete_region(sim.region_id, lease["epoch"])


async def test_a_second_process_does_not_get_a_region_that_runs(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("One"), 2101) as sim, client_of(server) as other_process:
        mine = sim.epoch
        with pytest.raises(BackboneError, match="held by another process, whose lease runs") as refused:
            await sim.claim(other_process)
        assert refused.value.status == 409
        await sim.heartbeat(backbone)  # the first goes on undisturbed
        await backbone.delete_region(sim.region_id, mine)
        await sim.claim(other_process)
        assert sim.epoch > mine
        with pytest.raises(BackboneError):
            await backbone.heartbeat(sim.region_id, mine, [])


async def test_what_an_old_claim_writes_is_refused(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Fenced"), 2102) as sim, client_of(server) as region:
        login = await enter(server, backbone, sim)
        agent_id, session_id = login["agent_id"], login["session_id"]
        region.region = (sim.region_id, sim.epoch)
        await region.arrive(agent_id, session_id, sim.region_id, HERE, LOOK)
        tree = await backbone.get_inventory_skeleton(agent_id)
        folder = tree["folders"][1]["folder_id"]
        item = await region.create_item(
            agent_id, {"parent_id": folder, "asset_id": str(uuid4()), "name": "x", "type": 6, "inv_type": 6}
        )
        stranger = await backbone.create_user(unique("Far"), "Away", PASSWORD)
        await sim.claim(backbone)  # again: the epoch above is old now
        await sim.heartbeat(backbone, login)

        for write in (
            lambda: region.arrive(agent_id, session_id, sim.region_id, (9, 9, 9), LOOK),
            lambda: region.leave(agent_id, session_id, sim.region_id, (9, 9, 9), LOOK),
            lambda: region.heartbeat(sim.region_id, sim.epoch, []),  # the header says otherwise
            lambda: region.send_message(message(stranger["agent_id"], agent_id)),
            lambda: region.delete_messages(agent_id, [uuid4()]),
            lambda: region.create_folder(agent_id, uuid4(), folder, "late"),
            lambda: region.update_item(agent_id, item["item_id"], name="late"),
            lambda: region.change_items(agent_id, [{"item_id": item["item_id"], "name": "late"}]),
            lambda: region.copy_item(agent_id, item["item_id"], folder),
            lambda: region.give(agent_id, uuid4(), stranger["agent_id"], item_id=item["item_id"]),
            lambda: region.purge_folder(agent_id, folder),
            lambda: region.delete_item(agent_id, item["item_id"]),
        ):
            with pytest.raises(BackboneError, match="epoch is old") as refused:
                await write()
            assert refused.value.status == 409
        assert (await backbone.fetch_items(agent_id, [item["item_id"]])) == [item]
        assert (await backbone.get_presence(agent_id))["online"]
        region.region = (sim.region_id, sim.epoch)
        assert (await region.send_message(message(stranger["agent_id"], agent_id)))["result"] == "stored"
        with pytest.raises(BackboneError):  # it speaks for itself only
            await region.arrive(agent_id, session_id, uuid4(), HERE, LOOK)
    for bad in ("", "x", f"{uuid4()}", f"{uuid4()}:", f"{uuid4()}:-1", f"{uuid4()}:{'9' * 30}", ":5"):
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json", "Region": bad}
        body = message(stranger["agent_id"], agent_id)
        assert server.ask("POST", "/messages", body, headers)[0] == 400, bad


async def test_land_is_the_first_accounts_or_whose_it_was_given_to(own_server: Server) -> None:
    async with client_of(own_server) as backbone:
        sim = await FakeSim("Mine").claim(backbone)
        assert (await backbone.get_region(sim.region_id))["owner_id"] is None
        guest = {"first": "Gus", "last": "Guest1234", "password": PASSWORD, "guest": True}
        assert own_server.ask_as_sim("POST", "/users", guest)[0] == 201
        assert (await sim.heartbeat(backbone))["region_owner_id"] is None  # a guest owns nothing
        first = (await backbone.create_user("First", "Account", PASSWORD))["agent_id"]
        async with asyncio.timeout(WAIT_SECONDS):
            while (owner := (await sim.heartbeat(backbone))["region_owner_id"]) is None:
                await asyncio.sleep(0.05)
        assert owner == first
        other = await backbone.create_user("Other", "Owner", PASSWORD)
        given = await backbone.set_region_owner(sim.region_id, other["agent_id"])
        assert given["owner_id"] == (await sim.heartbeat(backbone))["region_owner_id"] == other["agent_id"]
        own_server.kill()
        own_server.start()
        assert (await backbone.get_region(sim.region_id))["owner_id"] == other["agent_id"]
        assert (await backbone.set_region_owner(sim.region_id, None))["owner_id"] == first
        for region_id, owner in ((uuid4(), first), (sim.region_id, uuid4())):
            with pytest.raises(BackboneError) as refused:
                await backbone.set_region_owner(region_id, owner)
            assert refused.value.status == 404


async def test_the_setting_says_whose_land_it_is(tmp_path: Any) -> None:
    server = Server(tmp_path, more=("--owner", "sécond owner")).start()
    try:
        async with client_of(server) as backbone:
            await backbone.create_user("First", "Account", PASSWORD)
            second = await backbone.create_user("Sécond", "Owner", PASSWORD)
            sim = await FakeSim("Mine").claim(backbone)
            assert (await backbone.get_region(sim.region_id))["owner_id"] == second["agent_id"]
    finally:
        assert server.stop() == 0


async def test_login_reads_regions_by_name(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Named Place"), 2103) as sim:
        user = await backbone.create_user(unique("Na"), "Med", PASSWORD)
        reply = await log_in(server.url, user["first"], "Med", start=f"uri:{sim.name.upper()}&1&2&3")
        assert reply["start_location"] == "url"
