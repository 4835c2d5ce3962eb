"""What is answered later, what leaves the contents: notecards, people, regions, gifts, scripts into other prims; on both worlds."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.permissions import Masks
from protocol.wellknown import Permission
from sim.actions import contents
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.scripts.answers import MOST_ASKED
from sim.scripts.machine.saved import restore, save
from sim.scripts.notecards import Notecards, parse, write
from sim.world.changes import What
from sim.world.objects import Prim
from tests.scripts.library.worlds import bench, item

NOTE, PLACE = UUID(int=0x10E), UUID(int=0x91ACE)
TEXT = "first\nsecond line\n\nfourth a1 a2"
NULL_KEY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as made:
        found: Any = made
        found.root.contents += [item("card", 7, NOTE), item("place", 3, PLACE)]
        assets = {NOTE: write(TEXT), PLACE: f"Landmark version 2\nregion_id {UUID(int=1)}\nlocal_pos 10 20 30\n".encode()}
        if request.param == "fake":
            found.world.grid.assets.update(assets)
        else:
            for asset_id, data in assets.items():
                await found.sim.assets.put(asset_id, data, 7)
            record = {"region_id": str(UUID(int=1)), "name": "Nowhere", "grid_x": 1000, "grid_y": 1000, "ip": "127.0.0.1", "port": 9000,
                      "http_url": "http://127.0.0.1:9000", "epoch": 1, "access": "PG", "online": True}  # fmt: skip
            found.sim.backbone.regions.append(record)
        yield found


async def answers(here: Any, *questions: str, before: str = "") -> list[str]:
    """What the dataserver events say, in the order of the questions."""
    asks = " ".join([f"asked += {question};" for question in questions])
    here.start(f"list asked; list got; {before} default {{ state_entry() {{ {asks} }} dataserver(key id, string data) {{ llOwnerSay((string)llListFindList(asked, [id]) + \":\" + data); }} }}")
    said = here.run(30.0)
    await here.answered()
    return said + here.run(30.0)


async def test_lines_of_notecards(here):
    found = await answers(here, 'llGetNotecardLine("card", 0)', 'llGetNotecardLine("card", 2)', 'llGetNotecardLine("card", 4)', 'llGetNotecardLine("card", -1)',
                          'llGetNumberOfNotecardLines("card")', f'llGetNotecardLine("{NOTE}", 1)', 'llFindNotecardTextCount("card", "a[0-9]", [])', 'llGetNotecardLine("none", 0)')  # fmt: skip
    assert "none" in found[0]
    assert sorted(found[1:]) == sorted(["0:first", "1:", "2:\n\n\n", "3:\n\n\n", "4:4", "5:second line", "6:2"])


async def test_notecards_that_are_kept(here):
    assert here.said('llOwnerSay((string)(llGetNotecardLineSync("card", 0) == NAK) + (string)(llFindNotecardTextSync("card", "a", 0, 0, []) == [NAK]));') == ["11"]
    await answers(here, 'llGetNumberOfNotecardLines("card")')
    assert here.said('llOwnerSay(llGetNotecardLineSync("card", 1)); llOwnerSay((string)(llGetNotecardLineSync("card", 9) == EOF));'
                     ' llOwnerSay(llList2CSV(llFindNotecardTextSync("card", "a[0-9]|second", 0, 0, []))); llOwnerSay(llList2CSV(llFindNotecardTextSync("card", "a[0-9]|second", 1, 1, [])));'
                     ' llOwnerSay((string)llGetListLength(llFindNotecardTextSync("card", "(", 0, 0, [])));') == [
        "second line", "1", "1, 0, 3, 7, 3, 10", "3, 7", "0"]  # fmt: skip


def test_what_a_notecard_is():
    assert parse(write("a\nb")) == ["a", "b"] and parse(write("")) == [] and parse(b"nothing") is None
    assert parse(write("x").replace(b"count 0", b"count 1")) == [] and parse(b"Linden text version 2\n{\nLLEmbeddedItems version 1\n{\ncount 0\n}\n") is None
    assert parse(write("é" * 900)) == ["é" * 512] and not parse(b"Linden text version 2 {LLEmbeddedItems version 1{count " + b"9" * 5000)
    kept = Notecards()
    for number in range(12):
        kept.read(UUID(int=number), write("x" * 900_000))
    assert kept.get(UUID(int=0)) is None and kept.get(UUID(int=11)) is not None
    assert kept.read(UUID(int=99), b"no") is None


async def test_facts_of_people(here):
    visitor = str(here.visitor.agent_id)
    if hasattr(here, "sim"):
        here.sim.backbone.presence[visitor] = str(UUID(int=1))
    found = await answers(here, f'llRequestAgentData("{visitor}", DATA_NAME)', f'llRequestAgentData("{visitor}", DATA_ONLINE)', f'llRequestAgentData("{visitor}", DATA_BORN)', f'llRequestAgentData("{visitor}", DATA_PAYINFO)',
                          f'llRequestAgentData("{visitor}", DATA_RATING)', f'llRequestUsername("{visitor}")', f'llRequestDisplayName("{visitor}")', 'llRequestUserKey("visitor")', 'llRequestUserKey("no body")',
                          f'llRequestAgentData("{uuid4()}", DATA_NAME)', "llRequestUsername(NULL_KEY)", f'llRequestAgentData("{visitor}", 99)')  # fmt: skip
    assert any("no such data" in one for one in found)
    assert sorted(one for one in found if one[1:2] == ":") == sorted(
        ["0:Visitor Resident", "1:1", "2:2023-11-14", "3:0", "4:0,0,0,0,0,0", "5:visitor", "6:Visitor", f"7:{visitor}", f"8:{NULL_KEY}"])  # fmt: skip


async def test_facts_of_regions(here):
    found = await answers(here, 'llRequestSimulatorData("nowhere", DATA_SIM_POS)', 'llRequestSimulatorData("Nowhere", DATA_SIM_STATUS)', 'llRequestSimulatorData("Nowhere", DATA_SIM_RATING)',
                          'llRequestSimulatorData("Mars", DATA_SIM_STATUS)', 'llRequestInventoryData("place")', 'llRequestInventoryData("card")', 'llRequestSimulatorData("Nowhere", 1)')  # fmt: skip
    x, y = here.region.facts.corner
    landmark = next(one for one in found if one.startswith("4:"))
    assert [float(part) for part in landmark[3:-1].split(",")] == [256000.0 - x + 10, 256000.0 - y + 20, 30.0]
    assert {"0:<256000.00000, 256000.00000, 0.00000>", "1:up", "2:PG", "3:unknown"} <= set(found) and len(found) == 7


async def test_questions_have_a_bound_and_end_with_a_reset(here):
    here.world.answers._spawn = lambda work, name: work.close()
    said = here.said('integer i; for (i = 0; i < 70; ++i) llRequestUserKey("x"); llOwnerSay((string)(llRequestUserKey("x") == NULL_KEY));')
    assert said[-1] == "1" and any(str(MOST_ASKED) in one for one in said)
    script = here.start('default { state_entry() { llRequestUserKey("visitor"); } dataserver(key id, string data) { llOwnerSay(data); } }')
    here.run(1.0)
    (key,) = script.asked
    now = here.region.world.time if hasattr(here, "sim") else here.world.now
    data = save(script, now)
    resumed: list[str] = []

    def spawn(work: Any, name: str) -> None:
        work.close()
        resumed.append(name)

    here.world.answers._spawn = spawn
    again = restore(script.engine, data, script.program, here.world, now, owner=script.owner, object_id=script.object_id, scheduler=script.scheduler)
    assert again.asked == script.asked and list(again.asked) == [key] and resumed == ["script question"]
    script.reset()
    assert script.asked == {}


def masks(owner: int) -> Masks:
    return Masks(0x7FFFFFFF, owner, 0, 0, 0x7FFFFFFF)


async def test_gifts_to_people(here):
    visitor = str(here.visitor.agent_id)
    once, kept = item("once", 0), item("kept", 0)
    once.permissions = masks(0x7FFFFFFF & ~Permission.COPY)
    kept.permissions = masks(0x7FFFFFFF & ~Permission.TRANSFER)
    here.root.contents += [once, kept]
    if hasattr(here, "sim"):
        here.sim.backbone.add_inventory(visitor)
    said = here.said(f'llGiveInventory("{visitor}", "card"); llGiveInventory("{visitor}", "once"); llGiveInventoryList("{visitor}", "Box", ["card", "place", "none"]); llGiveInventory("{visitor}", "none"); llGiveInventory(NULL_KEY, "card");'
                     f' llOwnerSay((string)llGiveAgentInventory("{visitor}", "Box", ["card"], [])); llOwnerSay((string)llGiveAgentInventory("{visitor}", "Box", [], [])); llGiveInventory("{visitor}", "kept");')  # fmt: skip
    await here.answered()
    assert [one for one in said if one in ("0", "-4")] == ["0", "-4"] and sum("none" in one for one in said) == 2
    assert "once" not in [one.name for one in here.root.contents] and "kept" in [one.name for one in here.root.contents]
    if hasattr(here, "sim"):
        given = here.sim.backbone.called("give")
        assert len(given) == 4
    else:
        gifts = [one for one in here.world.occurrences if one["kind"] == "gift"]
        assert [(one["items"], one["folder"]) for one in gifts] == [(["card"], ""), (["once"], ""), (["card", "place"], "Box"), (["card"], "Box")]


async def test_gifts_to_objects(here):
    world = here.region.world
    other = Prim(UUID(int=500), here.root.owner_id, here.root.owner_id, name="Other")
    world.objects.add(other, world.new_local_id(), (120.0, 120.0, 25.0), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
    said = here.said(f'llGiveInventory("{other.full_id}", "card"); llGiveInventoryList("{other.full_id}", "x", ["card", "place"]); llGiveInventory(llGetKey(), "card"); llOwnerSay((string)llGiveAgentInventory("{other.full_id}", "x", ["card"], []));')
    assert sorted(one.name for one in other.contents) == ["card", "card 1", "place"] and said[-1] == "-2" and len(said) == 2


async def test_things_are_removed_and_dropped(here):
    reader = here.region.world.changes.prims.reader(What.CONTENTS | What.DROPPED)
    said = here.said('llRemoveInventory("card"); llRemoveInventory("card"); llAllowInventoryDrop(TRUE); llOwnerSay(llGetInventoryAcquireTime("place")); llOwnerSay(llGetInventoryAcquireTime("none"));')
    assert [one.name for one in here.root.contents if one.asset_type == 7] == [] and here.root.rare.drop
    assert "1970-01-01T00:00:00Z" in said and sum("Couldn't find item" in one for one in said) == 2
    reader.take()
    stranger = Actor(uuid4())
    assert not isinstance(contents.put(here.region, stranger, here.root, item("pic", 0)), Refused)
    assert isinstance(contents.put(here.region, stranger, here.root, item("evil", 10)), Refused)
    assert reader.take() == {here.root: What.CONTENTS | What.DROPPED}
    here.said("llAllowInventoryDrop(FALSE);")
    assert isinstance(contents.put(here.region, stranger, here.root, item("pic", 0)), Refused)


async def test_a_pin_lets_scripts_in(here):
    here.said("llSetRemoteScriptAccessPin(77);")
    assert here.root.rare.pin == 77
    loaded: list[Any] = []
    here.world.gifts.load = lambda script, target, one, running, start: loaded.append((target, one.name, running, start))
    here.root.contents.append(item("code", 10, UUID(int=0xC0DE)))
    child = str(here.child.full_id)
    said = here.said(f'llRemoteLoadScriptPin("{child}", "code", 5, TRUE, 9);')
    assert "illegally load script" in said[0] and not loaded
    from dataclasses import replace

    here.child.rare = replace(here.child.rare, pin=5)
    said = here.said(f'llRemoteLoadScriptPin("{child}", "code", 5, TRUE, 9); llRemoteLoadScriptPin(llGetKey(), "code", 77, TRUE, 9); llRemoteLoadScriptPin("{child}", "card", 5, TRUE, 9); llRemoteLoadScript("{child}", "code", TRUE, 0);')
    assert loaded == [(here.child, "code", True, 9)] and len(said) == 3


# --- in a region


@pytest.fixture
async def there() -> Any:
    with bench("region") as found:
        yield found


async def test_a_script_removes_itself_and_is_heard_no_more(there):
    code = item("suicide", 10)
    there.root.contents.append(code)
    from sim.scripts.language.program import compile_script

    source = 'default { state_entry() { llOwnerSay("a"); llRemoveInventory("suicide"); llOwnerSay("never"); } }'
    there.sim.scripts.start(there.root, compile_script(source), source, "suicide", code.item_id)
    assert there.run(1.0) == ["a"] and there.sim.scripts.of(there.root) == [] and there.root.contents == [one for one in there.root.contents if one is not code]


async def test_a_script_is_loaded_into_another_prim_and_told_its_start(there):
    code = item("code", 10, UUID(int=0xC0DE))
    await there.sim.assets.put(code.asset_id, b'default { state_entry() { llOwnerSay("loaded " + (string)llGetStartParameter()); } }', 10)
    there.root.contents.append(code)
    there.child.contents.append(item("code", 10, UUID(int=0x01D)))
    from dataclasses import replace

    there.child.rare = replace(there.child.rare, pin=5)
    there.said(f'llRemoteLoadScriptPin("{there.child.full_id}", "code", 5, TRUE, 9);')
    for _ in range(2000):
        if not there.sim.region.tasks.pending:
            break
        await asyncio.sleep(0.01)
    assert there.run(1.0) == ["loaded 9"] and [one.name for one in there.child.contents] == ["code"]


