"""Worlds of absurd but possible builds against the physics engine, with every array access checked.
`python -m bench.fuzz_physics [--seeds 0:500] [--fast]`

Each seed is a world: land (flat, hills, cliffs of a thousand metres), bodies of all shapes and compounds with parts far
away, avatars anywhere, and a few hundred calls and steps in which numbers are ordinary, extreme or none. What must hold:
the engine refuses (BadBody) or bears it; no kernel reads or writes beyond an array, none runs for seconds, and every
number that viewers would be sent is finite and within the world. A child process plays the seeds, so that a crash or a
hang of one is a line of the report and the next goes on. `--fast` takes the kernels as a region has them, unchecked.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CALLS = 120  # of a world
LONGEST = 4.0  # seconds of processor that one call or step may take; a checked step of a full world takes 0.1
FOLDER = Path(__file__).resolve().parent.parent / ".pytest_cache" / "checked_kernels"

ORDINARY = (0.0, -0.0, 0.5, 1.0, 2.0, 10.0, 0.01)
EXTREME = (
    1e-38, 1e-30, 1e-6, 255.99999, 256.0, 256.00001, -1e-6, 767.99, 768.0, 770.0, -512.0, -513.0, 1e3, 1e4, 1e5, 1e6, -1e6, 1e9,
    2147483647.0, 2147483648.0, -2147483649.0, 9.3e18, 1e19, 1e30, -1e30, 3e38, -3e38,
)  # fmt: skip
NONE_AT_ALL = (math.nan, math.inf, -math.inf)


class World:
    """One seed's world and what is done to it."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        from sim.physics.numba_engine import NumbaEngine
        from sim.world.avatars import AVATAR_DTYPE

        self.random = random.Random(seed)
        self.engine = NumbaEngine()
        self.bodies: list[int] = []
        self.rows = np.zeros(self.random.choice((0, 1, 3, 12)), AVATAR_DTYPE)
        self.wild = self.random.choice((0.02, 0.1, 0.4))  # how often a number is extreme
        self.land()
        self.people()

    # --- numbers

    def number(self, low: float = -10.0, high: float = 266.0) -> float:
        chance = self.random.random()
        if chance < self.wild:
            return self.random.choice(EXTREME) * self.random.choice((1.0, 1.0, 1.0 + 1e-7, -1.0))
        if chance < self.wild + 0.004:
            return self.random.choice(NONE_AT_ALL)
        if chance < 0.3 + self.wild:
            return min(max(self.random.choice(ORDINARY), low), high)
        return self.random.uniform(low, high)

    def vector(self, low: float = -10.0, high: float = 266.0) -> tuple[float, float, float]:
        return self.number(low, high), self.number(low, high), self.number(low, high)

    def place(self) -> tuple[float, float, float]:
        """Where things meet: about one of a few spots."""
        if self.random.random() < 0.25:
            return self.vector()
        x, y = self.random.choice(((3.0, 3.0), (128.0, 128.0), (254.0, 0.5), (40.0, 200.0)))
        return x + self.random.uniform(-4, 4), y + self.random.uniform(-4, 4), self.random.uniform(0, 12)

    def turn(self) -> tuple[float, float, float, float]:
        if self.random.random() < 0.3:
            return 0.0, 0.0, 0.0, 1.0
        x, y, z = self.vector(-1, 1)
        return x, y, z, self.number(-1, 1)

    # --- things

    def land(self) -> None:
        import numpy as np

        rng = np.random.default_rng(self.random.randrange(1 << 30))
        steep = self.random.choice((0.0, 2.0, 30.0, 1000.0, 1e5, 1e30))
        heights = np.zeros((257, 257), np.float32)
        if self.random.random() < 0.3:
            heights += rng.normal(0, max(steep, 1e-3), (257, 257)).astype(np.float32)
        elif steep:
            heights[: self.random.randrange(1, 257), : self.random.randrange(1, 257)] = steep
        self.engine.set_terrain(heights)

    def people(self) -> None:
        for row in self.rows:
            row["active"] = self.random.random() < 0.95
            row["height"] = self.random.choice((1.9, 1.9, 0.1, 4.0, 0.0, 1e3, -1.0))
            row["position"] = self.place()
            row["velocity"] = self.vector(-20, 20) if self.random.random() < 0.5 else 0
            row["rotation"] = (0, 0, 0, 1)
            row["controls"] = self.random.getrandbits(28)
            for name in ("flying", "running", "on_ground", "held"):
                row[name] = self.random.random() < 0.3

    def shape(self, depth: int = 0) -> Any:
        from sim.physics import engine as e

        kind = self.random.choice("bbbsschhmtt" if depth < 2 else "bsch")
        size = lambda: abs(self.number(0.05, 4.0))  # noqa: E731
        if kind == "b":
            return e.box(size(), size(), size())
        if kind == "s":
            return e.sphere(size())
        if kind == "c":
            return self.random.choice((e.cylinder, e.capsule))(size(), size())
        if kind == "h":
            points = [self.vector(-2, 2) for _ in range(self.random.randrange(4, 40))]
            return e.hull(points)
        if kind == "m":
            many = self.random.randrange(3, 40)
            corners = [self.random.randrange(many) for _ in range(3 * self.random.randrange(1, 60))]
            return e.mesh([self.vector(-3, 3) for _ in range(many)], [corners[k : k + 3] for k in range(0, len(corners), 3)])
        parts = [(self.shape(depth + 1), self.vector(-3, 3), self.turn()) for _ in range(self.random.choice((1, 2, 2, 5, 40)))]
        return e.compound(parts)

    def prim(self) -> Any:
        """The solid of a prim of any parameters, as viewers shape them."""
        from protocol.shapes import Shape as PrimShape
        from sim.physics.prims import prim_shape

        r = self.random
        shape = PrimShape(
            path=r.choice((0x10, 0x20, 0x30, 0x80)), profile=r.randrange(6) | r.choice((0, 0x10, 0x20, 0x30)),
            path_begin=r.random(), path_end=r.random(), path_scale_x=2 * r.random(), path_scale_y=2 * r.random(),
            path_shear_x=r.uniform(-0.5, 0.5), path_shear_y=r.uniform(-0.5, 0.5), path_twist=r.uniform(-1, 1),
            path_twist_begin=r.uniform(-1, 1), path_radius_offset=r.uniform(-1, 1), path_taper_x=r.uniform(-1, 1),
            path_taper_y=r.uniform(-1, 1), path_revolutions=r.uniform(1, 4), path_skew=r.uniform(-1, 1),
            profile_begin=r.random(), profile_end=r.random(), profile_hollow=r.random(),
        )  # fmt: skip
        return prim_shape(shape, tuple(abs(self.number(0.05, 5.0)) for _ in range(3)), r.random() < 0.3)

    def vehicle(self) -> Any:
        from sim.physics.vehicles import PARAMETERS, PRESETS

        made = self.random.choice(list(PRESETS.values()))
        for _ in range(self.random.randrange(6)):
            name = self.random.choice(list(PARAMETERS.values()))
            many = len(getattr(made, name)) if isinstance(getattr(made, name), tuple) else 0
            value = tuple(self.number(-5, 50) for _ in range(many)) if many else self.number(-5, 50)
            made = made.with_parameter(name, value)
        return made

    # --- what is done

    def do(self) -> str:
        """One call or a few steps; what was done. BadBody is an answer like any other."""
        from sim.physics.engine import BadBody

        what = self.random.choice(ACTIONS)
        try:
            getattr(self, "do_" + what)()
        except BadBody:
            return what + " (refused)"
        return what

    def one(self) -> int:
        return self.random.choice(self.bodies) if self.bodies else 1

    def do_add(self) -> None:
        from sim.physics.engine import BodySpec, Kind

        r = self.random
        shape = self.prim() if r.random() < 0.4 else self.shape()
        self.bodies.append(self.engine.add(BodySpec(
            shape, self.place(), self.turn(), self.vector(-5, 5), self.vector(-3, 3), kind=r.choice((Kind.STATIC, Kind.DYNAMIC, Kind.DYNAMIC, Kind.KINEMATIC)),
            mass=abs(self.number(0, 100)) if r.random() < 0.3 else 0.0, density=abs(self.number(1, 2000)),
            friction=self.number(0, 1), restitution=self.number(0, 1), gravity_multiplier=self.number(-1, 2),
            buoyancy=self.number(-1, 2) if r.random() < 0.2 else 0.0, phantom=r.random() < 0.1, volume_detect=r.random() < 0.1,
            lock_axes=(r.random() < 0.1, False, r.random() < 0.1), user=r.randrange(1 << 31),
        )))  # fmt: skip

    do_add_too = do_add_three = do_add

    def do_add_alike(self) -> None:
        import numpy as np

        from sim.physics.engine import NO_BODY, BodySpec, Kind

        many = self.random.choice((1, 3, 30, 90))
        shapes = [self.shape() for _ in range(min(many, 5))] * many
        spec = BodySpec(shapes[0], kind=self.random.choice((Kind.STATIC, Kind.DYNAMIC)))
        handles, _ = self.engine.add_alike(
            spec, shapes[:many], np.array([self.place() for _ in range(many)]), np.array([self.turn() for _ in range(many)]), list(range(many)),
        )  # fmt: skip
        self.bodies += [handle for handle in handles if handle != NO_BODY]

    def do_remove(self) -> None:
        if len(self.bodies) > self.random.choice((3, 30)):
            handle = self.one()
            self.engine.remove(handle)
            self.bodies.remove(handle)

    def do_replace_shape(self) -> None:
        self.engine.replace_shape(self.one(), self.shape())

    def do_set_pose(self) -> None:
        self.engine.set_pose(self.one(), self.place(), self.turn())

    def do_set_velocity(self) -> None:
        self.engine.set_velocity(self.one(), self.vector(-50, 50), self.vector(-50, 50))

    def do_set_kind(self) -> None:
        from sim.physics.engine import Kind

        self.engine.set_kind(self.one(), self.random.choice(list(Kind)))

    def do_material(self) -> None:
        names = ("mass", "density", "friction", "restitution", "gravity_multiplier", "buoyancy")
        chosen: dict[str, Any] = {name: self.number(0, 2) for name in self.random.sample(names, 2)}
        chosen[self.random.choice(("phantom", "volume_detect"))] = self.random.random() < 0.3
        if self.random.random() < 0.3:
            chosen["lock_axes"] = tuple(self.random.random() < 0.4 for _ in range(3))
        self.engine.set_material(self.one(), **chosen)

    def do_drive(self) -> None:
        e, h = self.engine, self.one()
        self.random.choice((
            lambda: e.apply_impulse(h, self.vector(-500, 500), self.place()), lambda: e.apply_impulse(h, self.vector(-500, 500)),
            lambda: e.apply_angular_impulse(h, self.vector(-500, 500)), lambda: e.set_force(h, self.vector(-500, 500), True),
            lambda: e.set_torque(h, self.vector(-500, 500)), lambda: e.set_hover(h, self.number(), self.number(0, 5), True),
            lambda: e.set_move_target(h, self.place(), self.number(0, 5)),
            lambda: e.set_turn_target(h, self.turn(), self.number(0, 5), self.number(0, 5)),
            lambda: e.set_vehicle(h, self.vehicle()), lambda: e.set_vehicle(h, None), lambda: e.push_motor(h),
        ))()  # fmt: skip

    do_drive_too = do_drive

    def do_rays(self) -> None:
        import numpy as np

        mask = self.random.randrange(32)
        self.engine.raycast(self.place(), self.vector(-1, 1), self.number(0, 300), mask, self.random.choice((1, 5, 256)))
        many = self.random.randrange(1, 20)
        starts, ways = [np.array([f() for _ in range(many)], np.float64) for f in (self.place, lambda: self.vector(-1, 1))]
        with np.errstate(over="ignore"):
            lengths = np.array([self.number(0, 300) for _ in range(many)]).astype(np.float32)
            self.engine.raycast_batch(starts.astype(np.float32), ways.astype(np.float32), lengths, mask)

    def do_land(self) -> None:
        if self.random.random() < 0.2:
            self.land()

    def do_people(self) -> None:
        for row in self.rows:
            row["controls"] = self.random.getrandbits(28)
            if self.random.random() < 0.2:
                row["position"] = self.place()

    def do_step(self) -> None:
        from sim.clock import STEP

        for _ in range(self.random.choice((1, 3, 12))):
            self.engine.step(STEP, self.rows)
            self.check()

    do_step_too = do_step_three = do_step_four = do_step

    def check(self) -> None:
        """What viewers would be sent is finite and in the world."""
        import numpy as np

        engine, handles = self.engine, self.bodies
        assert not len(engine.lost), f"{engine.lost} came to be no numbers"  # they may, but nobody knows by what
        for name in ("position", "rotation", "velocity", "angular_velocity", "acceleration"):
            column = getattr(engine, name)[handles]
            assert np.isfinite(column).all(), f"{name} of bodies {np.array(handles)[~np.isfinite(column).all(axis=1)]}"
        assert np.isfinite(engine.collisions["point"]).all() and np.isfinite(engine.collisions["speed"]).all()
        known = set(handles)
        assert set(engine.moved.tolist()) <= known and set(engine.collisions["a"].tolist()) <= known


ACTIONS = [name[3:] for name in dir(World) if name.startswith("do_")]


def play(seed: int, calls: int = CALLS, say: bool = False) -> None:
    """One seed's world to its end. AssertionError or IndexError when it broke a rule."""
    world = World(seed)
    for number in range(calls):
        began = time.process_time()
        what = world.do()
        if say:
            print(number, what, len(world.bodies), flush=True)
        took = time.process_time() - began
        assert took < LONGEST or number < 10, f"{what} took {took:.1f} s"


def _child(first: int, last: int, calls: int, say: bool) -> None:
    from sim.physics.warm import warm

    faulthandler.enable()
    warm()  # compiles for a minute or two where kernels changed
    for seed in range(first, last):
        print(f"seed {seed}", flush=True)
        faulthandler.dump_traceback_later(60, exit=True)
        try:
            play(seed, calls, say)
        except Exception as error:
            import traceback

            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"fault {seed} {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})", flush=True)
        faulthandler.cancel_dump_traceback_later()
    print("end", flush=True)


def main() -> int:
    """Play the seeds; how many broke a rule."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="0:200", help="first:last, the last not among them")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--fast", action="store_true", help="kernels as a region has them, without checks")
    parser.add_argument("--say", action="store_true", help="say every call")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    first, last = (int(part) for part in args.seeds.split(":"))
    if args.child:
        _child(first, last, args.calls, args.say)
        return 0
    environment = dict(os.environ)
    if not args.fast:
        environment["MAINLAND_CHECKED_KERNELS"] = str(FOLDER)
    faults = 0
    began = time.monotonic()
    while first < last:
        command = [sys.executable, "-m", "bench.fuzz_physics", "--child", "--seeds", f"{first}:{last}", "--calls", str(args.calls)]
        child = subprocess.Popen(command + ["--say"] * args.say, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, errors = child.communicate()
        lines = out.splitlines()
        seeds = [int(line.split()[1]) for line in lines if line.startswith("seed ")]
        faults += sum(line.startswith("fault") for line in lines)
        print("\n".join(line for line in lines if args.say or not line.startswith(("seed", "end"))), flush=True)
        if lines and lines[-1] == "end":
            break
        faults += 1
        last_seed = seeds[-1] if seeds else first
        print(f"fault {last_seed}: the process ended with {child.returncode}\n{errors[-3000:]}", flush=True)
        first = last_seed + 1
        if not seeds:
            break
    print(f"{faults} faults, {time.monotonic() - began:.0f} s")
    return min(faults, 1)


if __name__ == "__main__":
    raise SystemExit(main())
