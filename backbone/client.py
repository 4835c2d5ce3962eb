"""Backbone's HTTP face as coroutines: what sims, the launcher, bots and tests call.

One method a route, named after what it does; ids may be ``uuid.UUID`` or text, answers are the JSON
objects as Backbone's ``/openapi.json`` describes them (ids as lower-case text). A refusal, an
unreachable Backbone and a timeout all raise BackboneError, so a caller has one thing to handle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

import aiohttp

Id = UUID | str
Vector = Sequence[float]
IDS_A_CALL = 200
UNREACHABLE = 0  # BackboneError.status when there was no HTTP answer at all


class BackboneError(Exception):
    """Backbone refused (``status`` is its HTTP status) or could not be reached (``status`` 0). ``nobody``: it never heard us."""

    def __init__(self, status: int, title: str, description: str = "", nobody: bool = False) -> None:
        super().__init__(f"{status} {title}: {description}" if description else f"{status} {title}")
        self.status = status
        self.title = title
        self.description = description
        self.nobody = nobody

    def for_people(self) -> str:
        """Why, as the end of a sentence to the person whose wish it was."""
        if self.status == 507:
            return "the grid's disk is nearly full, until its operator makes room."
        if 400 <= self.status < 500:
            return f"{self.title}."
        return "the grid's services are not answering. Please try again."


class BackboneClient:
    """Client of one Backbone at ``base_url`` (``http://host:port``, with or without the last slash).

    The aiohttp session belongs to the caller, who closes it. ``secret`` is the grid secret, sent as bearer;
    None for the public reads. ``timeout`` bounds each call in seconds.
    """

    def __init__(
        self, base_url: str, secret: str | None, session: aiohttp.ClientSession, *, timeout: float = 10.0
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.owner = uuid4()  # whose the leases are that this process claims
        self.region: tuple[Id, int] | None = None  # the claim (region id, epoch) that all writes here go by
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = {"Authorization": f"Bearer {secret.strip()}"} if secret else {}

    async def _call(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """One request; the parsed JSON of the answer, None for 204."""
        headers = self._headers
        if self.region is not None and method != "GET":
            headers = {**headers, "Region": f"{self.region[0]}:{self.region[1]}"}
        data = None
        if body is not None:
            data = json.dumps(body, default=str).encode()
            headers = {**headers, "Content-Type": "application/json"}
        params = {key: str(value) for key, value in (query or {}).items() if value is not None}
        try:
            async with self._session.request(
                method, self.base_url + path, data=data, params=params, headers=headers, timeout=self._timeout
            ) as answer:
                raw = await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            nobody = isinstance(error, aiohttp.ClientConnectorError)
            raise BackboneError(UNREACHABLE, "backbone unreachable", f"{type(error).__name__}: {error}", nobody) from error
        if answer.status >= 400:
            raise _refusal(answer.status, answer.reason, raw)
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError as error:
            raise BackboneError(answer.status, "backbone's answer is not JSON", str(error)) from error

    async def _by_ids(self, path: str, ids: Iterable[Id], member: str, **more: Any) -> list[dict[str, Any]]:
        """A batch read, in as many calls as addresses of bounded length need."""
        wanted = [str(one) for one in ids]
        found: list[dict[str, Any]] = []
        for at in range(0, len(wanted), IDS_A_CALL):
            some = ",".join(wanted[at : at + IDS_A_CALL])
            found += (await self._call("GET", path, query={"ids": some, **more}))[member]
        return found

    # presence -------------------------------------------------------------------------------------

    async def get_presence(self, agent_id: Id, asker: Id | None = None) -> dict[str, Any]:
        """{agent_id, online, region_id|None, region_name|None, since|None}; 404 for an unknown account.

        ``asker``: as far as that agent may know, for what is shown to it.
        """
        return await self._call("GET", f"/agents/{agent_id}/presence", query={"asker": asker})

    async def get_presences(self, agent_ids: Iterable[Id], asker: Id | None = None) -> list[dict[str, Any]]:
        """Presence of many agents; unknown ids are left out. ``asker``: as far as that agent may know."""
        return await self._by_ids("/presence", agent_ids, "agents", asker=asker)

    async def arrive(
        self, agent_id: Id, session_id: Id, region_id: Id, position: Vector, look_at: Vector
    ) -> dict[str, Any]:
        """The agent is root in this region now (also its last place). 409: not the current session."""
        place = _place(region_id, position, look_at)
        return await self._call("PUT", f"/agents/{agent_id}/presence", {"session_id": session_id, **place})

    async def leave(self, agent_id: Id, session_id: Id, region_id: Id, position: Vector, look_at: Vector) -> None:
        """Logout: the session ends, the last place is kept. Again for an ended session: fine. 409: not current."""
        place = _place(region_id, position, look_at)
        await self._call("DELETE", f"/agents/{agent_id}/presence", place, {"session_id": session_id})

    # regions --------------------------------------------------------------------------------------

    async def get_regions(self) -> list[dict[str, Any]]:
        return (await self._call("GET", "/regions"))["regions"]

    async def regions_near(
        self, grid_x: int, grid_y: int, radius: int = 1, since: int | None = None
    ) -> dict[str, Any]:
        """{version, whole, regions, gone}: the regions at most ``radius`` squares away, of any state.

        With ``since``, the version of an earlier answer, only those that changed after it, and the ids of regions
        that are no longer where they were; ``whole`` says that it was too old and these are all there are again.
        """
        query = {"near": f"{grid_x},{grid_y}", "radius": radius, "since": since}
        return await self._call("GET", "/regions", query=query)

    async def find_region(self, name: str) -> dict[str, Any] | None:
        """The region of that name (case does not matter), live or not; None when there is none."""
        found = (await self._call("GET", "/regions", query={"name": name}))["regions"]
        return found[0] if found else None

    async def region_at(self, grid_x: int, grid_y: int) -> dict[str, Any] | None:
        """The region on that grid square, live or not; None when there is none."""
        found = (await self._call("GET", "/regions", query={"square": f"{grid_x},{grid_y}"}))["regions"]
        return found[0] if found else None

    async def search_regions(self, text: str) -> list[dict[str, Any]]:
        """Live regions with that in their names, at most 100; those whose names begin with it first."""
        return (await self._call("GET", "/regions", query={"search": text}))["regions"]

    async def set_region_owner(self, region_id: Id, owner_id: Id | None) -> dict[str, Any]:
        """Whose land the region is from now on; None: the grid's owner's."""
        return await self._call("PUT", f"/regions/{region_id}/owner", {"owner_id": owner_id})

    async def get_region(self, region_id: Id) -> dict[str, Any]:
        return await self._call("GET", f"/regions/{region_id}")

    async def get_region_agents(self, region_id: Id) -> dict[str, Any]:
        """{region_id, count, agents: [{agent_id, name, since}]}"""
        return await self._call("GET", f"/regions/{region_id}/agents")

    async def put_region(
        self,
        region_id: Id,
        *,
        name: str,
        grid_x: int,
        grid_y: int,
        ip: str,
        port: int,
        http_url: str,
        access: str = "M",
        water_height: float = 20.0,
        map_image_id: Id | None = None,
        owner: Id | None = None,
        inner_url: str | None = None,
    ) -> dict[str, Any]:
        """Claim the region for a process (``owner``; None: this one): {epoch, lease_seconds,
        takeover_seconds, region_owner_id, region}.

        409 while the lease of another process on the region, the square or the name runs.
        """
        region = {
            "name": name,
            "grid_x": grid_x,
            "grid_y": grid_y,
            "ip": ip,
            "port": port,
            "http_url": http_url,
            "inner_url": inner_url,
            "access": access,
            "water_height": water_height,
            "map_image_id": map_image_id or UUID(int=0),
            "owner": owner or self.owner,
        }
        return await self._call("PUT", f"/regions/{region_id}", region)

    async def delete_region(self, region_id: Id, epoch: int) -> None:
        """Give the lease back; the region's agents go offline. 409 for an old epoch."""
        await self._call("DELETE", f"/regions/{region_id}", query={"epoch": epoch})

    async def heartbeat(self, region_id: Id, epoch: int, agents: Iterable[tuple[Id, Id]]) -> dict[str, Any]:
        """Renew the lease and confirm the root agents, as (agent_id, session_id) pairs: {lease_seconds, gone,
        region_owner_id}.

        ``gone`` lists agents whose session has ended or been replaced: close them. 409: the epoch is old, stop.
        """
        listed = [{"agent_id": str(agent), "session_id": str(session)} for agent, session in agents]
        return await self._call("PUT", f"/regions/{region_id}/presence", {"epoch": epoch, "agents": listed})

    # people ---------------------------------------------------------------------------------------

    async def create_user(self, first: str, last: str, password: str) -> dict[str, Any]:
        """{agent_id, first, last, created}; 409 when the name is taken."""
        return await self._call("POST", "/users", {"first": first, "last": last, "password": password})

    async def set_password(self, agent_id: Id, new: str, old: str | None = None) -> None:
        """A new password. 403: ``old`` is wrong; without the grid secret it must be given."""
        body = {"new": new} if old is None else {"old": old, "new": new}
        await self._call("PUT", f"/users/{agent_id}/password", body)

    async def get_visibility(self, agent_id: Id) -> str:
        """Whom the person lets know where it is: "everybody", "online" (that it is, and nobody where) or "friends"."""
        return (await self._call("GET", f"/users/{agent_id}/visibility"))["visibility"]

    async def set_visibility(self, agent_id: Id, visibility: str) -> None:
        await self._call("PUT", f"/users/{agent_id}/visibility", {"visibility": visibility})

    async def get_user(self, agent_id: Id) -> dict[str, Any]:
        return await self._call("GET", f"/users/{agent_id}")

    async def get_users(self, agent_ids: Iterable[Id]) -> list[dict[str, Any]]:
        """Users by id; unknown ids are left out."""
        return await self._by_ids("/users", agent_ids, "users")

    async def find_user(self, name: str) -> dict[str, Any] | None:
        """The user of that exact name ("First Last", case does not matter), or None."""
        found = (await self._call("GET", "/users", query={"name": name}))["users"]
        return found[0] if found else None

    async def search_users(self, text: str) -> list[dict[str, Any]]:
        """Users whose name contains the text, at most 100; case and accents do not matter, guests are not found."""
        return (await self._call("GET", "/users", query={"search": text}))["users"]

    async def get_profile(self, agent_id: Id) -> dict[str, Any]:
        return await self._call("GET", f"/users/{agent_id}/profile")

    async def put_profile(self, agent_id: Id, profile: dict[str, Any]) -> dict[str, Any]:
        """Change the members given; the rest stay. The whole profile comes back."""
        return await self._call("PUT", f"/users/{agent_id}/profile", profile)

    async def get_home(self, agent_id: Id) -> dict[str, Any]:
        """{region_id, region_name|None, position, look_at}; 404 when no home was ever set."""
        return await self._call("GET", f"/agents/{agent_id}/home")

    async def set_home(self, agent_id: Id, region_id: Id, position: Vector, look_at: Vector) -> dict[str, Any]:
        return await self._call("PUT", f"/agents/{agent_id}/home", _place(region_id, position, look_at))

    # what people keep for themselves, and show in their profiles -----------------------------------

    async def get_mutes(self, agent_id: Id) -> list[dict[str, Any]]:
        """[{muted_id, name, kind, flags}]"""
        return (await self._call("GET", f"/agents/{agent_id}/mutes"))["mutes"]

    async def put_mute(self, agent_id: Id, muted_id: Id, name: str, kind: int, flags: int) -> None:
        """Mute, or change what is muted. 429: too many are."""
        body = {"muted_id": muted_id, "name": name, "kind": kind, "flags": flags}
        await self._call("PUT", f"/agents/{agent_id}/mutes", body)

    async def delete_mute(self, agent_id: Id, muted_id: Id, name: str) -> None:
        """Hear again whoever has that id; what has the null id, goes by its name."""
        await self._call("DELETE", f"/agents/{agent_id}/mutes", {"muted_id": muted_id, "name": name})

    async def get_notes(self, agent_id: Id, about_id: Id) -> str:
        """What an agent has noted about somebody, for itself alone."""
        return (await self._call("GET", f"/agents/{agent_id}/notes/{about_id}"))["notes"]

    async def put_notes(self, agent_id: Id, about_id: Id, notes: str) -> None:
        await self._call("PUT", f"/agents/{agent_id}/notes/{about_id}", {"notes": notes})

    async def get_picks(self, agent_id: Id) -> list[dict[str, Any]]:
        """The whole picks of a person, in its order."""
        return (await self._call("GET", f"/users/{agent_id}/picks"))["picks"]

    async def get_pick(self, agent_id: Id, pick_id: Id) -> dict[str, Any]:
        return await self._call("GET", f"/users/{agent_id}/picks/{pick_id}")

    async def put_pick(self, agent_id: Id, pick_id: Id, pick: dict[str, Any]) -> dict[str, Any]:
        """Make or change a pick, given whole. 409: another person's; 429: too many."""
        return await self._call("PUT", f"/users/{agent_id}/picks/{pick_id}", pick)

    async def delete_pick(self, agent_id: Id, pick_id: Id) -> None:
        await self._call("DELETE", f"/users/{agent_id}/picks/{pick_id}")

    # friends --------------------------------------------------------------------------------------

    async def get_friends(self, agent_id: Id) -> list[dict[str, Any]]:
        """[{agent_id, name, rights_given, rights_has, online}]"""
        return (await self._call("GET", f"/agents/{agent_id}/friends"))["friends"]

    async def accept_friend(self, agent_id: Id, other: Id) -> dict[str, Any]:
        """agent_id accepts what ``other`` offered by an IM of dialog 38. 404: no such offer."""
        return await self._call("PUT", f"/agents/{agent_id}/friends/{other}")

    async def decline_friend(self, agent_id: Id, offerer: Id) -> None:
        await self._call("DELETE", f"/agents/{agent_id}/friend-offers/{offerer}")

    async def remove_friend(self, agent_id: Id, other: Id) -> None:
        await self._call("DELETE", f"/agents/{agent_id}/friends/{other}")

    async def set_friend_rights(self, agent_id: Id, other: Id, rights_given: int) -> dict[str, Any]:
        """What ``agent_id`` lets ``other`` do: bits 1 see online, 2 see on map, 4 modify objects."""
        return await self._call("PATCH", f"/agents/{agent_id}/friends/{other}", {"rights_given": rights_given})

    # instant messages -----------------------------------------------------------------------------

    async def send_message(self, message: dict[str, Any]) -> dict[str, Any]:
        """Route an instant message: {result: "delivered"|"stored"|"dropped", reason?}. 404: no such agent.

        May be repeated, if no answer came: the same message_id is the same message, delivered once.
        """
        return await self._call("POST", "/messages", message)

    async def get_messages(self, agent_id: Id) -> list[dict[str, Any]]:
        """What waits for the agent, oldest first; each keeps its message_id, offline is 1."""
        return (await self._call("GET", f"/agents/{agent_id}/messages"))["messages"]

    async def delete_messages(self, agent_id: Id, message_ids: Iterable[Id]) -> None:
        """The viewer has these: never give them again."""
        await self._call("DELETE", f"/agents/{agent_id}/messages", {"message_ids": [str(m) for m in message_ids]})

    # conversations of several people --------------------------------------------------------------

    async def invite_to_conference(self, session_id: Id, agent_id: Id, invited: Iterable[Id]) -> dict[str, Any]:
        """Begin one, or ask more people to it: {members, asked}. 403: not in it; 429: too many."""
        body = {"agent_id": agent_id, "invited": [str(one) for one in invited]}
        return await self._call("PUT", f"/conferences/{session_id}", body)

    async def join_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        """{members, asked} of one that the agent was asked to. 404: it was not, or it has ended."""
        return await self._call("PUT", f"/conferences/{session_id}/members/{agent_id}")

    async def speak_in_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        """{hear, invite}: to whom a member's words go, and who learns of it by them. 404: not in it."""
        return await self._call("POST", f"/conferences/{session_id}/members/{agent_id}")

    async def leave_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        """{members, asked} of those who stay."""
        return await self._call("DELETE", f"/conferences/{session_id}/members/{agent_id}")

    # inventory (the library is the same under protocol.wellknown.LIBRARY_OWNER) --------------------

    async def get_inventory_skeleton(self, agent_id: Id) -> dict[str, Any]:
        """{root, folders: [{folder_id, parent_id, name, type, version}]}"""
        return await self._call("GET", f"/agents/{agent_id}/inventory/skeleton")

    async def fetch_folders(self, agent_id: Id, folders: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Contents of folders given as {folder_id, fetch_folders, fetch_items}: {folders, bad_folders}."""
        return await self._call("POST", f"/agents/{agent_id}/inventory/fetch-folders", {"folders": list(folders)})

    async def fetch_items(self, agent_id: Id, item_ids: Iterable[Id]) -> list[dict[str, Any]]:
        """The items of these that the agent has."""
        body = {"item_ids": [str(item) for item in item_ids]}
        return (await self._call("POST", f"/agents/{agent_id}/inventory/fetch-items", body))["items"]

    async def create_folder(
        self, agent_id: Id, folder_id: Id, parent_id: Id, name: str, type: int = -1
    ) -> dict[str, Any]:
        body = {"folder_id": folder_id, "parent_id": parent_id, "name": name, "type": type}
        return await self._call("POST", f"/agents/{agent_id}/inventory/folders", body)

    async def update_folder(self, agent_id: Id, folder_id: Id, **changes: Any) -> dict[str, Any]:
        """Rename (``name``), move (``parent_id``) or retype (``type``) a folder."""
        return await self._call("PATCH", f"/agents/{agent_id}/inventory/folders/{folder_id}", changes)

    async def delete_folder(self, agent_id: Id, folder_id: Id) -> None:
        """The folder and all it holds."""
        await self._call("DELETE", f"/agents/{agent_id}/inventory/folders/{folder_id}")

    async def purge_folder(self, agent_id: Id, folder_id: Id) -> dict[str, Any]:
        """All the folder holds, not the folder; the emptied folder comes back."""
        return await self._call("POST", f"/agents/{agent_id}/inventory/folders/{folder_id}/purge")

    async def create_item(self, agent_id: Id, item: dict[str, Any]) -> dict[str, Any]:
        """Add an item; members left out get sensible values (item_id: a fresh one). The whole item comes back."""
        return await self._call("POST", f"/agents/{agent_id}/inventory/items", item)

    async def update_item(self, agent_id: Id, item_id: Id, **changes: Any) -> dict[str, Any]:
        """Change members of an item; ``parent_id`` moves it. The whole item comes back."""
        return await self._call("PATCH", f"/agents/{agent_id}/inventory/items/{item_id}", changes)

    async def change_items(
        self,
        agent_id: Id,
        changes: Iterable[dict[str, Any]] = (),
        removed: Iterable[Id] = (),
        folders: Iterable[dict[str, Any]] = (),
    ) -> dict[str, Any]:
        """Change folders ({folder_id, ...members}), change ({item_id, ...members}) and remove items, many in one
        transaction and in that order: {items, refused}. May be repeated.

        ``refused`` lists {item_id or folder_id, reason} of what could not be done; the rest is done. At most 1,000 of each.
        """
        body = {"changes": list(changes), "removed": [str(one) for one in removed], "folders": list(folders)}
        return await self._call("PATCH", f"/agents/{agent_id}/inventory/items", body)

    async def delete_item(self, agent_id: Id, item_id: Id) -> None:
        await self._call("DELETE", f"/agents/{agent_id}/inventory/items/{item_id}")

    async def copy_item(
        self, agent_id: Id, item_id: Id, new_folder_id: Id, new_name: str = "", new_item_id: Id | None = None
    ) -> dict[str, Any]:
        """Copy one of the agent's own or the library's items into the agent's folder. "" keeps the name.

        With ``new_item_id`` a repeated call makes no second copy. 403: the item may not be copied.
        """
        body = {"new_folder_id": new_folder_id, "new_name": new_name}
        if new_item_id is not None:
            body["item_id"] = new_item_id
        return await self._call("POST", f"/agents/{agent_id}/inventory/items/{item_id}/copy", body)

    # gifts, and what became of inventories ---------------------------------------------------------

    async def give(self, agent_id: Id, gift_id: Id, to_agent_id: Id, **what: Any) -> dict[str, Any]:
        """Give ``item_id``, ``folder_id`` or ``things`` ({name, items}, out of an object of the agent's) to another agent:
        the gift {gift_id, kind, thing_id, name, count, state, moved, returned ...}. May be repeated with the same gift_id.

        What may be copied is, the rest is moved, in one transaction. 403: something may not be given, or does not fit.
        """
        body = {"gift_id": gift_id, "to_agent_id": to_agent_id, **what}
        return await self._call("POST", f"/agents/{agent_id}/gifts", body)

    async def answer_gift(
        self, agent_id: Id, gift_id: Id, accepted: bool, folder_id: Id | None = None
    ) -> dict[str, Any]:
        """The receiver accepts (into that folder) or declines; the gift as it is then. 404: none of that id for it."""
        body = {"accepted": accepted, "folder_id": folder_id}
        return await self._call("PUT", f"/agents/{agent_id}/gifts/{gift_id}", body)

    async def get_gifts(self, agent_id: Id) -> list[dict[str, Any]]:
        """Gifts to the agent that wait for its answer, oldest first."""
        return (await self._call("GET", f"/agents/{agent_id}/gifts"))["gifts"]

    async def get_inventory_history(self, agent_id: Id, since: int = 0, most: int = 1000) -> dict[str, Any]:
        """{begins, changes: [{at, what, kind, id, name, where, members, was_called, was_in}]}, newest first."""
        return await self._call("GET", f"/agents/{agent_id}/inventory/history", query={"since": since, "most": most})

    async def get_trash(self, agent_id: Id) -> list[dict[str, Any]]:
        """What lies in the trash: [{kind, id, name, type, since|None, was_in|None, holds}]"""
        return (await self._call("GET", f"/agents/{agent_id}/inventory/trash"))["things"]

    async def restore_inventory(self, agent_id: Id, to: float, dry_run: bool = False) -> dict[str, Any]:
        """Bring an inventory back to a moment (unix seconds); what that did, or would. 409: that is too long ago."""
        return await self._call("POST", f"/agents/{agent_id}/inventory/restore", {"to": to, "dry_run": dry_run})

    async def get_worn(self, agent_id: Id) -> list[dict[str, Any]]:
        """{item_id, point} of each thing the agent wears, in the order they were put on."""
        return (await self._call("GET", f"/agents/{agent_id}/worn"))["items"]

    async def put_on(self, agent_id: Id, item_id: Id, point: int) -> None:
        """The agent wears an item of its inventory at that attachment point. 404: it has no such item."""
        await self._call("PUT", f"/agents/{agent_id}/worn/{item_id}", {"point": point})

    async def take_off(self, agent_id: Id, item_id: Id) -> None:
        """The agent wears the item no more."""
        await self._call("DELETE", f"/agents/{agent_id}/worn/{item_id}")

    # moves between an inventory and a region: each call may be repeated, and happens once ---------------

    async def move_into(
        self, transit_id: Id, region_id: Id, agent_id: Id, item: dict[str, Any] | None = None, change: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """What a region gives up becomes a new ``item`` of the agent's, or a ``change`` of one ({item_id, ...members}): the move,
        {state: "made", item, ...}. 404: no such folder or item. 409: it was undone before."""
        body: dict[str, Any] = {"region_id": region_id, "agent_id": agent_id}
        body |= {"item": item} if change is None else {"change": change}
        return await self._call("PUT", f"/transits/{transit_id}/into", body)

    async def move_out(self, transit_id: Id, region_id: Id, agent_id: Id, item_id: Id) -> dict[str, Any]:
        """An item leaves the agent's inventory and is held for the region: the move, {state: "held", item, ...}. 404: no such item."""
        body = {"region_id": region_id, "agent_id": agent_id, "item_id": item_id}
        return await self._call("PUT", f"/transits/{transit_id}/out", body)

    async def release_move(self, transit_id: Id) -> dict[str, Any]:
        """The region has what was held: the move, "released"; "void" when it was undone before, and the region must not have it.
        404: no such move."""
        return await self._call("POST", f"/transits/{transit_id}/release")

    async def void_move(self, transit_id: Id, region_id: Id) -> dict[str, Any]:
        """It has not happened, and what was held is back: the move, "void". What has happened stays so: "made" or "released"."""
        return await self._call("POST", f"/transits/{transit_id}/void", {"region_id": region_id})

    async def open_moves(self, region_id: Id | None = None) -> list[dict[str, Any]]:
        """Moves that a region, or any, has not done with."""
        return (await self._call("GET", "/transits", query={"region_id": region_id}))["transits"]

    async def close_moves(self, region_id: Id, transit_ids: Iterable[Id]) -> None:
        """The region will not ask for these again. At most 1,000."""
        body = {"region_id": region_id, "transit_ids": [str(one) for one in transit_ids]}
        await self._call("POST", "/transits/closed", body)

    # the service itself ---------------------------------------------------------------------------

    async def health(self) -> dict[str, Any]:
        return await self._call("GET", "/health")


def _place(region_id: Id, position: Vector, look_at: Vector) -> dict[str, Any]:
    """Vectors may be numpy rows or tuples; JSON wants plain floats."""
    return {
        "region_id": region_id,
        "position": [float(x) for x in position],
        "look_at": [float(x) for x in look_at],
    }


def _refusal(status: int, reason: str | None, raw: bytes) -> BackboneError:
    try:
        told = json.loads(raw)
        return BackboneError(status, str(told["title"]), str(told.get("description", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return BackboneError(status, reason or "error", raw[:200].decode("utf-8", "replace"))
