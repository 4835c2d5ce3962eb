"""Presence and the region directory through a real server and fake sims."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from tests.backbone.kit import PASSWORD, WAIT_SECONDS, FakeSim, Server, client_of, fake_sim, log_in, unique, until


async def enter(server: Server, backbone: BackboneClient, sim: FakeSim, name: str = "Pat") -> dict[str, Any]:
    """A new person, logged in to the sim's region but not arrived."""
    user = await backbone.create_user(unique(name), "Tester", PASSWORD)
    reply = await log_in(server.url, user["first"], user["last"], start=f"uri:{sim.name}&1&2&3")
    assert reply["login"] == "true"
    return reply


async def test_presence_before_during_and_after(server: Server, backbone: BackboneClient) -> None:
    async with (
        fake_sim(backbone, unique("Here"), 1100, 1000) as here,
        fake_sim(backbone, unique("There"), 1101) as there,
    ):
        login = await enter(server, backbone, here)
        agent_id = login["agent_id"]
        offline = {"agent_id": agent_id, "online": False, "region_id": None, "region_name": None, "since": None}
        assert await backbone.get_presence(agent_id) == offline  # logged in, not arrived
        told = await here.arrive(backbone, login)
        assert told == await backbone.get_presence(agent_id)
        assert (told["online"], told["region_id"], told["region_name"]) == (True, here.region_id, here.name)
        assert isinstance(told["since"], int)
        listed = await backbone.get_region_agents(here.region_id)
        assert listed["count"] == 1
        assert [one["agent_id"] for one in listed["agents"]] == [agent_id]
        assert listed["agents"][0]["name"].endswith(" Tester")
        # Walking over the border: root over there, nobody here; online since the same moment.
        moved = await there.arrive(backbone, login)
        assert (moved["region_id"], moved["since"]) == (there.region_id, told["since"])
        assert (await backbone.get_region_agents(here.region_id))["count"] == 0
        assert (await backbone.get_region(there.region_id))["agents"] == 1
        # A heartbeat of the old region that was written before the crossing does not take the agent back.
        assert (await here.heartbeat(backbone, login))["gone"] == []
        assert (await backbone.get_presence(agent_id))["region_id"] == there.region_id
        await backbone.leave(agent_id, login["session_id"], there.region_id, (5, 6, 7), (1, 0, 0))
        assert await backbone.get_presence(agent_id) == offline
        await backbone.leave(agent_id, login["session_id"], there.region_id, (5, 6, 7), (1, 0, 0))  # again: fine
        assert (await there.heartbeat(backbone, login))["gone"] == [agent_id]
        with pytest.raises(BackboneError) as refused:
            await there.arrive(backbone, login)
        assert refused.value.status == 409


async def test_many_presences_at_once(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Crowd"), 1102) as sim:
        logins = [await enter(server, backbone, sim) for _ in range(3)]
        for login in logins[:2]:
            await sim.arrive(backbone, login)
        ids = [login["agent_id"] for login in logins]
        strangers = [str(uuid4()) for _ in range(300)]
        presences = await backbone.get_presences(ids + strangers)
        assert [(one["agent_id"], one["online"]) for one in presences] == list(
            zip(ids, (True, True, False), strict=True)
        )


async def test_regions_know_each_other(backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Known"), 1103) as sim:
        region = await backbone.get_region(sim.region_id)
        assert region == {
            "region_id": sim.region_id,
            "name": sim.name,
            "grid_x": 1103,
            "grid_y": 1000,
            "size": 256,
            "ip": "127.0.0.1",
            "port": sim.port,
            "http_url": f"http://127.0.0.1:{sim.port}",
            "access": "M",
            "water_height": 20.0,
            "map_image_id": "00000000-0000-0000-0000-000000000000",
            "online": True,
            "agents": 0,
            "epoch": sim.epoch,
            "owner_id": region["owner_id"],
            "inner_url": f"http://127.0.0.1:{sim.port}",
        }
        assert region in await backbone.get_regions()


async def test_the_address_inside_the_grid_is_told_inside_the_grid_alone(
    server: Server, backbone: BackboneClient
) -> None:
    """What viewers and strangers hear is where they reach a region; its services may be elsewhere."""
    async with fake_sim(backbone, unique("Twofold"), 1109) as sim:
        sim.public_url = "http://203.0.113.7:9010"
        await sim.claim(backbone)
        outside, inside = sim.public_url, f"http://127.0.0.1:{sim.port}"
        # The whole listing may be a second old.
        await until(lambda: outside.encode() in server.ask("GET", "/regions")[2], "the listing of strangers")
        await until(lambda: outside in str(server.ask_as_sim("GET", "/regions")), "the listing of sims")
        for path in ("/regions", f"/regions/{sim.region_id}", f"/regions?name={sim.name}", "/regions?near=1109,1000",
                     "/regions?square=1109,1000", "/regions?since=0", f"/regions?search={sim.name}"):  # fmt: skip
            told = server.ask_as_sim("GET", path)[1]
            (region,) = [one for one in told.get("regions", [told]) if one["region_id"] == sim.region_id]
            assert (region["http_url"], region["inner_url"]) == (sim.public_url, inside), path
            status, headers, body = server.ask("GET", path)
            assert status == 200 and sim.public_url.encode() in body and inside.encode() not in body, path
            assert b"inner_url" not in body and headers["vary"] == "Authorization"
        login = await enter(server, backbone, sim)
        assert login["login"] == "true", "Backbone asks the region itself by its inner address"


async def test_a_square_and_a_name_have_one_live_holder(backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Mine"), 1104) as sim:
        for rival in (FakeSim(unique("Other"), 1104), FakeSim(sim.name.upper(), 1105)):
            with pytest.raises(BackboneError) as refused:
                await rival.claim(backbone)
            assert refused.value.status == 409
        await backbone.delete_region(sim.region_id, sim.epoch)
        heir = await FakeSim(sim.name, 1104).claim(backbone)  # given back: free at once
        with pytest.raises(BackboneError):
            await sim.heartbeat(backbone)
        with pytest.raises(BackboneError):
            await sim.claim(backbone)
        await backbone.delete_region(heir.region_id, heir.epoch)
        await sim.claim(backbone)


async def test_a_new_claim_makes_the_old_epoch_worthless(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Twice"), 1106) as sim:
        login = await enter(server, backbone, sim)
        await sim.arrive(backbone, login)
        old = sim.epoch
        await sim.claim(backbone)  # the sim was killed and started again: it holds nobody
        assert sim.epoch > old
        assert not (await backbone.get_presence(login["agent_id"]))["online"]
        for late in (
            backbone.heartbeat(sim.region_id, old, [(login["agent_id"], login["session_id"])]),
            backbone.delete_region(sim.region_id, old),
        ):
            with pytest.raises(BackboneError) as refused:
                await late
            assert refused.value.status == 409
        assert not (await backbone.get_presence(login["agent_id"]))["online"]
        # Back at once: nobody waits for a lease to run out.
        again = await log_in(server.url, login["first_name"].strip('"'), "Tester", start=f"uri:{sim.name}&1&2&3")
        assert again["login"] == "true"
        assert (await sim.arrive(backbone, again))["online"]


async def test_fifty_racers_for_one_square_have_one_winner(backbone: BackboneClient) -> None:
    racers = [FakeSim(unique("Racer"), 1107) for _ in range(50)]
    outcomes = await asyncio.gather(*(racer.claim(backbone) for racer in racers), return_exceptions=True)
    winners = [racer for racer, outcome in zip(racers, outcomes, strict=True) if not isinstance(outcome, Exception)]
    assert len(winners) == 1
    assert all(isinstance(one, BackboneError) and one.status == 409 for one in outcomes if isinstance(one, Exception))
    await backbone.delete_region(winners[0].region_id, winners[0].epoch)


async def test_a_heartbeat_brings_back_and_sends_away(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Beats"), 1108) as sim:
        here, gone = await enter(server, backbone, sim), await enter(server, backbone, sim)
        # The arrival was lost on the way, say: the heartbeat tells.
        answer = await sim.heartbeat(backbone, here)
        assert (answer["lease_seconds"], answer["gone"]) == (15, [])
        assert (await backbone.get_presence(here["agent_id"]))["region_id"] == sim.region_id
        await backbone.leave(gone["agent_id"], gone["session_id"], sim.region_id, (1, 1, 1), (1, 0, 0))
        stranger = {"agent_id": str(uuid4()), "session_id": str(uuid4())}
        answer = await sim.heartbeat(backbone, here, gone, stranger)
        assert answer["gone"] == [gone["agent_id"], stranger["agent_id"]]


async def test_a_region_that_falls_silent_takes_its_people_offline(tmp_path: Path) -> None:
    server = Server(tmp_path, more=("--lease-seconds", "1", "--takeover-seconds", "1")).start()
    try:
        async with client_of(server) as backbone:
            silent = await (await FakeSim("Silent").start()).claim(backbone)
            login = await enter(server, backbone, silent)
            await silent.arrive(backbone, login)

            async def offline() -> bool:
                return not (await backbone.get_presence(login["agent_id"]))["online"]

            async with asyncio.timeout(WAIT_SECONDS):
                while not await offline():
                    await asyncio.sleep(0.05)
            assert not (await backbone.get_region(silent.region_id))["online"]
            assert (await backbone.get_region_agents(silent.region_id))["count"] == 0
            # It was only the network: the epoch is still the last one, so its next word brings all back.
            answer = await silent.heartbeat(backbone, login)
            assert (answer["lease_seconds"], answer["gone"]) == (1.0, [])
            assert not await offline()
            async with asyncio.timeout(WAIT_SECONDS):
                while (await backbone.get_region(silent.region_id))["online"]:
                    await asyncio.sleep(0.05)
            # Silent for longer, and another takes the square: then the old one is told to stop.
            await FakeSim("Heir").claim(backbone)
            with pytest.raises(BackboneError) as refused:
                await silent.heartbeat(backbone, login)
            assert refused.value.status == 409
            await silent.stop()
    finally:
        assert server.stop() == 0


async def test_arrival_in_an_unknown_region_is_refused(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Home"), 1109) as sim:
        login = await enter(server, backbone, sim)
        with pytest.raises(BackboneError) as refused:
            await backbone.arrive(login["agent_id"], login["session_id"], uuid4(), (1, 2, 3), (1, 0, 0))
        assert refused.value.status == 404


async def test_unknown_ids_are_404_and_bad_ones_400(server: Server) -> None:
    nobody = uuid4()
    paths = (f"/agents/{nobody}/presence", f"/regions/{nobody}", f"/regions/{nobody}/agents")
    for path in paths:
        assert server.ask("GET", path)[0] == 404
        assert server.ask("GET", path.replace(str(nobody), "not-an-id"))[0] == 400
    assert server.ask("GET", "/presence?ids=x")[0] == 400
    assert server.ask("GET", "/presence")[0] == 200
