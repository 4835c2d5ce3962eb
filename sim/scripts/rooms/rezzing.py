"""Objects out of a prim's contents into the world, as scripts ask for them, and the fences against those that breed.

An object knows which chain of objects made it: one that a person made is the first of its chain, what its scripts rez belongs to
it, and so does what that rezzes. All rezzing of a chain is counted together, however many objects do it:

    slowed     more than 50 in six seconds, or the ninth and later in a line of makers: the script sleeps longer after each
    stopped    more than 100 in six seconds (a physical one counts twice), until it has been still for twelve; and while more
               than 2,000 stand here whose makers were rezzed themselves. The owner is told

Figures of the rate: Second Life's "grey goo fence" on the LSL wiki. The rest is ours.

Source: llRezObject, llRezAtRoot, llRezObjectWithParams and llDerezObject on the LSL wiki.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.inventory import Item
from protocol.wellknown import NULL, AssetType, Permission
from sim.actions import contents, take
from sim.actions.edit import Flags, flags
from sim.actions.make import make_temporary
from sim.actions.may import Actor, script_of
from sim.actions.outcome import Refused
from sim.actions.remove import remove
from sim.scripts.language.values import Key
from sim.world.changes import What
from sim.world.drives import MadeBy, Quaternion, Vector
from sim.world.linkset import Linkset

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.scripts.rooms.home import Home, Loaded
    from sim.world.objects import Prim

FARTHEST = 10.0  # metres from the rezzing prim
WINDOW, MOST, MANY, STILL = 6.0, 100, 50, 12.0  # seconds, rezzed, rezzed, seconds
GENERATIONS = 8  # makers in a line that cost nothing
LONGEST_PAUSE = 5.0  # seconds
MOST_BRED = 2000
MOST_CHAINS = 10_000  # known at once; the oldest is forgotten
MOST_WAITING = 64  # objects of one chain that are being fetched
STOPPED = "Too many objects are rezzed by this object and those it was made by. It may rez again when it has been still for a while."
BRED = "Too many objects stand here that were rezzed by objects which were rezzed themselves. Nothing more is rezzed by them."
TEMP, PHYSICAL, PHANTOM = 0x1, 0x2, 0x4  # REZ_FLAG_*
DIE, MAKE_TEMP = 0, 1  # DEREZ_*


@dataclass(slots=True)
class Wish:
    """How something is to be rezzed. Metres and radians in the region; `at_root`: the place is the root's, else the middle's."""

    position: Vector
    rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
    velocity: Vector = (0.0, 0.0, 0.0)
    at_root: bool = False
    parameter: int = 0
    text: str = ""
    flags: int = 0
    changes: dict[str, object] = field(default_factory=dict)  # of its drives
    keeps_turn: bool = False  # it is turned as it was when taken
    key: UUID = NULL  # that it is to have; any when null


@dataclass(slots=True)
class _Chain:
    since: float = -math.inf
    count: int = 0
    until: float = -math.inf  # blocked
    waiting: int = 0
    told: float = -math.inf


class Rezzing:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._chains: dict[UUID, _Chain] = {}
        self._bred: Counter[UUID] = Counter()  # what stands here of a chain, made by what was made
        self._of: dict[Prim, UUID] = {}
        self._changes = home.region.world.changes.prims.reader(What.MADE | What.GONE)

    # --- fences

    def _chain(self, id: UUID) -> _Chain:
        chain = self._chains.get(id)
        if chain is None:
            while len(self._chains) >= MOST_CHAINS:
                del self._chains[next(iter(self._chains))]
            chain = self._chains[id] = _Chain()
        return chain

    def _count_bred(self) -> None:
        for prim in self._changes.take() if len(self._changes) else ():
            known = self._of.pop(prim, None)
            if known is not None:
                self._bred[known] -= 1
                if not self._bred[known]:
                    del self._bred[known]
            if prim.row >= 0 and prim.made_by is not None and prim.made_by.generation > 1:
                self._of[prim] = prim.made_by.chain
                self._bred[prim.made_by.chain] += 1

    def _fence(self, root: Prim, now: float, cost: int) -> tuple[bool, float]:
        """Whether the object may rez now, and how long its script sleeps afterwards beside the usual time."""
        by = root.made_by
        id, generation = (by.chain, by.generation) if by is not None else (root.full_id, 0)
        self._count_bred()
        chain = self._chain(id)
        if not 0.0 <= now - chain.since < WINDOW:
            chain.since, chain.count = now, 0
        chain.count += cost
        stopped = now < chain.until or chain.count > MOST or chain.waiting >= MOST_WAITING
        bred = generation >= 1 and self._bred[id] >= MOST_BRED
        if stopped or bred:
            if stopped:
                chain.until = now + STILL
            if now - chain.told >= STILL or now < chain.told:
                chain.told = now
                self._home.region.metrics.count("script_fences", label="rez")
                self._home.tell_owner(root, STOPPED if stopped else BRED)
            return False, LONGEST_PAUSE
        pause = 0.1 * max(generation - GENERATIONS, 0) + (0.5 if chain.count > MANY else 0.0)
        return True, min(pause, LONGEST_PAUSE)

    # --- rezzing

    def rez(self, script: Script, name: str, wish: Wish) -> bool:
        """Begin to rez the object of that name in the prim's contents. False where it is clear that nothing will come."""
        prim = script.world.prim_of(script)
        root = prim.linkset_root
        item = next((one for one in prim.contents if one.name == name and one.asset_type == AssetType.OBJECT), None)
        if item is None:
            script.complain(f"Couldn't find object '{name[:64]}'")
            return False
        here = self._home.region.world.objects.world_place(prim)[0]
        if not math.dist(here, wish.position) <= FARTHEST:
            return False
        free, pause = self._fence(root, script.now, 2 if wish.flags & PHYSICAL else 1)
        script.sleep(pause)
        if not free:
            return False
        chain = self._chain(root.made_by.chain if root.made_by is not None else root.full_id)
        chain.waiting += 1

        def came(loaded: Loaded | str) -> None:
            chain.waiting -= 1
            if prim.row >= 0:
                self._came(prim, item, wish, loaded)

        self._home.read_object(item, prim.owner_id, came)
        return True

    def _came(self, prim: Prim, item: Item, wish: Wish, loaded: Loaded | str) -> None:
        """What the item stands for is here: put it into the world."""
        if isinstance(loaded, str):
            self._home.tell_owner(prim, f"Can't rez object '{item.name}': {loaded}")
            return
        inside = contents.find(prim, item.item_id)
        if inside is None:
            return
        region, linksets = self._home.region, loaded.linksets
        stays = take.may_keep(inside)
        if not stays and isinstance(contents.remove(region, script_of(prim), prim, item.item_id), Refused):
            return
        actor = Actor(prim.owner_id, frozenset({prim.group_id}))
        _turn(linksets, wish)
        middle, _ = take.box_of(linksets)
        first = linksets[0].parts[0].position
        shift = [m - f for m, f in zip(middle, first, strict=True)] if wish.at_root else [0.0, 0.0, 0.0]
        x, y, z = (p + s for p, s in zip(wish.position, shift, strict=True))
        made = take.rez(
            region, actor, replace(inside, owner_id=prim.owner_id), linksets, (x, y, z), prim.group_id, wish.key
        )
        if isinstance(made, Refused):
            if not stays:
                contents.put_back(region, script_of(prim), prim, inside)
            self._home.tell_owner(prim, f"Can't rez object '{item.name}': {made.words or 'it is not allowed here.'}")
            return
        for root in made:
            self._settle(prim, root, wish)
        self._home.begin_scripts(loaded, wish.parameter, wish.text)
        for script in self._home.of(prim):
            for root in made:
                script.now = max(script.now, region.world.time)
                script.post("object_rez", Key(str(root.full_id)))

    def _settle(self, prim: Prim, root: Prim, wish: Wish) -> None:
        """What the object is and does from its first moment on."""
        region, by = self._home.region, prim.linkset_root.made_by
        maker = prim.linkset_root.full_id
        root.made_by = MadeBy(maker, by.chain if by is not None else maker, by.generation + 1 if by is not None else 1)
        root.drives = replace(root.drives, flight=wish.flags, **wish.changes)  # type: ignore[arg-type]
        row = region.world.objects.row(root)
        row["angular_velocity"] = root.drives.spin
        physical = bool(wish.flags & PHYSICAL) or None
        flags(region, script_of(root), root, Flags(physical=physical, phantom=bool(wish.flags & PHANTOM) or None))
        if root.physical:
            row["velocity"] = wish.velocity
        if wish.flags & TEMP and not root.temporary:
            make_temporary(region, root, True)
        region.world.changes.prims.note(root, What.DRIVES)

    # --- and away

    def derez(self, script: Script, key: UUID, how: int) -> bool:
        """Take away, or make temporary, an object that this one has rezzed."""
        mine = script.world.prim_of(script).linkset_root
        prim = self._home.region.world.objects.by_id.get(key)
        root = prim.linkset_root if prim is not None else None
        if root is None or root.leaving or root.made_by is None or root.made_by.rezzer != mine.full_id:
            return False
        if root.owner_id != mine.owner_id or not root.permissions.owner & Permission.COPY:
            return False
        if how == DIE:
            remove(self._home.region, root)
        elif how == MAKE_TEMP:
            make_temporary(self._home.region, root, True)
        else:
            return False
        return True


def _turn(linksets: Sequence[Linkset], wish: Wish) -> None:
    """Turned as the script wishes: the root, and its children with it."""
    if wish.keeps_turn:
        return
    for linkset in linksets[:1]:
        linkset.parts[0].rotation = wish.rotation
