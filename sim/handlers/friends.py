"""Friends: becoming and ceasing to be, rights, and who is online.

Backbone keeps friendships and tells regions what changed (`deliver_notification`); an offer is an instant message of
dialog 38 that Backbone records as it passes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.message import Message
from protocol.wellknown import NULL, REGION_SIZE
from sim.actions.speak import message_from
from sim.handlers import COSTLY, OPEN, handles
from sim.handlers.messages import FRIENDSHIP_ACCEPTED, FRIENDSHIP_DECLINED
from sim.handlers.replies import alert, ask, packets, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

SEE_ONLINE, SEE_ON_MAP, MODIFY_OBJECTS = 1, 2, 4
ALL_RIGHTS = SEE_ONLINE | SEE_ON_MAP | MODIFY_OBJECTS
RIGHTS_LIMIT = 20  # people one message may grant rights to
TARGETS_LIMIT = 5000  # people of this region one notification may name


# --- from a viewer here


@handles("AcceptFriendship", state=OPEN, rate=COSTLY)
def accept_friendship(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "friends", _accept(sim, agent, message["TransactionBlock"]["TransactionID"]), order="friends")


async def _accept(sim: Parts, agent: Agent, offerer: UUID) -> None:
    """The id that came with the offer is who offered: our regions put it there."""
    accepted = await ask(sim, sim.backbone.accept_friend(agent.agent_id, offerer))
    if isinstance(accepted, BackboneError):
        gone = accepted.status == 404
        alert(agent, "That friendship offer is not open any more." if gone else _NOT_ANSWERING)
        return
    # That each is online Backbone tells the other by itself.
    yes = message_from(sim.region, agent, offerer, FRIENDSHIP_ACCEPTED, agent.agent_id, "")
    await ask(sim, sim.backbone.send_message(yes))


@handles("DeclineFriendship", state=OPEN, rate=COSTLY)
def decline_friendship(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "friends", _decline(sim, agent, message["TransactionBlock"]["TransactionID"]), order="friends")


async def _decline(sim: Parts, agent: Agent, offerer: UUID) -> None:
    declined = await ask(sim, sim.backbone.decline_friend(agent.agent_id, offerer))
    if isinstance(declined, BackboneError):
        if declined.status != 404:
            alert(agent, _NOT_ANSWERING)
        return
    no = message_from(sim.region, agent, offerer, FRIENDSHIP_DECLINED, agent.agent_id, "")
    await ask(sim, sim.backbone.send_message(no))


@handles("TerminateFriendship", state=OPEN, rate=COSTLY)
def terminate_friendship(sim: Parts, agent: Agent, message: Message) -> None:
    other = message["ExBlock"]["OtherID"]
    start(sim, agent, "friends", _told(sim, agent, sim.backbone.remove_friend, other), order="friends")


@handles("GrantUserRights", state=OPEN, rate=COSTLY)
def grant_user_rights(sim: Parts, agent: Agent, message: Message) -> None:
    for block in message["Rights"][:RIGHTS_LIMIT]:
        granting = _grant(sim, agent, block["AgentRelated"], block["RelatedRights"] & ALL_RIGHTS)
        start(sim, agent, "friends", granting, order="friends")


async def _grant(sim: Parts, agent: Agent, other: UUID, rights: int) -> None:
    if await _told(sim, agent, sim.backbone.set_friend_rights, other, rights):
        send(agent, _rights_changed(agent.agent_id, other, rights))


async def _told(sim: Parts, agent: Agent, change: Callable[..., Coroutine[Any, Any, Any]], *what: Any) -> bool:
    """Make a change of friendship; whether it took place. That the other is no friend (404) is no news to the user."""
    result = await ask(sim, change(agent.agent_id, *what))
    if isinstance(result, BackboneError):
        if result.status != 404:
            alert(agent, _NOT_ANSWERING)
        return False
    return True


_NOT_ANSWERING = "Your list of friends cannot be changed now: the grid's services are not answering. Please try again."


@handles("FindAgent", state=OPEN, rate=COSTLY)
def find_agent(sim: Parts, agent: Agent, message: Message) -> None:
    """Where on the map a friend is who has allowed it."""
    block = message["AgentBlock"]
    if block["Hunter"] == agent.agent_id and block["Prey"] != NULL:
        start(sim, agent, "find agent", _find(sim, agent, block["Prey"]))


async def _find(sim: Parts, agent: Agent, prey: UUID) -> None:
    friends = await ask(sim, sim.backbone.get_friends(agent.agent_id))
    place = None
    if not isinstance(friends, BackboneError):
        allowed = any(f["agent_id"] == str(prey) and f["rights_has"] & SEE_ON_MAP for f in friends)
        place = await _place(sim, prey) if allowed else None
    where = [] if place is None else [{"GlobalX": place[0], "GlobalY": place[1]}]
    send(agent, Message("FindAgent", AgentBlock={"Hunter": agent.agent_id, "Prey": prey}, LocationBlock=where))


async def _place(sim: Parts, prey: UUID) -> tuple[float, float] | None:
    """Global metres: exact in this region, the middle of the region elsewhere."""
    here = sim.world.agents.get(prey)
    if here is not None and here.root:
        x, y, _ = sim.world.position(here)
        return sim.world.facts.corner[0] + x, sim.world.facts.corner[1] + y
    presence = await ask(sim, sim.backbone.get_presence(prey))
    if isinstance(presence, BackboneError) or not presence["region_id"]:
        return None
    region = sim.neighbours.directory.of_id(UUID(presence["region_id"]))
    if region is None:
        return None
    return (region.grid_x + 0.5) * REGION_SIZE, (region.grid_y + 0.5) * REGION_SIZE


# --- to viewers here


async def learn_rights(sim: Parts, agent: Agent) -> None:
    """Whose objects the agent may edit: those of friends who let it. Of changes Backbone tells (`deliver_notification`)
    while the avatar is here."""
    friends = await ask(sim, sim.backbone.get_friends(agent.agent_id))
    agent.edits_of_sure = not isinstance(friends, BackboneError)
    if isinstance(friends, BackboneError):
        agent.edits_of = agent.edits_of or frozenset()
        return
    _may_edit(sim, agent, frozenset(UUID(f["agent_id"]) for f in friends if f["rights_has"] & MODIFY_OBJECTS))


def _may_edit(sim: Parts, agent: Agent, owners: frozenset[UUID]) -> None:
    """The agent's viewer shows handles on what it may edit: it is told anew of objects for which that has changed."""
    changed = owners ^ (agent.edits_of or frozenset())
    agent.edits_of = owners
    if changed:
        sim.interest.objects.show(agent, [prim for prim in sim.world.objects.by_id.values() if prim.owner_id in changed])


async def tell_online_friends(sim: Parts, agent: Agent) -> None:
    """After login: which friends are online already."""
    friends = await ask(sim, sim.backbone.get_friends(agent.agent_id))
    if isinstance(friends, BackboneError):
        return
    for friend in friends:
        first, _, last = friend["name"].partition(" ")
        sim.names.learn(UUID(friend["agent_id"]), first, last)
    online = [UUID(friend["agent_id"]) for friend in friends if friend["online"]]
    for batch in packets(online, lambda _: 16):
        send(agent, _online(batch))


def deliver_notification(sim: Parts, fields: dict[str, Any]) -> int:
    """What Backbone says of a friend of people here; returns how many of them were told.

    `fields`: kind "online", "offline", "friendship-ended" or "rights" (with `rights`), agent_id of the friend, targets:
    ids of people here. ProtocolError when it is not that.
    """
    try:
        kind = fields["kind"]
        who = UUID(str(fields["agent_id"]))
        targets = [UUID(str(target)) for target in fields["targets"][:TARGETS_LIMIT]]
        rights = int(fields.get("rights", 0)) & ALL_RIGHTS
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"not a notification: {error!s:.100}") from error
    if kind not in ("online", "offline", "friendship-ended", "rights"):
        raise ProtocolError(f"unknown kind of notification: {kind!r:.40}")
    told = 0
    for target in targets:
        agent = sim.world.agents.get(target)
        if agent is None or agent.circuit is None:
            continue
        if kind in ("rights", "friendship-ended") and agent.edits_of is not None:
            may = kind == "rights" and rights & MODIFY_OBJECTS
            _may_edit(sim, agent, agent.edits_of | {who} if may else agent.edits_of - {who})
        if agent.child:
            continue
        told += 1
        if kind == "online":
            send(agent, _online([who]))
        elif kind == "offline":
            send(agent, Message("OfflineNotification", AgentBlock=[{"AgentID": who}]))
        elif kind == "rights":
            send(agent, _rights_changed(who, target, rights))
        else:
            data = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
            send(agent, Message("TerminateFriendship", AgentData=data, ExBlock={"OtherID": who}))
    return told


def _online(who: list[UUID]) -> Message:
    return Message("OnlineNotification", AgentBlock=[{"AgentID": agent_id} for agent_id in who])


def _rights_changed(granter: UUID, other: UUID, rights: int) -> Message:
    data = {"AgentID": granter}
    return Message("ChangeUserRights", AgentData=data, Rights=[{"AgentRelated": other, "RelatedRights": rights}])
