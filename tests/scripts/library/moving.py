"""Whole scripts on both worlds, with time going by and physics at work.

    heard = plays(here, source, seconds=2.0)     what a script in the root says to its owner, complaints too
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from protocol.inventory import Item
from protocol.wellknown import AssetType
from sim.actions import take
from sim.scripts.language.program import compile_script
from sim.world.linkset import ScriptState, gather
from sim.world.objects import Permissions, Prim

FULL = 0x7FFFFFFF


def plays(here: Any, source: str, seconds: float = 1.0, prim: Prim | None = None) -> list[str]:
    """Starts a script and lets time go by; what was said since it began."""
    if hasattr(here, "sim"):
        here.heard.clear()
        here.sim.scripts.start(prim or here.root, compile_script(source), source)
    else:
        here.start = len(here.world.occurrences)
        script = here.world.add(source)
        if prim is not None:
            script.extra["prim"] = prim
            here.world.rooms.heed(prim)
    return more(here, seconds)


def more(here: Any, seconds: float) -> list[str]:
    """Lets time go by; what was said since the script began."""
    if hasattr(here, "sim"):
        sim = here.sim
        for _ in range(round(seconds * 45)):
            sim.clock.advance(1 / 45)
            sim.frame.once(sim.clock.now())
        assert not sim.scripts.engine.defects, sim.scripts.engine.defects
        return list(here.heard)
    here.world.advance(seconds)
    assert not here.world.engine.defects, here.world.engine.defects
    told = [one.get("text", one.get("message")) for one in here.world.occurrences[here.start :]]
    return [text for text in told if text is not None]


def stands(here: Any, name: str, position: tuple[float, float, float], scale: tuple[float, float, float] = (0.5, 0.5, 0.5), **fields: Any) -> Prim:
    """One more object of the same owner."""
    world, owner = here.region.world, here.root.owner_id
    number = 1000 + len(world.objects)
    prim = Prim(UUID(int=number), owner, owner, name=name, permissions=Permissions(FULL, FULL, 0, 0, FULL), **fields)
    return world.objects.add(prim, world.new_local_id(), position, (0.0, 0.0, 0.0, 1.0), scale)


def holds(here: Any, thing: Prim, copy: bool = True, script: str = "") -> Item:
    """The root has an object like this one in its contents; the thing itself goes. `script`: that runs in it when it is rezzed."""
    (linkset,) = gather(here.region.world.objects, [thing], 0.0)
    if script:
        state = _state_of(here, script)
        linkset.parts[0].scripts = [ScriptState("script", UUID(int=99), script, state)]
    data = take.pack([linkset])
    asset = UUID(int=thing.full_id.int + (1 << 64))
    if hasattr(here, "sim"):
        here.sim.assets.stored[asset] = (data, int(AssetType.OBJECT))
    else:
        here.world.grid.assets[asset] = data
    here.region.world.objects.remove(thing)
    mask = FULL if copy else FULL & ~0x8000
    item = Item(
        UUID(int=asset.int + 1), asset, thing.name, owner_id=here.root.owner_id, creator_id=here.root.owner_id,
        asset_type=int(AssetType.OBJECT), permissions=Permissions(FULL, mask, 0, 0, FULL),
    )  # fmt: skip
    here.root.contents.append(item)
    return item


def _state_of(here: Any, source: str) -> bytes:
    from sim.scripts.machine.saved import save
    from sim.scripts.tools.fakeworld import FakeWorld
    from tests.scripts.bench import engine

    world = FakeWorld(engine())
    return save(world.add(source), 0.0)
