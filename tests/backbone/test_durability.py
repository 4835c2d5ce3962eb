"""kill -9: what was acknowledged is there, and sims' heartbeats bring the rest back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from backbone.client import BackboneClient, BackboneError
from protocol.wellknown import Folder
from tests.backbone.kit import (
    PASSWORD,
    SECRET,
    WAIT_SECONDS,
    Server,
    client_of,
    fake_sim,
    log_in,
    message,
    unique,
    until,
)


async def online(backbone: BackboneClient, agent_id: str) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not (await backbone.get_presence(agent_id))["online"]:
            await asyncio.sleep(0.05)


async def test_sessions_and_presence_come_back_after_a_kill(own_server: Server) -> None:
    async with client_of(own_server) as backbone, fake_sim(backbone, "Stays", 1000) as sim:
        user = await backbone.create_user("Kept", "Safe", PASSWORD)
        login = await log_in(own_server.url, "Kept", "Safe")
        here = await sim.arrive(backbone, login)
        waiting = await backbone.create_user("Not", "Arrived", PASSWORD)
        unfinished = await log_in(own_server.url, "Not", "Arrived")
        own_server.kill()
        own_server.start()
        # The lease still runs and the session is on disk: the truth at once, without any heartbeat.
        assert await backbone.get_presence(user["agent_id"]) == here
        assert not (await backbone.get_presence(waiting["agent_id"]))["online"]
        assert (await sim.heartbeat(backbone, login))["gone"] == []  # the epoch still counts
        assert (await sim.arrive(backbone, unfinished))["online"]  # logged in before, arrives after
        # And the session is still the one: a second login ends it.
        await log_in(own_server.url, "Kept", "Safe")
        await until(
            lambda: any(one["session_id"] == login["session_id"] for one in sim.closed), "the old one is closed"
        )


async def test_a_region_that_died_meanwhile_leaves_nobody_online(own_server: Server) -> None:
    async with client_of(own_server) as backbone, fake_sim(backbone, "Dies", 1000) as sim:
        user = await backbone.create_user("Was", "There", PASSWORD)
        login = await log_in(own_server.url, "Was", "There")
        await sim.arrive(backbone, login)
        own_server.kill()
        own_server.start()
        await sim.claim(backbone)  # the sim was killed too and begins anew, empty
        assert not (await backbone.get_presence(user["agent_id"]))["online"]
        await sim.heartbeat(backbone)
        assert (await backbone.get_region_agents(sim.region_id))["count"] == 0
        assert (await log_in(own_server.url, "Was", "There"))["login"] == "true"


async def _write_until_killed(backbone: BackboneClient, number: int, done: dict[str, list[Any]]) -> None:
    """Acknowledged accounts, friendships, messages, items and places of one busy writer."""
    with contextlib.suppress(BackboneError):
        while True:
            one = await backbone.create_user(unique(f"W{number}"), "Writer", "pw")
            done["users"].append(one)
            other = random.choice(done["users"])
            if other["agent_id"] == one["agent_id"]:
                continue
            sent = message(one["agent_id"], other["agent_id"], "friends?", dialog=38)
            await backbone.send_message(sent)
            done["messages"].append(sent)
            await backbone.accept_friend(one["agent_id"], other["agent_id"])
            done["friends"].append((one["agent_id"], other["agent_id"]))
            root = (await backbone.get_inventory_skeleton(one["agent_id"]))["root"]
            thing = {"parent_id": root, "asset_id": root, "name": "thing", "type": 7, "inv_type": 7}
            done["items"].append(await backbone.create_item(one["agent_id"], thing))
            await backbone.set_home(one["agent_id"], root, (1, 2, 3), (1, 0, 0))
            done["homes"].append(one["agent_id"])


async def test_nothing_acknowledged_is_lost(own_server: Server) -> None:
    done: dict[str, list[Any]] = {"users": [], "messages": [], "friends": [], "items": [], "homes": []}
    for enough in (40, 90, 130):
        async with aiohttp.ClientSession() as session:
            backbone = BackboneClient(own_server.url, SECRET, session)
            writers = [asyncio.create_task(_write_until_killed(backbone, n, done)) for n in range(8)]
            await until(lambda limit=enough: len(done["users"]) >= limit, "the writers are at work")
            await asyncio.sleep(random.random() * 0.05)
            own_server.kill()
            await asyncio.gather(*writers)
        own_server.start()
    async with client_of(own_server) as backbone:
        for user in done["users"]:
            assert await backbone.get_user(user["agent_id"]) == user
            assert len((await backbone.get_inventory_skeleton(user["agent_id"]))["folders"]) > 20
        for one, other in done["friends"]:
            assert other in {friend["agent_id"] for friend in await backbone.get_friends(one)}
        for item in done["items"]:
            assert await backbone.fetch_items(item["owner_id"], [item["item_id"]]) == [item]
        for agent_id in done["homes"]:
            assert (await backbone.get_home(agent_id))["position"] == [1, 2, 3]
        for sent in done["messages"]:
            stored = [one["message_id"] for one in await backbone.get_messages(sent["to_agent_id"])]
            assert stored.count(sent["message_id"]) == 1
            assert (await backbone.send_message(sent))["result"] == "stored"  # asked again: not a second one
            again = [one["message_id"] for one in await backbone.get_messages(sent["to_agent_id"])]
            assert again == stored
    assert min(map(len, done.values())) > 10


async def test_a_stop_is_clean_and_the_next_start_goes_on(own_server: Server) -> None:
    async with client_of(own_server) as backbone:
        user = await backbone.create_user("Next", "Start", PASSWORD)
    assert own_server.stop() == 0
    own_server.start()
    async with client_of(own_server) as backbone:
        assert await backbone.get_user(user["agent_id"]) == user
    assert "Traceback" not in own_server.log()


def test_two_backbones_do_not_share_a_folder(own_server: Server) -> None:
    rival = Server(own_server.data)
    try:
        rival.start()
    except AssertionError as error:
        assert "another Backbone runs" in str(error)
    else:
        rival.stop()
        raise AssertionError("a second Backbone started on the same folder")


async def test_on_a_full_disk_people_log_in_and_nothing_grows(own_server: Server, tmp_path: Path) -> None:
    async with client_of(own_server) as backbone:
        ann, ben = await backbone.create_user("Ann", "Fuller", PASSWORD), await backbone.create_user("Ben", "Fuller", PASSWORD)
        objects = next(
            f["folder_id"] for f in (await backbone.get_inventory_skeleton(ann["agent_id"]))["folders"] if f["type"] == Folder.OBJECTS
        )
        item = {"parent_id": objects, "asset_id": str(uuid4()), "name": "Thing", "type": 6, "inv_type": 6}
        made = await backbone.create_item(ann["agent_id"], item)
    own_server.stop()
    full = Server(own_server.data, more=("--reserve-megabytes", str(1 << 30))).start()
    try:
        async with client_of(full) as backbone, fake_sim(backbone, "Fullest", 2301) as sim:
            await sim.arrive(backbone, await log_in(full.url, "Ann", "Fuller", start="uri:Fullest&1&2&3"))
            assert (await backbone.get_presence(ann["agent_id"]))["online"]
            for grows in (
                backbone.create_item(ann["agent_id"], item),
                backbone.copy_item(ann["agent_id"], made["item_id"], objects),
                backbone.create_folder(ann["agent_id"], uuid4(), objects, "Box"),
                backbone.create_user("Cy", "Fuller", PASSWORD),
                backbone.put_profile(ann["agent_id"], {"about": "x" * 60_000}),
                backbone.put_notes(ann["agent_id"], ben["agent_id"], "Notes"),
            ):
                with pytest.raises(BackboneError, match="disk nearly full") as refused:
                    await grows
                assert refused.value.status == 507 and "disk is nearly full" in refused.value.for_people()
            fate = await backbone.send_message(message(ben["agent_id"], ann["agent_id"], "Are you there?"))
            assert fate["result"] == "dropped" and "disk" in fate["reason"]
            fate = await backbone.send_message(message(ann["agent_id"], ben["agent_id"], "I am here"))
            assert fate["result"] == "delivered"
            # What makes room goes on.
            await backbone.change_items(ann["agent_id"], [], [made["item_id"]])
    finally:
        assert full.stop() == 0
