"""Gifts, the history of inventories and the way back: the contract of the storage, and the same over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from backbone.errors import Conflict, Forbidden, NotFound
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.interfaces import Stores
from backbone.storage.limits import Limits
from backbone.storage.stores import open_stores
from backbone.storage.tables import inventory_changes
from protocol.wellknown import NULL, AssetType, Folder, Permission
from tests.backbone.kit import new_database
from tests.backbone.test_stores import ENGINES, NOW, folder_of, fresh, new_item, person, version

NO_COPY = int(Permission.ALL & ~Permission.COPY)
NO_TRANSFER = int(Permission.ALL & ~Permission.TRANSFER)
Row = dict[str, Any]


@pytest.fixture(scope="module", params=ENGINES)
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    url = new_database() if request.param == "postgresql" else sqlite_url(tmp_path_factory.mktemp("gifts"))
    assert url is not None
    engine = open_engine(url)
    yield open_stores(Direct(engine), NOW)
    engine.dispose()


def made(stores: Stores, owner: str, parent: str | None = None, **more: Any) -> Row:
    parent = parent or folder_of(stores, owner, Folder.OBJECTS)
    return stores.inventory.create_item(owner, new_item(parent, **more), NOW)[0]


def boxes(stores: Stores, owner: str, name: str = "Boxes", parent: str | None = None) -> str:
    folder_id = fresh()
    parent = parent or folder_of(stores, owner, Folder.ROOT)
    stores.inventory.create_folder(owner, {"folder_id": folder_id, "parent_id": parent, "name": name})
    return folder_id


def give(stores: Stores, giver: str, to: str, gift_id: str | None = None, **what: Any) -> Row:
    return stores.inventory.give(giver, {"gift_id": gift_id or fresh(), "to_agent_id": to, **what}, NOW)


def everything(stores: Stores, owner: str) -> list[Row]:
    asked = [{"folder_id": row["folder_id"]} for row in stores.inventory.skeleton(owner)["folders"]]
    return [item for folder in stores.inventory.fetch_folders(owner, asked)["folders"] for item in folder["items"]]


def named(stores: Stores, owner: str, name: str) -> list[Row]:
    return [item for item in everything(stores, owner) if item["name"] == name]


def now_of(stores: Stores, owner: str) -> float:
    """The moment of the owner's last change."""
    return float(stores.inventory.history(owner, 0.0, 1)["changes"][0]["at"])


def after(moment: float) -> None:
    """Wait until the database's clock has gone on: two changes of one millisecond are of one moment."""
    while time.time() <= moment + 0.002:
        pass


# giving ----------------------------------------------------------------------------------------------


def test_a_copy_is_given_of_what_may_be_copied_and_the_thing_itself_of_what_may_not(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    free, single = made(stores, ann, group_id=fresh()), made(stores, ann, owner_mask=NO_COPY, next_owner_mask=int(Permission.TRANSFER))
    theirs = folder_of(stores, ben, Folder.OBJECTS)
    before = version(stores, ann, free["parent_id"]), version(stores, ben, theirs)
    gift = give(stores, ann, ben, item_id=free["item_id"])
    copy = stores.inventory.item(ben, gift["thing_id"])
    assert gift["moved"] == [] and stores.inventory.item(ann, free["item_id"]) == free
    assert (copy["owner_id"], copy["last_owner_id"], copy["parent_id"], copy["group_id"]) == (ben, ann, theirs, str(NULL))
    gift_id = fresh()
    gifts = [give(stores, ann, ben, gift_id, item_id=single["item_id"]) for _ in range(3)]
    assert gifts[0] == gifts[1] == gifts[2]  # asked again, given once
    assert gifts[0]["moved"] == [single["item_id"]]
    moved = stores.inventory.item(ben, gifts[0]["thing_id"])
    assert moved["owner_mask"] == moved["base_mask"] == Permission.TRANSFER and moved["asset_id"] == single["asset_id"]
    with pytest.raises(NotFound):
        stores.inventory.item(ann, single["item_id"])
    assert len(named(stores, ben, "Thing")) == 2
    assert (version(stores, ann, free["parent_id"]), version(stores, ben, theirs)) == (before[0] + 1, before[1] + 2)


def test_what_may_not_be_given_stays_with_words(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    kept = made(stores, ann, name="Keepsake", owner_mask=NO_TRANSFER)
    link = made(stores, ann, type=int(AssetType.LINK))
    with pytest.raises(Forbidden, match="Keepsake"):
        give(stores, ann, ben, item_id=kept["item_id"])
    for refused in ({"item_id": link["item_id"]}, {"folder_id": folder_of(stores, ann, Folder.ROOT)}):
        with pytest.raises(Forbidden):
            give(stores, ann, ben, **refused)
    with pytest.raises(Forbidden):
        give(stores, ann, ann, item_id=kept["item_id"])
    with pytest.raises(NotFound):
        give(stores, ann, fresh(), item_id=made(stores, ann)["item_id"])
    with pytest.raises(NotFound):  # somebody else's
        give(stores, ben, ann, item_id=kept["item_id"])


def test_a_gift_id_is_one_gift(stores: Stores) -> None:
    ann, ben, cleo = person(stores), person(stores), person(stores)
    first, other = made(stores, ann), made(stores, cleo)
    gift = give(stores, ann, ben, item_id=first["item_id"])
    for giver, to, what in ((cleo, ben, other), (ann, cleo, first), (ann, ben, made(stores, ann))):
        with pytest.raises(Conflict):
            give(stores, giver, to, gift["gift_id"], item_id=what["item_id"])


def test_a_folder_goes_with_all_it_holds_or_not_at_all(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    top = boxes(stores, ann)
    inner = boxes(stores, ann, "Inner", top)
    made(stores, ann, top, name="Free")
    made(stores, ann, inner, name="Single", owner_mask=NO_COPY)
    made(stores, ann, inner, name="A link", type=int(AssetType.LINK))
    kept = made(stores, ann, inner, name="Keepsake", owner_mask=NO_TRANSFER)
    with pytest.raises(Forbidden, match="Keepsake"):
        give(stores, ann, ben, folder_id=top)
    assert named(stores, ben, "Free") == [] and len(named(stores, ann, "Single")) == 1
    stores.inventory.delete_item(ann, kept["item_id"])
    gift = give(stores, ann, ben, folder_id=top)
    assert (gift["kind"], gift["name"], gift["count"], len(gift["moved"])) == (AssetType.FOLDER, "Boxes", 2, 1)
    tree = {row["name"]: row for row in stores.inventory.skeleton(ben)["folders"]}
    assert tree["Boxes"]["folder_id"] == gift["thing_id"]
    assert tree["Boxes"]["parent_id"] == stores.inventory.skeleton(ben)["root"]
    assert tree["Inner"]["parent_id"] == gift["thing_id"]
    (free,), (single,) = named(stores, ben, "Free"), named(stores, ben, "Single")
    assert (free["parent_id"], single["parent_id"]) == (gift["thing_id"], tree["Inner"]["folder_id"])
    assert len(named(stores, ann, "Free")) == 1 and named(stores, ann, "Single") == named(stores, ben, "A link") == []


def test_a_folder_that_is_too_large_is_given_in_parts(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.storage.gifts.MOST_THINGS", 3)
    ann, ben = person(stores), person(stores)
    top = boxes(stores, ann)
    for _ in range(2):
        made(stores, ann, top)
    give(stores, ann, ben, folder_id=top)
    made(stores, ann, top)
    with pytest.raises(Forbidden, match="at most 3"):
        give(stores, ann, ben, folder_id=top)


def test_an_object_gives_what_is_in_it_once(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    things = [{**new_item(str(NULL), name=name), "item_id": fresh(), "owner_mask": NO_COPY} for name in ("Hat", "Coat")]
    gift_id = fresh()
    for _ in range(2):
        gift = give(stores, ann, ben, gift_id, things={"name": "Clothes", "items": things})
    assert (gift["kind"], gift["count"], gift["moved"]) == (AssetType.FOLDER, 2, [])
    assert {item["parent_id"] for item in everything(stores, ben) if item["name"] in ("Hat", "Coat")} == {gift["thing_id"]}
    assert len(named(stores, ben, "Hat")) == 1 and named(stores, ben, "Hat")[0]["owner_id"] == ben
    single = give(stores, ann, ann, things={"name": None, "items": things[:1]})  # an object may give to its owner
    assert stores.inventory.item(ann, single["thing_id"])["parent_id"] == folder_of(stores, ann, Folder.OBJECTS)
    for wrong in ({"name": None, "items": things}, {"name": "Twice", "items": [things[0], things[0]]}):
        with pytest.raises((Forbidden, Conflict)):
            give(stores, ann, ben, things=wrong)


# the answer ------------------------------------------------------------------------------------------


def test_an_accepted_gift_goes_where_it_is_wanted(stores: Stores) -> None:
    ann, ben, cleo = person(stores), person(stores), person(stores)
    gift = give(stores, ann, ben, item_id=made(stores, ann)["item_id"])
    here = boxes(stores, ben)
    assert [one["gift_id"] for one in stores.inventory.gifts_to(ben)] == [gift["gift_id"]]
    for stranger in (ann, cleo):
        with pytest.raises(NotFound):
            stores.inventory.answer_gift(stranger, gift["gift_id"], True, None, NOW)
    for _ in range(2):
        answered = stores.inventory.answer_gift(ben, gift["gift_id"], True, here, NOW)
        assert answered["state"] == "accepted"
    assert stores.inventory.item(ben, gift["thing_id"])["parent_id"] == here
    assert stores.inventory.gifts_to(ben) == []
    with pytest.raises(Conflict):
        stores.inventory.answer_gift(ben, gift["gift_id"], False, None, NOW)
    elsewhere = give(stores, ann, ben, item_id=made(stores, ann)["item_id"])
    stores.inventory.answer_gift(ben, elsewhere["gift_id"], True, folder_of(stores, ann, Folder.ROOT), NOW)  # not a folder of ben's
    assert stores.inventory.item(ben, elsewhere["thing_id"])["parent_id"] == folder_of(stores, ben, Folder.OBJECTS)


def test_a_declined_copy_is_trash_and_a_declined_single_thing_is_its_givers_again(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    copied = give(stores, ann, ben, item_id=made(stores, ann)["item_id"])
    stores.inventory.answer_gift(ben, copied["gift_id"], False, None, NOW)
    assert stores.inventory.item(ben, copied["thing_id"])["parent_id"] == folder_of(stores, ben, Folder.TRASH)
    single = made(stores, ann, name="Single", owner_mask=NO_COPY, next_owner_mask=int(Permission.TRANSFER))
    gift = give(stores, ann, ben, item_id=single["item_id"])
    for _ in range(2):
        answered = stores.inventory.answer_gift(ben, gift["gift_id"], False, None, NOW)
        assert answered["returned"] == [single["item_id"]]
    assert stores.inventory.item(ann, single["item_id"]) == single  # as it was, permissions and all
    assert named(stores, ben, "Single") == []


def test_what_was_changed_or_passed_on_does_not_come_back(stores: Stores) -> None:
    ann, ben, cleo = person(stores), person(stores), person(stores)
    for meanwhile in ("saved", "passed on"):
        single = made(stores, ann, name=meanwhile, owner_mask=NO_COPY)
        gift = give(stores, ann, ben, item_id=single["item_id"])
        if meanwhile == "saved":
            stores.inventory.update_item(ben, gift["thing_id"], {"asset_id": fresh()})
        else:
            give(stores, ben, cleo, item_id=gift["thing_id"])
        assert stores.inventory.answer_gift(ben, gift["gift_id"], False, None, NOW)["returned"] == []
        held = [len(named(stores, one, meanwhile)) for one in (ann, ben, cleo)]
        assert held == ([0, 1, 0] if meanwhile == "saved" else [0, 0, 1])


def test_old_gifts_are_forgotten_and_stay_where_they_lie(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    gift = give(stores, ann, ben, item_id=made(stores, ann)["item_id"])
    stores.inventory.sweep(NOW + 91 * 86400)
    assert stores.inventory.gifts_to(ben) == []
    assert stores.inventory.item(ben, gift["thing_id"])


# history and the way back ----------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stores]:
    """A database whose history begins now."""
    engine = open_engine(sqlite_url(tmp_path))
    yield open_stores(Direct(engine), NOW)
    engine.dispose()


def test_what_became_of_things_is_told_newest_first(own: Stores) -> None:
    ann = person(own)
    item = made(own, ann, name="Chair")
    own.inventory.update_item(ann, item["item_id"], {"name": "Stool", "parent_id": folder_of(own, ann, Folder.TRASH)})
    own.inventory.purge_folder(ann, folder_of(own, ann, Folder.TRASH))
    told = own.inventory.history(ann, 0.0, 100)["changes"]
    assert [(one["what"], one["name"], one["was_called"]) for one in told] == [
        ("removed", "Stool", "Stool"), ("changed", "Stool", "Chair"), ("made", "Chair", "Chair"),
    ]  # fmt: skip
    assert (told[1]["was_in"], told[1]["where"], told[1]["members"]) == ("Objects", "Trash", ["name", "parent_id"])
    assert own.inventory.history(ann, told[0]["at"] + 1, 100)["changes"] == []
    assert len(own.inventory.history(ann, 0.0, 1)["changes"]) == 1


def test_the_trash_says_what_is_in_it(own: Stores) -> None:
    ann = person(own)
    chair, box = made(own, ann, name="Chair"), boxes(own, ann)
    made(own, ann, box)
    bin_id = folder_of(own, ann, Folder.TRASH)
    own.inventory.update_item(ann, chair["item_id"], {"parent_id": bin_id})
    own.inventory.update_folder(ann, box, {"parent_id": bin_id})
    made(own, ann, bin_id, name="Deleted in the world")
    told = {thing["name"]: thing for thing in own.inventory.trash(ann)["things"]}
    assert {name: (thing["kind"], thing["was_in"], thing["holds"]) for name, thing in told.items()} == {
        "Chair": ("item", "Objects", 0), "Boxes": ("folder", "/", 1), "Deleted in the world": ("item", None, 0),
    }  # fmt: skip
    assert all(thing["since"] for thing in told.values())


def test_an_inventory_goes_back_to_a_moment(own: Stores) -> None:
    ann = person(own)
    box, inner = boxes(own, ann), fresh()
    own.inventory.create_folder(ann, {"folder_id": inner, "parent_id": box, "name": "Inner"})
    purged, renamed, deep = made(own, ann, box, name="Purged"), made(own, ann, name="Renamed"), made(own, ann, inner, name="Deep")
    single = made(own, ann, name="Single", owner_mask=NO_COPY)
    before = {one["item_id"]: one for one in everything(own, ann)}
    moment = now_of(own, ann)
    after(moment)
    own.inventory.update_item(ann, renamed["item_id"], {"name": "Nonsense", "asset_id": fresh()})
    own.inventory.update_item(ann, single["item_id"], {"name": "Nonsense", "asset_id": fresh()})
    own.inventory.change_items(ann, [{"item_id": purged["item_id"], "parent_id": folder_of(own, ann, Folder.TRASH)}], [])
    own.inventory.update_folder(ann, box, {"parent_id": folder_of(own, ann, Folder.TRASH)})
    own.inventory.purge_folder(ann, folder_of(own, ann, Folder.TRASH))
    new = made(own, ann, name="New")
    would = own.inventory.restore(ann, moment, True)
    assert (would["back_count"], would["changed_count"], would["elsewhere_count"], would["came_since"]) == (4, 2, 0, 1)
    assert {one["name"] for one in would["back"]} == {"Boxes", "Inner", "Purged", "Deep"}
    with pytest.raises(NotFound):
        own.inventory.folder(ann, box)  # a dry run
    second = now_of(own, ann)
    after(second)
    assert {**own.inventory.restore(ann, moment, False), "dry_run": True} == would
    back = {one["item_id"]: one for one in everything(own, ann)}
    # What a thing that cannot be copied holds stays: something may have been taken out of it.
    was = {**before, single["item_id"]: {**before[single["item_id"]], "asset_id": back[single["item_id"]]["asset_id"]}}
    assert back == {**was, new["item_id"]: new}
    assert own.inventory.folder(ann, inner)["parent_id"] == box and deep["item_id"] in back
    assert own.inventory.restore(ann, moment, False)["back_count"] == 0  # again: nothing to do
    own.inventory.restore(ann, second, False)  # and the way back is a change like any other
    assert named(own, ann, "Nonsense") and len(named(own, ann, "New")) == 1


def test_a_thing_there_is_one_of_is_not_doubled(own: Stores) -> None:
    ann, ben = person(own), person(own)
    given, rezzed, thrown, sure = (
        made(own, ann, name=name, owner_mask=NO_COPY) for name in ("Given", "Rezzed", "Thrown", "Returned")
    )
    bin_id = folder_of(own, ann, Folder.TRASH)
    moment = now_of(own, ann)
    after(moment)
    give(own, ann, ben, item_id=given["item_id"])
    own.inventory.delete_item(ann, rezzed["item_id"])  # from where it lay: into the world, or into an object
    own.inventory.update_item(ann, thrown["item_id"], {"parent_id": bin_id})
    own.inventory.change_items(ann, [], [thrown["item_id"]])
    gift = give(own, ann, ben, item_id=sure["item_id"])
    own.inventory.answer_gift(ben, gift["gift_id"], False, None, NOW)
    report = own.inventory.restore(ann, moment, False)
    assert {one["name"] for one in report["elsewhere"]} == {"Given", "Rezzed"}
    assert [len(named(own, ann, name)) for name in ("Given", "Rezzed", "Thrown", "Returned")] == [0, 0, 1, 1]
    assert [len(named(own, ben, name)) for name in ("Given", "Returned")] == [1, 0]
    everywhere = named(own, ann, "Thrown")[0]
    assert everywhere["parent_id"] == thrown["parent_id"]


def test_history_is_bounded_by_days_and_rows_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    db = Direct(engine)
    stores = open_stores(db, NOW)
    ann = person(stores)
    item = made(stores, ann)
    with pytest.raises(Conflict, match="begins"):
        stores.inventory.restore(ann, NOW - 10.0, True)
    monkeypatch.setattr("backbone.storage.limits.ROWS_A_DAY", 3)
    monkeypatch.setattr("backbone.storage.history.PRUNE_EVERY", 1)
    stores.inventory.set_limits(Limits(days=2))
    for number in range(10):
        stores.inventory.update_item(ann, item["item_id"], {"name": f"Name {number}"})
    known = stores.inventory.history(ann, 0.0, 100)
    assert [one["name"] for one in known["changes"]] == [f"Name {number}" for number in range(9, 3, -1)]
    oldest = known["changes"][-1]["at"]
    assert known["begins"] == oldest
    with pytest.raises(Conflict):
        stores.inventory.restore(ann, oldest - 1, True)
    db.write(lambda conn: conn.execute(inventory_changes.update().values(at=NOW)))
    assert stores.inventory.sweep(NOW + 3 * 86400) == 6
    assert stores.inventory.history(ann, 0.0, 100) == {"begins": NOW + 86400.0, "changes": []}
    engine.dispose()


def test_an_inventory_has_an_end(own: Stores) -> None:
    ann, ben = person(own), person(own)
    held = len(everything(own, ann)) + len(own.inventory.skeleton(ann)["folders"])
    own.inventory.set_limits(Limits(things=held + 2))
    item = made(own, ann)
    box = boxes(own, ann)
    made(own, ben)
    made(own, ben)
    for more in (
        lambda: made(own, ann),
        lambda: boxes(own, ann),
        lambda: own.inventory.copy_item(ann, item["item_id"], box, "", None, NOW),
        lambda: give(own, ann, ben, item_id=item["item_id"]),
        lambda: give(own, ann, ben, folder_id=box),
        lambda: give(own, ann, ben, things={"name": None, "items": [{**new_item(str(NULL)), "item_id": fresh()}]}),
    ):
        with pytest.raises(Forbidden, match="do not fit"):
            more()
    own.inventory.delete_item(ann, item["item_id"])
    made(own, ann)


# over HTTP -------------------------------------------------------------------------------------------


async def user(backbone: BackboneClient) -> tuple[str, dict[int, str]]:
    agent_id = (await backbone.create_user(f"U{uuid4().hex[:12]}", "Tester", "a password"))["agent_id"]
    tree = await backbone.get_inventory_skeleton(agent_id)
    return agent_id, {folder["type"]: folder["folder_id"] for folder in tree["folders"]}


async def test_gifts_history_and_restore_over_http(backbone: BackboneClient) -> None:
    (ann, folders), (ben, _) = await user(backbone), await user(backbone)
    item = await backbone.create_item(ann, new_item(folders[Folder.OBJECTS], owner_mask=NO_COPY))
    gift_id = uuid4()
    first, again = [await backbone.give(ann, gift_id, ben, item_id=item["item_id"]) for _ in range(2)]
    assert first == again and first["moved"] == [item["item_id"]]
    assert [one["gift_id"] for one in await backbone.get_gifts(ben)] == [str(gift_id)]
    answered = await backbone.answer_gift(ben, gift_id, False)
    assert answered["returned"] == [item["item_id"]]
    assert await backbone.fetch_items(ann, [item["item_id"]]) == [item]
    kept = await backbone.create_item(ann, new_item(folders[Folder.OBJECTS], name="Keepsake", owner_mask=NO_TRANSFER))
    with pytest.raises(BackboneError, match="Keepsake") as refused:
        await backbone.give(ann, uuid4(), ben, item_id=kept["item_id"])
    assert refused.value.status == 403
    out_of_object = {"name": "Clothes", "items": [{**new_item(str(NULL)), "item_id": fresh()}]}
    assert (await backbone.give(ann, uuid4(), ben, things=out_of_object))["kind"] == AssetType.FOLDER
    wrong: dict[str, Any]
    for wrong in ({}, {"item_id": fresh(), "folder_id": fresh()}, {"things": {"name": None, "items": []}}, {"what": 1}):
        with pytest.raises(BackboneError) as bad:
            await backbone.give(ann, uuid4(), ben, **wrong)
        assert bad.value.status == 400
    known = await backbone.get_inventory_history(ann)
    moment = known["changes"][0]["at"]
    after(moment)
    await backbone.update_item(ann, kept["item_id"], parent_id=folders[Folder.TRASH])
    assert [thing["was_in"] for thing in await backbone.get_trash(ann)] == ["Objects"]
    assert (await backbone.restore_inventory(ann, moment, dry_run=True))["changed_count"] == 1
    assert (await backbone.restore_inventory(ann, moment))["changed"][0]["name"] == "Keepsake"
    assert await backbone.get_trash(ann) == []
    assert (await backbone.fetch_items(ann, [kept["item_id"]]))[0]["parent_id"] == folders[Folder.OBJECTS]
    with pytest.raises(BackboneError) as early:
        await backbone.restore_inventory(ann, 1.0)
    assert early.value.status == 409
    with pytest.raises(BackboneError) as nobody:
        await backbone.get_inventory_history(uuid4())
    assert nobody.value.status == 404
