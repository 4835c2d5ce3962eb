"""Scripts in the region: the sim's side of `library/world.py`.

A script hangs on a prim. What it says goes where people's chat goes and what is said near it comes to its listens
(`actions/speak.py`), a touch comes as events. The frame gives all scripts together one budget (`run`); compiling happens in a process of its own
(`machine/compiling.py`) and comes back as a running script.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.message import Message, clip
from protocol.wellknown import NULL
from sim.actions import edit, speak, take
from sim.actions.may import script_of
from sim.actions.remove import remove
from sim.actions.speak import OWNER, SPOKEN, message_from_object, say, thing
from sim.actions.speak import REGION as EVERYWHERE
from sim.clients import ask
from sim.scripts.answers import Answers, Room, Services, Unanswered
from sim.scripts.controls import Controls
from sim.scripts.gifts import RegionGifts
from sim.scripts.journeys import RegionJourneys
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program
from sim.scripts.language.values import NULL_KEY, Key, Rotation, Value, Vector, to_string
from sim.scripts.library.things import link_number, linked
from sim.scripts.library.world import REGION, SAY, SHOUT, WHISPER, Detected, LinksetStore, Listen
from sim.scripts.machine.compiling import Compilers
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.saved import restore, save
from sim.scripts.machine.script import Script
from sim.scripts.notecards import Notecards
from sim.scripts.permits import Permits, askable, of_itself
from sim.scripts.rooms import Rooms
from sim.scripts.rooms.home import Loaded
from sim.scripts.viewers import Viewers
from sim.world.agent import Agent, Asked
from sim.world.changes import What
from sim.world.linkset import Linkset, ScriptState
from sim.world.objects import Prim
from sim.world.world import Chat

if TYPE_CHECKING:
    from backbone.client import BackboneClient
    from sim.actions.sit import Seating
    from sim.giving import Giving
    from sim.money import Money
    from sim.names import Names
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.world.agent import Agent

log = logging.getLogger(__name__)

BUDGET = 0.006  # seconds of a frame that scripts may take
VOICES = {WHISPER: speak.WHISPER, SAY: speak.SAY, SHOUT: speak.SHOUT, REGION: EVERYWHERE}
DIALOGS_KEPT = 200  # of one agent, whose answers are heard
TEXT_BOX = "!!llTextBox!!"
FULL_HEALTH = 100.0
NO_SERVICES = "the grid's services are not answering"
UNKNOWN = ("(unknown)", "Resident")  # an owner who has not been here since the region began
AGENT_KIND = 1  # llDetectedType of a person
# What scripts are told of by changed(): in the prim that changed, and in all of its linkset.
TOLD = {What.CONTENTS: 0x1, What.COLOUR: 0x2, What.SHAPE: 0x4, What.SCALE: 0x8, What.SURFACE: 0x10, What.MEDIA: 0x800}
TOLD_ALL = {What.LINK | What.RIDERS: 0x20, What.OWNER: 0x80}
ALLOWED_DROP = 0x40
HEARD = (
    What.DROPPED |
    What.MADE | What.CONTENTS | What.COLOUR | What.SHAPE | What.SCALE | What.SURFACE | What.MEDIA | What.LINK | What.RIDERS
    | What.OWNER
)  # fmt: skip


@cache
def numbers(what: What) -> tuple[int, int]:
    """The CHANGED_* bits for what has changed: told in the prim itself, and in all of its linkset."""
    own, all_ = (sum(number for flag, number in table.items() if what & flag) for table in (TOLD, TOLD_ALL))
    if what & What.DROPPED:  # by somebody who may not change the object otherwise: that is all that is told
        own = own & ~TOLD[What.CONTENTS] | ALLOWED_DROP
    return own, all_


class Scripts:
    """All scripts of a region; what `WorldInterface` asks for."""

    def __init__(
        self, region: Region, backbone: BackboneClient, names: Names, seating: Seating, bodies: Bodies, services: Services
    ) -> None:
        self.region, self.world, self.bodies = region, region.world, bodies
        self._backbone, self._names, self._seating, self._services = backbone, names, seating, services
        self._engine: Engine | None = None
        self._of_prim: dict[Prim, list[Script]] = {}
        self._prim_of: dict[Script, Prim] = {}
        self._compilers = Compilers()
        self._changes = region.world.changes.prims.reader(HEARD)
        region.world.changes.speech.at_once(What.MADE, self._heard)
        region.world.changes.prims.at_once(What.GONE, lambda prim, _: self.remove(prim))
        self.on_wear: Callable[[Agent, Prim, int, bool], None] = lambda *_: None  # a script has somebody put its object on
        self.on_take_off: Callable[[Agent, Prim], None] = lambda *_: None
        self._listens: dict[int, dict[tuple[Script, int], Listen]] = {}  # channel -> who listens
        self.viewers = Viewers(region.world)
        self.controls = Controls(region.world, self.viewers.show)
        self.permits = Permits(region, self.controls, self.viewers.show)
        self._room = Room(services, Notecards())
        self.answers = Answers(self._room, region.tasks.spawn, lambda: region.world.time)
        self.journeys: RegionJourneys
        self.gifts: RegionGifts
        self.rooms = Rooms(self)

    def serve(self, journeys: RegionJourneys, giving: Giving, money: Money) -> None:
        """Where scripts send people, and how they give and pay: by parts that are made after this one."""
        self.journeys = journeys
        self.gifts = RegionGifts(self.region, self, giving, money, self._room)

    @property
    def engine(self) -> Engine:
        """Made when the first script comes: a region without any does not pay for it."""
        if self._engine is None:
            self._engine = Engine(stopwatch=self.region.clock.now, tiers=True)
        return self._engine

    def close(self) -> None:
        self._compilers.close()
        if self._engine is not None:
            self._engine.close()

    # --- coming and going

    async def add(self, prim: Prim, source: str, name: str = "New Script") -> Script:
        """Compile a source beside the frame and run it in the prim. Raises CompileError with all there is to mend."""
        program = await self.compiled(source, prim.owner_id)
        if prim.row < 0:
            raise CompileError([])
        return self.start(prim, program, source, name)

    def start(self, prim: Prim, program: Program, source: str, name: str = "New Script", item_id: UUID | None = None) -> Script:
        """Run a compiled source in the prim, as the script of an item of its contents where one is named."""
        script = Script(
            self.engine, program, self, name=name, item_id=Key(str(item_id or uuid4())), owner=Key(str(prim.owner_id)),
            object_id=Key(str(prim.full_id)), source=source, now=self.world.time,
        )  # fmt: skip
        self._of_prim.setdefault(prim, []).append(script)
        self._prim_of[script] = prim
        self.engine.scheduler.wake(script)
        self.flags(prim)
        self.world.changes.prims.note(prim, What.CONTENTS)
        return script

    async def compiled(self, source: str, owner: UUID = NULL) -> Program:
        """A source compiled beside the frame, in its owner's turn; CompileError."""
        program = await self._compilers.compile(source, str(owner))
        await self.engine.prepare(program)
        return program

    def restore(self, prim: Prim, program: Program, source: str, item_id: str, state: bytes) -> Script:
        """A script goes on in a prim where it was saved. BadState."""
        script = restore(
            self.engine, state, program, self, self.world.time, owner=Key(str(prim.owner_id)),
            object_id=Key(str(prim.full_id)), item_id=item_id, source=source,
        )  # fmt: skip
        self._of_prim.setdefault(prim, []).append(script)
        self._prim_of[script] = prim
        return script

    def states(self, prim: Prim) -> list[ScriptState]:
        """The prim's scripts in the middle of what they do, to go on somewhere else."""
        now = self.world.time
        return [ScriptState(each.name, UUID(each.item_id), each.source, save(each, now)) for each in self.of(prim)]

    def copy(self, root: Prim, twin: Prim) -> None:
        """The scripts of a linkset go on in a copy of it, in the middle of what they do; there they hear that it is new."""
        for prim, other in zip(root.linkset(), twin.linkset(), strict=True):
            for script, state in zip(list(self.of(prim)), self.states(prim), strict=True):
                self.restore(other, script.program, state.source, str(state.item_id), state.state)
            for script in self.of(other):
                script.now = self.world.time
                script.post("on_rez", 0)
            self.flags(other)

    # --- scripts that are items of a prim's contents

    async def run_item(self, prim: Prim, item: Item, source: str, running: bool, start_parameter: int = 0) -> list[str]:
        """Compile the source of an item and put it in the place of what ran for it. What is wrong with the source, as viewers
        read it, and then what ran goes on; nothing when it compiles."""
        try:
            program = await self.compiled(source, prim.owner_id)
        except CompileError as error:
            return [finding.for_viewers() for finding in error.findings]
        if prim.row < 0 or item.item_id not in {one.item_id for one in prim.contents}:
            return []
        self.remove_item(prim, item.item_id)
        script = self.start(prim, program, source, item.name, item.item_id)
        script.start_parameter = start_parameter
        if not running:
            script.set_running(False)
        return []

    async def errors_in(self, source: str) -> list[str]:
        """What is wrong with a source, as viewers read it."""
        try:
            await self.compiled(source)
        except CompileError as error:
            return [finding.for_viewers() for finding in error.findings]
        return []

    def find(self, prim: Prim, item_id: UUID) -> Script | None:
        """What runs for an item of the prim's contents."""
        wanted = str(item_id)
        return next((script for script in self.of(prim) if str(script.item_id) == wanted), None)

    def remove_item(self, prim: Prim, item_id: UUID) -> None:
        """An item goes, its script with it."""
        script = self.find(prim, item_id)
        if script is None:
            return
        self._of_prim[prim].remove(script)
        if not self._of_prim[prim]:
            del self._of_prim[prim]
        self._end(script)
        self.flags(prim)

    def remove(self, prim: Prim) -> None:
        """The prim goes, its scripts with it."""
        for script in self._of_prim.pop(prim, []):
            self._end(script)

    def _end(self, script: Script) -> None:
        script.remove()
        for listens in self._listens.values():
            for key in [key for key in listens if key[0] is script]:
                del listens[key]
        del self._prim_of[script]

    def of(self, prim: Prim) -> list[Script]:
        return self._of_prim.get(prim, [])

    def of_linkset(self, prim: Prim) -> list[Script]:
        """The scripts of all prims that are linked with it."""
        return [script for one in prim.linkset() for script in self.of(one)]

    def prims(self) -> Collection[Prim]:
        """Those that hold a script."""
        return self._of_prim.keys()

    def everyone(self) -> list[tuple[Script, Prim]]:
        """All scripts here, each with the prim it is in."""
        return list(self._prim_of.items())

    def counts(self) -> tuple[int, int, int]:
        """Scripts here, those of them that are not stopped, and those that the last frame had no time for."""
        running = sum(script.is_running for script in self._prim_of)
        return len(self._prim_of), running, self._engine.scheduler.deferred if self._engine is not None else 0

    def flags(self, prim: Prim) -> None:
        """Viewers show a hand over what can be touched."""
        scripts = self.of(prim)
        self.rooms.heed(prim)
        touch = {"touch_start", "touch", "touch_end"}
        scripted, touchable = bool(scripts), any(touch & set(script.handlers) for script in scripts)
        if (scripted, touchable) != (prim.scripted, prim.touchable):
            prim.scripted, prim.touchable = scripted, touchable
            self.world.changes.prims.note(prim, What.SCRIPTS)

    @property
    def waiting(self) -> bool:
        """Some script wants a turn."""
        return self._engine is not None and not self._engine.scheduler.is_idle

    @property
    def next_wake(self) -> float | None:
        """World time at which a script will want a turn if nothing happens before; None for never."""
        times = [self._engine.scheduler.next_wake if self._engine is not None else None, self.rooms.next_due]
        return min([at for at in times if at is not None], default=None)

    # --- the frame's stage

    def run(self) -> None:
        """One slice of the frame for all scripts."""
        changes = self._changes.take()
        if not self._prim_of:
            return
        self._tell(changes)
        self.controls.update()
        self.rooms.run()
        scheduler, counted = self.engine.scheduler, self.region.metrics.plain
        scheduler.run(self.world.time, BUDGET)
        counted["script_events"], counted["script_slices"] = scheduler.events, scheduler.slices
        for name, problem in self.engine.defects:
            self.region.aside.failed("handler", "script library", problem)
            log.info("script %s met a defect of ours", name)
        self.engine.defects.clear()

    # --- what happens to scripts

    def _heard(self, chat: Chat, _: What) -> None:
        """Something was said: scripts that listen on the channel and are in range hear it."""
        listens = self._listens.get(chat.channel)
        if not listens or chat.kind not in SPOKEN or chat.from_neighbour:
            return
        speaker = Key(str(chat.source_id))
        for script in {script: None for script, _ in listens}:
            prim = self._prim_of[script]
            if script is chat.by or chat.to not in (None, prim.full_id):
                continue
            if math.dist(self.world.objects.world_place(prim)[0], chat.position) <= chat.reach:
                script.now = self.world.time
                script.hear(chat.channel, chat.name, speaker, chat.text)

    def _tell(self, changes: dict[Prim, What]) -> None:
        """changed() for what has become of linksets since the last frame; of one that is new here nothing has."""
        due: dict[Prim, int] = {}
        for prim, what in changes.items():
            if prim.row < 0 or what & What.MADE:
                continue
            if what & (What.RIDERS | What.LINK):
                self.permits.riders_changed(self.of_linkset(prim), prim.linkset_root)
            own, all_ = numbers(what)
            due[prim] = due.get(prim, 0) | own
            if all_:
                for one in prim.linkset():
                    due[one] = due.get(one, 0) | all_
        for prim, number in due.items():
            if number:
                self._changed(prim, number)

    def owned_by(self, root: Prim, owner_id: UUID) -> None:
        """The scripts of a linkset that has got another owner are that one's, too."""
        for prim in root.linkset():
            for script in self.of(prim):
                script.owner = Key(str(owner_id))

    def changed(self, root: Prim, what: int) -> None:
        """changed(what) for every script of a linkset."""
        for prim in root.linkset():
            self._changed(prim, what)

    def _changed(self, prim: Prim, what: int) -> None:
        for script in self.of(prim):
            script.now = self.world.time
            script.post("changed", what)

    def touched(self, agent: Agent, prim: Prim, event: str, touch: dict[str, Value]) -> None:
        """touch_start, touch or touch_end: the prim's own scripts, or the root's when it has none that care."""
        for one in (prim, prim.linkset_root):
            scripts = [script for script in self.of(one) if {"touch_start", "touch", "touch_end"} & set(script.handlers)]
            if scripts:
                break
        else:
            return
        velocity, rotation = Vector(0.0, 0.0, 0.0), Rotation(0.0, 0.0, 0.0, 1.0)
        if agent.root:  # who touches over a border is where its camera is, as far as this region knows
            row = self.world.row(agent)
            velocity, rotation = Vector(*row["velocity"].tolist()), Rotation(*row["rotation"].tolist())
        who = Detected(
            key=Key(str(agent.agent_id)),
            name=agent.name,
            owner=Key(str(agent.agent_id)),
            kind=AGENT_KIND,
            link=link_number(prim),
            position=Vector(*self.world.position(agent)),
            velocity=velocity,
            rotation=rotation,
            touch=touch,
        )
        for script in scripts:
            script.now = self.world.time
            script.post(event, 1, detected=[who])

    # --- what the rooms need of a region

    def read_object(self, item: Item, owner: UUID, done: Callable[[Loaded | str], None]) -> None:
        self.region.tasks.spawn(self._read_object(item, owner, done), "script rez")

    async def _read_object(self, item: Item, owner: UUID, done: Callable[[Loaded | str], None]) -> None:
        found: Loaded | str = NO_SERVICES
        try:
            data = await self._services.asset(item.asset_id)
            if data is None:
                found = "what it stands for is not in the asset store"
            else:
                linksets = take.unpack(data)
                found = Loaded(linksets, await self._programs(linksets, owner))
        except Unanswered:
            self.region.metrics.count("service_errors", label="assets")
        except ProtocolError as error:
            found = str(error)
        finally:
            done(found)

    async def _programs(self, linksets: Sequence[Linkset], owner: UUID) -> dict[str, Program]:
        """The programs of all scripts in linksets, by source; without those that do not compile any more."""
        programs: dict[str, Program] = {}
        for source in {state.source for linkset in linksets for part in linkset.parts for state in part.scripts}:
            try:
                programs[source] = await self.compiled(source, owner)
            except CompileError:
                log.warning("a script of an object of %s does not compile any more", owner)
        return programs

    def begin_scripts(self, loaded: Loaded, parameter: int, text: str) -> None:
        for part in [part for linkset in loaded.linksets for part in linkset.parts]:
            for state in part.scripts:
                program = loaded.programs.get(state.source)
                if program is None:
                    continue
                try:
                    script = self.restore(part.prim, program, state.source, str(state.item_id), state.state)
                except BadState:
                    script = self.start(part.prim, program, state.source, state.name, state.item_id)
                script.now = self.world.time
                script.start_parameter, script.start_text = parameter, text
                script.post("on_rez", parameter)
            self.flags(part.prim)

    def health_told(self, agent: Agent, health: float) -> None:
        if agent.circuit is None:
            return
        agent.circuit.send(Message("HealthMessage", HealthData={"Health": health or FULL_HEALTH}))
        if health <= 0:
            self.journeys.home(agent)

    def tell_owner(self, prim: Prim, words: str) -> None:
        say(self.region, thing(self.region, prim), OWNER, words, to=prim.owner_id)

    # --- WorldInterface: speech

    def chat(self, script: Script, kind: str, channel: int, text: str) -> None:
        say(self.region, thing(self.region, self._prim_of[script]), VOICES[kind], text, channel, by=script)

    def chat_to(self, script: Script, target: Key, channel: int, text: str) -> None:
        to = _uuid(target)
        if to is not None:
            say(self.region, thing(self.region, self._prim_of[script]), EVERYWHERE, text, channel, to=to, by=script)

    def owner_say(self, script: Script, text: str) -> None:
        prim = self._prim_of[script]
        say(self.region, thing(self.region, prim), OWNER, text, to=prim.owner_id, by=script)

    def instant_message(self, script: Script, target: Key, text: str) -> None:
        message = message_from_object(self.region, self._prim_of[script], str(target), text)
        self.region.tasks.spawn(ask(self.region.metrics, self._backbone.send_message(message)), "script message")

    def dialog(self, script: Script, avatar: Key, message: str, buttons: list[str], channel: int) -> None:
        self._ask(script, avatar, message, buttons or ["OK"], channel)

    def text_box(self, script: Script, avatar: Key, message: str, channel: int) -> None:
        self._ask(script, avatar, message, [TEXT_BOX], channel)

    def _ask(self, script: Script, avatar: Key, message: str, buttons: list[str], channel: int) -> None:
        prim, agent = self._prim_of[script], self._avatar(avatar)
        if agent is None or agent.circuit is None:
            return
        first, last = self._names.known(prim.owner_id) or UNKNOWN
        data = {
            "ObjectID": prim.full_id,
            "FirstName": clip(first, 64),
            "LastName": clip(last, 64),
            "ObjectName": clip(prim.name, 64),
            "Message": clip(message, 513),
            "ChatChannel": channel,
            "ImageID": NULL,
        }
        asked = agent.dialogs.pop((prim.full_id, channel), None) or Asked()
        asked.show(set() if buttons == [TEXT_BOX] else set(buttons[:12]), self.world.time)
        agent.dialogs[prim.full_id, channel] = asked
        while len(agent.dialogs) > DIALOGS_KEPT:
            del agent.dialogs[next(iter(agent.dialogs))]
        labels = [{"ButtonLabel": clip(label, 25)} for label in buttons[:12]]
        agent.circuit.send(Message("ScriptDialog", Data=data, Buttons=labels, OwnerData=[{"OwnerID": prim.owner_id}]))

    def load_url(self, script: Script, avatar: Key, message: str, url: str) -> None:
        prim, agent = self._prim_of[script], self._avatar(avatar)
        if agent is None or agent.circuit is None:
            return
        data = {
            "ObjectName": clip(prim.name, 64),
            "ObjectID": prim.full_id,
            "OwnerID": prim.owner_id,
            "OwnerIsGroup": False,
            "Message": clip(message, 255),
            "URL": clip(url, 255),
        }
        agent.circuit.send(Message("LoadURL", Data=data))

    def listen_started(self, script: Script, listen: Listen) -> None:
        self._listens.setdefault(listen.channel, {})[script, listen.handle] = listen

    def listen_ended(self, script: Script, listen: Listen) -> None:
        listens = self._listens.get(listen.channel, {})
        listens.pop((script, listen.handle), None)
        if not listens:
            self._listens.pop(listen.channel, None)

    def link_message(self, script: Script, link: int, number: int, text: str, key: Key) -> None:
        prim = self._prim_of[script]
        sender = link_number(prim)
        for target in linked(prim, link):
            for other in self.of(target):
                other.now = self.world.time
                other.post("link_message", sender, number, text, key)

    # --- WorldInterface: the script's own affairs

    def script_print(self, script: Script, value: Value) -> None:
        self.owner_say(script, to_string(value))

    def script_error(self, script: Script, message: str, line: int) -> None:
        prim = self._prim_of[script]
        where = f" (line {line + 1})" if line >= 0 else ""
        self.owner_say(script, f"{prim.name} [script:{script.name}] Script run-time error{where}\n{message}")

    def script_complaint(self, script: Script, message: str) -> None:
        self.owner_say(script, f"{self._prim_of[script].name} [script:{script.name}] {message}")

    def _sibling(self, script: Script, name: str) -> Script | None:
        return next((other for other in self.of(self._prim_of[script]) if other.name == name), None)

    def script_reset_other(self, script: Script, name: str) -> bool:
        other = self._sibling(script, name)
        if other is not None and other is not script:
            other.reset()
        return other is not None

    def script_running(self, script: Script, name: str) -> bool | None:
        other = self._sibling(script, name)
        return None if other is None else other.is_running

    def set_script_running(self, script: Script, name: str, running: bool) -> bool:
        other = self._sibling(script, name)
        if other is not None:
            other.set_running(running)
        return other is not None

    def ask_permissions(self, script: Script, avatar: Key, permissions: int) -> None:
        """Asks the person; their answer comes as ScriptAnswerYes. What their seat grants is granted at once."""
        prim, agent = self._prim_of[script], self._avatar(avatar)
        if agent is None:
            return
        wished = askable(prim, agent, permissions)
        if wished != permissions:
            self.script_complaint(script, "llRequestPermissions: only the object's owner can grant all of this")
        if not wished & ~of_itself(self.region, prim, agent):
            if wished == permissions:
                script.grant(Key(str(agent.agent_id)), wished)
            return
        agent.asked[str(script.item_id)] = (script, wished)
        data = {
            "TaskID": prim.full_id,
            "ItemID": UUID(str(script.item_id)),
            "ObjectName": clip(prim.name, 64),
            "ObjectOwner": clip(" ".join(self._names.known(prim.owner_id) or UNKNOWN), 64),
            "Questions": wished,
        }
        self.viewers.show(agent, Message("ScriptQuestion", Data=data))

    def let_go(self, script: Script) -> None:
        self.controls.release(script)

    def resumed(self, script: Script) -> None:
        self.controls.resume(script)
        self.answers.resume(script)

    # --- WorldInterface: sitting

    def set_sit_target(self, script: Script, link: int, offset: Vector, turn: Rotation) -> None:
        target = ((offset[0], offset[1], offset[2]), (turn[0], turn[1], turn[2], turn[3])) if any(offset) else None
        for prim in linked(self._prim_of[script], link):
            edit.sit_target(self.region, script_of(prim), prim, target)

    def avatar_on_sit_target(self, script: Script, link: int) -> Key:
        seats = self.world.seats
        for prim in linked(self._prim_of[script], link)[:1]:
            for agent in seats.on(prim):
                if prim.sit_target is not None and seats.of[agent].target:
                    return Key(str(agent.agent_id))
        return NULL_KEY

    def unsit(self, script: Script, avatar: Key) -> None:
        prim, agent = self._prim_of[script], self._avatar(avatar)
        world = self.world
        if agent is None or agent not in world.seats.of:
            return
        x, y, _ = world.position(agent)
        ours = agent in world.seats.on_linkset(prim.linkset_root)
        if ours or world.parcel_at(x, y).owner_id == prim.owner_id:
            self._seating.stand(agent)

    # --- WorldInterface: things

    def prim_of(self, script: Script) -> Prim:
        return self._prim_of[script]

    def name_of(self, person: UUID) -> str:
        return " ".join(self._names.known(person) or ())

    def wear(self, script: Script, point: int, for_a_while: bool) -> None:
        agent = self._avatar(script.granter)
        root = self._prim_of[script].linkset_root
        if agent is not None and root.worn is None:
            self.on_wear(agent, root, point & 0xFF, for_a_while)

    def take_off(self, script: Script) -> None:
        root = self._prim_of[script].linkset_root
        if root.worn is not None:
            self.on_take_off(root.worn.bearer, root)

    def died(self, script: Script) -> None:
        if self._prim_of[script].linkset_root.worn is not None:
            return  # what is worn belongs to an item
        remove(self.region, self._prim_of[script])

    # --- WorldInterface: facts

    def object_name(self, script: Script) -> str:
        return self._prim_of[script].name

    def region_name(self, script: Script) -> str:
        return self.world.facts.name

    def time_dilation(self, script: Script) -> float:
        return self.world.dilation

    def unix_time(self) -> float:
        return self.region.clock.unix()

    # --- WorldInterface: linkset data

    def linkset_store(self, script: Script) -> LinksetStore:
        root = self._prim_of[script].linkset_root
        if root.linkset_data is None:
            root.linkset_data = LinksetStore()
        return root.linkset_data

    def linkset_changed(self, script: Script, action: int, name: str, value: str) -> None:
        root = self._prim_of[script].linkset_root
        self.world.changes.prims.note(root, What.DATA)
        for prim in root.linkset():
            for other in self.of(prim):
                other.now = self.world.time
                other.post("linkset_data", action, name, value)

    def _avatar(self, key: Key) -> Agent | None:
        """The person of that key, if their avatar is here."""
        agent_id = _uuid(key)
        agent = self.world.agents.get(agent_id) if agent_id is not None else None
        return agent if agent is not None and agent.root else None


def _uuid(key: Key) -> UUID | None:
    """A script's key, where it is one."""
    try:
        return UUID(str(key))
    except ValueError:
        return None
