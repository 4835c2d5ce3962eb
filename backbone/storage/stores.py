"""The stores on SQL: each verb of interfaces.py as one transaction of the functions in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Connection

from backbone.storage import accounts, gifts, history, inventory, limits, notebook, people, regions, transits, worn
from backbone.storage.database import Transactions, Work
from backbone.storage.interfaces import LoginFacts, Place, Row
from backbone.storage.limits import Limits
from backbone.storage.regions import Claimed, Fence, Renewal
from protocol.wellknown import AssetType

T = TypeVar("T")
GIFTS_KEPT = 90 * 86400  # seconds in which a gift can be answered
ACTIVE_GESTURE = 0x1  # bit of an inventory item's flags


class SqlStores:
    """See interfaces.Stores."""

    def __init__(self, db: Transactions) -> None:
        self._db = db
        self.sessions = SqlSessions(db)
        self.people = SqlPeople(db)
        self.friends = SqlFriends(db)
        self.messages = SqlMessages(db)
        self.notebook = SqlNotebook(db)
        self.inventory = SqlInventory(db)
        self.transits = SqlTransits(db)
        self.regions = SqlRegions(db)

    def under(self, fence: Fence | None) -> SqlStores:
        return self if fence is None else SqlStores(_Fenced(self._db, fence))


class _Fenced:
    """Transactions of one region's claim: a write first makes sure that the claim is still the current one."""

    def __init__(self, db: Transactions, fence: Fence) -> None:
        self._db, self._fence = db, fence
        self.read, self.read_large = db.read, db.read_large

    def write(self, work: Work[T]) -> T:
        def held(conn: Connection) -> T:
            regions.hold(conn, self._fence)
            return work(conn)

        return self._db.write(held)


class _Store:
    def __init__(self, db: Transactions) -> None:
        self._db = db


class SqlSessions(_Store):
    def begin(self, session: Row) -> None:
        def work(conn: Connection) -> None:
            people.begin_session(conn, session)
            accounts.visited(conn, session["agent_id"], session["started"])

        self._db.write(work)

    def arrive(self, agent_id: str, session_id: str, since: int, place: Place) -> bool:
        def work(conn: Connection) -> bool:
            current = people.arrive(conn, agent_id, session_id, place.region_id, since)
            if current:
                accounts.set_place(conn, agent_id, "last", *place)
            return current

        return self._db.write(work)

    def leave(self, agent_id: str, session_id: str, place: Place, now: int) -> bool:
        def work(conn: Connection) -> bool:
            current = people.end_session(conn, agent_id, session_id)
            if current:
                accounts.set_place(conn, agent_id, "last", *place)
                accounts.visited(conn, agent_id, now)
            return current

        return self._db.write(work)

    def end(self, ended: Iterable[tuple[str, str]]) -> None:
        def work(conn: Connection) -> None:
            for agent_id, session_id in ended:
                people.end_session(conn, agent_id, session_id)

        self._db.write(work)

    def each(self, take: Callable[[Row], None]) -> None:
        self._db.read(lambda conn: people.each_session(conn, take))


class SqlPeople(_Store):
    def create(self, first: str, last: str, verifier: str, created: int, guest: bool) -> Row:
        return self._db.write(lambda conn: accounts.create(conn, first, last, verifier, created, guest))

    def by_id(self, agent_id: str) -> Row | None:
        return self._db.read(lambda conn: accounts.by_id(conn, agent_id))

    def by_ids(self, agent_ids: Iterable[str]) -> list[Row]:
        return self._db.read(lambda conn: accounts.by_ids(conn, agent_ids))

    def by_name(self, name: str) -> Row | None:
        return self._db.read(lambda conn: accounts.by_name(conn, name))

    def search(self, text: str, most: int) -> list[Row]:
        return self._db.read_large(lambda conn: accounts.search(conn, text, most))

    def eldest(self) -> Row | None:
        return self._db.read(accounts.eldest)

    def count(self) -> int:
        return self._db.read(accounts.count)

    def credentials(self, first: str, last: str) -> Row | None:
        return self._db.read(lambda conn: accounts.credentials(conn, first, last))

    def verifier_of(self, agent_id: str) -> str | None:
        return self._db.read(lambda conn: accounts.verifier_of(conn, agent_id))

    def set_verifier(self, agent_id: str, verifier: str) -> bool:
        return self._db.write(lambda conn: accounts.set_verifier(conn, agent_id, verifier))

    def visibility(self, agent_id: str) -> str | None:
        return self._db.read(lambda conn: accounts.visibility(conn, agent_id))

    def set_visibility(self, agent_id: str, visibility: str) -> bool:
        return self._db.write(lambda conn: accounts.set_visibility(conn, agent_id, visibility))

    def profile(self, agent_id: str) -> Row:
        return self._db.read(lambda conn: accounts.profile(conn, agent_id))

    def change_profile(self, agent_id: str, changes: Row) -> Row:
        return self._db.write(lambda conn: accounts.set_profile(conn, agent_id, changes))

    def place(self, agent_id: str, kind: str) -> Row | None:
        return self._db.read(lambda conn: accounts.place(conn, agent_id, kind))

    def set_place(self, agent_id: str, kind: str, place: Place) -> None:
        self._db.write(lambda conn: accounts.set_place(conn, agent_id, kind, *place))

    def at_login(self, agent_id: str, compose: Callable[[LoginFacts], T]) -> T:
        def work(conn: Connection) -> T:
            gestures = inventory.items_of_type(conn, agent_id, int(AssetType.GESTURE))
            return compose(
                LoginFacts(
                    skeleton=inventory.skeleton(conn, agent_id),
                    library=inventory.skeleton(conn, inventory.LIBRARY),
                    gestures=[item for item in gestures if item["flags"] & ACTIVE_GESTURE],
                    friends=people.friends_of(conn, agent_id),
                    home=accounts.place(conn, agent_id, "home"),
                )
            )

        return self._db.read_large(work)

    def old_guests(self, seen_before: int, most: int) -> list[str]:
        return self._db.read_large(lambda conn: accounts.old_guests(conn, seen_before, most))

    def remove_guest(self, agent_id: str, seen_before: int) -> bool:
        return self._db.write(lambda conn: accounts.remove_guest(conn, agent_id, seen_before))


class SqlFriends(_Store):
    def offer(self, from_agent: str, to_agent: str, now: int) -> bool:
        return self._db.write(lambda conn: people.offer(conn, from_agent, to_agent, now))

    def withdraw_offer(self, from_agent: str, to_agent: str) -> bool:
        return self._db.write(lambda conn: people.withdraw_offer(conn, from_agent, to_agent))

    def offers_to(self, agent_id: str) -> list[str]:
        return self._db.read(lambda conn: people.offers_to(conn, agent_id))

    def befriend(self, agent_id: str, offerer: str) -> str:
        return self._db.write(lambda conn: people.befriend(conn, agent_id, offerer))

    def unfriend(self, agent_id: str, other: str) -> bool:
        return self._db.write(lambda conn: people.unfriend(conn, agent_id, other))

    def grant(self, agent_id: str, other: str, rights: int) -> int | None:
        return self._db.write(lambda conn: people.grant(conn, agent_id, other, rights))

    def friends_of(self, agent_id: str) -> list[Row]:
        return self._db.read(lambda conn: people.friends_of(conn, agent_id))

    def who_may_see(self, agent_ids: list[str]) -> dict[str, list[str]]:
        return self._db.read(lambda conn: people.who_may_see(conn, agent_ids))


class SqlMessages(_Store):
    def keep(self, message: Row, now: int) -> str:
        return self._db.write(lambda conn: people.keep_message(conn, message, now))

    def fate_of(self, message_id: str) -> str | None:
        return self._db.read(lambda conn: people.fate_of(conn, message_id))

    def waiting(self, agent_id: str) -> list[Row]:
        return self._db.read(lambda conn: people.waiting_messages(conn, agent_id))

    def forget(self, agent_id: str, message_ids: Iterable[str]) -> int:
        return self._db.write(lambda conn: people.forget_messages(conn, agent_id, message_ids))

    def sweep(self, before: int) -> int:
        return self._db.write(lambda conn: people.sweep_messages(conn, before))


class SqlNotebook(_Store):
    def mutes_of(self, agent_id: str) -> list[Row]:
        return self._db.read_large(lambda conn: notebook.mutes_of(conn, agent_id))

    def mute(self, agent_id: str, entry: Row) -> None:
        self._db.write(lambda conn: notebook.mute(conn, agent_id, entry))

    def unmute(self, agent_id: str, muted_id: str, name: str) -> bool:
        return self._db.write(lambda conn: notebook.unmute(conn, agent_id, muted_id, name))

    def notes_about(self, agent_id: str, about_id: str) -> str:
        return self._db.read(lambda conn: notebook.notes_about(conn, agent_id, about_id))

    def note(self, agent_id: str, about_id: str, text: str) -> None:
        self._db.write(lambda conn: notebook.note(conn, agent_id, about_id, text))

    def picks_of(self, agent_id: str) -> list[Row]:
        return self._db.read(lambda conn: notebook.picks_of(conn, agent_id))

    def pick(self, agent_id: str, pick_id: str) -> Row:
        return self._db.read(lambda conn: notebook.pick(conn, agent_id, pick_id))

    def put_pick(self, agent_id: str, pick_id: str, written: Row) -> Row:
        return self._db.write(lambda conn: notebook.put_pick(conn, agent_id, pick_id, written))

    def delete_pick(self, agent_id: str, pick_id: str) -> bool:
        return self._db.write(lambda conn: notebook.delete_pick(conn, agent_id, pick_id))


class SqlInventory(_Store):
    """Reads go to a thread: they grow with a person's inventory."""

    def skeleton(self, owner: str) -> Row:
        return self._db.read_large(lambda conn: inventory.skeleton(conn, owner))

    def folder(self, owner: str, folder_id: str) -> Row:
        return self._db.read_large(lambda conn: inventory.folder(conn, owner, folder_id))

    def item(self, owner: str, item_id: str) -> Row:
        return self._db.read_large(lambda conn: inventory.item(conn, owner, item_id))

    def fetch_folders(self, owner: str, requests: list[Row]) -> Row:
        return self._db.read_large(lambda conn: inventory.fetch_folders(conn, owner, requests))

    def fetch_items(self, owner: str, item_ids: Iterable[str]) -> list[Row]:
        return self._db.read_large(lambda conn: inventory.fetch_items(conn, owner, item_ids))

    def create_folder(self, owner: str, new: Row) -> tuple[Row, bool]:
        wanted = (new["folder_id"], new["parent_id"], new["name"], new.get("type", -1))
        return self._db.write(lambda conn: inventory.create_folder(conn, owner, *wanted))

    def update_folder(self, owner: str, folder_id: str, changes: Row) -> Row:
        return self._db.write(lambda conn: inventory.update_folder(conn, owner, folder_id, changes))

    def delete_folder(self, owner: str, folder_id: str) -> None:
        self._db.write(lambda conn: inventory.delete_folder(conn, owner, folder_id))

    def purge_folder(self, owner: str, folder_id: str) -> Row:
        return self._db.write(lambda conn: inventory.purge_folder(conn, owner, folder_id))

    def create_item(self, owner: str, new: Row, now: int) -> tuple[Row, bool]:
        return self._db.write(lambda conn: inventory.create_item(conn, owner, new, now))

    def update_item(self, owner: str, item_id: str, changes: Row) -> Row:
        return self._db.write(lambda conn: inventory.update_item(conn, owner, item_id, changes))

    def delete_item(self, owner: str, item_id: str) -> None:
        self._db.write(lambda conn: inventory.delete_item(conn, owner, item_id))

    def change_items(self, owner: str, changes: list[Row], removed: list[str], folders: list[Row] | None = None) -> Row:
        return self._db.write(lambda conn: inventory.change_items(conn, owner, changes, removed, folders or []))

    def copy_item(
        self, owner: str, item_id: str, new_folder_id: str, new_name: str, new_id: str | None, now: int
    ) -> tuple[Row, bool]:
        wanted = (item_id, new_folder_id, new_name, new_id, now)
        return self._db.write(lambda conn: inventory.copy_item(conn, owner, *wanted))

    def give(self, giver: str, wanted: Row, now: int) -> Row:
        return self._db.write(lambda conn: gifts.give(conn, giver, wanted, now))

    def answer_gift(self, receiver: str, gift_id: str, accepted: bool, folder_id: str | None, now: int) -> Row:
        return self._db.write(lambda conn: gifts.answer(conn, receiver, gift_id, accepted, folder_id, now))

    def gifts_to(self, receiver: str) -> list[Row]:
        return self._db.read_large(lambda conn: gifts.waiting(conn, receiver))

    def history(self, owner: str, since: float, most: int) -> Row:
        return self._db.read_large(lambda conn: history.changes(conn, owner, since, most))

    def trash(self, owner: str) -> Row:
        return self._db.read_large(lambda conn: history.trash(conn, owner))

    def restore(self, owner: str, to: float, dry_run: bool) -> Row:
        def work(conn: Connection) -> Row:
            return history.restore(conn, owner, to, dry_run)

        return self._db.read_large(work) if dry_run else self._db.write(work)

    def set_limits(self, wished: Limits) -> None:
        self._db.write(lambda conn: limits.set_limits(conn, wished))

    def sweep(self, now: float) -> int:
        def work(conn: Connection) -> int:
            return history.sweep(conn, now) + gifts.sweep(conn, int(now) - GIFTS_KEPT)

        return self._db.write(work)

    def worn_by(self, owner: str) -> list[Row]:
        return self._db.read(lambda conn: worn.worn_by(conn, owner))

    def put_on(self, owner: str, item_id: str, point: int, now: float) -> Row:
        return self._db.write(lambda conn: worn.put_on(conn, owner, item_id, point, now))

    def take_off(self, owner: str, item_id: str) -> None:
        self._db.write(lambda conn: worn.take_off(conn, owner, item_id))


class SqlTransits(_Store):
    def put_in(self, transit_id: str, region_id: str, owner: str, item: Row, now: int) -> tuple[Row, bool]:
        return self._db.write(lambda conn: transits.put_in(conn, transit_id, region_id, owner, item, now))

    def change(self, transit_id: str, region_id: str, owner: str, item_id: str, changes: Row, now: int) -> tuple[Row, bool]:
        return self._db.write(lambda conn: transits.change(conn, transit_id, region_id, owner, item_id, changes, now))

    def hold(self, transit_id: str, region_id: str, owner: str, item_id: str, now: int) -> tuple[Row, bool]:
        return self._db.write(lambda conn: transits.hold(conn, transit_id, region_id, owner, item_id, now))

    def release(self, transit_id: str) -> Row:
        return self._db.write(lambda conn: transits.release(conn, transit_id))

    def void(self, transit_id: str, region_id: str, now: int) -> Row:
        return self._db.write(lambda conn: transits.void(conn, transit_id, region_id, now))

    def open_moves(self, region_id: str | None) -> list[Row]:
        return self._db.read_large(lambda conn: transits.open_moves(conn, region_id))

    def state_of(self, transit_id: str) -> Row | None:
        return self._db.read(lambda conn: transits.state_of(conn, transit_id))

    def close(self, region_id: str, transit_ids: Iterable[str], now: int) -> None:
        self._db.write(lambda conn: transits.close(conn, region_id, transit_ids, now))

    def sweep(self, before: int) -> int:
        return self._db.write(lambda conn: transits.sweep(conn, before))


class SqlRegions(_Store):
    def all(self) -> list[Row]:
        return self._db.read(regions.all_regions)

    def claim(
        self, wanted: Row, held_by: str, lease_seconds: float, renewals: list[Renewal], grace_seconds: float = 0.0
    ) -> Claimed:
        def work(conn: Connection) -> Claimed:
            regions.renew(conn, renewals)
            return regions.claim(conn, wanted, held_by, lease_seconds, grace_seconds)

        return self._db.write(work)

    def renew(self, renewals: list[Renewal]) -> None:
        self._db.write(lambda conn: regions.renew(conn, renewals))

    def release(self, region_id: str, epoch: int) -> bool:
        return self._db.write(lambda conn: regions.release(conn, region_id, epoch))

    def give(self, region_id: str, owner_id: str | None) -> bool:
        return self._db.write(lambda conn: regions.give(conn, region_id, owner_id))


def open_stores(db: Transactions, now: int) -> SqlStores:
    """The stores of a database, with the library in it that everybody sees."""

    def furnish(conn: Connection) -> None:
        inventory.ensure_library(conn, now)
        history.begin(conn, now)

    db.write(furnish)
    return SqlStores(db)



