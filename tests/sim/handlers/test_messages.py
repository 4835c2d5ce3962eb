"""Instant messages out, in, and those that waited."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.message import Message, text
from sim.handlers.messages import FRIENDSHIP_OFFERED, PLAIN, TYPING_START, deliver_message, instant_message
from tests.kit.world import TestSimulator, Viewer, add_root, settle


def im(viewer: Viewer, to: UUID, words: str | bytes = "hello", dialog: int = PLAIN, **fields: Any) -> UUID:
    session = UUID(int=viewer.id.int ^ to.int)
    block = {
        "ToAgentID": to,
        "Dialog": dialog,
        "ID": session,
        "Message": words,
        "FromAgentName": "Somebody Else",
        **fields,
    }
    viewer.sends(Message("ImprovedInstantMessage", MessageBlock=block))
    return session


def heard(viewer: Viewer) -> list[tuple[UUID, int, str]]:
    found = [
        (message["AgentData"]["AgentID"], message["MessageBlock"]["Dialog"], text(message["MessageBlock"]["Message"]))
        for message in viewer.heard("ImprovedInstantMessage")
    ]
    viewer.forget()
    return found


def stored(sim: TestSimulator, to: Viewer, words: str, sender: UUID | None = None) -> str:
    message_id = str(uuid4())
    fields = {
        "message_id": message_id,
        "from_agent_id": str(sender or uuid4()),
        "from_name": "Carl Away",
        "to_agent_id": str(to.id),
        "dialog": 0,
        "id": str(uuid4()),
        "message": words,
        "binary_bucket": "",
        "region_id": str(uuid4()),
        "position": [1.0, 2.0, 3.0],
        "timestamp": 1_700_000_123,
        "offline": 1,
    }
    sim.backbone.messages.setdefault(str(to.id), []).append(fields)
    return message_id


# --- out


async def test_to_somebody_elsewhere(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester", position=(1, 2, 30))
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    sim.backbone.fates[str(carl)] = {"result": "delivered"}
    session = im(anna, carl, "hi", BinaryBucket=b"\1\2")
    im(anna, carl, "there")
    await settle(sim)
    first, second = (fields for (fields,) in sim.backbone.called("send_message"))
    assert (first["message"], second["message"]) == ("hi", "there")
    assert first["from_agent_id"] == str(anna.id) and first["from_name"] == "Anna Tester"
    assert (first["id"], first["dialog"]) == (str(session), 0)
    assert base64.b64decode(first["binary_bucket"]) == b"\1\2"
    assert first["region_id"] == str(sim.world.facts.region_id) and first["position"] == [1, 2, 30]
    assert first["message_id"] != second["message_id"]
    assert heard(anna) == []


async def test_to_somebody_in_this_region_needs_no_service(sim: TestSimulator) -> None:
    anna, bert = add_root(sim, "Anna Tester"), add_root(sim)
    await settle(sim)
    sim.backbone.down = True
    session = im(anna, bert.id)
    im(anna, bert.id, "typing", TYPING_START)
    message = bert.heard("ImprovedInstantMessage")[0]
    assert text(message["MessageBlock"]["FromAgentName"]) == "Anna Tester"
    assert message["MessageBlock"]["ID"] == session and message["AgentData"]["SessionID"].int == 0
    assert heard(bert) == [(anna.id, PLAIN, "hello"), (anna.id, TYPING_START, "typing")]


async def test_the_sender_learns_that_it_was_stored(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    session = im(anna, carl)
    await settle(sim)
    (answer,) = anna.heard("ImprovedInstantMessage")
    assert answer["MessageBlock"]["ID"] == session
    assert heard(anna) == [(carl, PLAIN, "User not online - message will be stored and delivered later.")]
    im(anna, carl, dialog=TYPING_START)
    await settle(sim)
    assert heard(anna) == []


async def test_the_sender_learns_of_failure(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    im(anna, carl)
    await settle(sim)
    assert anna.heard("AlertMessage") and heard(anna) == []
    sim.backbone.add_user(carl, "Carl", "Away")
    sim.backbone.fates[str(carl)] = {"result": "dropped", "reason": "the mailbox is full"}
    im(anna, carl)
    await settle(sim)
    assert "the mailbox is full" in heard(anna)[0][2]
    sim.backbone.down = True
    im(anna, carl)
    await settle(sim)
    assert "may not have been sent" in heard(anna)[0][2]


async def test_a_message_whose_answer_was_lost_is_sent_again_under_its_id(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    sim.backbone.fates[str(carl)] = {"result": "delivered"}
    sim.backbone.silent = 1
    im(anna, carl)
    await settle(sim)
    assert heard(anna) == []  # it was delivered: nothing to tell
    first, again = (message["message_id"] for (message,) in sim.backbone.called("send_message"))
    assert first == again
    sim.backbone.silent = 2
    im(anna, carl)
    await settle(sim)
    assert "may not have been sent" in heard(anna)[0][2]


async def test_an_offer_of_friendship_carries_the_offerers_id(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    sim.backbone.fates[str(bert.id)] = {"result": "delivered"}
    im(anna, bert.id, "be my friend", FRIENDSHIP_OFFERED)
    im(anna, anna.id, "be my friend", FRIENDSHIP_OFFERED)
    await settle(sim)
    ((fields,),) = sim.backbone.called("send_message")
    assert fields["id"] == str(anna.id)


@pytest.mark.parametrize("dialog", [13, 14, 31, 39, 40, 200])
async def test_what_a_viewer_may_not_say(sim: TestSimulator, dialog: int) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    im(anna, bert.id, dialog=dialog)
    im(anna, UUID(int=0))
    im(anna, bert.id, BinaryBucket=b"x" * 1025)
    await settle(sim)
    assert heard(bert) == [] and not sim.backbone.called("send_message")
    assert sim.metrics.value("messages_dropped", "instant message") == 3


async def test_long_text_is_cut(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    bert.forget()
    im(anna, bert.id, "é" * 700)
    assert heard(bert)[0][2] == "é" * 511


# --- in


def fields_for(viewer: Viewer, **changes: Any) -> dict[str, Any]:
    base = {
        "message_id": str(uuid4()),
        "from_agent_id": str(uuid4()),
        "from_name": "Carl",
        "to_agent_id": str(viewer.id),
    }
    return {**base, "dialog": 0, "id": str(uuid4()), "message": "hi", "binary_bucket": "", **changes}


async def test_the_same_message_twice_is_shown_once(sim: TestSimulator) -> None:
    anna = add_root(sim)
    fields = fields_for(anna)
    assert deliver_message(sim.parts, anna.agent, fields)
    assert not deliver_message(sim.parts, anna.agent, fields)
    assert len(anna.heard("ImprovedInstantMessage")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_agent_id": "x"},
        {"dialog": "many"},
        {"position": [1, 2]},
        {"position": 7},
        {"binary_bucket": "not base64!"},
        {"timestamp": None},
        {"timestamp": float("inf")},
        {"id": 3},
    ],
)
async def test_malformed_fields_are_refused(sim: TestSimulator, wrong: dict[str, Any]) -> None:
    anna = add_root(sim)
    with pytest.raises(ProtocolError):
        deliver_message(sim.parts, anna.agent, fields_for(anna, **wrong))
    assert anna.heard("ImprovedInstantMessage") == []


async def test_any_fields_make_a_message_or_a_protocol_error(sim: TestSimulator) -> None:
    anna = add_root(sim)
    values = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=40), st.lists(st.floats(), max_size=4))
    names = st.sampled_from([*sorted(fields_for(anna)), "position", "region_id", "timestamp", "parent_estate_id"])

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.dictionaries(names, values, max_size=5))
    def check(changes: dict[str, Any]) -> None:
        try:
            deliver_message(sim.parts, anna.agent, fields_for(anna, **changes))
        except ProtocolError:
            pass

    check()


# --- waited


async def test_stored_messages_are_forgotten_when_the_viewer_has_them(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    ids = {stored(sim, anna, "one"), stored(sim, anna, "two")}
    anna.sends(Message("RetrieveInstantMessages"))
    await settle(sim)
    messages = anna.heard("ImprovedInstantMessage")
    assert [text(message["MessageBlock"]["Message"]) for message in messages] == ["one", "two"]
    assert all(message["MessageBlock"]["Offline"] == 1 for message in messages)
    assert messages[0]["MessageBlock"]["Timestamp"] == 1_700_000_123
    sim.clock.advance(5)
    await settle(sim)
    assert not sim.backbone.called("delete_messages")
    anna.sends(Message("RetrieveInstantMessages"))  # asked again before the acks: neither sent nor forgotten
    await settle(sim)
    sim.clock.advance(5)
    await settle(sim)
    assert len(anna.heard("ImprovedInstantMessage")) == 2 and not sim.backbone.called("delete_messages")
    anna.acknowledges("ImprovedInstantMessage")
    sim.clock.advance(1)
    await settle(sim)
    ((_, gone),) = sim.backbone.called("delete_messages")
    assert gone == ids and sim.backbone.messages[str(anna.id)] == []


async def test_what_came_live_meanwhile_is_not_shown_again(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    message_id = stored(sim, anna, "one")
    deliver_message(sim.parts, anna.agent, sim.backbone.messages[str(anna.id)][0])
    anna.forget()
    anna.sends(Message("RetrieveInstantMessages"))
    await settle(sim)
    assert heard(anna) == []
    sim.clock.advance(1)
    await settle(sim)
    assert sim.backbone.called("delete_messages")[0][1] == {message_id}


async def test_stored_messages_without_backbone(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    sim.backbone.down = True
    anna.sends(Message("RetrieveInstantMessages"))
    await settle(sim)
    assert "are kept" in text(anna.heard("AlertMessage")[0]["AlertData"]["Message"])


async def test_read_by_capability_they_are_forgotten_once_the_viewer_is_heard_again(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    sender = uuid4()
    stored(sim, anna, "one", sender)
    (message,) = await anna.cap("ReadOfflineMsgs")
    assert (message["from_agent_id"], message["message"], message["from_group"]) == (sender, "one", "N")
    sim.clock.advance(11)
    await settle(sim)
    sim.clock.advance(1)
    await settle(sim)
    assert not sim.backbone.called("delete_messages")  # nothing was heard of the viewer since
    assert len(await anna.cap("ReadOfflineMsgs")) == 1
    anna.circuit.heard_at = sim.clock.now() + 5
    sim.clock.advance(11)
    await settle(sim)
    sim.clock.advance(1)
    await settle(sim)
    assert await anna.cap("ReadOfflineMsgs") == []


def test_absent_fields_have_sensible_values() -> None:
    class Somebody:
        agent_id = uuid4()

    fields = {"from_agent_id": str(uuid4()), "from_name": "Carl", "dialog": 0, "message": "hi"}
    message = instant_message(Somebody, fields)  # type: ignore[arg-type]
    assert message["MessageBlock"]["Offline"] == 0
