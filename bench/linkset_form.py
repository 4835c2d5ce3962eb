"""What a linkset costs to write down and to read: bytes and microseconds a prim. `python -m bench.linkset_form`

Scenes are placed in a region, gathered from it and written in the one form (`sim/world/form.py`), then read again; as many
prims with no two of one form, alone and in linksets of twenty, and two scenes of ours. Thread CPU time, the best of `rounds`,
garbage collection held off as a start does. Beside it the limit: the same prims by `pickle`, which checks nothing.
"""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.kit import arguments, progress, show
from bench.region_load import unlike
from protocol.errors import ProtocolError
from sim.scenes import place
from sim.scenes.reading import Scene, load, parse
from sim.world import form
from sim.world.linkset import Linkset, gather
from tests.kit.world import close_sim, make_sim

SCENES = Path(__file__).parent / "scenes"


def best(rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this thread, and what came of it."""
    least, made = float("inf"), None
    for _ in range(rounds):
        made = None
        began = time.thread_time()
        made = work()
        least = min(least, time.thread_time() - began)
    return least, made


async def measure(name: str, scene: Scene, rounds: int) -> dict[str, Any]:
    progress(name)
    sim = make_sim()
    place(sim.region, sim.scripts, scene)
    objects = sim.world.objects
    roots = list(objects.roots())
    prims = len(objects)
    gc.collect()
    gc.freeze()
    gc.disable()
    gathered, linksets = best(rounds, lambda: gather(objects, roots, sim.clock.now()))
    written, forms = best(rounds, lambda: form.encode_all(linksets))
    read, back = best(rounds, lambda: form.decode_all(forms))
    alone, _ = best(rounds, lambda: [form.encode(gather(objects, [root], 0.0)[0]) for root in roots[:500]])
    of_these = sum(1 + len(root.children) for root in roots[:500])
    pickled, pickles = best(rounds, lambda: [pickle.dumps(each, -1) for each in linksets])
    unpickled, _ = best(rounds, lambda: [pickle.loads(each) for each in pickles])
    gc.enable()
    assert not any(isinstance(each, ProtocolError) for each in (*forms, *back))
    assert sum(len(each.parts) for each in back if isinstance(each, Linkset)) == prims
    close_sim(sim)
    row = {
        "scene": name, "prims": prims, "linksets": len(roots), "bytes a prim": sum(map(len, forms)) / prims,
        "gather us": gathered / prims * 1e6, "write us": written / prims * 1e6, "read us": read / prims * 1e6, "read all s": read,
        "one by one, out us": alone / of_these * 1e6, "pickle bytes": sum(map(len, pickles)) / prims,
        "pickle us": pickled / prims * 1e6, "unpickle us": unpickled / prims * 1e6,
    }  # fmt: skip
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}


async def main(rounds: int, prims: int) -> list[dict[str, Any]]:
    scenes = {"30,000 of eight forms": load(str(SCENES / "prims_30000.toml")), "heap": load(str(SCENES / "heap_2000.toml"))}
    for kind in ("forms", "linksets"):
        scenes[f"unlike, {kind}"] = parse(json.dumps(unlike(kind, prims)).encode(), kind, as_json=True)
    return [await measure(name, scene, rounds) for name, scene in scenes.items() if scene is not None]


if __name__ == "__main__":
    options = arguments(__doc__, rounds=5, prims=30000)
    show("one form of a linkset", asyncio.run(main(options.rounds, options.prims)), options.json)
