"""What scripts give out of the contents of their prims, in a region: to people, and scripts into other prims."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sim.actions import contents
from sim.actions.may import script_of
from sim.actions.outcome import Refused
from sim.region import Region
from sim.scripts.answers import Room, Unanswered
from sim.scripts.language.values import Key

if TYPE_CHECKING:
    from protocol.inventory import Item
    from sim.giving import Giving
    from sim.money import Money
    from sim.scripts.inworld import Scripts
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim


class RegionGifts:
    def __init__(self, region: Region, scripts: Scripts, giving: Giving, money: Money, room: Room) -> None:
        self._money = money
        self._region = region
        self._scripts = scripts
        self._giving = giving
        self._room = room

    def give(self, script: Script, items: list[UUID], receiver: UUID, folder: str | None) -> None:
        self._region.tasks.spawn(self._give(script, self._scripts.prim_of(script), items, receiver, folder), "script gift")

    async def _give(self, script: Script, prim: Prim, items: list[UUID], receiver: UUID, folder: str | None) -> None:
        given = await self._giving.give(script_of(prim), prim, items, receiver, folder)
        if isinstance(given, Refused):
            self._told(script, given.words)

    def pay(self, script: Script, payee: UUID, amount: int, key: Key) -> None:
        self._region.tasks.spawn(self._pay(script, self._scripts.prim_of(script), payee, amount, key), "script payment")

    async def _pay(self, script: Script, prim: Prim, payee: UUID, amount: int, key: Key) -> None:
        refused = await self._money.pay(prim.owner_id, payee, amount, prim.name, UUID(str(key)))
        script.now = self._region.world.time
        words = f"{payee},{amount}" if refused is None else "LINDENDOLLAR_INSUFFICIENTFUNDS"
        script.post("transaction_result", key, int(refused is None), words)

    def left(self, script: Script, prim: Prim, item_id: UUID) -> None:
        self._scripts.remove_item(prim, item_id)

    def load(self, script: Script, target: Prim, item: Item, running: bool, start_parameter: int) -> None:
        source = self._scripts.find(self._scripts.prim_of(script), item.item_id)
        text = source.source if source is not None else None
        self._region.tasks.spawn(self._load(script, target, item, text, running, start_parameter), "remote load")

    async def _load(
        self, script: Script, target: Prim, item: Item, text: str | None, running: bool, start_parameter: int
    ) -> None:
        if text is None:
            try:
                data = await self._room.services.asset(item.asset_id)
            except Unanswered:
                data = None
            if data is None:
                self._told(script, f"The script '{item.name}' cannot be read now")
                return
            text = data.decode("utf-8", "replace")
        if target.row < 0:
            return
        actor = script_of(target)
        for old in [one for one in target.contents if one.name == item.name and one.is_script]:
            contents.remove(self._region, actor, target, old.item_id)
            self._scripts.remove_item(target, old.item_id)
        inside = contents.put(self._region, actor, target, item)
        if isinstance(inside, Refused):
            self._told(script, inside.words or "Unable to add item!")
            return
        await self._scripts.run_item(target, inside, text, running, start_parameter)

    def _told(self, script: Script, words: str) -> None:
        if script.is_running:
            script.complain(words)
