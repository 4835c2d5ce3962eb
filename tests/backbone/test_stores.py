"""The contract of the storage interfaces (backbone/storage/interfaces.py): what every engine behind them must do.

Run on SQLite, and on PostgreSQL where BACKBONE_TEST_POSTGRES names a server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backbone.errors import Conflict, Forbidden, NotFound, TooMany
from backbone.storage import notebook
from backbone.storage.accounts import NameTaken
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.interfaces import Place, Stores
from backbone.storage.inventory import LIBRARY
from backbone.storage.people import MAX_OFFERS, MAX_WAITING, MAX_WAITING_OF_ONE
from backbone.storage.regions import Fence, Held, OldEpoch, Renewal
from backbone.storage.stores import open_stores
from protocol.wellknown import NULL, AssetType, Folder, InventoryType, Permission
from tests.backbone.kit import message, new_database

NOW = 1_700_000_000
ENGINES = ["sqlite"] + (["postgresql"] if os.environ.get("BACKBONE_TEST_POSTGRES") else [])


@pytest.fixture(scope="module", params=ENGINES)
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    url = new_database() if request.param == "postgresql" else sqlite_url(tmp_path_factory.mktemp("stores"))
    assert url is not None
    engine = open_engine(url)
    yield open_stores(Direct(engine), NOW)
    engine.dispose()


def fresh() -> str:
    return str(uuid4())


def person(stores: Stores, first: str | None = None, guest: bool = False, created: int = NOW) -> str:
    name = first or f"P{uuid4().hex[:12]}"
    return str(stores.people.create(name, "Tester", "a verifier", created, guest)["agent_id"])


def place(region_id: str | None = None, x: float = 1.0) -> Place:
    return Place(region_id or fresh(), [x, 2.0, 3.0], [1.0, 0.0, 0.0])


def session(agent_id: str, started: int = NOW) -> dict[str, Any]:
    return {
        "agent_id": agent_id,
        "session_id": fresh(),
        "secure_session_id": fresh(),
        "circuit_code": 7,
        "started": started,
        "region_id": None,
    }


def sessions_of(stores: Stores, agent_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    stores.sessions.each(found.append)
    return [row for row in found if row["agent_id"] == agent_id]


def wanted(**more: Any) -> dict[str, Any]:
    square = uuid4().int
    return {
        "region_id": fresh(),
        "name": f"R{uuid4().hex[:12]}",
        "grid_x": square % 16_000_000,
        "grid_y": square // 16_000_000 % 16_000_000,
        "ip": "127.0.0.1",
        "port": 9010,
        "http_url": "http://127.0.0.1:9010",
        "access": "M",
        "water_height": 20.0,
        "map_image_id": str(NULL),
        **more,
    }


# sessions --------------------------------------------------------------------------------------------


def test_a_session_lasts_until_its_own_end(stores: Stores) -> None:
    agent = person(stores, "Sess")
    first, second = session(agent), session(agent)
    stores.sessions.begin(first)
    there = place()
    assert stores.sessions.arrive(agent, first["session_id"], NOW + 1, there)
    (row,) = sessions_of(stores, agent)
    assert (row["region_id"], row["since"], row["name"], row["visibility"]) == (
        there.region_id, NOW + 1, "Sess Tester", "everybody",
    )  # fmt: skip
    assert stores.people.place(agent, "last") == there._asdict()
    stores.sessions.begin(second)
    # The late words of the replaced session change nothing.
    assert not stores.sessions.arrive(agent, first["session_id"], NOW + 2, place(x=9.0))
    assert not stores.sessions.leave(agent, first["session_id"], place(x=9.0), NOW + 2)
    stores.sessions.end([(agent, first["session_id"])])
    assert [row["session_id"] for row in sessions_of(stores, agent)] == [second["session_id"]]
    assert stores.people.place(agent, "last") == there._asdict()
    goodbye = place(x=5.0)
    assert stores.sessions.leave(agent, second["session_id"], goodbye, NOW + 3)
    assert not stores.sessions.leave(agent, second["session_id"], goodbye, NOW + 3)
    assert sessions_of(stores, agent) == []
    assert stores.people.place(agent, "last") == goodbye._asdict()


def test_sessions_end_many_at_once(stores: Stores) -> None:
    agents = [person(stores) for _ in range(3)]
    begun = [session(agent) for agent in agents]
    for one in begun:
        stores.sessions.begin(one)
    stores.sessions.end([(one["agent_id"], one["session_id"]) for one in begun[:2]])
    assert [len(sessions_of(stores, agent)) for agent in agents] == [0, 0, 1]


# people ----------------------------------------------------------------------------------------------


def test_names_are_found_in_every_form_and_taken_once(stores: Stores) -> None:
    made = stores.people.create("José", "Müller", "v", NOW, False)
    for form in ("josé müller", "JOSÉ  MÜLLER", "jose\u0301 mu\u0308ller"):
        assert stores.people.by_name(form) == made
        first, last = form.split()
        found = stores.people.credentials(first, last)
        assert found is not None
        assert (found["agent_id"], found["verifier"], found["visibility"]) == (made["agent_id"], "v", "everybody")
        with pytest.raises(NameTaken):
            stores.people.create(first, last, "w", NOW, False)
    assert stores.people.by_name("jose muller") is None
    assert stores.people.by_id(made["agent_id"]) == made
    assert stores.people.by_ids([fresh(), made["agent_id"], fresh(), made["agent_id"]]) == [made]
    assert stores.people.by_id(fresh()) is None
    assert stores.people.credentials("nobody", "of that name") is None


def test_one_word_is_a_resident(stores: Stores) -> None:
    made = stores.people.create("Solo", "Resident", "v", NOW, False)
    assert stores.people.by_name("solo") == made


def test_people_are_sought_by_any_part_beginnings_first_guests_never(stores: Stores) -> None:
    for first, last in (("Zoë", "Quux"), ("Aquux", "Other"), ("Quuxa", "Zed"), ("स्मिता", "Quux")):
        stores.people.create(first, last, "v", NOW, False)
    stores.people.create("Quuxguest", "Guest1234", "v", NOW, True)

    def found(text: str, most: int = 100) -> list[str]:
        return [row["first"] for row in stores.people.search(text, most)]

    assert found("quux") == ["Quuxa", "Aquux", "Zoë", "स्मिता"]
    assert found("QUUX", 2) == ["Quuxa", "Aquux"]
    assert found("zoe q") == found("ZOË") == ["Zoë"]
    assert found("स्मि") == ["स्मिता"]
    for odd in ("%", "_", "\\", "zoe%", "'"):
        assert found(odd) == []
    assert "Zoë" in found("")


def test_passwords_and_visibility_change(stores: Stores) -> None:
    agent = person(stores)
    assert stores.people.set_verifier(agent, "another")
    assert stores.people.verifier_of(agent) == "another"
    assert stores.people.visibility(agent) == "everybody"
    assert stores.people.set_visibility(agent, "friends")
    assert stores.people.visibility(agent) == "friends"
    nobody = fresh()
    assert not stores.people.set_verifier(nobody, "x")
    assert not stores.people.set_visibility(nobody, "friends")
    assert stores.people.verifier_of(nobody) is stores.people.visibility(nobody) is None


def test_a_profile_keeps_what_is_not_changed(stores: Stores) -> None:
    agent = person(stores)
    assert stores.people.profile(agent) == {}
    stores.people.change_profile(agent, {"about": "a", "interests": {"want_text": "w"}})
    changed = stores.people.change_profile(agent, {"about": "b", "interests": {"languages": "l"}})
    assert changed == stores.people.profile(agent) == {"about": "b", "interests": {"want_text": "w", "languages": "l"}}


def test_places_are_of_two_kinds(stores: Stores) -> None:
    agent, here = person(stores), place()
    assert stores.people.place(agent, "home") is None
    stores.people.set_place(agent, "home", here)
    stores.people.set_place(agent, "home", here)
    assert stores.people.place(agent, "home") == here._asdict()
    assert stores.people.place(agent, "last") is None


def test_guests_go_after_their_time_with_all_they_had(stores: Stores) -> None:
    stays, old = person(stores, guest=True, created=NOW), person(stores, guest=True, created=NOW - 100)
    inside, other = person(stores, guest=True, created=NOW - 100), person(stores, created=NOW - 100)
    stores.sessions.begin(session(inside, NOW - 100))
    stores.people.set_place(old, "home", place())
    stores.friends.offer(old, other, NOW)
    stores.messages.keep({**message(old, other), "offline": 1}, NOW)
    count = stores.people.count()
    assert set(stores.people.old_guests(NOW - 50, 100)) == {old}
    for not_one in (stays, inside, other, fresh()):
        assert not stores.people.remove_guest(not_one, NOW - 50)
    assert stores.people.remove_guest(old, NOW - 50)
    assert not stores.people.remove_guest(old, NOW - 50)
    assert stores.people.count() == count - 1
    assert stores.people.by_id(old) is stores.people.place(old, "home") is None
    assert stores.inventory.skeleton(old)["folders"] == []
    assert stores.friends.offers_to(other) == []
    assert stores.messages.waiting(old) == []


def test_the_first_account_is_no_guest_and_stays_the_first(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    mine = open_stores(Direct(engine), NOW)
    assert mine.people.eldest() is None
    person(mine, guest=True)
    first = person(mine, created=NOW)
    person(mine, created=NOW - 5)
    eldest = mine.people.eldest()
    assert eldest is not None and eldest["agent_id"] == first
    engine.dispose()


def test_facts_of_a_login_come_together(stores: Stores) -> None:
    agent, friend, home = person(stores), person(stores), place()
    stores.people.set_place(agent, "home", home)
    stores.friends.offer(friend, agent, NOW)
    stores.friends.befriend(agent, friend)
    folder = folder_of(stores, agent, Folder.ROOT)
    wave, still = (
        stores.inventory.create_item(agent, new_item(folder, type=int(AssetType.GESTURE), flags=flags), NOW)[0]
        for flags in (1, 0)
    )
    facts = stores.people.at_login(agent, lambda facts: facts)
    assert facts.skeleton == stores.inventory.skeleton(agent)
    assert facts.library == stores.inventory.skeleton(LIBRARY)
    assert [one["item_id"] for one in facts.gestures] == [wave["item_id"]] != [still["item_id"]]
    assert [one["agent_id"] for one in facts.friends] == [friend]
    assert facts.home == home._asdict()


# friends ---------------------------------------------------------------------------------------------


def test_a_friendship_from_offer_to_end(stores: Stores) -> None:
    ann, ben = person(stores, "Ann"), person(stores, "Ben")
    assert stores.friends.befriend(ann, ben) == "no offer"
    assert stores.friends.offer(ben, ann, NOW) and stores.friends.offer(ben, ann, NOW)
    assert stores.friends.offers_to(ann) == [ben]
    assert stores.friends.befriend(ann, ben) == "new"
    assert stores.friends.befriend(ann, ben) == "already"
    assert stores.friends.offers_to(ann) == []
    assert stores.friends.who_may_see([ann, ben]) == {ann: [ben], ben: [ann]}
    assert stores.friends.grant(ann, ben, 4) == 1
    assert stores.friends.grant(ann, fresh(), 4) is None
    assert stores.friends.friends_of(ben) == [
        {"agent_id": ann, "name": "Ann Tester", "rights_given": 1, "rights_has": 4}
    ]
    assert stores.friends.who_may_see([ann, ben]) == {ben: [ann]}
    assert stores.friends.unfriend(ben, ann)
    assert not stores.friends.unfriend(ben, ann)
    assert stores.friends.friends_of(ann) == stores.friends.friends_of(ben) == []


def test_offers_can_be_withdrawn_and_have_an_end(stores: Stores) -> None:
    ann = person(stores)
    offerers = [fresh() for _ in range(MAX_OFFERS + 1)]
    assert [stores.friends.offer(one, ann, NOW + at) for at, one in enumerate(offerers)] == [True] * MAX_OFFERS + [False]
    assert stores.friends.offers_to(ann) == offerers[:-1]
    assert stores.friends.withdraw_offer(offerers[0], ann)
    assert not stores.friends.withdraw_offer(offerers[0], ann)
    assert stores.friends.offers_to(ann) == offerers[1:-1]


# messages --------------------------------------------------------------------------------------------


def test_a_message_waits_once_and_is_known_after_it_was_fetched(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    first, second = ({**message(ann, ben, text), "offline": 1} for text in ("first", "second"))
    assert stores.messages.fate_of(first["message_id"]) is None
    assert [stores.messages.keep(one, NOW) for one in (first, second, first)] == ["stored"] * 3
    assert stores.messages.waiting(ann) == [first, second]
    assert stores.messages.waiting(ben) == []
    assert stores.messages.forget(ben, [first["message_id"]]) == 0  # not its own
    assert stores.messages.forget(ann, [first["message_id"], fresh()]) == 1
    assert stores.messages.waiting(ann) == [second]
    assert stores.messages.keep(first, NOW) == stores.messages.fate_of(first["message_id"]) == "delivered"
    assert stores.messages.sweep(NOW + 1) == 1
    assert stores.messages.fate_of(first["message_id"]) is None
    assert stores.messages.waiting(ann) == [second]  # what waits is never swept


def test_a_mailbox_is_bounded_by_sender_and_in_all(stores: Stores) -> None:
    ann = person(stores)

    def keep(sender: str) -> str:
        return stores.messages.keep({**message(ann, sender), "offline": 1}, NOW)

    for _ in range(MAX_WAITING // MAX_WAITING_OF_ONE):
        sender = fresh()
        assert [keep(sender) for _ in range(MAX_WAITING_OF_ONE + 1)] == ["stored"] * MAX_WAITING_OF_ONE + ["full of yours"]
    assert keep(fresh()) == "full"


# inventory -------------------------------------------------------------------------------------------


def folder_of(stores: Stores, owner: str, kind: Folder) -> str:
    found = {row["type"]: row["folder_id"] for row in stores.inventory.skeleton(owner)["folders"]}
    return str(found[int(kind)])


def new_item(parent_id: str, **more: Any) -> dict[str, Any]:
    return {
        "parent_id": parent_id,
        "asset_id": fresh(),
        "name": "Thing",
        "type": int(AssetType.OBJECT),
        "inv_type": int(InventoryType.OBJECT),
        **more,
    }


def version(stores: Stores, owner: str, folder_id: str) -> int:
    return int(stores.inventory.folder(owner, folder_id)["version"])


def test_a_new_person_has_a_tree_of_its_own(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    tree = stores.inventory.skeleton(ann)
    assert tree["folders"][0] == {
        "folder_id": tree["root"], "parent_id": str(NULL), "name": tree["folders"][0]["name"], "type": int(Folder.ROOT),
        "version": tree["folders"][0]["version"],
    }  # fmt: skip
    assert {row["parent_id"] for row in tree["folders"][1:]} == {tree["root"]}
    for missing in (
        lambda: stores.inventory.folder(ben, tree["root"]),
        lambda: stores.inventory.item(ben, fresh()),
        lambda: stores.inventory.create_item(ben, new_item(tree["root"]), NOW),
        lambda: stores.inventory.delete_folder(ben, tree["folders"][1]["folder_id"]),
    ):
        with pytest.raises(NotFound):
            missing()


def test_folders_change_within_the_rules(stores: Stores) -> None:
    ann = person(stores)
    root, trash = folder_of(stores, ann, Folder.ROOT), folder_of(stores, ann, Folder.TRASH)
    before = version(stores, ann, root)
    new = {"folder_id": fresh(), "parent_id": root, "name": "Boxes"}
    made, is_new = stores.inventory.create_folder(ann, new)
    assert is_new and made == {**new, "type": -1, "version": 1}
    assert stores.inventory.create_folder(ann, new) == (made, False)
    assert version(stores, ann, root) == before + 1
    with pytest.raises(Conflict):
        stores.inventory.create_folder(ann, {**new, "name": "Other"})
    inner = {"folder_id": fresh(), "parent_id": made["folder_id"], "name": "Inner"}
    stores.inventory.create_folder(ann, inner)
    with pytest.raises(Conflict):  # into itself
        stores.inventory.update_folder(ann, made["folder_id"], {"parent_id": inner["folder_id"]})
    with pytest.raises(Forbidden):
        stores.inventory.update_folder(ann, trash, {"name": "Bin"})
    moved = stores.inventory.update_folder(ann, made["folder_id"], {"parent_id": trash, "name": "Old boxes"})
    assert (moved["parent_id"], moved["name"]) == (trash, "Old boxes")
    emptied = stores.inventory.purge_folder(ann, trash)
    assert emptied["version"] == version(stores, ann, trash)
    for gone in (made["folder_id"], inner["folder_id"]):
        with pytest.raises(NotFound):
            stores.inventory.folder(ann, gone)
    with pytest.raises(Forbidden):
        stores.inventory.delete_folder(ann, trash)


def test_items_change_within_the_rules(stores: Stores) -> None:
    ann = person(stores)
    objects, trash = folder_of(stores, ann, Folder.OBJECTS), folder_of(stores, ann, Folder.TRASH)
    given = new_item(objects, item_id=fresh())
    made, is_new = stores.inventory.create_item(ann, given, NOW)
    assert is_new and stores.inventory.create_item(ann, given, NOW) == (made, False)
    assert stores.inventory.item(ann, made["item_id"]) == made
    assert stores.inventory.fetch_items(ann, [fresh(), made["item_id"]]) == [made]
    changed = stores.inventory.update_item(ann, made["item_id"], {"parent_id": trash, "name": "Old thing"})
    assert changed == {**made, "parent_id": trash, "name": "Old thing"}
    fetched = stores.inventory.fetch_folders(ann, [{"folder_id": trash}, {"folder_id": fresh()}])
    (contents,) = fetched["folders"]
    assert contents["items"] == [changed] and contents["descendents"] == 1 and len(fetched["bad_folders"]) == 1
    stores.inventory.delete_item(ann, made["item_id"])
    with pytest.raises(NotFound):
        stores.inventory.delete_item(ann, made["item_id"])


def test_many_changes_at_once_are_as_one_by_one(stores: Stores) -> None:
    ann = person(stores)
    objects, trash = folder_of(stores, ann, Folder.OBJECTS), folder_of(stores, ann, Folder.TRASH)
    made = [stores.inventory.create_item(ann, new_item(objects, name=f"T{n}"), NOW)[0]["item_id"] for n in range(151)]
    before = version(stores, ann, objects), version(stores, ann, trash)
    stranger, elsewhere = fresh(), fresh()
    changes = [{"item_id": item, "parent_id": trash} for item in made]
    changes += [{"item_id": stranger, "name": "?"}, {"item_id": made[0], "parent_id": elsewhere}]
    changes += [{"item_id": made[1], "name": "Last word"}]
    for round in range(2):  # repeated, it changes nothing more
        outcome = stores.inventory.change_items(ann, changes, [made[-1]] if round == 0 else [made[-1], fresh()])
        refused = {one["item_id"] for one in outcome["refused"]}
        assert {stranger, made[0]} <= refused <= {stranger, made[0], made[-1]}
        assert {one["parent_id"] for one in outcome["items"]} == {trash}
        assert len(outcome["items"]) == 150
        # A folder's version grows by each of its changes, as viewers count them.
        assert version(stores, ann, objects) == before[0] + 151
        assert version(stores, ann, trash) == before[1] + 151 + 1 + 1
    assert stores.inventory.item(ann, made[1])["name"] == "Last word"


def test_many_folders_move_with_the_items(stores: Stores) -> None:
    ann = person(stores)
    root, trash = folder_of(stores, ann, Folder.ROOT), folder_of(stores, ann, Folder.TRASH)
    boxes = [fresh() for _ in range(5)]
    for box in boxes:
        stores.inventory.create_folder(ann, {"folder_id": box, "parent_id": root, "name": "Box"})
    item = stores.inventory.create_item(ann, new_item(boxes[0]), NOW)[0]["item_id"]
    moves = [{"folder_id": box, "parent_id": boxes[0]} for box in boxes[1:]]
    moves += [{"folder_id": boxes[0], "parent_id": boxes[1]}, {"folder_id": trash, "name": "Bin"}]  # into itself; a system folder
    outcome = stores.inventory.change_items(ann, [{"item_id": item, "parent_id": boxes[4]}], [], moves)
    assert {one["folder_id"] for one in outcome["refused"]} == {boxes[0], trash}
    assert [stores.inventory.folder(ann, box)["parent_id"] for box in boxes] == [root] + [boxes[0]] * 4
    assert stores.inventory.item(ann, item)["parent_id"] == boxes[4]


def test_copies_keep_the_permissions(stores: Stores) -> None:
    ann = person(stores)
    objects = folder_of(stores, ann, Folder.OBJECTS)
    free = stores.inventory.create_item(ann, new_item(objects), NOW)[0]
    single = stores.inventory.create_item(
        ann, new_item(objects, owner_mask=int(Permission.ALL & ~Permission.COPY)), NOW
    )[0]
    new_id = fresh()
    copy, is_new = stores.inventory.copy_item(ann, free["item_id"], objects, "Copy", new_id, NOW)
    assert is_new and stores.inventory.copy_item(ann, free["item_id"], objects, "Copy", new_id, NOW) == (copy, False)
    assert (copy["name"], copy["asset_id"], copy["owner_id"]) == ("Copy", free["asset_id"], ann)
    with pytest.raises(Forbidden):
        stores.inventory.copy_item(ann, single["item_id"], objects, "", None, NOW)


# what people keep -------------------------------------------------------------------------------------


def mute(name: str, muted_id: str = str(NULL), kind: int = 0, flags: int = 0) -> dict[str, Any]:
    return {"muted_id": muted_id, "name": name, "kind": kind, "flags": flags}


def test_mutes_are_kept_by_id_or_by_name(stores: Stores) -> None:
    ann, pest = person(stores), fresh()
    stores.notebook.mute(ann, mute("Pest", pest, 1))
    stores.notebook.mute(ann, mute("Pest renamed", pest, 1, 0xFFFFFFFF))
    stores.notebook.mute(ann, mute("Loud"))
    stores.notebook.mute(ann, mute("Louder"))
    assert stores.notebook.mutes_of(ann) == [mute("Loud"), mute("Louder"), mute("Pest renamed", pest, 1, 0xFFFFFFFF)]
    assert stores.notebook.unmute(ann, pest, "whatever it is called")
    assert stores.notebook.unmute(ann, str(NULL), "Loud") and not stores.notebook.unmute(ann, str(NULL), "Loud")
    assert stores.notebook.mutes_of(ann) == [mute("Louder")] and stores.notebook.mutes_of(pest) == []


def test_nobody_mutes_without_end(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "MAX_MUTES", 3)
    ann = person(stores)
    for n in range(3):
        stores.notebook.mute(ann, mute(f"M{n}"))
    stores.notebook.mute(ann, mute("M1", flags=7))  # a change is no more
    with pytest.raises(TooMany):
        stores.notebook.mute(ann, mute("M3"))
    assert len(stores.notebook.mutes_of(ann)) == 3


def test_notes_are_kept_by_writer_and_person(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, ben, cy = person(stores), person(stores), person(stores)
    assert stores.notebook.notes_about(ann, ben) == ""
    stores.notebook.note(ann, ben, "First")
    stores.notebook.note(ann, ben, "Second")
    stores.notebook.note(ben, ben, "Mine")
    assert stores.notebook.notes_about(ann, ben) == "Second" and stores.notebook.notes_about(ben, ben) == "Mine"
    monkeypatch.setattr(notebook, "MAX_NOTES", 1)
    stores.notebook.note(ann, ben, "Third")
    with pytest.raises(TooMany):
        stores.notebook.note(ann, cy, "One too many")
    stores.notebook.note(ann, ben, "")
    stores.notebook.note(ann, cy, "Room again")
    assert stores.notebook.notes_about(ann, ben) == "" and stores.notebook.notes_about(ann, cy) == "Room again"


def test_picks_are_their_owners(stores: Stores) -> None:
    ann, ben = person(stores), person(stores)
    written = {"name": "Quay", "desc": "Soup", "parcel_id": fresh(), "region_id": fresh(), "region_name": "Harbour",
               "snapshot_id": fresh(), "position": [256010.5, 256020.0, 25.0], "sort_order": 2, "enabled": True}  # fmt: skip
    one, two = fresh(), fresh()
    assert stores.notebook.put_pick(ann, one, written) == {"pick_id": one, "agent_id": ann, **written}
    stores.notebook.put_pick(ann, two, {**written, "sort_order": 1})
    stores.notebook.put_pick(ann, one, {**written, "name": "Old quay"})
    assert [(p["pick_id"], p["name"]) for p in stores.notebook.picks_of(ann)] == [(two, "Quay"), (one, "Old quay")]
    with pytest.raises(Conflict):
        stores.notebook.put_pick(ben, one, written)
    assert not stores.notebook.delete_pick(ben, one) and stores.notebook.picks_of(ben) == []
    for _ in range(notebook.MAX_PICKS - 2):
        stores.notebook.put_pick(ann, fresh(), written)
    with pytest.raises(TooMany):
        stores.notebook.put_pick(ann, fresh(), written)
    assert stores.notebook.delete_pick(ann, one)
    with pytest.raises(NotFound):
        stores.notebook.pick(ann, one)


# regions ---------------------------------------------------------------------------------------------


def row_of(stores: Stores, region_id: str) -> dict[str, Any]:
    return next(row for row in stores.regions.all() if row["region_id"] == region_id)


def test_a_lease_is_one_processs_alone(stores: Stores) -> None:
    mine, other = fresh(), fresh()
    region = wanted()
    first = stores.regions.claim(region, mine, 60.0, []).region
    for rival in (
        region,  # the same region, by another process
        wanted(grid_x=region["grid_x"], grid_y=region["grid_y"]),
        wanted(name=region["name"].upper()),
    ):
        with pytest.raises(Held, match="lease runs"):
            stores.regions.claim(rival, other, 60.0, [])
    with pytest.raises(Held):  # nor may its own process take the square for another region
        stores.regions.claim(wanted(grid_x=region["grid_x"], grid_y=region["grid_y"]), mine, 60.0, [])
    again = stores.regions.claim({**region, "port": 9011}, mine, 60.0, []).region
    assert again["epoch"] > first["epoch"] and again["port"] == 9011
    assert not stores.regions.release(region["region_id"], first["epoch"])
    assert stores.regions.release(region["region_id"], again["epoch"])
    taken = stores.regions.claim(region, other, 60.0, []).region
    assert taken["epoch"] > again["epoch"] and taken["held_by"] == other


def test_a_lease_that_ended_makes_room(stores: Stores) -> None:
    region, heir = wanted(), wanted()
    stores.regions.claim(region, fresh(), 0.05, [])
    heir |= {"grid_x": region["grid_x"], "grid_y": region["grid_y"]}
    deadline = time.monotonic() + 10
    while True:
        try:
            claimed = stores.regions.claim(heir, fresh(), 60.0, [])
            break
        except Held:
            assert time.monotonic() < deadline
    assert claimed.displaced == [region["region_id"]]
    assert region["region_id"] not in {row["region_id"] for row in stores.regions.all()}


def test_a_lease_that_ended_is_kept_for_its_own_process_a_while(stores: Stores) -> None:
    """It may not know yet that it is not heard: nobody else is let in before it has certainly stopped."""
    region, mine, other = wanted(), fresh(), fresh()
    stores.regions.claim(region, mine, -10.0, [], 50.0)
    for rival in (region, wanted(grid_x=region["grid_x"], grid_y=region["grid_y"]), wanted(name=region["name"])):
        with pytest.raises(Held, match=r"lease runs for [34]\d s"):
            stores.regions.claim(rival, other, 15.0, [], 50.0)
    again = stores.regions.claim(region, mine, -10.0, [], 50.0).region
    stores.regions.claim(region, other, 60.0, [], 5.0)  # ten seconds after its end, five of which it was kept
    assert row_of(stores, region["region_id"])["epoch"] > again["epoch"]
    given = wanted()
    epoch = stores.regions.claim(given, mine, 60.0, [], 50.0).region["epoch"]
    assert stores.regions.release(given["region_id"], epoch)
    stores.regions.claim(given, other, 60.0, [], 50.0)  # free at once


def test_renewals_count_under_their_epoch_only(stores: Stores) -> None:
    region, mine = wanted(), fresh()
    old = stores.regions.claim(region, mine, 1.0, []).region["epoch"]
    new = stores.regions.claim(region, mine, 1.0, []).region["epoch"]
    stores.regions.renew([Renewal(region["region_id"], old, 500.0)])
    assert row_of(stores, region["region_id"])["lease_left"] < 2
    stores.regions.renew([Renewal(region["region_id"], new, 500.0)])
    assert 400 < row_of(stores, region["region_id"])["lease_left"] <= 500
    # A claim is judged after the renewals that come with it.
    other = wanted()
    epoch = stores.regions.claim(other, mine, 0.0, []).region["epoch"]
    with pytest.raises(Held):
        stores.regions.claim(other, fresh(), 1.0, [Renewal(other["region_id"], epoch, 60.0)])


def test_land_is_given_to_somebody_and_stays_theirs(stores: Stores) -> None:
    region, mine, owner = wanted(), fresh(), fresh()
    assert stores.regions.claim(region, mine, 60.0, []).region["owner_id"] is None
    assert stores.regions.give(region["region_id"], owner)
    assert stores.regions.claim(region, mine, 60.0, []).region["owner_id"] == owner
    assert not stores.regions.give(fresh(), owner)


def test_nothing_is_written_under_an_old_epoch(stores: Stores) -> None:
    region, mine, agent = wanted(), fresh(), person(stores)
    old = stores.regions.claim(region, mine, 60.0, []).region["epoch"]
    here = session(agent)
    stores.sessions.begin(here)
    held = stores.under(Fence(region["region_id"], old))
    assert held.sessions.arrive(agent, here["session_id"], NOW, place())
    assert stores.under(None) is stores
    new = stores.regions.claim(region, mine, 60.0, []).region["epoch"]
    objects = folder_of(stores, agent, Folder.OBJECTS)
    item = stores.inventory.create_item(agent, new_item(objects), NOW)[0]
    kept = {**message(agent, fresh()), "offline": 1}
    for late in (held, stores.under(Fence(region["region_id"], new + 1)), stores.under(Fence(fresh(), new))):
        for write in (
            lambda s: s.sessions.arrive(agent, here["session_id"], NOW + 5, place(x=99.0)),
            lambda s: s.sessions.leave(agent, here["session_id"], place(x=99.0), NOW + 5),
            lambda s: s.messages.keep(kept, NOW),
            lambda s: s.inventory.delete_item(agent, item["item_id"]),
            lambda s: s.inventory.change_items(agent, [], [item["item_id"]]),
            lambda s: s.friends.offer(agent, fresh(), NOW),
            lambda s: s.notebook.mute(agent, mute("Late")),
        ):
            with pytest.raises(OldEpoch):
                write(late)
    assert stores.inventory.item(agent, item["item_id"]) == item
    assert stores.messages.fate_of(kept["message_id"]) is None
    assert sessions_of(stores, agent)[0]["since"] == NOW
    assert stores.under(Fence(region["region_id"], new)).messages.keep(kept, NOW) == "stored"


# moves -----------------------------------------------------------------------------------------------


def thing(parent: str, **more: Any) -> dict[str, Any]:
    return {"item_id": fresh(), "parent_id": parent, "asset_id": fresh(), "name": "Thing", "type": 6, "inv_type": 6, **more}


def ids_of(stores: Stores, owner: str, parent: str) -> list[str]:
    (found,) = stores.inventory.fetch_folders(owner, [{"folder_id": parent}])["folders"]
    return [item["item_id"] for item in found["items"]]


def objects_of(stores: Stores, owner: str) -> str:
    return next(folder["folder_id"] for folder in stores.inventory.skeleton(owner)["folders"] if folder["type"] == Folder.OBJECTS)


def test_a_move_into_an_inventory_happens_once(stores: Stores) -> None:
    owner, region, move = person(stores), fresh(), fresh()
    folder = objects_of(stores, owner)
    item = thing(folder)
    made, new = stores.transits.put_in(move, region, owner, item, NOW)
    assert new and made["state"] == "made" and made["item"]["item_id"] == item["item_id"]
    stores.inventory.delete_item(owner, item["item_id"])  # its owner has used it since: it must not come again
    again, new = stores.transits.put_in(move, region, owner, item, NOW)
    assert not new and again == made and not ids_of(stores, owner, folder)
    with pytest.raises(Conflict):
        stores.transits.put_in(move, region, person(stores), item, NOW)
    assert stores.transits.void(move, region, NOW)["state"] == "made"  # what has happened stays so
    with pytest.raises(NotFound):
        stores.transits.put_in(fresh(), region, owner, thing(fresh()), NOW)
    assert stores.transits.state_of(fresh()) is None


def test_a_move_that_is_void_never_happens(stores: Stores) -> None:
    owner, region, move = person(stores), fresh(), fresh()
    folder = objects_of(stores, owner)
    assert stores.transits.void(move, region, NOW)["state"] == "void"
    assert stores.transits.void(move, region, NOW)["state"] == "void"
    with pytest.raises(Conflict):
        stores.transits.put_in(move, region, owner, thing(folder), NOW)
    item = thing(folder)
    stores.inventory.create_item(owner, item, NOW)
    with pytest.raises(Conflict):
        stores.transits.hold(move, region, owner, item["item_id"], NOW)
    assert ids_of(stores, owner, folder) == [item["item_id"]]


@pytest.mark.parametrize("end", ["release", "void", "void, folder gone"])
def test_what_is_held_is_in_no_inventory_until_it_is_let_go_or_given_back(stores: Stores, end: str) -> None:
    owner, region, move = person(stores), fresh(), fresh()
    root = stores.inventory.skeleton(owner)["root"]
    inner = stores.inventory.create_folder(owner, {"folder_id": fresh(), "parent_id": root, "name": "Mine"})[0]["folder_id"]
    item = thing(inner)
    stores.inventory.create_item(owner, item, NOW)
    with pytest.raises(NotFound):
        stores.transits.hold(move, region, person(stores), item["item_id"], NOW)
    held, new = stores.transits.hold(move, region, owner, item["item_id"], NOW)
    assert new and held["state"] == "held" and held["item"]["name"] == "Thing"
    assert stores.transits.hold(move, region, owner, item["item_id"], NOW) == (held, False)
    assert not ids_of(stores, owner, inner) and [one["transit_id"] for one in stores.transits.open_moves(region)] == [move]
    with pytest.raises(NotFound):  # nobody else can have it
        stores.transits.hold(fresh(), region, owner, item["item_id"], NOW)
    stores.transits.close(region, [move], NOW)
    assert stores.transits.sweep(NOW + 1) == 0  # not while it is held
    if end == "release":
        assert stores.transits.release(move)["state"] == "released" == stores.transits.release(move)["state"]
        assert stores.transits.void(move, region, NOW)["state"] == "released"
        assert not ids_of(stores, owner, inner)
    else:
        if "gone" in end:
            stores.inventory.delete_folder(owner, inner)
        for _ in range(2):
            assert stores.transits.void(move, region, NOW)["state"] == "void"
        assert stores.transits.release(move)["state"] == "void"
        assert ids_of(stores, owner, objects_of(stores, owner) if "gone" in end else inner) == [item["item_id"]]
    assert [one["transit_id"] for one in stores.transits.open_moves(region)] == [move]
    stores.transits.close(fresh(), [move], NOW)  # another region has no say
    assert stores.transits.sweep(NOW + 1) == 0
    stores.transits.close(region, [move], NOW)
    assert not stores.transits.open_moves(region)
    assert stores.transits.sweep(NOW) == 0 and stores.transits.sweep(NOW + 1) == 1
    with pytest.raises(NotFound):
        stores.transits.release(move)


def test_a_move_may_change_an_item(stores: Stores) -> None:
    owner, region, move = person(stores), fresh(), fresh()
    item = thing(objects_of(stores, owner))
    stores.inventory.create_item(owner, item, NOW)
    newer, newest = fresh(), fresh()
    assert stores.transits.change(move, region, owner, item["item_id"], {"asset_id": newer}, NOW)[0]["item"]["asset_id"] == newer
    stores.inventory.update_item(owner, item["item_id"], {"asset_id": newest})
    stores.transits.change(move, region, owner, item["item_id"], {"asset_id": newer}, NOW)
    assert stores.inventory.item(owner, item["item_id"])["asset_id"] == newest  # a late repeat changes nothing
    with pytest.raises(NotFound):
        stores.transits.change(fresh(), region, owner, fresh(), {"asset_id": newer}, NOW)
