"""What is between people: sessions, friendships and messages that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from backbone.storage.tables import accounts, friend_offers, friends, messages, sessions
from backbone.storage.upsert import insert_if_absent, upsert

SEE_ONLINE, SEE_ON_MAP = 1, 2  # rights bits: 4 is modify objects
MAX_OFFERS = 200  # that wait for one person's answer
MAX_WAITING = 200  # messages that wait for one person
MAX_WAITING_OF_ONE = 25  # of these from one sender: nobody fills another's mailbox alone


# sessions --------------------------------------------------------------------------------------------


def begin_session(conn: Connection, session: dict[str, Any]) -> None:
    """A person's session, replacing one there may be."""
    values = {"region_id": None, "since": None, **session}
    upsert(conn, sessions, {"agent_id": values.pop("agent_id")}, values)


def end_session(conn: Connection, agent_id: str, session_id: str) -> bool:
    gone = delete(sessions).where(sessions.c.agent_id == agent_id, sessions.c.session_id == session_id)
    return conn.execute(gone).rowcount > 0


def arrive(conn: Connection, agent_id: str, session_id: str, region_id: str, since: int) -> bool:
    """Note where the session's agent is root; False if that is not the person's current session."""
    current = (sessions.c.agent_id == agent_id, sessions.c.session_id == session_id)
    values = {"region_id": region_id, "since": since}
    return conn.execute(update(sessions).where(*current).values(**values)).rowcount > 0


def each_session(conn: Connection, take: Callable[[dict[str, Any]], None]) -> None:
    """Hand over every session with its person's name, one by one: there may be a hundred thousand."""
    query = select(sessions, (accounts.c.first + " " + accounts.c.last).label("name"), accounts.c.visibility)
    joined = query.join(accounts, accounts.c.agent_id == sessions.c.agent_id)
    for row in conn.execute(joined, execution_options={"yield_per": 1000}):
        take(dict(row._mapping))


# friends ---------------------------------------------------------------------------------------------


def offer(conn: Connection, from_agent: str, to_agent: str, now: int) -> bool:
    """Note that a friendship was offered; False when too many offers wait already."""
    waiting = select(func.count()).select_from(friend_offers).where(friend_offers.c.to_agent_id == to_agent)
    if (conn.execute(waiting).scalar() or 0) >= MAX_OFFERS:
        return False
    upsert(conn, friend_offers, {"to_agent_id": to_agent, "from_agent_id": from_agent}, {"created": now})
    return True


def withdraw_offer(conn: Connection, from_agent: str, to_agent: str) -> bool:
    pair = (friend_offers.c.to_agent_id == to_agent, friend_offers.c.from_agent_id == from_agent)
    return conn.execute(delete(friend_offers).where(*pair)).rowcount > 0


def offers_to(conn: Connection, agent_id: str) -> list[str]:
    """Who waits for the agent's answer, oldest first."""
    query = select(friend_offers.c.from_agent_id).where(friend_offers.c.to_agent_id == agent_id)
    return [row.from_agent_id for row in conn.execute(query.order_by(friend_offers.c.created))]


def befriend(conn: Connection, agent_id: str, offerer: str) -> str:
    """Accept an offer: "new", "already" when they are friends (a repeated accept), or "no offer"."""
    offered = withdraw_offer(conn, offerer, agent_id)
    withdraw_offer(conn, agent_id, offerer)  # they may have asked each other
    present = conn.execute(
        select(friends.c.agent_id).where(friends.c.agent_id == agent_id, friends.c.friend_id == offerer)
    ).first()
    if present:
        return "already"
    if not offered:
        return "no offer"
    for one, other in ((agent_id, offerer), (offerer, agent_id)):
        insert_if_absent(conn, friends, {"agent_id": one, "friend_id": other, "rights_given": SEE_ONLINE})
    return "new"


def unfriend(conn: Connection, agent_id: str, other: str) -> bool:
    """End a friendship both ways; False if there was none."""
    pair = or_(
        (friends.c.agent_id == agent_id) & (friends.c.friend_id == other),
        (friends.c.agent_id == other) & (friends.c.friend_id == agent_id),
    )
    return conn.execute(delete(friends).where(pair)).rowcount > 0


def grant(conn: Connection, agent_id: str, other: str, rights: int) -> int | None:
    """Change what agent_id lets other do; what it was before, None if they are not friends."""
    pair = (friends.c.agent_id == agent_id, friends.c.friend_id == other)
    before = conn.execute(select(friends.c.rights_given).where(*pair)).scalar()
    if before is not None:
        conn.execute(update(friends).where(*pair).values(rights_given=rights))
    return before


def friends_of(conn: Connection, agent_id: str) -> list[dict[str, Any]]:
    """[{agent_id, name, rights_given, rights_has}] by name."""
    back = friends.alias("back")
    query = (
        select(
            friends.c.friend_id.label("agent_id"),
            (accounts.c.first + " " + accounts.c.last).label("name"),
            friends.c.rights_given,
            back.c.rights_given.label("rights_has"),
        )
        .join(back, (back.c.agent_id == friends.c.friend_id) & (back.c.friend_id == friends.c.agent_id))
        .join(accounts, accounts.c.agent_id == friends.c.friend_id)
        .where(friends.c.agent_id == agent_id)
        .order_by(accounts.c.name_key)
    )
    return [dict(row._mapping) for row in conn.execute(query)]


def who_may_see(conn: Connection, agent_ids: list[str]) -> dict[str, list[str]]:
    """Of each agent the friends whom it lets see it online; agents without any are left out."""
    query = select(friends.c.agent_id, friends.c.friend_id, friends.c.rights_given)
    watchers: dict[str, list[str]] = {}
    for row in conn.execute(query.where(friends.c.agent_id.in_(agent_ids))):
        if row.rights_given & SEE_ONLINE:
            watchers.setdefault(row.agent_id, []).append(row.friend_id)
    return watchers


# messages --------------------------------------------------------------------------------------------


def keep_message(conn: Connection, message: dict[str, Any], now: int) -> str:
    """Store for later: "stored" (also when it was before), "delivered" if that id was fetched, "full" when too many
    wait for the person, "full of yours" when too many of this sender do."""
    seen = fate_of(conn, message["message_id"])
    if seen is not None:
        return seen
    to_agent, from_agent = message["to_agent_id"], message["from_agent_id"]
    waiting = select(func.count()).select_from(messages)
    waiting = waiting.where(messages.c.to_agent_id == to_agent, messages.c.delivered.is_(False))
    if (conn.execute(waiting.where(messages.c.from_agent_id == from_agent)).scalar() or 0) >= MAX_WAITING_OF_ONE:
        return "full of yours"
    if (conn.execute(waiting).scalar() or 0) >= MAX_WAITING:
        return "full"
    ids = {"message_id": message["message_id"], "to_agent_id": to_agent, "from_agent_id": from_agent}
    conn.execute(insert(messages).values(**ids, created=now, delivered=False, message=message))
    return "stored"


def fate_of(conn: Connection, message_id: str) -> str | None:
    """What became of a message that was stored: "stored", "delivered", or None if it never was."""
    delivered = conn.execute(select(messages.c.delivered).where(messages.c.message_id == message_id)).scalar()
    return None if delivered is None else "delivered" if delivered else "stored"


def waiting_messages(conn: Connection, agent_id: str) -> list[dict[str, Any]]:
    """What waits for an agent, oldest first."""
    query = select(messages.c.message).where(messages.c.to_agent_id == agent_id, messages.c.delivered.is_(False))
    return [row.message for row in conn.execute(query.order_by(messages.c.seq))]


def forget_messages(conn: Connection, agent_id: str, message_ids: Iterable[str]) -> int:
    """The agent has these. Rows stay without their text, so that a late repeat is known."""
    mine = (messages.c.to_agent_id == agent_id, messages.c.message_id.in_(list(message_ids)))
    return conn.execute(update(messages).where(*mine).values(delivered=True, message={})).rowcount


def sweep_messages(conn: Connection, before: int) -> int:
    """Remove delivered rows older than a moment."""
    old = (messages.c.delivered.is_(True), messages.c.created < before)
    return conn.execute(delete(messages).where(*old)).rowcount
