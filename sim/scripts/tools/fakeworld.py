"""A world without a world: for `mainland lsl`, for tests, and for whoever writes scripts' tests.

It implements WorldInterface over one object with any number of scripts, on a clock moved by hand, and keeps everything
that happens as occurrences: dicts of the shapes `lsl run --json` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sim.scripts.answers import Answers, Elsewhere, Name, Room
from sim.scripts.controls import Controls
from sim.scripts.language.values import NULL_KEY, Key, Rotation, Value, Vector, to_string, type_of
from sim.scripts.library.world import REGION, Detected, LinksetStore, Listen
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.saved import restore, save
from sim.scripts.machine.scheduler import Scheduler
from sim.scripts.machine.script import STOPPED, Script
from sim.scripts.notecards import Notecards

if TYPE_CHECKING:
    from protocol.inventory import Item
    from protocol.message import Message
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.scripts.rooms import Rooms
    from sim.scripts.rooms.home import Loaded
    from sim.scripts.viewers import Viewers
    from sim.world.agent import Agent
    from sim.world.agent import Vector as Place
    from sim.world.objects import Prim

OWNER = Key("0a000000-0000-4000-8000-00000000000a")
OBJECT = Key("0b000000-0000-4000-8000-00000000000b")
VISITOR = Key("0c000000-0000-4000-8000-00000000000c")
START = 1_700_000_000.0  # unix time at world time 0
SPOKEN = ("say", "whisper", "shout", "region_say", "owner_say")
MOST_KEPT = 200_000_000  # bytes of occurrences, after which a world stops: a script that talks without end
MOST_TORN = 100_000  # each costs a tenth of a millisecond or two
THIS, ALL_OTHERS, SET, ROOT, ALL_CHILDREN = -4, -2, -1, 1, -3
CHANGED_LINK = 0x20
STEP = 1.0 / 45.0  # seconds


def as_json(value: Value) -> Any:
    """A value as JSON has it: numbers, texts, arrays. What JSON has no number for is a text, as LSL writes it."""
    if isinstance(value, float):
        return value if isfinite(value) else to_string(value)
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return str(value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Blocks of a message as JSON has them."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    return value if isinstance(value, bool | int | float | str) else str(value)


def read_source(path: Path) -> str:
    """A source file's text; bytes that are not UTF-8 become the replacement character."""
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


class FakeWorld:
    """One object, its scripts, a clock and a record of what they did."""

    def __init__(
        self, engine: Engine | None = None, on_occurrence: Callable[[dict[str, Any]], None] | None = None,
        tear: int = 0,
        deadline: float | None = None,
    ):  # fmt: skip
        """tear: pause every script at each so many checkpoints and go on in a fresh instance restored from its saved
        bytes; deadline: stopwatch time at which settling gives up (`timed_out` tells)."""
        self.engine = engine or Engine()
        self.folder = Path()  # where add_file() looks
        self.tear = tear
        self.torn = 0
        self.deadline = deadline
        self.timed_out = False
        self.scheduler = Scheduler(self.engine.stopwatch, lends=False)
        self.scripts: list[Script] = []
        self.occurrences: list[dict[str, Any]] = []
        self.kept = 0  # bytes of them, roughly
        self.keeps = on_occurrence is None  # who is told of each as it happens keeps what matters
        self.on_occurrence = on_occurrence
        self.now = 0.0
        self._region: Region | None = None
        self._bodies: Bodies | None = None
        self._rooms: Rooms | None = None
        self._name = "Object"
        self.region_called = "Nowhere"
        self.dilation = 1.0
        self.linkset_data = LinksetStore()
        self.sit_target = False
        self.seated = NULL_KEY  # who sits on the object
        self.failed = False
        self.grid = FakeGrid()  # what questions are answered from
        self.answers = Answers(Room(self.grid, Notecards()), _at_once, lambda: self.now)
        self.journeys = FakeJourneys(self)
        self.gifts = FakeGifts(self)
        self._viewers: Viewers | None = None
        self._controls: Controls | None = None

    def note(self, kind: str, script: Script, **facts: Any) -> None:
        self.happened(kind, **facts)

    def happened(self, kind: str, **facts: Any) -> None:
        """One more occurrence."""
        occurrence = {"kind": kind, **facts}
        if self.keeps:
            self.occurrences.append(occurrence)
            self.kept += 400 + sum([len(fact) for fact in facts.values() if isinstance(fact, str)])
            if self.kept > MOST_KEPT:
                self.timed_out = True
        if self.on_occurrence is not None:
            self.on_occurrence(occurrence)

    # --- what stands in it, made when it is asked for: most scripts need no prims

    @property
    def region(self) -> Region:
        """A flat region, 20 m high, with the script's object in its middle and a visitor beside it."""
        if self._region is None:
            self._region = made_region(self)
        return self._region

    @property
    def root(self) -> Prim:
        """The object's root prim."""
        return self.region.world.objects.by_id[UUID(OBJECT)]

    @property
    def name(self) -> str:
        """The object's."""
        return self._name if self._region is None else self.root.name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        if self._region is not None:
            self.root.name = name

    def link(self, name: str = "Child", position: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Prim:
        """One more prim of the object, at a place relative to its root."""
        return linked_prim(self, name, position)

    @property
    def viewers(self) -> Viewers:
        """Nobody has one: what would be shown is an occurrence."""
        if self._viewers is None:
            from sim.scripts.viewers import Viewers

            self._viewers = Viewers(self.region.world, self._shown)
        return self._viewers

    @property
    def controls(self) -> Controls:
        if self._controls is None:
            self._controls = Controls(self.region.world, self.viewers.show)
        return self._controls

    def _shown(self, agent: Agent, message: Message) -> None:
        self.happened("shown", message=message.name, to=str(agent.agent_id), blocks=plain(message.blocks))

    @property
    def bodies(self) -> Bodies:
        """What is solid there, made when a script first asks for it: then time goes by in steps of physics."""
        if self._bodies is None:
            from sim.physics.bodies import Bodies

            async def fetch(asset: UUID) -> bytes | None:
                return self.grid.assets.get(asset)

            self._bodies = Bodies(self.region, "numba", fetch)
            self._bodies.build_all(list(self.region.world.objects.roots()))  # of what stood there before
        return self._bodies

    @property
    def rooms(self) -> Rooms:
        """What happens around scripts, made when it is asked for."""
        if self._rooms is None:
            from sim.scripts.rooms import Rooms

            self.region.world.time = self.now
            self._rooms = Rooms(self)
            for prim in self.prims():
                self._rooms.heed(prim)
        return self._rooms

    # --- driving it

    def add(self, source: str, name: str = "script", seed: int | None = 1) -> Script:
        """Compiles a script and starts it. Raises CompileError."""
        program = self.engine.load(source)
        script = Script(
            self.engine, program, self, name=name, owner=OWNER, object_id=OBJECT, source=source, now=self.now,
            seed=seed,
            scheduler=self.scheduler,
        )  # fmt: skip
        self.scripts.append(script)
        self.scheduler.wake(script)
        if self._rooms is not None:
            self._rooms.heed(self.prim_of(script))
        return script

    def add_file(self, name: str | Path) -> Script:
        """Compiles a script file and starts it under its name. Raises CompileError and OSError."""
        path = self.folder / name
        return self.add(read_source(path), path.stem)

    def settle(self, slices: int | None = None) -> int:
        """Runs everything due now, or at most so many slices (an endless loop never settles)."""
        scheduler, taken = self.scheduler, 0
        while True:
            if self.tear:
                for script in self.scripts:
                    script.budget = self.tear
            taken += scheduler.run(self.now, 0.0)
            if self.tear:
                self._tear()
            if scheduler.is_idle or (slices is not None and taken >= slices):
                return taken
            if self.timed_out:
                return taken
            if self.deadline is not None and self.engine.stopwatch() > self.deadline:
                self.timed_out = True
                return taken

    def _tear(self) -> None:
        for index, script in enumerate(self.scripts):
            if script.paused and script.is_running and self.torn < MOST_TORN:
                self.torn += 1
                self.scripts[index] = self.move(script)

    def move(self, script: Script) -> Script:
        """Saves a script and goes on with another, restored from the bytes."""
        data = save(script, self.now)
        script.status = STOPPED  # the old one must not run on
        self.scheduler.forget(script)
        new = restore(
            self.engine, data, script.program, self, self.now, owner=script.owner, object_id=script.object_id,
            source=script.source, scheduler=self.scheduler,
        )  # fmt: skip
        new.random = script.random
        new.extra = script.extra
        return new

    def advance(self, seconds: float, slices: int | None = None) -> None:
        """Moves the clock from one due moment to the next, running what is due."""
        end = self.now + seconds
        self.settle(slices)
        while self._moves and self.now + STEP <= end and not self.timed_out:
            self._step()
            self.settle(slices)
        while True:
            due = self.scheduler.next_wake
            if due is None or due > end or self.timed_out:
                break
            self.now = max(self.now, due)
            self._tick()
            self.settle(slices)
            if self._moves and self.now + STEP <= end:
                self.advance(end - self.now, slices)
                return
        self.now = end
        self._tick()
        self.settle(slices)

    @property
    def _moves(self) -> bool:
        """Whether anything may move, or must be watched, without a script doing something."""
        if self._region is None:
            return False
        busy = self._rooms is not None and not self._rooms.is_idle
        falls = self._bodies is None and any(prim.physical for prim in self._region.world.objects.roots())
        return busy or falls or (self._bodies is not None and not self._bodies.still)

    def _tick(self) -> None:
        if self._region is not None:
            self._region.world.time = self.now

    def _step(self) -> None:
        """The world moves on by one step of physics."""
        self.now += STEP
        self._tick()
        rooms, bodies = self.rooms, self.bodies
        rooms.begin_step(STEP)
        bodies.step(STEP)
        bodies.place_objects()
        rooms.end_step()
        rooms.run()

    def post(self, name: str, *arguments: Value, detected: Sequence[Detected] = ()) -> None:
        for script in self.scripts:
            script.now = self.now
            script.post(name, *arguments, detected=detected)

    def touch(self, count: int = 1, by: Key = VISITOR) -> None:
        """Touches the object: touch_start, touch and touch_end, each run to its end."""
        who = Detected(key=by, name="Visitor Resident", owner=by, kind=1, position=Vector(128.0, 128.0, 25.0))
        for _ in range(count):
            for event in ("touch_start", "touch", "touch_end"):
                self.post(event, 1, detected=[who])
                self.settle()

    def sit(self, who: Key = VISITOR) -> None:
        """An avatar sits down on the object; with NULL_KEY the one that sits there stands up."""
        self.seated = who
        self.post("changed", CHANGED_LINK)

    def press(self, keys: int, by: Key = VISITOR) -> None:
        """Somebody's keys (CONTROL_*) are as this from now on; scripts that have taken them hear of it."""
        self.region.world.row(self.region.world.agents[UUID(by)])["controls"] = keys
        self.controls.update()

    def say(self, channel: int, text: str, name: str = "Visitor Resident", key: Key = VISITOR) -> None:
        """Someone in reach says something."""
        for script in self.scripts:
            script.now = self.now
            script.hear(channel, name, key, text)

    @property
    def said(self) -> list[str]:
        """Every text said to people or the owner."""
        return [one["text"] for one in self.occurrences if one["kind"] in SPOKEN]

    # --- WorldInterface

    def chat(self, script: Script, kind: str, channel: int, text: str) -> None:
        self.note("region_say" if kind == REGION else kind, script, channel=channel, text=text)
        for other in self.scripts:
            if other is not script:
                other.hear(channel, self.name, OBJECT, text)

    def chat_to(self, script: Script, target: Key, channel: int, text: str) -> None:
        self.note("region_say_to", script, target=str(target), channel=channel, text=text)
        if target == OBJECT:
            for other in self.scripts:
                if other is not script:
                    other.hear(channel, self.name, OBJECT, text)

    def owner_say(self, script: Script, text: str) -> None:
        self.note("owner_say", script, text=text)

    def instant_message(self, script: Script, target: Key, text: str) -> None:
        self.note("instant_message", script, target=str(target), text=text)

    def dialog(self, script: Script, avatar: Key, message: str, buttons: list[str], channel: int) -> None:
        self.note("dialog", script, avatar=str(avatar), text=message, buttons=buttons, channel=channel)

    def text_box(self, script: Script, avatar: Key, message: str, channel: int) -> None:
        self.note("text_box", script, avatar=str(avatar), text=message, channel=channel)

    def load_url(self, script: Script, avatar: Key, message: str, url: str) -> None:
        self.note("load_url", script, avatar=str(avatar), text=message, url=url)

    def listen_started(self, script: Script, listen: Listen) -> None:
        pass  # say() asks every script

    def listen_ended(self, script: Script, listen: Listen) -> None:
        pass

    def link_message(self, script: Script, link: int, number: int, text: str, key: Key) -> None:
        if link in (THIS, SET, ROOT, 0):
            for other in self.scripts:
                other.post("link_message", 0, number, text, key)

    def script_print(self, script: Script, value: Value) -> None:
        self.note("print", script, type=type_of(value), value=as_json(value))

    def script_error(self, script: Script, message: str, line: int) -> None:
        self.failed = True
        self.note("error", script, message=message, line=line)

    def script_complaint(self, script: Script, message: str) -> None:
        self.note("complaint", script, message=message)

    def _named(self, name: str) -> Script | None:
        return next((script for script in self.scripts if script.name == name), None)

    def script_reset_other(self, script: Script, name: str) -> bool:
        other = self._named(name)
        if other is not None and other is not script:
            other.reset()
        return other is not None

    def script_running(self, script: Script, name: str) -> bool | None:
        other = self._named(name)
        return None if other is None else other.is_running

    def set_script_running(self, script: Script, name: str, running: bool) -> bool:
        other = self._named(name)
        if other is not None:
            other.set_running(running)
        return other is not None

    def ask_permissions(self, script: Script, avatar: Key, permissions: int) -> None:
        script.grant(avatar, permissions)

    def let_go(self, script: Script) -> None:
        if self._controls is not None:
            self._controls.release(script)

    def resumed(self, script: Script) -> None:
        if script.controls is not None:
            self.controls.resume(script)
        self.answers.resume(script)

    def set_sit_target(self, script: Script, link: int, offset: Vector, turn: Rotation) -> None:
        self.sit_target = any(offset)
        self.note("sit_target", script, link=link, offset=as_json(offset), rotation=as_json(turn))

    def avatar_on_sit_target(self, script: Script, link: int) -> Key:
        return self.seated if self.sit_target else NULL_KEY

    def unsit(self, script: Script, avatar: Key) -> None:
        if avatar == self.seated:
            self.sit(NULL_KEY)

    def prim_of(self, script: Script) -> Prim:
        found = script.extra.get("prim")
        return found if found is not None else self.root  # type: ignore[return-value]

    def of(self, prim: Prim) -> list[Script]:
        return [script for script in self.scripts if self.prim_of(script) is prim]

    def prims(self) -> Collection[Prim]:
        return list({self.prim_of(script): None for script in self.scripts})

    def read_object(self, item: Item, owner: UUID, done: Callable[[Loaded | str], None]) -> None:
        from protocol.errors import ProtocolError
        from sim.actions import take
        from sim.scripts.language.errors import CompileError
        from sim.scripts.rooms.home import Loaded

        try:
            linksets = take.unpack(self.grid.assets[item.asset_id])
            sources = {state.source for linkset in linksets for part in linkset.parts for state in part.scripts}
            loaded = Loaded(linksets, {source: self.engine.load(source) for source in sources})
        except (KeyError, ProtocolError, CompileError) as error:
            done(str(error))
            return
        done(loaded)

    def begin_scripts(self, loaded: Loaded, parameter: int, text: str) -> None:
        for part in [part for linkset in loaded.linksets for part in linkset.parts]:
            for state in part.scripts:
                script = restore(
                    self.engine, state.state, loaded.programs[state.source], self, self.now, owner=OWNER,
                    object_id=Key(str(part.prim.full_id)), source=state.source, scheduler=self.scheduler,
                )  # fmt: skip
                script.extra["prim"] = part.prim
                script.start_parameter, script.start_text = parameter, text
                self.scripts.append(script)
                script.post("on_rez", parameter)
            self.rooms.heed(part.prim)

    def health_told(self, agent: Agent, health: float) -> None:
        self.happened("health", agent=str(agent.agent_id), health=health)

    def tell_owner(self, prim: Prim, words: str) -> None:
        self.happened("owner_say", text=words)

    def name_of(self, person: UUID) -> str:
        agent = self.region.world.agents.get(person)
        return agent.name if agent is not None else ""

    def wear(self, script: Script, point: int, for_a_while: bool) -> None:
        self.note("wear", script, point=point, for_a_while=for_a_while)

    def take_off(self, script: Script) -> None:
        self.note("take_off", script)

    def died(self, script: Script) -> None:
        self.note("die", script)
        root = self.prim_of(script).linkset_root
        for other in list(self.scripts):
            if self.prim_of(other).linkset_root is root:
                other.remove()

    def object_name(self, script: Script) -> str:
        return self.name if self._region is None else self.prim_of(script).name

    def region_name(self, script: Script) -> str:
        return self.region_called

    def time_dilation(self, script: Script) -> float:
        return self.dilation

    def unix_time(self) -> float:
        return START + self.now

    def linkset_store(self, script: Script) -> LinksetStore:
        return self.linkset_data

    def linkset_changed(self, script: Script, action: int, name: str, value: str) -> None:
        for other in self.scripts:
            other.post("linkset_data", action, name, value)


def _at_once(work: Coroutine[Any, Any, None], name: str) -> None:
    """Runs a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError(f"{name} waits for something that the fake world does not have")


@dataclass(slots=True)
class FakeGrid:
    """A grid of two people, one region and the assets that a test puts in (`scripts/answers.py`)."""

    assets: dict[UUID, bytes] = field(default_factory=dict)
    people: dict[UUID, Name] = field(
        default_factory=lambda: {UUID(OWNER): ("Owner", "Resident"), UUID(VISITOR): ("Visitor", "Resident")}
    )
    there: set[UUID] = field(default_factory=lambda: {UUID(VISITOR)})  # who is online
    regions: dict[str, Elsewhere] = field(default_factory=lambda: {"Nowhere": Elsewhere("Nowhere", (256000, 256000), 13, True)})

    async def asset(self, asset_id: UUID) -> bytes | None:
        return self.assets.get(asset_id)

    async def name(self, agent_id: UUID) -> Name | None:
        return self.people.get(agent_id)

    async def born(self, agent_id: UUID) -> float | None:
        return START if agent_id in self.people else None

    async def find_person(self, name: str) -> UUID | None:
        return next((one for one, words in self.people.items() if " ".join(words).lower() == name.lower()), None)

    async def online(self, agent_id: UUID, asker: UUID) -> bool:
        return agent_id in self.there

    async def region_named(self, name: str) -> Elsewhere | None:
        return next((one for title, one in self.regions.items() if title.lower() == name.lower()), None)

    async def region(self, region_id: UUID) -> Elsewhere | None:
        return self.regions["Nowhere"] if region_id == UUID(int=1) else None


class FakeGifts:
    """What is given is an occurrence, and out of the contents where it cannot be copied."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def give(self, script: Script, items: list[UUID], receiver: UUID, folder: str | None) -> None:
        from sim.actions import give
        from sim.actions.may import script_of
        from sim.actions.outcome import Refused

        prim = self._world.prim_of(script)
        handout = give.hand_out(self._world.region, script_of(prim), prim, items, receiver)
        if isinstance(handout, Refused):
            script.complain(handout.words)
        else:
            self._world.happened("gift", to=str(receiver), items=[one.name for one in handout.items], folder=folder or "")

    def pay(self, script: Script, payee: UUID, amount: int, key: Key) -> None:
        self._world.happened("payment", to=str(payee), amount=amount)
        script.post("transaction_result", key, 0, "LINDENDOLLAR_INSUFFICIENTFUNDS")

    def left(self, script: Script, prim: Prim, item_id: UUID) -> None:
        for other in self._world.scripts:
            if str(other.item_id) == str(item_id):
                other.remove()

    def load(self, script: Script, target: Prim, item: Item, running: bool, start_parameter: int) -> None:
        self._world.happened("load", script=item.name, target=str(target.full_id), running=running, start_parameter=start_parameter)


class FakeJourneys:
    """Nobody goes anywhere but onto a seat: where they would is an occurrence."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def sit(self, script: Script, agent: Agent, prim: Prim) -> str:
        from sim.actions.sit import target_seat

        self._world.region.world.seats.take(agent, target_seat(prim, agent.appearance.size[2]))
        return ""

    def teleport(self, agent: Agent, region: str, position: Place, look_at: Place) -> None:
        self._note(agent, region, position)

    def to_landmark(self, agent: Agent, asset_id: UUID, look_at: Place) -> None:
        self._note(agent, str(asset_id), None)

    def to_global(self, agent: Agent, corner: tuple[float, float], position: Place, look_at: Place) -> None:
        self._note(agent, f"{corner[0]:.0f}, {corner[1]:.0f}", position)

    def home(self, agent: Agent) -> None:
        self._note(agent, "home", None)

    def _note(self, agent: Agent, region: str, position: Place | None) -> None:
        self._world.happened("teleport", agent=str(agent.agent_id), region=region, position=list(position or ()))


def made_region(world: FakeWorld) -> Region:
    """A region of no process: a flat World on a clock by hand, with the object, its owner and a visitor."""
    import numpy as np

    from sim.clock import ManualClock
    from sim.region import Region, Settings
    from sim.world.agent import Agent
    from sim.world.objects import Permissions, Prim
    from sim.world.terrain import EDGE, Terrain
    from sim.world.world import Parcel, RegionFacts, World

    owner, region_id = UUID(OWNER), UUID(int=1)
    facts = RegionFacts(region_id, world.region_called, 1000, 1000, owner_id=owner)
    land = World(facts, Terrain(np.full((EDGE, EDGE), 20.0, np.float32)))
    land.add_parcel(Parcel(1, UUID(int=2), "Land", owner, 0, np.ones((64, 64), bool)))
    region = Region(Settings(region_id, facts.name, 1000, 1000, 0), ManualClock(unix=START), land)
    full = 0x7FFFFFFF
    prim = Prim(UUID(OBJECT), owner, owner, name=world.name, permissions=Permissions(full, full, 0, 0, full))
    land.objects.add(prim, land.new_local_id(), (128.0, 128.0, 25.0), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
    agent = Agent(UUID(VISITOR), UUID(int=3), UUID(int=4), 1, "Visitor", "Resident")
    land.agents[agent.agent_id] = agent
    land.embody(agent, (130.0, 128.0, 21.0))
    return region


def linked_prim(world: FakeWorld, name: str, position: tuple[float, float, float]) -> Prim:
    """A child linked to the object's root."""
    from uuid import uuid5

    from sim.actions.link import link
    from sim.actions.may import Actor
    from sim.world.objects import Prim

    root, objects = world.root, world.region.world.objects
    full_id = uuid5(root.full_id, str(len(root.children)))
    prim = Prim(full_id, root.owner_id, root.owner_id, name=name, permissions=root.permissions)
    x, y, z = objects.world_place(root)[0]
    objects.add(
        prim, world.region.world.new_local_id(), (x + position[0], y + position[1], z + position[2]), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5)
    )
    link(world.region, Actor(root.owner_id, region=True), [root, prim])
    return prim
