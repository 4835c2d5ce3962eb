"""Conversations of several friends: begun, spoken in, come to, left."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.message import Message, text
from sim.caps import Refused
from tests.kit.world import TestSimulator, Viewer, add_root, settle


def im(viewer: Viewer, dialog: int, session: UUID, words: str = "", bucket: bytes = b"") -> None:
    block = {"ToAgentID": session, "Dialog": dialog, "ID": session, "Message": words, "BinaryBucket": bucket}
    viewer.sends(Message("ImprovedInstantMessage", MessageBlock=block))


def heard(viewer: Viewer) -> list[tuple[str, str]]:
    blocks = [one["MessageBlock"] for one in viewer.heard("ImprovedInstantMessage") if one["MessageBlock"]["Dialog"] == 17]
    return [(text(block["FromAgentName"]), text(block["Message"])) for block in blocks]


def members(viewer: Viewer) -> list[tuple[str, str]]:
    told = viewer.events("ChatterBoxSessionAgentListUpdates")
    return [(who, update["transition"]) for event in told for who, update in event["agent_updates"].items()]


async def conference(sim: TestSimulator) -> tuple[Viewer, Viewer, Viewer, UUID]:
    """Anna has begun one with Bert and Cora, who know nothing of it yet."""
    anna, bert, cora = (add_root(sim, f"{name} Tester") for name in ("Anna", "Bert", "Cora"))
    for friend in (bert, cora):
        sim.backbone.befriend(anna.id, friend.id, friend.agent.name)
    await settle(sim)
    for viewer in (anna, bert, cora):
        viewer.forget()
    own = uuid4()
    im(anna, 16, own, bucket=bert.id.bytes + cora.id.bytes)
    await settle(sim)
    (begun,) = anna.events("ChatterBoxSessionStartReply")
    assert begun["temp_session_id"] == own and begun["success"] and begun["session_info"]["type"] == 1
    return anna, bert, cora, begun["session_id"]


async def test_a_conference_from_its_first_words_to_its_end(sim: TestSimulator) -> None:
    anna, bert, cora, session = await conference(sim)
    im(anna, 17, session, "Soup at six?")
    await settle(sim)
    for viewer in (bert, cora):
        (asked,) = viewer.events("ChatterBoxInvitation")
        words = asked["instantmessage"]["message_params"]
        assert (asked["session_id"], asked["from_id"], words["message"]) == (session, anna.id, "Soup at six?")
    answer = await bert.cap("ChatSessionRequest", {"method": "accept invitation", "session-id": session})
    assert set(answer["agents"]) == {anna.id, bert.id} and set(answer["agent_info"]) == {str(anna.id), str(bert.id)}
    await settle(sim)
    assert (str(bert.id), "ENTER") in members(anna)
    await cora.cap("ChatSessionRequest", {"method": "decline invitation", "session-id": session})
    im(bert, 17, session, "Gladly")
    await settle(sim)
    assert heard(anna) == [("Anna Tester", "Soup at six?"), ("Bert Tester", "Gladly")]
    assert heard(bert) == [("Bert Tester", "Gladly")] and heard(cora) == []
    im(cora, 17, session, "May I after all?")  # not in it
    im(anna, 18, session)
    await settle(sim)
    assert cora.heard("AlertMessage") and (str(anna.id), "LEAVE") in members(bert)
    im(anna, 17, session, "One more thing")
    await settle(sim)
    assert len(heard(bert)) == 1 and anna.heard("AlertMessage")


async def test_who_was_asked_hears_on_until_coming_or_not(sim: TestSimulator) -> None:
    anna, bert, _, session = await conference(sim)
    im(anna, 17, session, "First")
    im(anna, 17, session, "Second")
    await settle(sim)
    assert len(bert.events("ChatterBoxInvitation")) == 1 and heard(bert) == [("Anna Tester", "Second")]


async def test_only_friends_are_asked_and_nobody_comes_unasked(sim: TestSimulator) -> None:
    anna, _, _, session = await conference(sim)
    stranger = add_root(sim, "Dan Stranger")
    await settle(sim)
    anna.forget()
    body = {"method": "start conference", "session-id": uuid4(), "params": [stranger.id]}
    await anna.cap("ChatSessionRequest", body)
    (refused,) = anna.events("ChatterBoxSessionStartReply")
    assert not refused["success"] and "Only friends" in text(anna.heard("AlertMessage")[0]["AlertData"]["Message"])
    with pytest.raises(Refused) as told:
        await stranger.cap("ChatSessionRequest", {"method": "accept invitation", "session-id": session})
    assert told.value.status == 404
    im(stranger, 13, session, "forged")
    im(stranger, 14, session, "forged")
    im(stranger, 17, session, "forged")
    im(stranger, 18, session)
    await settle(sim)
    assert not anna.events("ChatterBoxInvitation") and not heard(anna)


async def test_somebody_elsewhere_is_reached_through_backbone(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    far = uuid4()
    sim.backbone.add_user(far, "Far", "Away")
    sim.backbone.befriend(anna.id, far, "Far Away")
    await settle(sim)
    anna.forget()
    await anna.cap("ChatSessionRequest", {"method": "start conference", "session-id": uuid4(), "params": [far]})
    session = anna.events("ChatterBoxSessionStartReply")[0]["session_id"]
    im(anna, 17, session, "Are you there?")
    await settle(sim)
    (sent,) = (message for (message,) in sim.backbone.called("send_message"))
    assert (sent["dialog"], sent["to_agent_id"], sent["id"], sent["message"]) == (13, str(far), str(session), "Are you there?")


@pytest.mark.parametrize("body", [{}, {"method": "call", "session-id": uuid4()}, {"method": "start conference", "session-id": uuid4()}])
async def test_bad_requests_are_refused(sim: TestSimulator, body: Any) -> None:
    with pytest.raises(Refused) as told:
        await add_root(sim).cap("ChatSessionRequest", body)
    assert told.value.status == 400


async def test_what_viewers_wait_for_is_answered(sim: TestSimulator) -> None:
    anna = add_root(sim)
    assert await anna.cap("ChatSessionRequest", {"method": "fetch history", "session-id": uuid4()}) == []
    group = uuid4()
    im(anna, 15, group)
    im(anna, 16, uuid4())
    im(anna, 16, uuid4(), bucket=b"short")
    await settle(sim)
    replies = anna.events("ChatterBoxSessionStartReply")
    assert len(replies) == 3 and not any(reply["success"] for reply in replies)
