"""What people wear, from their inventories and back.

    login       what Backbone says was worn comes from its items
    put on      the item's object appears on its bearer; Backbone notes item and point
    now and then, taken off, logged out
                the item gets what became of the object, scripts in the middle of what they do, where anything did
    over a border, by teleport
                it goes along in the hand-off (neighbours/worn_handover.py); while that is under way it is frozen here

An object that is worn belongs to its item: no region's store has it, and when a region dies, what is lost is what became of
the object since the item got it last (`EDITS_AFTER`, `SCRIPTS_AFTER`).

Scripts of what is put on are compiled beside the frame. Until that is done they wait as they came, and go on so if their bearer does.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID, uuid5

from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from protocol.attachment_points import MOST_WORN
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_from_json
from protocol.wellknown import NULL, AssetType
from sim.actions import attach, take
from sim.actions.outcome import Refused
from sim.neighbours.state import HandOff, Reason
from sim.neighbours.worn_handover import WornThing
from sim.region import Region
from sim.scripts.inworld import Scripts
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program
from sim.scripts.language.values import NULL_KEY, Key
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.script import Script
from sim.scripts.permits import GRANTED_WORN
from sim.world import form
from sim.world.agent import Agent
from sim.world.changes import EVERYTHING, What
from sim.world.linkset import Linkset, ScriptState, gather
from sim.world.objects import Prim, Worn

log = logging.getLogger(__name__)

EDITS_AFTER, SCRIPTS_AFTER = (
    30.0,
    600.0,
)  # seconds after which an item gets what became of its object, and its scripts' states
LOOK_EVERY, LOOK_AT = 1.0, 4  # seconds, and things looked at each time
LAST_WORDS = 0.2  # seconds in which scripts do what they do when they are taken off
SAVE_PATIENCE = 8.0  # seconds somebody waits at most for what is on its way to an inventory
CHANGED_REGION, CHANGED_TELEPORT = 0x100, 0x200
NOT_ANSWERING = "That cannot be worn now: the grid's services are not answering. Please try again."
STAYS_ON = "It stays on: the grid's services are not answering. Please try again."
NO_ASSET = "That cannot be worn: what it stands for is not in the asset store."
NO_OBJECT = "That is not an object, and cannot be worn so."
SEVERAL = "Several objects in one item cannot be worn. Put them into the world, and take them one by one."
NOT_THERE = "That item is not in your inventory."
Event = tuple[str, Any]


class Attachments:
    def __init__(self, region: Region, scripts: Scripts, backbone: BackboneClient, assets: AssetClient) -> None:
        self.region = region
        self._scripts = scripts
        self._backbone, self._assets = backbone, assets
        self._tell: Callable[[Agent, Refused], None] = lambda agent, refused: None
        self._due: dict[Prim, float] = {}  # roots -> real time at which their items are to get what became of them
        self._looking = False
        self._saving: dict[UUID, asyncio.Task[None]] = {}  # bearer -> what is on its way into its inventory
        region.world.changes.prims.at_once(EVERYTHING & ~(What.GONE | What.MADE | What.RIDERS), self._noted)

    def serve(self, tell: Callable[[Agent, Refused], None]) -> None:
        """Who says to somebody why something was refused."""
        self._tell = tell

    # --- put on

    async def wear_item(self, agent: Agent, item_id: UUID, wish: int) -> Prim | Refused | None:
        """An item of the agent's inventory; `wish`: AttachmentPt. None when it is worn already."""
        item = await self._item(agent.agent_id, item_id)
        if isinstance(item, Refused):
            return item
        if any(root.worn is not None and root.worn.item_id == item.item_id for root in agent.worn):
            return None
        await self.saved(agent.agent_id)
        linkset = await self._read(item)
        if isinstance(linkset, Refused):
            return linkset
        chosen = attach.point_of(wish, linkset.parts[0].prim.attach_point)
        if isinstance(chosen, Refused):
            return chosen
        point, beside = chosen
        freed = 0 if beside else sum(root.attach_point == point for root in agent.worn)
        refused = attach.refusal(agent, len(linkset.parts))
        if refused is not None and not (freed and len(agent.worn) - freed < MOST_WORN):
            return refused
        if not beside:
            await self._free(agent, point)
        try:
            await self._backbone.put_on(agent.agent_id, item.item_id, point)
        except BackboneError as error:
            return Refused(NOT_THERE if error.status == 404 else NOT_ANSWERING, "inventory")
        refused = attach.refusal(agent, len(linkset.parts))
        if refused is not None:  # meanwhile it went, or put on something else
            await self._forget(agent.agent_id, item.item_id)
            return refused
        return self._hang(agent, item, linkset, point)

    def _hang(self, agent: Agent, item: Item, linkset: Linkset, point: int) -> Prim:
        root = attach.put_on(self.region, agent, item, linkset, point)
        assert root.worn is not None
        root.worn.saved = self._digest(root)
        self._due.pop(root, None)
        self._start_scripts(root, linkset, [("on_rez", 0), ("attach", Key(str(agent.agent_id)))])
        return root

    async def _free(self, agent: Agent, point: int) -> None:
        """What hangs on the point comes off."""
        for root in [root for root in agent.worn if root.attach_point == point]:
            refused = await self.take_off(agent, root)
            if refused is not None:
                self._tell(agent, refused)

    async def come_back(self, agent: Agent) -> None:
        """Somebody has logged in: what was worn is worn again."""
        await self.saved(agent.agent_id)
        try:
            worn = await self._backbone.get_worn(agent.agent_id)
        except BackboneError:
            self.region.metrics.count("service_errors", label="backbone")
            self._tell(agent, Refused("What you wear could not be looked up.", "inventory"))
            return
        for one in worn[:MOST_WORN]:
            item = await self._item(agent.agent_id, UUID(one["item_id"]))
            linkset = await self._read(item) if isinstance(item, Item) else item
            if isinstance(item, Refused) or isinstance(linkset, Refused):
                self._tell(agent, linkset if isinstance(linkset, Refused) else item)  # type: ignore[arg-type]
                continue
            if any(root.worn is not None and root.worn.item_id == item.item_id for root in agent.worn):
                continue  # its viewer asked for it, and was quicker
            refused = attach.refusal(agent, len(linkset.parts))
            if refused is not None:
                self._tell(agent, refused)
                return
            self._hang(agent, item, linkset, one["point"])

    async def wear_taken(self, agent: Agent, item_id: UUID, linkset: Linkset, point: int) -> Refused | None:
        """What stood in the region has become that item a moment ago: it is worn as that from now on, under its own ids."""
        refused = attach.refusal(agent, len(linkset.parts))
        if refused is not None:
            return refused
        try:
            await self._backbone.put_on(agent.agent_id, item_id, point)
        except BackboneError:
            return Refused(NOT_ANSWERING, "inventory")
        refused = attach.refusal(agent, len(linkset.parts))
        if refused is not None:
            return refused
        root = attach.hang_new(self.region, agent, linkset, Worn(agent, item_id), point)
        self._start_scripts(root, linkset, [("attach", Key(str(agent.agent_id)))])
        self._want(root, self.region.clock.now())
        return None

    def wear_for_a_while(self, agent: Agent, root: Prim, point: int) -> None:
        """What stood here is worn from now on, and belongs to no item."""
        attach.put_on_for_a_while(self.region, agent, root, point)
        self._post(root, "attach", Key(str(agent.agent_id)))

    # --- off

    async def take_off(self, agent: Agent, root: Prim) -> Refused | None:
        """Into its item; what belongs to none is gone."""
        refused = attach.off_refusal(agent, root)
        if refused is not None:
            return refused
        await self.last_words(root)
        worn = root.worn
        if worn is None or attach.off_refusal(agent, root) is not None:
            return None  # it went meanwhile, or goes
        scripts = [script for prim in root.linkset() for script in self._scripts.of(prim)]
        self._scripts.permits.revoke(scripts, root, agent, GRANTED_WORN)
        if worn.item_id != NULL:
            await self.saved(agent.agent_id)
            unsaved = self._unsaved(root)
            stopped = self._freeze(root)
            done = unsaved is None or await self._into_item(agent.agent_id, worn.item_id, unsaved[0], worn.flags)
            done = done and await self._forget(agent.agent_id, worn.item_id)
            if root.row < 0:
                return None
            self._thaw(root, stopped)
            if not done:
                self._post(root, "attach", Key(str(agent.agent_id)))
                return Refused(STAYS_ON, "inventory")
        self.region.world.objects.remove(root)
        return None

    async def last_words(self, root: Prim) -> None:
        """Scripts hear that they are worn no more, and have a moment."""
        self._post(root, "attach", NULL_KEY)
        if any(self._scripts.of(prim) for prim in root.linkset()):
            over = asyncio.Event()
            self.region.tasks.after(LAST_WORDS, over.set)
            await over.wait()

    # --- from inventory

    async def _item(self, owner: UUID, item_id: UUID) -> Item | Refused:
        """An object of somebody's own inventory, also by a link to it."""
        try:
            for _ in range(2):
                found = await self._backbone.fetch_items(owner, [item_id])
                if not found:
                    return Refused(NOT_THERE, "no such item")
                item = item_from_json(found[0])
                if item.asset_type == AssetType.OBJECT:
                    return item
                if item.asset_type != AssetType.LINK:
                    return Refused(NO_OBJECT, "no object")
                item_id = item.asset_id
        except BackboneError:
            self.region.metrics.count("service_errors", label="backbone")
            return Refused(NOT_ANSWERING, "inventory")
        except ProtocolError as error:
            return Refused(f"That item cannot be used: {error}.", "unreadable item")
        return Refused(NO_OBJECT, "no object")

    async def _read(self, item: Item) -> Linkset | Refused:
        try:
            asset = await self._assets.fetch(item.asset_id)
        except AssetError:
            self.region.metrics.count("service_errors", label="assets")
            return Refused(NOT_ANSWERING, "assets")
        if asset is None or asset.type != AssetType.OBJECT:
            return Refused(NO_ASSET, "no asset")
        try:
            linksets = take.unpack(asset.data)
        except ProtocolError as error:
            self.region.metrics.count("edits_refused", label="damaged asset")
            return Refused(f"That cannot be worn: {error}.", "damaged asset")
        return linksets[0] if len(linksets) == 1 else Refused(SEVERAL, "several objects")

    # --- back into inventory

    def _linkset(self, root: Prim, scripts: bool = True) -> Linkset:
        (linkset,) = gather(
            self.region.world.objects, [root], self.region.clock.now(), self._states if scripts else None
        )
        return linkset

    def _states(self, prim: Prim) -> list[ScriptState]:
        worn = prim.linkset_root.worn
        return [*self._scripts.states(prim), *(worn.waiting.get(prim, ()) if worn is not None else ())]

    def _digest(self, root: Prim) -> bytes:
        try:
            return hashlib.blake2b(form.encode(self._linkset(root, scripts=False)), digest_size=16).digest()
        except ProtocolError:
            return b""

    def _scripted(self, root: Prim) -> bool:
        return any(self._scripts.of(prim) for prim in root.linkset()) or bool(root.worn and root.worn.waiting)

    def _unsaved(self, root: Prim) -> tuple[bytes, bytes] | None:
        """The form that its item is to get, and its digest; None when nothing became of it."""
        worn = root.worn
        if worn is None or worn.item_id == NULL:
            return None
        digest = self._digest(root)
        if digest == worn.saved and worn.flags < 0 and not self._scripted(root):
            return None
        try:
            return form.encode(self._linkset(root)), digest
        except ProtocolError as error:
            log.error("what %s wears cannot be kept as it is now: %s", worn.bearer.name, error)
            return None

    async def _into_item(self, owner: UUID, item_id: UUID, data: bytes, flags: int) -> bool:
        """Whether it is there now. An item that has been deleted or given away takes nothing, and needs nothing."""
        asset_id = uuid5(item_id, hashlib.blake2b(data, digest_size=16).hexdigest())
        changes: dict[str, Any] = {"asset_id": str(asset_id), **({"flags": flags} if flags >= 0 else {})}
        try:
            await self._assets.put(asset_id, data, AssetType.OBJECT)
            await self._backbone.update_item(owner, item_id, **changes)
        except AssetError as error:
            self.region.metrics.count("service_errors", label="assets")
            log.warning("item %s of %s did not get what became of it: %s", item_id, owner, error)
            return False
        except BackboneError as error:
            if error.status == 404:
                return True
            self.region.metrics.count("service_errors", label="backbone")
            log.warning("item %s of %s did not get what became of it: %s", item_id, owner, error)
            return False
        return True

    async def _forget(self, owner: UUID, item_id: UUID) -> bool:
        """Backbone notes that it is worn no more. Whether it has."""
        try:
            await self._backbone.take_off(owner, item_id)
        except BackboneError as error:
            if error.status != 404:
                self.region.metrics.count("service_errors", label="backbone")
                return False
        return True

    def leaving(self, agent: Agent) -> None:
        """Somebody is about to be gone from the grid: what became of what they wear is on its way to their items from now on.
        Of who was handed to us and never appeared, it is what came with them."""
        waiting: list[tuple[UUID, bytes, int]] = []
        if agent.journey.if_it_stays is not None:
            agent.journey.if_it_stays()  # what was frozen for a journey is kept as it was before
        for root in list(agent.worn):
            unsaved = self._unsaved(root)
            if root.worn is not None and unsaved is not None:
                waiting.append((root.worn.item_id, unsaved[0], root.worn.flags))
                root.worn.saved = unsaved[1]
        if agent.child and agent.arrival is not None and agent.arrival.reason is Reason.CROSSING:
            waiting = [(one.item_id, one.linkset, one.flags) for one in agent.arrival.worn if one.item_id != NULL]
            agent.arrival.worn = []
        if waiting:
            self._queue(agent.agent_id, self._save_all(agent.agent_id, waiting))

    async def _save_all(self, owner: UUID, waiting: Sequence[tuple[UUID, bytes, int]]) -> None:
        for item_id, data, flags in waiting:
            for attempt in range(4):
                if await self._into_item(owner, item_id, data, flags):
                    break
                await asyncio.sleep(0.5 * 2**attempt)
            else:
                log.error("item %s of %s has an older state of what was worn", item_id, owner)

    def _queue(self, owner: UUID, work: Coroutine[Any, Any, None]) -> None:
        """What is to be done with somebody's items, after what is being done."""
        before = self._saving.get(owner)

        async def run() -> None:
            try:
                if before is not None:
                    await asyncio.wait([before])
            finally:
                await work

        task = self._saving[owner] = self.region.tasks.spawn(run(), "attachments")
        task.add_done_callback(lambda done: self._saving.pop(owner, None) if self._saving.get(owner) is done else None)

    async def saved(self, owner: UUID) -> None:
        """Until all that was on its way into somebody's inventory is there, or a while has passed."""
        task = self._saving.get(owner)
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait([task], timeout=SAVE_PATIENCE)

    # --- now and then

    def _noted(self, prim: Prim, _: What) -> None:
        root = prim.linkset_root
        if root.worn is not None and root.worn.item_id != NULL:
            self._want(root, self.region.clock.now() + EDITS_AFTER)

    def _want(self, root: Prim, at: float) -> None:
        self._due[root] = min(at, self._due.get(root, at))
        if not self._looking:
            self._looking = True
            self.region.tasks.after(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Some of those whose time has come."""
        now = self.region.clock.now()
        self._due = {root: at for root, at in self._due.items() if root.worn is not None}
        ready = [
            root
            for root, at in self._due.items()
            if at <= now and not root.leaving and root.worn and not root.worn.waiting
        ]
        for root in ready[:LOOK_AT]:
            del self._due[root]
            assert root.worn is not None
            owner = root.worn.bearer.agent_id
            self._queue(owner, self._keep_now(owner, root))
        self._looking = bool(self._due)
        if self._looking:
            self.region.tasks.after(LOOK_EVERY, self._look)

    async def _keep_now(self, owner: UUID, root: Prim) -> None:
        worn, unsaved = root.worn, None if root.leaving else self._unsaved(root)
        if worn is not None and unsaved is not None:
            if await self._into_item(owner, worn.item_id, unsaved[0], worn.flags):
                worn.saved, worn.flags = unsaved[1], -1
            else:
                self._want(root, self.region.clock.now() + EDITS_AFTER)
        if root.worn is not None and self._scripted(root):
            self._want(root, self.region.clock.now() + SCRIPTS_AFTER)

    # --- to another region and from there

    def pack(self, agent: Agent) -> list[WornThing]:
        """What goes along; from now on it is frozen here, until the agent stays after all."""
        found, stopped = [], []
        for root in list(agent.worn):
            worn = root.worn
            assert worn is not None
            try:
                data = form.encode(self._linkset(root))
            except ProtocolError as error:
                log.error("what %s wears does not go along: %s", agent.name, error)
                continue
            found.append(WornThing(worn.item_id, root.attach_point, data, worn.saved, worn.flags))
            stopped.append((root, self._freeze(root)))

        def stay() -> None:
            for root, scripts in stopped:
                if root.row >= 0:
                    self._thaw(root, scripts)

        agent.journey.if_it_stays = stay
        return found

    def arrived(self, agent: Agent, arrival: HandOff) -> None:
        """An avatar appeared: what it wears is on it."""
        told = CHANGED_REGION | (CHANGED_TELEPORT if arrival.reason is Reason.TELEPORT else 0)
        for one in arrival.worn:
            try:
                linkset = form.decode(one.linkset)
                root = linkset.parts[0].prim
                worn = Worn(agent, one.item_id, one.flags, one.saved)
                root.hung, root.attach_point = True, one.point
                attach.hang_new(self.region, agent, linkset, worn, one.point)
            except (ProtocolError, ValueError) as error:
                self.region.metrics.count("edits_refused", label="damaged attachment")
                log.error("what %s wears (item %s) did not come along: %s", agent.name, one.item_id, error)
                self._tell(agent, Refused("Something that you wear did not come along.", "damaged attachment"))
                continue
            self._start_scripts(root, linkset, [("changed", told)])

    def teleported_here(self, agent: Agent) -> None:
        """A teleport within the region."""
        for root in agent.worn:
            self._post(root, "changed", CHANGED_TELEPORT)

    def _freeze(self, root: Prim) -> list[Script]:
        """Nothing of it changes, and nothing in it runs: what was written is what goes."""
        root.leaving = True
        running = [script for prim in root.linkset() for script in self._scripts.of(prim) if script.is_running]
        for script in running:
            script.set_running(False)
        return running

    def _thaw(self, root: Prim, stopped: Sequence[Script]) -> None:
        root.leaving = False
        for script in stopped:
            script.set_running(True)
        if root.worn is not None and root.worn.waiting:
            self.region.tasks.spawn(self._wake(root, root.worn, []), "worn scripts")

    # --- scripts

    def _post(self, root: Prim, event: str, *arguments: Any) -> None:
        for prim in root.linkset():
            for script in self._scripts.of(prim):
                script.now = self.region.world.time
                script.post(event, *arguments)

    def _start_scripts(self, root: Prim, linkset: Linkset, events: list[Event]) -> None:
        assert root.worn is not None
        root.worn.waiting = {part.prim: list(part.scripts) for part in linkset.parts if part.scripts}
        if root.worn.waiting:
            self.region.tasks.spawn(self._wake(root, root.worn, events), "worn scripts")

    async def _wake(self, root: Prim, worn: Worn, events: list[Event]) -> None:
        """Scripts go on where they were, once they are compiled here."""
        programs: dict[str, Program] = {}
        for source in {state.source for states in worn.waiting.values() for state in states}:
            try:
                programs[source] = await self._scripts.compiled(source, root.owner_id)
            except CompileError:
                log.warning("a script of %s, which is worn, does not compile any more", root.full_id)
        if root.worn is not worn or root.leaving:
            return  # it went, or goes, and its scripts with it as they came
        waiting, worn.waiting = worn.waiting, {}
        for prim, states in waiting.items():
            for state in states:
                program = programs.get(state.source)
                if program is None:
                    continue
                try:
                    script = self._scripts.restore(prim, program, state.source, str(state.item_id), state.state)
                except BadState:
                    script = self._scripts.start(prim, program, state.source, state.name, state.item_id)
                script.now = self.region.world.time
                for event, argument in events:
                    script.post(event, argument)
            self._scripts.flags(prim)
        if worn.item_id != NULL:
            self._want(root, self.region.clock.now() + SCRIPTS_AFTER)
