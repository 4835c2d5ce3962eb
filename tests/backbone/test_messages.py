"""Instant messages: delivered, stored, exactly once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from backbone.storage.people import MAX_WAITING, MAX_WAITING_OF_ONE
from tests.backbone.kit import Server, fake_sim, message, unique, until
from tests.backbone.test_people import come_in, make


async def texts(backbone: BackboneClient, user: dict[str, Any]) -> list[str]:
    return [one["message"] for one in await backbone.get_messages(user["agent_id"])]


async def test_an_online_person_gets_it_where_it_is(server: Server, backbone: BackboneClient) -> None:
    ann, bob = await make(backbone), await make(backbone)
    async with fake_sim(backbone, unique("Talk"), 1300) as sim:
        await come_in(server, backbone, bob, sim)
        sent = message(bob["agent_id"], ann["agent_id"], "hello ☃")
        assert await backbone.send_message(sent) == {"result": "delivered"}
        assert sim.messages == [{**sent, "offline": 0}]
        # The answer was lost, the sim asks again: the same answer, no second delivery.
        assert await backbone.send_message(sent) == {"result": "delivered"}
        assert len(sim.messages) == 1
        assert await backbone.get_messages(bob["agent_id"]) == []
        typing = message(bob["agent_id"], ann["agent_id"], "", dialog=41)
        assert await backbone.send_message(typing) == {"result": "delivered"}


async def test_offline_messages_come_exactly_once_and_in_order(backbone: BackboneClient) -> None:
    ann, bob = await make(backbone), await make(backbone)
    sent = [message(bob["agent_id"], ann["agent_id"], f"number {n}") for n in range(5)]
    for one in sent:
        assert await backbone.send_message(one) == {"result": "stored"}
    await asyncio.gather(*(backbone.send_message(sent[0]) for _ in range(5)))
    waiting = await backbone.get_messages(bob["agent_id"])
    assert waiting == [{**one, "timestamp": one["timestamp"], "offline": 1} for one in sent]
    await backbone.delete_messages(bob["agent_id"], [one["message_id"] for one in sent[:3]])
    assert await texts(backbone, bob) == ["number 3", "number 4"]
    # A late repeat does not bring it back.
    assert (await backbone.send_message(sent[0]))["result"] in ("stored", "delivered")
    assert await texts(backbone, bob) == ["number 3", "number 4"]
    # Nobody else can take or remove them.
    await backbone.delete_messages(ann["agent_id"], [sent[4]["message_id"]])
    assert await texts(backbone, bob) == ["number 3", "number 4"]
    assert await backbone.get_messages(ann["agent_id"]) == []


@pytest.mark.parametrize(("dialog", "result"), [(0, "stored"), (4, "stored"), (19, "stored"), (40, "stored"),
                                                (41, "dropped"), (20, "dropped"), (22, "dropped"), (26, "dropped")])  # fmt: skip
async def test_what_is_kept_for_the_absent(backbone: BackboneClient, dialog: int, result: str) -> None:
    ann, bob = await make(backbone), await make(backbone)
    fate = await backbone.send_message(message(bob["agent_id"], ann["agent_id"], dialog=dialog))
    assert fate["result"] == result


async def test_the_mailbox_has_an_end(backbone: BackboneClient) -> None:
    bob = await make(backbone)
    senders = [str(uuid4()) for _ in range(MAX_WAITING // MAX_WAITING_OF_ONE)]
    for sender in senders:  # nobody fills it alone
        fates = [await backbone.send_message(message(bob["agent_id"], sender)) for _ in range(MAX_WAITING_OF_ONE + 1)]
        assert [fate["result"] for fate in fates] == ["stored"] * MAX_WAITING_OF_ONE + ["dropped"]
        assert "your messages" in fates[-1]["reason"]
    assert (await backbone.send_message(message(bob["agent_id"], str(uuid4()))))["reason"] == "the mailbox is full"
    waiting = await backbone.get_messages(bob["agent_id"])
    assert len(waiting) == MAX_WAITING
    await backbone.delete_messages(bob["agent_id"], [waiting[0]["message_id"]])
    assert (await backbone.send_message(message(bob["agent_id"], senders[0])))["result"] == "stored"


async def test_a_message_to_someone_on_the_move_arrives(server: Server, backbone: BackboneClient) -> None:
    ann, bob = await make(backbone), await make(backbone)
    async with fake_sim(backbone, unique("From"), 1301) as origin, fake_sim(backbone, unique("To"), 1302) as target:
        login = await come_in(server, backbone, bob, origin)
        origin.message_status = 404  # has left already, has not arrived yet
        fate = await backbone.send_message(message(bob["agent_id"], ann["agent_id"], "catch me"))
        assert fate["result"] == "stored"
        await target.arrive(backbone, login)
        await until(lambda: target.messages, "the message follows")
        assert [one["message"] for one in target.messages] == ["catch me"]

        async def taken() -> bool:
            return await backbone.get_messages(bob["agent_id"]) == []

        async with asyncio.timeout(10):
            while not await taken():
                await asyncio.sleep(0.02)


async def test_a_sim_that_fails_does_not_lose_messages(server: Server, backbone: BackboneClient) -> None:
    ann, bob = await make(backbone), await make(backbone)
    async with fake_sim(backbone, unique("Fails"), 1303) as sim:
        await come_in(server, backbone, bob, sim)
        sim.message_status = 500
        assert (await backbone.send_message(message(bob["agent_id"], ann["agent_id"], "one")))["result"] == "stored"
        await sim.stop()
        assert (await backbone.send_message(message(bob["agent_id"], ann["agent_id"], "two")))["result"] == "stored"
        assert await texts(backbone, bob) == ["one", "two"]


async def test_nobody_and_nonsense(server: Server, backbone: BackboneClient) -> None:
    ann = await make(backbone)
    with pytest.raises(BackboneError) as refused:
        await backbone.send_message(message(str(uuid4()), ann["agent_id"]))
    assert refused.value.status == 404
    good = message(ann["agent_id"], str(uuid4()))
    for wrong in (
        {"dialog": 256}, {"dialog": "0"}, {"dialog": True}, {"message": "x" * 5000}, {"message": None},
        {"message_id": "x"}, {"position": [1, 2]}, {"position": [1, 2, 1e300]}, {"binary_bucket": "!"},
        {"surplus": 1}, {"message": "nul\x00"}, {"from_name": 7}, {"to_agent_id": good["to_agent_id"] + "\n"},
    ):  # fmt: skip
        status, told = server.ask_as_sim("POST", "/messages", {**good, **wrong})
        assert status == 400, wrong
        assert told["description"]
    half = b'{"message":"\\ud800"}'
    assert server.ask("POST", "/messages", half, {"Authorization": "Bearer a grid secret for tests only"})[0] == 400


async def test_an_offer_from_nobody_is_refused(backbone: BackboneClient) -> None:
    ann = await make(backbone)
    for offerer in (str(uuid4()), ann["agent_id"]):
        with pytest.raises(BackboneError) as refused:
            await backbone.send_message(message(ann["agent_id"], offerer, dialog=38))
        assert refused.value.status == 400
