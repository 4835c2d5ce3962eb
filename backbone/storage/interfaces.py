"""What Backbone asks of its storage, a family an interface. stores.py has the one on SQL.

Each verb is one transaction: durable when it returns, and what it raises has changed nothing. Errors are those of
backbone.errors. tests/backbone/test_stores.py is the contract that every implementation passes. Ids are lower-case
uuid text, times unix seconds, records the JSON objects of the API unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from backbone.storage.limits import Limits
from backbone.storage.regions import Claimed, Fence, Renewal

T = TypeVar("T")
Row = dict[str, Any]


class Place(NamedTuple):
    region_id: str
    position: Sequence[float]
    look_at: Sequence[float]


class LoginFacts(NamedTuple):
    """What a login's reply tells besides the session, read in one snapshot."""

    skeleton: Row
    library: Row
    gestures: list[Row]  # active ones, as whole items
    friends: list[Row]
    home: Row | None


class SessionStore(Protocol):
    """One session a person at most; it is what a restart brings back."""

    def begin(self, session: Row) -> None:
        """A person's session, replacing one there may be. The person counts as seen now."""

    def arrive(self, agent_id: str, session_id: str, since: int, place: Place) -> bool:
        """The session's agent is root there, which is its last place; False if the session is not the current one."""

    def leave(self, agent_id: str, session_id: str, place: Place, now: int) -> bool:
        """The session ends, its last place and the time are kept; False if it is not the current one."""

    def end(self, ended: Iterable[tuple[str, str]]) -> None:
        """These (agent, session) are over; those that are not current ones are left alone."""

    def each(self, take: Callable[[Row], None]) -> None:
        """Hand over every session with its person's ``name`` and ``visibility``, one by one."""


class PeopleStore(Protocol):
    """Accounts (as {agent_id, first, last, created}), profiles, places."""

    def create(self, first: str, last: str, verifier: str, created: int, guest: bool) -> Row:
        """A new account with its inventory. NameTaken."""

    def by_id(self, agent_id: str) -> Row | None: ...

    def by_ids(self, agent_ids: Iterable[str]) -> list[Row]:
        """Accounts of those ids, unknown ones left out, in the order asked for."""

    def by_name(self, name: str) -> Row | None:
        """The account of that full name; one word means the last name Resident."""

    def search(self, text: str, most: int) -> list[Row]:
        """People whose name contains the text, those whose name begins with it first."""

    def eldest(self) -> Row | None:
        """The account that was made first, guests aside."""

    def count(self) -> int: ...

    def credentials(self, first: str, last: str) -> Row | None:
        """{agent_id, first, last, verifier, visibility}"""

    def verifier_of(self, agent_id: str) -> str | None: ...

    def set_verifier(self, agent_id: str, verifier: str) -> bool: ...

    def visibility(self, agent_id: str) -> str | None: ...

    def set_visibility(self, agent_id: str, visibility: str) -> bool: ...

    def profile(self, agent_id: str) -> Row:
        """The members that were ever written."""

    def change_profile(self, agent_id: str, changes: Row) -> Row:
        """Change the members given, keep the rest; the profile as it is then."""

    def place(self, agent_id: str, kind: str) -> Row | None:
        """{region_id, position, look_at} of "last" or "home"; None if never set."""

    def set_place(self, agent_id: str, kind: str, place: Place) -> None: ...

    def at_login(self, agent_id: str, compose: Callable[[LoginFacts], T]) -> T:
        """``compose`` of the person's facts, off the hub: they may be large, and so may what is made of them."""

    def old_guests(self, seen_before: int, most: int) -> list[str]:
        """Guests without a session who were not seen since."""

    def remove_guest(self, agent_id: str, seen_before: int) -> bool:
        """The account and all that is only its own, if it is one of ``old_guests`` still."""


class FriendStore(Protocol):
    def offer(self, from_agent: str, to_agent: str, now: int) -> bool:
        """Note that a friendship was offered; False when too many offers wait already."""

    def withdraw_offer(self, from_agent: str, to_agent: str) -> bool: ...

    def offers_to(self, agent_id: str) -> list[str]:
        """Who waits for the agent's answer, oldest first."""

    def befriend(self, agent_id: str, offerer: str) -> str:
        """Accept an offer: "new", "already", or "no offer"."""

    def unfriend(self, agent_id: str, other: str) -> bool: ...

    def grant(self, agent_id: str, other: str, rights: int) -> int | None:
        """Change what agent_id lets other do; what it was before, None if they are not friends."""

    def friends_of(self, agent_id: str) -> list[Row]:
        """[{agent_id, name, rights_given, rights_has}] by name."""

    def who_may_see(self, agent_ids: list[str]) -> dict[str, list[str]]:
        """Of each agent the friends whom it lets see it online."""


class MessageStore(Protocol):
    """Messages that wait. An id that was kept is known for a day after it was fetched."""

    def keep(self, message: Row, now: int) -> str:
        """ "stored" (again, too), "delivered" if that id was fetched, "full" or "full of yours"."""

    def fate_of(self, message_id: str) -> str | None:
        """ "stored", "delivered", or None if it never was kept."""

    def waiting(self, agent_id: str) -> list[Row]:
        """Oldest first."""

    def forget(self, agent_id: str, message_ids: Iterable[str]) -> int:
        """The agent has these; how many of them waited."""

    def sweep(self, before: int) -> int:
        """No longer remember the ids of fetched messages older than a moment; how many."""


class NotebookStore(Protocol):
    """What people keep for themselves (mutes, notes about others) and the picks that their profiles show."""

    def mutes_of(self, agent_id: str) -> list[Row]:
        """[{muted_id, name, kind, flags}]"""

    def mute(self, agent_id: str, entry: Row) -> None:
        """Add or change one. TooMany."""

    def unmute(self, agent_id: str, muted_id: str, name: str) -> bool:
        """By id; what has the null id, by its name."""

    def notes_about(self, agent_id: str, about_id: str) -> str: ...

    def note(self, agent_id: str, about_id: str, text: str) -> None:
        """TooMany."""

    def picks_of(self, agent_id: str) -> list[Row]: ...

    def pick(self, agent_id: str, pick_id: str) -> Row:
        """NotFound."""

    def put_pick(self, agent_id: str, pick_id: str, written: Row) -> Row:
        """Make or change a pick. Conflict: another person's; TooMany."""

    def delete_pick(self, agent_id: str, pick_id: str) -> bool: ...


class InventoryStore(Protocol):
    """Trees of folders and items by owner; the rules are in storage/inventory.py. Missing, Refused, Tied."""

    def skeleton(self, owner: str) -> Row: ...
    def folder(self, owner: str, folder_id: str) -> Row: ...
    def item(self, owner: str, item_id: str) -> Row: ...
    def fetch_folders(self, owner: str, requests: list[Row]) -> Row: ...
    def fetch_items(self, owner: str, item_ids: Iterable[str]) -> list[Row]: ...
    def create_folder(self, owner: str, new: Row) -> tuple[Row, bool]: ...
    def update_folder(self, owner: str, folder_id: str, changes: Row) -> Row: ...
    def delete_folder(self, owner: str, folder_id: str) -> None: ...
    def purge_folder(self, owner: str, folder_id: str) -> Row: ...
    def create_item(self, owner: str, new: Row, now: int) -> tuple[Row, bool]: ...
    def update_item(self, owner: str, item_id: str, changes: Row) -> Row: ...
    def delete_item(self, owner: str, item_id: str) -> None: ...
    def change_items(self, owner: str, changes: list[Row], removed: list[str], folders: list[Row] | None = None) -> Row: ...

    def copy_item(
        self, owner: str, item_id: str, new_folder_id: str, new_name: str, new_id: str | None, now: int
    ) -> tuple[Row, bool]: ...

    def give(self, giver: str, wanted: Row, now: int) -> Row:
        """See gifts.give."""

    def answer_gift(self, receiver: str, gift_id: str, accepted: bool, folder_id: str | None, now: int) -> Row:
        """See gifts.answer."""

    def gifts_to(self, receiver: str) -> list[Row]:
        """Those that wait for an answer, oldest first."""

    def history(self, owner: str, since: float, most: int) -> Row:
        """{begins, changes}, newest first; see history.py."""

    def trash(self, owner: str) -> Row:
        """{things} that lie in the trash, since when and from where."""

    def restore(self, owner: str, to: float, dry_run: bool) -> Row:
        """Bring it back to what it held at a moment; what that does, or would."""

    def set_limits(self, wished: Limits) -> None: ...

    def sweep(self, now: float) -> int:
        """Forget history and gifts that are too old; how many rows."""

    def worn_by(self, owner: str) -> list[Row]: ...
    def put_on(self, owner: str, item_id: str, point: int, now: float) -> Row: ...
    def take_off(self, owner: str, item_id: str) -> None: ...


class TransitStore(Protocol):
    """Moves between an inventory and a region, by their ids (storage/transits.py). Each is {transit_id, region_id, agent_id,
    state, item, since, closed}; with those that do something, whether they did it just now. Missing, Refused, Tied."""

    def put_in(self, transit_id: str, region_id: str, owner: str, item: Row, now: int) -> tuple[Row, bool]: ...
    def change(self, transit_id: str, region_id: str, owner: str, item_id: str, changes: Row, now: int) -> tuple[Row, bool]: ...
    def hold(self, transit_id: str, region_id: str, owner: str, item_id: str, now: int) -> tuple[Row, bool]: ...
    def release(self, transit_id: str) -> Row: ...
    def void(self, transit_id: str, region_id: str, now: int) -> Row: ...
    def open_moves(self, region_id: str | None) -> list[Row]: ...
    def state_of(self, transit_id: str) -> Row | None: ...
    def close(self, region_id: str, transit_ids: Iterable[str], now: int) -> None: ...
    def sweep(self, before: int) -> int: ...


class RegionStore(Protocol):
    def all(self) -> list[Row]:
        """Every region with ``lease_left``: seconds its lease still runs, negative if over."""

    def claim(
        self, wanted: Row, held_by: str, lease_seconds: float, renewals: list[Renewal], grace_seconds: float = 0.0
    ) -> Claimed:
        """Take the square for a region, after the renewals. Held while another process's lease is in the way."""

    def renew(self, renewals: list[Renewal]) -> None: ...

    def release(self, region_id: str, epoch: int) -> bool: ...

    def give(self, region_id: str, owner_id: str | None) -> bool:
        """Whose land it is; None: the grid's owner's."""


class Stores(Protocol):
    """All of it. ``under(fence)`` is the same with every write refused (OldEpoch) once the fence is not current."""

    @property
    def sessions(self) -> SessionStore: ...
    @property
    def people(self) -> PeopleStore: ...
    @property
    def friends(self) -> FriendStore: ...
    @property
    def messages(self) -> MessageStore: ...
    @property
    def notebook(self) -> NotebookStore: ...
    @property
    def inventory(self) -> InventoryStore: ...
    @property
    def transits(self) -> TransitStore: ...
    @property
    def regions(self) -> RegionStore: ...

    def under(self, fence: Fence | None) -> Stores: ...
