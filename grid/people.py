"""Who is meant by a name at the command line, and what somebody is called: by Backbone while the grid is up, straight from its
database otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import quote
from uuid import UUID

from grid import plan, web
from grid.errors import GridError
from grid.layout import Layout
from grid.status import running
from protocol.wellknown import OPERATOR

OPERATOR_NAME = "operator"
PATIENCE = 30.0  # seconds
MOST_NAMES = 200  # that are asked for


def find(layout: Layout, person: str) -> UUID:
    """The agent id of "First Last", of an id, or of the operator. GridError when there is nobody of that name."""
    person = person.strip()
    if person.casefold() == OPERATOR_NAME:
        return OPERATOR
    try:
        return UUID(person)
    except ValueError:
        pass
    facts = running(layout)
    if facts is not None:
        try:
            url = f"{facts.get('inner_uri')}/users?name={quote(person)}"
            users = asyncio.run(web.get_json(url, bearer=layout.read_secret(), timeout=PATIENCE))["users"]
        except web.NoAnswer as error:
            raise GridError(f"Backbone does not answer: {error}", "`mainland status` shows the grid's health, an agent id will do") from error
        found = users[0]["agent_id"] if users else None
    else:
        found = _offline(layout, person)
    if found is None:
        raise GridError(f"there is nobody called {person!r}", "`mainland user list` lists the accounts")
    return UUID(str(found))


def names(layout: Layout, ids: Iterable[str]) -> dict[str, str]:
    """Names by agent id, of those that are known."""
    known = {str(OPERATOR): "the operator"}
    wanted = [one for one in ids if one not in known][:MOST_NAMES]
    facts = running(layout)
    if facts is None:
        return known | _names_offline(layout, wanted)

    async def ask(agent_id: str) -> tuple[str, str]:
        try:
            user = await web.get_json(f"{facts.get('inner_uri')}/users/{agent_id}", bearer=layout.read_secret(), timeout=PATIENCE)
            return agent_id, f"{user['first']} {user['last']}"
        except (web.NoAnswer, KeyError):
            return agent_id, agent_id

    async def ask_all() -> dict[str, str]:
        return dict([await ask(one) for one in wanted])

    return known | asyncio.run(ask_all())


def _offline(layout: Layout, person: str) -> str | None:
    from backbone import admin

    try:
        return admin.find_user(layout.backbone, person, _database(layout))
    except (admin.WrongDatabase, admin.NewerDatabase) as error:
        raise GridError(str(error)) from error


def _names_offline(layout: Layout, ids: Iterable[str]) -> dict[str, str]:
    from backbone import admin

    try:
        return admin.names(layout.backbone, ids, _database(layout))
    except (admin.WrongDatabase, admin.NewerDatabase):
        return {}


def _database(layout: Layout) -> str | None:
    saved = plan.load(layout)
    return saved.database if saved is not None else None
