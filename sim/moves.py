"""Moves between this region and inventories, carried out step by step (`storage/transit.py` names the steps).

    made = await moves.out(id, Leaving(...))            the item as it is in the inventory, or a Refused
    came = await moves.into(id, "rez", owner, item, stand)   what `stand` made of it, or a Refused
    await moves.recover()                               after a start: whatever is open is finished or undone

The id makes all of it repeatable: it is the viewer's transaction where it gives one. Nothing here knows a message; who asks for a
move decides who may, and tells what came of it. What ends after nobody waits for it any more is told by `late` and `tell`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_from_json, item_to_json
from protocol.wellknown import AssetType, Folder
from sim.actions import contents, remove
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.storage.keeping import Storage
from sim.storage.transit import IN, MOVES, OUT, Step, Transit
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.physics.bodies import Bodies
    from sim.scripts.inworld import Scripts
    from sim.scripts.machine.script import Script

log = logging.getLogger(__name__)
T = TypeVar("T")

DISK_FULL = "The disk of this region takes nothing now, so nothing can be moved. What you build stays as long as the region runs."
STORE_SILENT = "The object stays where it is: the asset store is not answering. Please try again."
INVENTORY_SILENT = "It stays where it is: the grid's inventory service is not answering. Please try again."
ON_ITS_WAY = "The grid's inventory service is not answering. What you moved is on its way, and will arrive or be back when it does."
GOING = "That is being moved already."
NOT_YOURS = "That item is not in your inventory."
NOT_CARRIED_OUT = "The region could not carry that out. Your item is back in your inventory."
PATIENCE = 15.0  # seconds that who asked for a move waits; after that it goes on by itself
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between two tries
CLOSE_AFTER = 5.0  # seconds until Backbone is told that moves are over


@dataclass(slots=True)
class Leaving:
    """What is to leave the region. `item`: as a new one of the receiver's inventory, or `change` of one that is there.

    Either linksets (`roots`), with `data` as their asset, or an item of a prim's contents (`prim`, `inside`).
    """

    kind: str
    receiver: UUID
    item: Mapping[str, Any] | None = None
    change: Mapping[str, Any] | None = None
    data: bytes = b""
    roots: Sequence[Prim] = ()
    prim: Prim | None = None
    inside: Item | None = None


@dataclass(slots=True)
class Came:
    """What an item has become in the region: linksets, or an item of a prim's contents."""

    roots: Sequence[Prim] = ()
    prim: Prim | None = None
    item_id: UUID | None = None


@dataclass(slots=True)
class _Held:
    """What stands frozen for a move."""

    roots: list[Prim] = field(default_factory=list)
    stopped: list[Script] = field(default_factory=list)


class _Silent(Exception):
    """A service gave no answer. `sure`: it never heard the question."""

    def __init__(self, words: str, sure: bool) -> None:
        super().__init__(words)
        self.words, self.sure = words, sure


class Moves:
    def __init__(
        self, region: Region, storage: Storage, scripts: Scripts, bodies: Bodies,
        backbone: BackboneClient, assets: AssetClient,
    ) -> None:  # fmt: skip
        self._region, self._storage, self._scripts, self._bodies = region, storage, scripts, bodies
        self._backbone, self._assets = backbone, assets
        self._held: dict[UUID, _Held] = {}
        self._begun: set[UUID] = set()  # moves out of inventories that this process has under way
        self._awaited: set[UUID] = set()  # moves whose end somebody waits for
        self._over: list[UUID] = []  # those that Backbone is still to be told of
        self.late: Callable[[UUID, Mapping[str, Any]], object] = lambda receiver, item: None
        self.tell: Callable[[UUID, str], object] = lambda person, words: None
        self.call_off: Callable[[Prim], object] = lambda root: None  # its crossing, if it is on its way over a border
        self.reached: Callable[[UUID, Step], None] = lambda move, step: log.debug("move %s: %s", move, step)

    @property
    def open(self) -> int:
        """Moves that have begun and are not over."""
        return sum(1 for transit in self._storage.transits.values() if transit.kind in MOVES)

    def refusal(self) -> Refused | None:
        """Why nothing may be moved now: what cannot be written down must not begin."""
        return Refused(DISK_FULL, "disk") if self._storage.trouble else None

    def begin(self) -> None:
        """After a start, when everything stands: what was on its way out stands frozen until that is settled (`recover`)."""
        by_id = self._region.world.objects.by_id
        for move, transit in self._storage.transits.items():
            if MOVES.get(transit.kind) is OUT:
                there = [by_id[UUID(one)] for one in transit.facts["roots"] if UUID(one) in by_id]
                held = self._held[move] = self._freeze(there)
                scripts = [script for root in there for prim in root.linkset() for script in self._scripts.of(prim)]
                held.stopped = [script for script in scripts if script.item_id in transit.facts["stopped"]]

    async def recover(self) -> None:
        """Finish or undo what was open when the region ended. Once, when the region has its claim."""
        for move, transit in list(self._storage.transits.items()):
            steps = MOVES.get(transit.kind)
            if steps is OUT:
                self._region.tasks.spawn(self._pursue(move, unsure=True), "move")
            elif steps is IN:
                self._region.tasks.spawn(self._release(move), "move")
        region_id = self._region.facts.region_id
        for told in await self._heard(lambda: self._backbone.open_moves(region_id)):
            move = UUID(told["transit_id"])
            if move in self._storage.transits or move in self._begun:
                continue
            if told["state"] == "held":  # for us, and it never stood here
                log.info("item %s goes back to %s: it never came here", told["item"]["item_id"], told["agent_id"])
                self._region.tasks.spawn(self._give_back(move), "move")
            else:
                self._end(move)

    async def _heard(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long that takes. BackboneError is a refusal."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await ask()
            except BackboneError as error:
                if 400 <= error.status < 500:
                    raise
                self._region.metrics.count("service_errors", label="backbone")
            except _Silent:
                pass
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    # --- out of the region

    async def out(self, move: UUID, leaving: Leaving, actor: Actor) -> Mapping[str, Any] | Refused:
        """Move it into the inventory: the item as it is there. Refused: it is where it was, or on its way for longer than anybody
        should wait, as the words say."""
        refused = self.refusal()
        for root in leaving.roots if refused is None else ():
            if root.leaving:
                self.call_off(root)
        if refused is None and (move in self._storage.transits or any(root.leaving for root in leaving.roots)):
            refused = Refused(GOING, "moving")
        if refused is None and leaving.prim is not None and leaving.inside is not None:
            gone = contents.remove(self._region, actor, leaving.prim, leaving.inside.item_id)
            refused = gone if isinstance(gone, Refused) else None
        if refused is not None:
            return refused
        held = self._held[move] = self._freeze(leaving.roots)
        facts = {
            "by": str(actor.agent_id), "receiver": str(leaving.receiver), "item": leaving.item, "change": leaving.change,
            "roots": [str(root.full_id) for root in leaving.roots], "stopped": [script.item_id for script in held.stopped],
            "prim": str(leaving.prim.full_id) if leaving.prim is not None else None,
            "inside": item_to_json(leaving.inside) if leaving.inside is not None else None,
        }  # fmt: skip
        self._storage.note(move, Transit(leaving.kind, self._region.clock.unix(), facts, leaving.data))
        if not await self._storage.durable():
            await self._stay(move)
            return Refused(DISK_FULL, "disk")
        self.reached(move, Step.NOTE)
        self._awaited.add(move)
        work = self._region.tasks.spawn(self._pursue(move, unsure=False), "move")
        done, _ = await asyncio.wait([work], timeout=PATIENCE)
        self._awaited.discard(move)
        return work.result() if done else Refused(ON_ITS_WAY, "silent")

    async def _pursue(self, move: UUID, unsure: bool) -> Mapping[str, Any] | Refused:
        """Ask until there is an answer. `unsure`: it may have been asked for before, and then silence undoes nothing."""
        transit = self._storage.transits[move]
        try:
            outcome = await self._make(move, transit)
        except _Silent as silent:
            if unsure or not silent.sure:
                outcome = await self._heard(lambda: self._make(move, transit))
            else:
                outcome = Refused(silent.words, "service")
        if isinstance(outcome, Refused):
            outcome = await self._stay(move) or outcome
        else:
            self._let_go(move)
        if move not in self._awaited:
            receiver = UUID(transit.facts["receiver"])
            self.tell(receiver, outcome.words) if isinstance(outcome, Refused) else self.late(receiver, outcome)
        return outcome

    async def _make(self, move: UUID, transit: Transit) -> Mapping[str, Any] | Refused:
        """The steps between the region's two. _Silent when a service does not answer."""
        backbone, assets = self._backbone, self._assets
        facts = transit.facts
        if transit.data:
            try:
                await assets.put(UUID((facts["item"] or facts["change"])["asset_id"]), transit.data, AssetType.OBJECT)
            except AssetError as error:
                self._region.metrics.count("service_errors", label="assets")
                raise _Silent(error.for_people() if error.status in (413, 507) else STORE_SILENT, sure=True) from error
        self.reached(move, Step.STORE)
        try:
            made = await backbone.move_into(
                move, self._region.facts.region_id, facts["receiver"], item=facts["item"], change=facts["change"]
            )
        except BackboneError as error:
            if 400 <= error.status < 500:
                return Refused(f"Not taken: {error.title}.", "inventory")
            self._region.metrics.count("service_errors", label="backbone")
            raise _Silent(INVENTORY_SILENT, error.nobody) from error
        self.reached(move, Step.MAKE)
        return dict(made["item"])

    def _freeze(self, roots: Sequence[Prim]) -> _Held:
        """Nobody changes what is on its way, and nothing in it runs: what was written is what goes."""
        held = _Held(list(roots))
        for root in roots:
            root.leaving = True
            self._bodies.drop(root)
            for prim in root.linkset():
                for script in self._scripts.of(prim):
                    if script.is_running:
                        script.set_running(False)
                        held.stopped.append(script)
        return held

    def _let_go(self, move: UUID) -> None:
        """It is in the inventory: here it goes, and the row with it, in one commit. Until then the row says that it has gone."""
        facts = self._storage.transits[move].facts
        by = UUID(facts["by"]) if "by" in facts else None
        for root in self._held.pop(move).roots:
            if root.row >= 0:
                root.leaving = False
                remove.remove(self._region, root, by)
        prim = self._prim(facts)
        if prim is not None:
            self._scripts.remove_item(prim, UUID(facts["inside"]["item_id"]))
        self._storage.note(move, None)
        self._region.metrics.count("moves", label="out")
        self.reached(move, Step.LET_GO)
        self._end(move)

    async def _stay(self, move: UUID) -> Mapping[str, Any] | None:
        """It is where it was. What was in an object that has gone meanwhile is put with the receiver's lost things: the item then."""
        transit, held = self._storage.transits[move], self._held[move]
        inside, prim = transit.facts["inside"], self._prim(transit.facts)
        if inside is not None and prim is None:
            return await self._heard(lambda: self._lose(move, transit))
        del self._held[move]
        for root in held.roots:
            if root.row >= 0:
                root.leaving = False
                self._bodies.rebuild(root)
        for script in held.stopped:
            script.set_running(True)
        if inside is not None and prim is not None:
            contents.put_back(self._region, Actor(UUID(transit.facts["receiver"])), prim, item_from_json(inside))
        self._storage.note(move, None)
        await self._storage.durable()
        self._region.metrics.count("moves", label="undone")
        self._end(move)
        return None

    async def _lose(self, move: UUID, transit: Transit) -> Mapping[str, Any]:
        """There is nothing to put it back into, and no way but on."""
        receiver = transit.facts["receiver"]
        tree = await self._backbone.get_inventory_skeleton(receiver)
        lost = [folder["folder_id"] for folder in tree["folders"] if folder["type"] == Folder.LOST_AND_FOUND]
        facts = {**transit.facts, "item": {**transit.facts["item"], "parent_id": (lost or [tree["root"]])[0]}}
        outcome = await self._make(move, Transit(transit.kind, transit.since, facts, transit.data))
        if isinstance(outcome, Refused):
            log.error("move %s: %s can have it nowhere: %s", move, receiver, outcome.words)
            raise _Silent(outcome.words, sure=True)
        self._let_go(move)
        return outcome

    def _prim(self, facts: Mapping[str, Any]) -> Prim | None:
        """Whose contents the move concerns, while it is there."""
        return self._region.world.objects.by_id.get(UUID(facts["prim"])) if facts["prim"] is not None else None

    # --- into the region

    async def into(
        self, move: UUID, kind: str, owner: UUID, item_id: UUID, stand: Callable[[Item], Came | Refused]
    ) -> Came | Refused:
        """Move an item out of the owner's inventory: what `stand` made of it here, without awaiting anything. Refused: the item is
        where it was, or will be."""
        refused = self.refusal()
        if refused is not None:
            return refused
        self._begun.add(move)
        try:
            held = await self._hold(move, owner, item_id)
            if isinstance(held, Refused):
                return held
            try:
                came = stand(held)
            except Exception as error:
                self._region.aside.failed("task", kind, error)
                came = Refused(NOT_CARRIED_OUT, "failed")
            if not isinstance(came, Refused):
                if await self._stood(move, kind, owner, came):
                    self.reached(move, Step.STAND)
                    self._region.tasks.spawn(self._release(move), "move")
                    return came
                self._undo(move)
                came = Refused(DISK_FULL, "disk")
            work = self._region.tasks.spawn(self._give_back(move), "move")
            await asyncio.wait([work], timeout=PATIENCE)
            return came
        finally:
            self._begun.discard(move)

    async def _hold(self, move: UUID, owner: UUID, item_id: UUID) -> Item | Refused:
        """The item, which is in no inventory now."""
        backbone, region_id = self._backbone, self._region.facts.region_id
        unsure = False
        for _ in range(2):
            try:
                told = await backbone.move_out(move, region_id, owner, item_id)
                self.reached(move, Step.HOLD)
                return item_from_json(told["item"])
            except ProtocolError as error:
                unsure, refused = True, Refused(f"That item cannot be used: {error}.", "unreadable item")
                break
            except BackboneError as error:
                if 400 <= error.status < 500:
                    return Refused(NOT_YOURS if error.status == 404 else f"Not moved: {error.title}.", "inventory")
                self._region.metrics.count("service_errors", label="backbone")
                unsure, refused = unsure or not error.nobody, Refused(INVENTORY_SILENT, "inventory")
                if error.nobody:
                    break
        if unsure:
            self._region.tasks.spawn(self._give_back(move), "move")
        return refused

    async def _stood(self, move: UUID, kind: str, owner: UUID, came: Came) -> bool:
        """It stands here, and the store says by which move: one commit."""
        facts = {
            "owner": str(owner), "roots": [str(root.full_id) for root in came.roots],
            "prim": str(came.prim.full_id) if came.prim is not None else None,
            "inside": str(came.item_id) if came.item_id is not None else None,
        }  # fmt: skip
        self._storage.note(move, Transit(kind, self._region.clock.unix(), facts))
        return await self._storage.durable()

    async def _release(self, move: UUID) -> None:
        """Backbone lets go of the item, however long it takes until it hears."""
        try:
            state = (await self._heard(lambda: self._backbone.release_move(move)))["state"]
        except BackboneError as error:
            if error.status != 404:
                log.error("move %s stays open: %s", move, error)
                return
            state = "released"  # and forgotten since
        if state == "void":  # it was given back when the store did not take what came, and then it did
            owner = UUID(self._storage.transits[move].facts["owner"])
            self._undo(move)
            self.tell(owner, NOT_CARRIED_OUT)
        else:
            self.reached(move, Step.RELEASE)
            self._storage.note(move, None)
            self._region.metrics.count("moves", label="in")
            self.reached(move, Step.FORGET)
        self._end(move)

    def _undo(self, move: UUID) -> None:
        """What came by the move goes, since it is back in the inventory."""
        transit = self._storage.transits[move]
        objects = self._region.world.objects
        for root_id in transit.facts["roots"]:
            root = objects.by_id.get(UUID(root_id))
            if root is not None:
                remove.remove(self._region, root)
        prim = self._prim(transit.facts)
        if prim is not None:
            contents.remove(self._region, Actor(prim.owner_id, region=True), prim, UUID(transit.facts["inside"]))
        self._storage.note(move, None)
        self._region.metrics.count("moves", label="undone")

    async def _give_back(self, move: UUID) -> None:
        """It has not happened: the item is back, however long it takes until Backbone hears."""
        try:
            await self._heard(lambda: self._backbone.void_move(move, self._region.facts.region_id))
        except BackboneError as error:
            log.error("move %s is not undone: %s", move, error)
            return
        self._end(move)

    # --- the end

    def _end(self, move: UUID) -> None:
        """Nothing of it is asked for again: Backbone may forget it, once the store has."""
        if not self._over:
            self._region.tasks.after(CLOSE_AFTER, self._close_soon)
        self._over.append(move)

    def _close_soon(self) -> None:
        self._region.tasks.spawn(self._close(), "moves")

    async def _close(self) -> None:
        over, self._over = self._over, []
        if not await self._storage.durable():
            return  # the next start will
        try:
            for at in range(0, len(over), 1000):
                await self._backbone.close_moves(self._region.facts.region_id, over[at : at + 1000])
        except BackboneError as error:
            log.warning("%d moves are over, and Backbone has not heard: %s", len(over), error)
