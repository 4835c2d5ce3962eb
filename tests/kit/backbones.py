"""Backbone and the asset store in memory, for tests of a region without either.

Each call is recorded; `down` makes every call fail as an unreachable service does. What they hold is plain dicts in the
shapes of the real clients, whose methods and parameters these have (a test holds that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

from assets.client import Asset, AssetError
from backbone.client import UNREACHABLE, BackboneError, Id, Vector
from backbone.conferences import Conferences
from backbone.errors import Problem
from protocol.wellknown import DEFAULT_WEARABLES, FOLDER_NAMES, AssetType, Folder, InventoryType, Permission

NO_ID = str(UUID(int=0))


class FakeBackbone:
    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.down = False
        self.users: dict[str, dict[str, Any]] = {}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.presence: dict[str, str | None] = {}  # agent id -> region id
        self.visibility: dict[str, str] = {}
        self.silent = 0  # so many of the next calls happen, and their answers are lost
        self.friends: dict[str, list[dict[str, Any]]] = {}
        self.offers: set[tuple[str, str]] = set()  # from, to
        self.fates: dict[str, dict[str, Any]] = {}  # by recipient; {"result": "stored"} when absent
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.folders: dict[str, dict[str, dict[str, Any]]] = {}  # owner -> folder id -> folder
        self.items: dict[str, dict[str, dict[str, Any]]] = {}  # owner -> item id -> item
        self.gifts: dict[str, dict[str, Any]] = {}
        self.worn: dict[str, dict[str, int]] = {}  # owner -> item id -> point
        self.homes: dict[str, dict[str, Any]] = {}
        self.conferences = Conferences()
        self.mutes: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}  # agent -> (id, name) -> entry
        self.notes: dict[tuple[str, str], str] = {}  # (agent, about whom)
        self.picks: dict[str, dict[str, dict[str, Any]]] = {}  # agent -> pick id -> pick
        self.regions: list[dict[str, Any]] = []  # what a search of regions looks through
        self.transits: dict[str, dict[str, Any]] = {}

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of that method."""
        return [arguments for called, arguments in self.calls if called == name]

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if self.down:
            raise BackboneError(UNREACHABLE, "backbone unreachable", nobody=True)

    def _lost(self) -> None:
        """The answer to what was just done may be lost on the way."""
        if self.silent:
            self.silent -= 1
            raise BackboneError(UNREACHABLE, "backbone unreachable", "time-out")

    # --- what tests set up

    def add_user(self, agent_id: Id, first: str, last: str) -> None:
        self.users[str(agent_id)] = {"agent_id": str(agent_id), "first": first, "last": last, "created": 1_700_000_000}

    def add_inventory(self, owner: Id) -> dict[int, str]:
        """All system folders and a dressed Current Outfit; folder ids by type."""
        by_type = {int(kind): str(uuid4()) for kind in FOLDER_NAMES}
        owner = str(owner)
        for kind, name in FOLDER_NAMES.items():
            parent = NO_ID if kind is Folder.ROOT else by_type[Folder.ROOT]
            self.add_folder(owner, by_type[kind], parent, name, int(kind))
        for wearable, asset in DEFAULT_WEARABLES.items():
            item = self.add_item(
                owner,
                by_type[Folder.BODY_PARTS],
                name=wearable.name,
                asset_id=str(asset),
                type=int(AssetType.BODY_PART),
                inv_type=int(InventoryType.WEARABLE),
                flags=int(wearable),
            )
            self.add_item(
                owner,
                by_type[Folder.CURRENT_OUTFIT],
                name=wearable.name,
                asset_id=item["item_id"],
                type=int(AssetType.LINK),
                inv_type=int(InventoryType.WEARABLE),
                flags=int(wearable),
            )
        return by_type

    def add_folder(self, owner: Id, folder_id: Id, parent_id: Id, name: str, kind: int) -> dict[str, Any]:
        folder = {"folder_id": str(folder_id), "parent_id": str(parent_id), "name": name, "type": kind, "version": 1}
        self.folders.setdefault(str(owner), {})[str(folder_id)] = folder
        return folder

    def add_item(self, owner: Id, parent_id: Id, **given: Any) -> dict[str, Any]:
        item = {
            "item_id": str(uuid4()),
            "parent_id": str(parent_id),
            "asset_id": NO_ID,
            "name": "Thing",
            "desc": "",
            "type": 7,
            "inv_type": 7,
            "flags": 0,
            "created_at": 1_700_000_000,
            "creator_id": str(owner),
            "owner_id": str(owner),
            "last_owner_id": str(owner),
            "group_id": NO_ID,
            "is_owner_group": False,
            "base_mask": 0x7FFFFFFF,
            "owner_mask": 0x7FFFFFFF,
            "group_mask": 0,
            "everyone_mask": 0,
            "next_owner_mask": 0x7FFFFFFF,
            "sale_price": 0,
            "sale_type": 0,
            **given,
        }
        self.items.setdefault(str(owner), {})[item["item_id"]] = item
        return item

    # --- presence and people

    async def get_presence(self, agent_id: Id, asker: Id | None = None) -> dict[str, Any]:
        self._note("get_presence", agent_id)
        hidden = asker is not None and self.visibility.get(str(agent_id)) == "friends" and agent_id != asker
        region = None if hidden else self.presence.get(str(agent_id))
        return {"agent_id": str(agent_id), "online": region is not None, "region_id": region}

    async def get_presences(self, agent_ids: Iterable[Id], asker: Id | None = None) -> list[dict[str, Any]]:
        return [await self.get_presence(one, asker) for one in agent_ids]

    async def arrive(
        self, agent_id: Id, session_id: Id, region_id: Id, position: Vector, look_at: Vector
    ) -> dict[str, Any]:
        self._note("arrive", agent_id, session_id, region_id, position, look_at)
        self.presence[str(agent_id)] = str(region_id)
        return {}

    async def leave(self, agent_id: Id, session_id: Id, region_id: Id, position: Vector, look_at: Vector) -> None:
        self._note("leave", agent_id, session_id, region_id, position, look_at)
        self.presence[str(agent_id)] = None

    async def get_region_agents(self, region_id: Id) -> dict[str, Any]:
        self._note("get_region_agents", region_id)
        here = [{"agent_id": one} for one, where in self.presence.items() if where == str(region_id)]
        return {"region_id": str(region_id), "count": len(here), "agents": here}

    async def get_users(self, agent_ids: Iterable[Id]) -> list[dict[str, Any]]:
        wanted = [str(one) for one in agent_ids]
        self._note("get_users", wanted)
        return [self.users[one] for one in wanted if one in self.users]

    async def find_user(self, name: str) -> dict[str, Any] | None:
        self._note("find_user", name)
        matches = (u for u in self.users.values() if f"{u['first']} {u['last']}".lower() == name.lower())
        return next(matches, None)

    async def search_users(self, text: str) -> list[dict[str, Any]]:
        self._note("search_users", text)
        return [user for user in self.users.values() if text.lower() in f"{user['first']} {user['last']}".lower()]

    async def get_profile(self, agent_id: Id) -> dict[str, Any]:
        self._note("get_profile", agent_id)
        if str(agent_id) not in self.users:
            raise BackboneError(404, "no such user")
        empty = {
            "about": "",
            "first_life_about": "",
            "image_id": NO_ID,
            "first_life_image_id": NO_ID,
            "profile_url": "",
            "partner_id": NO_ID,
            "born_on": "2026-02-01",
            "allow_publish": True,
            "mature_publish": False,
            "interests": {"want_mask": 0, "want_text": "", "skills_mask": 0, "skills_text": "", "languages": ""},
        }
        return {"agent_id": str(agent_id), **empty, **self.profiles.get(str(agent_id), {})}

    async def put_profile(self, agent_id: Id, profile: dict[str, Any]) -> dict[str, Any]:
        self._note("put_profile", agent_id, profile)
        self.profiles.setdefault(str(agent_id), {}).update(profile)
        return await self.get_profile(agent_id)

    async def get_visibility(self, agent_id: Id) -> str:
        self._note("get_visibility", agent_id)
        return self.visibility.get(str(agent_id), "everybody")

    async def set_visibility(self, agent_id: Id, visibility: str) -> None:
        self._note("set_visibility", agent_id, visibility)
        self.visibility[str(agent_id)] = visibility

    async def get_home(self, agent_id: Id) -> dict[str, Any]:
        self._note("get_home", agent_id)
        if str(agent_id) not in self.homes:
            raise BackboneError(404, "no home")
        return {"region_name": None, "look_at": [1.0, 0.0, 0.0], **self.homes[str(agent_id)]}

    async def set_home(self, agent_id: Id, region_id: Id, position: Vector, look_at: Vector) -> dict[str, Any]:
        self._note("set_home", agent_id, region_id, position, look_at)
        self.homes[str(agent_id)] = {"region_id": str(region_id), "position": list(position)}
        return self.homes[str(agent_id)]

    async def find_region(self, name: str) -> dict[str, Any] | None:
        self._note("find_region", name)
        return next((one for one in self.regions if str(one["name"]).lower() == name.lower()), None)

    async def get_region(self, region_id: Id) -> dict[str, Any]:
        self._note("get_region", region_id)
        found = next((one for one in self.regions if str(one["region_id"]) == str(region_id)), None)
        if found is None:
            raise BackboneError(404, "no such region")
        return found

    async def search_regions(self, text: str) -> list[dict[str, Any]]:
        self._note("search_regions", text)
        return [region for region in self.regions if text.lower() in region["name"].lower()]

    # --- mutes, notes, picks

    async def get_mutes(self, agent_id: Id) -> list[dict[str, Any]]:
        self._note("get_mutes", agent_id)
        return list(self.mutes.get(str(agent_id), {}).values())

    async def put_mute(self, agent_id: Id, muted_id: Id, name: str, kind: int, flags: int) -> None:
        self._note("put_mute", agent_id, muted_id, name, kind, flags)
        entry = {"muted_id": str(muted_id), "name": name, "kind": kind, "flags": flags}
        self.mutes.setdefault(str(agent_id), {})[str(muted_id), name] = entry

    async def delete_mute(self, agent_id: Id, muted_id: Id, name: str) -> None:
        self._note("delete_mute", agent_id, muted_id, name)
        self.mutes.get(str(agent_id), {}).pop((str(muted_id), name), None)

    async def get_notes(self, agent_id: Id, about_id: Id) -> str:
        self._note("get_notes", agent_id, about_id)
        return self.notes.get((str(agent_id), str(about_id)), "")

    async def put_notes(self, agent_id: Id, about_id: Id, notes: str) -> None:
        self._note("put_notes", agent_id, about_id, notes)
        self.notes[str(agent_id), str(about_id)] = notes

    async def get_picks(self, agent_id: Id) -> list[dict[str, Any]]:
        self._note("get_picks", agent_id)
        return list(self.picks.get(str(agent_id), {}).values())

    async def get_pick(self, agent_id: Id, pick_id: Id) -> dict[str, Any]:
        self._note("get_pick", agent_id, pick_id)
        try:
            return self.picks[str(agent_id)][str(pick_id)]
        except KeyError:
            raise BackboneError(404, "not found") from None

    async def put_pick(self, agent_id: Id, pick_id: Id, pick: dict[str, Any]) -> dict[str, Any]:
        self._note("put_pick", agent_id, pick_id, pick)
        mine = self.picks.setdefault(str(agent_id), {})
        mine[str(pick_id)] = {"pick_id": str(pick_id), "agent_id": str(agent_id), **pick}
        return mine[str(pick_id)]

    async def delete_pick(self, agent_id: Id, pick_id: Id) -> None:
        self._note("delete_pick", agent_id, pick_id)
        self.picks.get(str(agent_id), {}).pop(str(pick_id), None)

    # --- friends

    def befriend(self, one: Id, other: Id, name: str, rights_has: int = 1) -> None:
        friend = {"agent_id": str(other), "name": name, "rights_given": 1, "rights_has": rights_has, "online": False}
        self.friends.setdefault(str(one), []).append(friend)

    async def get_friends(self, agent_id: Id) -> list[dict[str, Any]]:
        self._note("get_friends", agent_id)
        listed = self.friends.get(str(agent_id), [])
        return [{**f, "online": self.presence.get(f["agent_id"]) is not None} for f in listed]

    async def accept_friend(self, agent_id: Id, other: Id) -> dict[str, Any]:
        self._note("accept_friend", agent_id, other)
        if (str(other), str(agent_id)) not in self.offers:
            raise BackboneError(404, "no such offer")
        self.offers.discard((str(other), str(agent_id)))
        return {}

    async def decline_friend(self, agent_id: Id, offerer: Id) -> None:
        self._note("decline_friend", agent_id, offerer)
        if (str(offerer), str(agent_id)) not in self.offers:
            raise BackboneError(404, "no such offer")

    async def remove_friend(self, agent_id: Id, other: Id) -> None:
        self._note("remove_friend", agent_id, other)

    async def set_friend_rights(self, agent_id: Id, other: Id, rights_given: int) -> dict[str, Any]:
        self._note("set_friend_rights", agent_id, other, rights_given)
        if not any(friend["agent_id"] == str(other) for friend in self.friends.get(str(agent_id), [])):
            raise BackboneError(404, "no such friend")
        return {}

    # --- messages

    async def send_message(self, message: dict[str, Any]) -> dict[str, Any]:
        self._note("send_message", message)
        if message["to_agent_id"] not in self.users:
            raise BackboneError(404, "no such agent")
        self._lost()
        return self.fates.get(message["to_agent_id"], {"result": "stored"})

    async def get_messages(self, agent_id: Id) -> list[dict[str, Any]]:
        self._note("get_messages", agent_id)
        return list(self.messages.get(str(agent_id), []))

    async def delete_messages(self, agent_id: Id, message_ids: Iterable[Id]) -> None:
        gone = {str(one) for one in message_ids}
        self._note("delete_messages", agent_id, gone)
        left = [message for message in self.messages.get(str(agent_id), []) if message["message_id"] not in gone]
        self.messages[str(agent_id)] = left

    # --- conferences

    async def invite_to_conference(self, session_id: Id, agent_id: Id, invited: Iterable[Id]) -> dict[str, Any]:
        people = [str(one) for one in invited]
        self._note("invite_to_conference", session_id, agent_id, people)
        return self._answered(self.conferences.invite, session_id, agent_id, people)

    async def join_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        self._note("join_conference", session_id, agent_id)
        return self._answered(self.conferences.join, session_id, agent_id)

    async def speak_in_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        self._note("speak_in_conference", session_id, agent_id)
        return self._answered(self.conferences.speak, session_id, agent_id)

    async def leave_conference(self, session_id: Id, agent_id: Id) -> dict[str, Any]:
        self._note("leave_conference", session_id, agent_id)
        return self._answered(self.conferences.leave, session_id, agent_id)

    @staticmethod
    def _answered(verb: Callable[..., dict[str, Any]], session_id: Id, agent_id: Id, *more: Any) -> dict[str, Any]:
        try:
            return verb(str(session_id), str(agent_id), *more)
        except Problem as problem:
            raise BackboneError(problem.status, problem.title, str(problem)) from None

    # --- inventory

    async def get_inventory_skeleton(self, agent_id: Id) -> dict[str, Any]:
        self._note("get_inventory_skeleton", agent_id)
        folders = list(self.folders.get(str(agent_id), {}).values())
        return {"root": folders[0]["folder_id"] if folders else NO_ID, "folders": folders}

    async def fetch_folders(self, agent_id: Id, folders: Iterable[dict[str, Any]]) -> dict[str, Any]:
        owner, asked = str(agent_id), list(folders)
        self._note("fetch_folders", agent_id, asked)
        answers, bad = [], []
        for one in asked:
            folder = self.folders.get(owner, {}).get(one["folder_id"])
            if folder is None:
                bad.append(one["folder_id"])
                continue
            inner = [f for f in self.folders[owner].values() if f["parent_id"] == one["folder_id"]]
            items = [i for i in self.items.get(owner, {}).values() if i["parent_id"] == one["folder_id"]]
            answers.append(
                {
                    "folder_id": one["folder_id"],
                    "owner_id": owner,
                    "version": folder["version"],
                    "descendents": len(inner) + len(items),
                    "categories": inner if one["fetch_folders"] else [],
                    "items": items if one["fetch_items"] else [],
                }
            )
        return {"folders": answers, "bad_folders": bad}

    async def fetch_items(self, agent_id: Id, item_ids: Iterable[Id]) -> list[dict[str, Any]]:
        wanted = [str(one) for one in item_ids]
        self._note("fetch_items", agent_id, wanted)
        mine = self.items.get(str(agent_id), {})
        return [mine[one] for one in wanted if one in mine]

    async def get_worn(self, agent_id: Id) -> list[dict[str, Any]]:
        self._note("get_worn", agent_id)
        mine = self.items.get(str(agent_id), {})
        return [
            {"item_id": item, "point": point}
            for item, point in self.worn.get(str(agent_id), {}).items()
            if item in mine
        ]

    async def put_on(self, agent_id: Id, item_id: Id, point: int) -> None:
        self._note("put_on", agent_id, item_id, point)
        self._item(agent_id, item_id)
        self.worn.setdefault(str(agent_id), {})[str(item_id)] = point

    async def take_off(self, agent_id: Id, item_id: Id) -> None:
        self._note("take_off", agent_id, item_id)
        self.worn.get(str(agent_id), {}).pop(str(item_id), None)

    def _folder(self, agent_id: Id, folder_id: Id) -> dict[str, Any]:
        try:
            return self.folders[str(agent_id)][str(folder_id)]
        except KeyError:
            raise BackboneError(404, "no such folder") from None

    def _item(self, agent_id: Id, item_id: Id) -> dict[str, Any]:
        try:
            return self.items[str(agent_id)][str(item_id)]
        except KeyError:
            raise BackboneError(404, "no such item") from None

    async def create_folder(
        self, agent_id: Id, folder_id: Id, parent_id: Id, name: str, type: int = -1
    ) -> dict[str, Any]:
        self._note("create_folder", agent_id, folder_id, parent_id, name, type)
        self._folder(agent_id, parent_id)
        return self.add_folder(agent_id, folder_id, parent_id, name, type)

    async def update_folder(self, agent_id: Id, folder_id: Id, **changes: Any) -> dict[str, Any]:
        self._note("update_folder", agent_id, folder_id, changes)
        folder = self._folder(agent_id, folder_id)
        folder.update(changes)
        return folder

    async def delete_folder(self, agent_id: Id, folder_id: Id) -> None:
        self._note("delete_folder", agent_id, folder_id)
        self._folder(agent_id, folder_id)
        del self.folders[str(agent_id)][str(folder_id)]

    async def purge_folder(self, agent_id: Id, folder_id: Id) -> dict[str, Any]:
        self._note("purge_folder", agent_id, folder_id)
        folder = self._folder(agent_id, folder_id)
        mine = self.items.get(str(agent_id), {})
        for item_id in [key for key, item in mine.items() if item["parent_id"] == str(folder_id)]:
            del mine[item_id]
        return folder

    async def create_item(self, agent_id: Id, item: dict[str, Any]) -> dict[str, Any]:
        self._note("create_item", agent_id, item)
        self._folder(agent_id, item["parent_id"])
        given = {key: value for key, value in item.items() if key != "parent_id"}
        return self.add_item(agent_id, item["parent_id"], **given)

    async def update_item(self, agent_id: Id, item_id: Id, **changes: Any) -> dict[str, Any]:
        self._note("update_item", agent_id, item_id, changes)
        item = self._item(agent_id, item_id)
        item.update(changes)
        return item

    async def change_items(
        self,
        agent_id: Id,
        changes: Iterable[dict[str, Any]] = (),
        removed: Iterable[Id] = (),
        folders: Iterable[dict[str, Any]] = (),
    ) -> dict[str, Any]:
        changes, gone, folders = list(changes), [str(one) for one in removed], list(folders)
        self._note("change_items", agent_id, changes, gone, folders)
        mine = self.items.get(str(agent_id), {})
        refused = []
        for change in folders:
            if change["folder_id"] in self.folders.get(str(agent_id), {}):
                self.folders[str(agent_id)][change["folder_id"]].update(change)
            else:
                refused.append({"folder_id": change["folder_id"], "reason": f"no folder {change['folder_id']}"})
        for change in changes:
            if change["item_id"] not in mine:
                refused.append({"item_id": change["item_id"], "reason": f"no item {change['item_id']}"})
            elif change.get("parent_id", NO_ID) not in {NO_ID, *self.folders.get(str(agent_id), {})}:
                refused.append({"item_id": change["item_id"], "reason": f"no folder {change['parent_id']}"})
            else:
                mine[change["item_id"]].update(change)
        for one in gone:
            mine.pop(one, None)
        return {"items": [], "refused": refused}

    async def delete_item(self, agent_id: Id, item_id: Id) -> None:
        self._note("delete_item", agent_id, item_id)
        self._item(agent_id, item_id)
        del self.items[str(agent_id)][str(item_id)]

    async def copy_item(
        self, agent_id: Id, item_id: Id, new_folder_id: Id, new_name: str = "", new_item_id: Id | None = None
    ) -> dict[str, Any]:
        self._note("copy_item", agent_id, item_id, new_folder_id, new_name, new_item_id)
        original = self._item(agent_id, item_id)
        given = {key: value for key, value in original.items() if key not in ("parent_id", "item_id")}
        given["name"] = new_name or original["name"]
        return self.add_item(agent_id, new_folder_id, **given)

    # --- moves

    async def move_into(
        self, transit_id: Id, region_id: Id, agent_id: Id, item: dict[str, Any] | None = None, change: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        self._note("move_into", transit_id, region_id, agent_id, item, change)
        if str(transit_id) not in self.transits:
            if change is not None:
                made = self._item(agent_id, change["item_id"])
                made.update(change)
            else:
                assert item is not None
                self._folder(agent_id, item["parent_id"])
                made = self.add_item(agent_id, item["parent_id"], **{key: value for key, value in item.items() if key != "parent_id"})
            self._move(transit_id, region_id, agent_id, "made", made)
        self._lost()
        return self.transits[str(transit_id)]

    async def move_out(self, transit_id: Id, region_id: Id, agent_id: Id, item_id: Id) -> dict[str, Any]:
        self._note("move_out", transit_id, region_id, agent_id, item_id)
        if str(transit_id) not in self.transits:
            self._move(transit_id, region_id, agent_id, "held", self._item(agent_id, item_id))
            del self.items[str(agent_id)][str(item_id)]
        self._lost()
        return self.transits[str(transit_id)]

    def _move(self, transit_id: Id, region_id: Id, agent_id: Id | None, state: str, item: dict[str, Any] | None) -> None:
        row: dict[str, Any] = {"transit_id": str(transit_id), "region_id": str(region_id), "agent_id": str(agent_id), "state": state, "item": item}
        row["closed"] = None
        self.transits[str(transit_id)] = row

    async def release_move(self, transit_id: Id) -> dict[str, Any]:
        self._note("release_move", transit_id)
        if str(transit_id) not in self.transits:
            raise BackboneError(404, "no such move")
        move = self.transits[str(transit_id)]
        if move["state"] == "held":
            move["state"] = "released"
        self._lost()
        return move

    async def void_move(self, transit_id: Id, region_id: Id) -> dict[str, Any]:
        self._note("void_move", transit_id, region_id)
        if str(transit_id) not in self.transits:
            self._move(transit_id, region_id, None, "void", None)
        move = self.transits[str(transit_id)]
        if move["state"] == "held":
            move["state"] = "void"
            self.items[move["agent_id"]][move["item"]["item_id"]] = move["item"]
        self._lost()
        return move

    async def open_moves(self, region_id: Id | None = None) -> list[dict[str, Any]]:
        self._note("open_moves", region_id)
        moves = [move for move in self.transits.values() if not move["closed"]]
        return [move for move in moves if region_id is None or move["region_id"] == str(region_id)]

    async def close_moves(self, region_id: Id, transit_ids: Iterable[Id]) -> None:
        self._note("close_moves", region_id, list(transit_ids))
        for one in map(str, transit_ids):
            if one in self.transits and self.transits[one]["state"] != "held":
                self.transits[one]["closed"] = 1


    # --- gifts

    async def give(self, agent_id: Id, gift_id: Id, to_agent_id: Id, **what: Any) -> dict[str, Any]:
        """Items one by one, and things out of objects; a folder comes without what it holds."""
        self._note("give", agent_id, gift_id, to_agent_id, what)
        known = self.gifts.get(str(gift_id))
        if known is None:
            known = self.gifts[str(gift_id)] = self._new_gift(str(agent_id), str(gift_id), str(to_agent_id), what)
        if self.silent:
            self.silent -= 1
            raise BackboneError(UNREACHABLE, "backbone unreachable", "time-out")
        return dict(known)

    def _new_gift(self, giver: str, gift_id: str, to: str, what: dict[str, Any]) -> dict[str, Any]:
        if to not in self.folders:
            raise BackboneError(404, "not found", f"no inventory of {to}")
        folders = {folder["type"]: folder["folder_id"] for folder in self.folders[to].values()}
        moved: list[str] = []
        if "folder_id" in what:
            name = self._folder(giver, what["folder_id"])["name"]
            thing_id, kind = str(uuid4()), int(AssetType.FOLDER)
            self.add_folder(to, thing_id, folders[int(Folder.ROOT)], name, -1)
        else:
            given = what["things"]["items"] if "things" in what else [self._item(giver, what["item_id"])]
            parent = None
            if what.get("things", {}).get("name"):
                parent = str(uuid4())
                self.add_folder(to, parent, folders[int(Folder.ROOT)], what["things"]["name"], -1)
            if "item_id" in what and not given[0]["owner_mask"] & Permission.TRANSFER:
                raise BackboneError(403, "forbidden", f"may not be given away: {given[0]['name']}")
            for one in given:
                copy = {**one, "item_id": str(uuid4()), "owner_id": to}
                copy.pop("parent_id", None)
                into = parent or folders.get(one["type"], folders[int(Folder.ROOT)])
                thing_id = self.add_item(to, into, **copy)["item_id"]
                kind, name = one["type"], one["name"]
            if "item_id" in what and not given[0]["owner_mask"] & Permission.COPY:
                moved = [given[0]["item_id"]]
                del self.items[giver][moved[0]]
            if parent is not None:
                thing_id, kind, name = parent, int(AssetType.FOLDER), what["things"]["name"]
        return {
            "gift_id": gift_id, "from_agent_id": giver, "to_agent_id": to, "kind": kind, "thing_id": thing_id, "name": name,
            "count": 1, "state": "offered", "moved": moved, "returned": [],
        }  # fmt: skip

    async def answer_gift(
        self, agent_id: Id, gift_id: Id, accepted: bool, folder_id: Id | None = None
    ) -> dict[str, Any]:
        self._note("answer_gift", agent_id, gift_id, accepted, folder_id)
        gift = self.gifts.get(str(gift_id))
        if gift is None or gift["to_agent_id"] != str(agent_id):
            raise BackboneError(404, "not found", "no such gift")
        gift["state"] = "accepted" if accepted else "declined"
        if gift["moved"] and not accepted:
            item = self.items[str(agent_id)].pop(gift["thing_id"])
            parent = item.pop("parent_id")
            self.add_item(gift["from_agent_id"], parent, **{**item, "item_id": gift["moved"][0]})
            gift["returned"] = gift["moved"]
        elif gift["thing_id"] in self.items.get(str(agent_id), {}):
            mine = {folder["type"]: folder["folder_id"] for folder in self.folders[str(agent_id)].values()}
            into = str(folder_id) if accepted and folder_id else mine[int(Folder.TRASH)]
            if not accepted or folder_id:
                self.items[str(agent_id)][gift["thing_id"]]["parent_id"] = into
        return dict(gift)


class FakeAssets:
    def __init__(self) -> None:
        self.stored: dict[UUID, tuple[bytes, int]] = {}
        self.down = False

    async def get(self, asset_id: UUID) -> bytes | None:
        self._check()
        return self.stored[asset_id][0] if asset_id in self.stored else None

    async def fetch(self, asset_id: UUID) -> Asset | None:
        self._check()
        return Asset(*self.stored[asset_id]) if asset_id in self.stored else None

    async def put(self, asset_id: UUID, data: bytes, type: int, uploader: UUID | None = None) -> bool:
        self._check()
        self.stored[asset_id] = (data, int(type))
        return True

    def _check(self) -> None:
        if self.down:
            raise AssetError(0, "asset service unreachable")
