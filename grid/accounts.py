"""Accounts from the command line: through Backbone while the grid is up, straight in its database otherwise."""

import asyncio
import json
import secrets
from typing import Any
from urllib.parse import quote

from grid import plan, web
from grid.errors import GridError
from grid.layout import Layout, read_json, write_json

READY_MADE = (("Ada", "Mainland"), ("Ben", "Mainland"))
"""Two, because a world is for meeting someone: the second one can be a friend's, or a second viewer's."""


VIEWER_LIMIT = 16
"""Some clients look at no more characters of a password than that."""
_LEGIBLE = "abcdefghjkmnpqrstuvwxyz23456789"


def fresh_password() -> str:
    """Three groups that one can read off a screen and type, such as "k7mf-x3pd-9wqa": 59 bits in 14 characters."""
    return "-".join("".join(secrets.choice(_LEGIBLE) for _ in range(4)) for _ in range(3))


async def make_ready(layout: Layout, uri: str) -> list[dict[str, str]]:
    """The ready-made accounts with their passwords; created the first time, then read from `accounts.json`."""
    known = read_json(layout.accounts)
    if known is not None:
        try:
            return [{name: str(one[name]) for name in ("first", "last", "password")} for one in known]
        except (TypeError, KeyError) as error:
            hint = "put back a copy of it, or write [] into it: the accounts themselves stay as they are"
            raise GridError(f"{layout.accounts} is damaged: {error!r}", hint) from error
    made = []
    for first, last in READY_MADE:
        password = fresh_password()
        status, answer = await post_user(uri, layout.read_secret(), first, last, password)
        if status == 201:
            made.append({"first": first, "last": last, "password": password})
        elif status != 409:  # 409: somebody made an account of that name; it is theirs
            raise GridError(f"Backbone refused to make the account {first} {last}: {reason(status, answer)}")
    write_json(layout.accounts, made)
    return made


async def post_user(uri: str, secret: str, first: str, last: str, password: str) -> tuple[int, bytes]:
    body = {"first": first, "last": last, "password": password}
    return await web.request("POST", f"{uri}/users", body, bearer=secret, timeout=30.0)


def reason(status: int, answer: bytes) -> str:
    """What a service says of its refusal: the description of its JSON error, or the bare status."""
    try:
        said = json.loads(answer)
        return str(said.get("description") or said["title"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP status {status}"


def add(layout: Layout, running_uri: str | None, first: str, last: str, password: str) -> str:
    """Make an account; its agent id. GridError when the name is taken or not allowed."""
    if not password:
        raise GridError("an account needs a password", "give one with --password PW, or leave the option out to be asked")
    if running_uri:
        try:
            status, answer = asyncio.run(post_user(running_uri, layout.read_secret(), first, last, password))
        except web.NoAnswer as error:
            raise _silent(error) from error
        if status == 201:
            return str(json.loads(answer)["agent_id"])
        taken = "choose another name; `mainland user list` shows those in use" if status == 409 else ""
        raise GridError(f"no account made for {first} {last}: {reason(status, answer)}", taken)
    return str(_offline(layout, first, last, password)["agent_id"])


def _offline(layout: Layout, first: str, last: str, password: str) -> dict[str, Any]:
    from backbone import admin

    layout.create()
    saved = plan.load(layout)
    try:
        return admin.add_user(layout.backbone, first, last, password, saved.database if saved else None)
    except admin.NameTaken as error:
        raise GridError(str(error), "choose another name") from error
    except (admin.WrongDatabase, admin.NewerDatabase) as error:
        raise GridError(f"no account made for {first} {last}: {error}") from error
    except ValueError as error:
        raise GridError(f"no account made for {first} {last}: {error}") from error


def set_password(layout: Layout, running_uri: str | None, first: str, last: str, password: str) -> str:
    """Give an account another password; its agent id. GridError when there is no such account."""
    name = f"{first} {last}".strip()
    if running_uri is None:
        return _password_offline(layout, name, first, last, password)
    secret = layout.read_secret()
    try:
        found = asyncio.run(web.get_json(f"{running_uri}/users?name={quote(name)}", bearer=secret, timeout=30.0))["users"]
        if not found:
            raise _nobody(name)
        agent_id = str(found[0]["agent_id"])
        change = web.request("PUT", f"{running_uri}/users/{agent_id}/password", {"new": password}, secret, 30.0)
        status, answer = asyncio.run(change)
    except web.NoAnswer as error:
        raise _silent(error) from error
    if status != 204:
        raise GridError(f"the password of {name} was not changed: {reason(status, answer)}")
    return agent_id


def _password_offline(layout: Layout, name: str, first: str, last: str, password: str) -> str:
    from backbone import admin

    saved = plan.load(layout)
    if saved is None:
        raise GridError(f"there is no grid in {layout.root}", "name its folder with --data DIR")
    try:
        return admin.set_password(layout.backbone, first, last, password, saved.database)
    except admin.NoSuchUser as error:
        raise _nobody(name) from error
    except (admin.WrongDatabase, admin.NewerDatabase, ValueError) as error:
        raise GridError(f"the password of {name} was not changed: {error}") from error


def _nobody(name: str) -> GridError:
    return GridError(f"there is no account {name}", "`mainland user list` shows those there are")


def _silent(error: web.NoAnswer) -> GridError:
    return GridError(f"Backbone does not answer: {error}", "`mainland status` shows the grid's health")


def search(uri: str, secret: str, text: str) -> list[dict[str, Any]]:
    """Accounts whose name contains `text` (all for ""), from a running grid."""
    try:
        answer = asyncio.run(web.get_json(f"{uri}/users?search={quote(text)}", bearer=secret, timeout=30.0))
    except web.NoAnswer as error:
        raise _silent(error) from error
    return list(answer["users"])
