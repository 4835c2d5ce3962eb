"""After warm-up nothing is compiled any more, whatever happens: a frame must not wait for a compiler."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from typing import Any
from uuid import uuid4

import numpy as np

from protocol import kernels, terrain
from protocol.message import Message
from protocol.shapes import CYLINDER, PRISM, SPHERE, TORUS, to_wire
from sim.physics.engine import BodySpec, Kind, Mask, box, capsule, compound, cylinder, hull, mesh, sphere
from sim.physics.vehicles import PRESETS, Type
from sim.world.changes import What
from tests.kit.meshes import mesh_asset
from tests.kit.world import TestSimulator, Viewer, add_child, add_root, close_sim, make_sim
from tests.sim.handlers.test_building import edit, frame, rez
from tests.sim.test_mesh_objects import flags, formed, store
from tests.sim.test_seating import sit, stand

AT_POS, LEFT_POS, UP_POS, FLY, SIT_DOWN = 0x1, 0x4, 0x10, 0x2000, 0x20000


def bodies(sim: TestSimulator) -> None:
    """Every form against every other, asleep, woken, pushed, driven; rays of every kind."""
    engine = sim.bodies.engine
    forms = (
        box(0.5, 0.5, 0.5), sphere(0.3), cylinder(0.5, 0.6), capsule(0.2, 0.4), hull(np.random.default_rng(1).normal(size=(20, 3))),
        compound([(box(1, 0.2, 0.2), (0, 0, 0), (0, 0, 0, 1)), (sphere(0.2), (0.6, 0, 0), (0, 0, 0.7, 0.7))]),
    )  # fmt: skip
    floor = mesh([(-9, -9, 0), (9, -9, 0), (9, 9, 0), (-9, 9, 0)], [(0, 1, 2), (0, 2, 3)])
    engine.add(BodySpec(floor, (40, 40, 30)))
    made = [
        engine.add(BodySpec(form, (36 + k, 36 + n, 31 + 0.3 * k), kind=kind, restitution=0.5))
        for k, form in enumerate(forms)
        for n, kind in enumerate((Kind.DYNAMIC, Kind.DYNAMIC, Kind.STATIC, Kind.KINEMATIC))
    ]
    frame(sim, 4)
    for handle in made[::4]:
        engine.set_pose(handle, (38, 38, 34), (0, 0, 0, 1))
    ball = engine.add(BodySpec(sphere(0.5), (38, 38, 60), velocity=(0, 0, -200), kind=Kind.DYNAMIC))
    frame(sim, 1)
    engine.apply_impulse(ball, (50, 0, 0), (38, 38, 31))
    engine.apply_angular_impulse(ball, (0, 0, 5))
    engine.set_force(ball, (10, 0, 0), True)
    engine.set_torque(ball, (0, 0, 1), True)
    engine.set_hover(ball, 3, 1, True)
    engine.set_move_target(ball, (60, 60, 33), 2)
    engine.set_turn_target(ball, (0, 0, 1, 0), 1, 1)
    engine.set_material(ball, friction=0.1, mass=5, lock_axes=(True, False, True))
    engine.set_velocity(made[3], (1, 0, 0), (0, 0, 1))
    frame(sim, 1)
    for kind in Type:
        if kind != Type.NONE:
            engine.set_vehicle(ball, PRESETS[kind])
            frame(sim, 0.1)
    for mask in (Mask.ALL, Mask.ALL | Mask.PHANTOM, Mask.TERRAIN, Mask.DYNAMIC):
        engine.raycast((38, 38, 60), (0.1, 0, -1), 100, mask, 5)
    engine.raycast((38, 38, 60), (0, 0, -1), 100)
    engine.raycast_batch(np.ones((3, 3), np.float32), np.ones((3, 3), np.float32), np.ones(3, np.float32), Mask.ALL)
    engine.set_kind(ball, Kind.STATIC)
    engine.replace_shape(ball, forms[0])
    for handle in (ball, *made):
        engine.remove(handle)
    frame(sim, 0.2)


async def people(sim: TestSimulator, anna: Viewer) -> None:
    """Walking, running, jumping, flying, sitting; a crowd, introductions, animations, looks."""
    others = [add_root(sim, "", (120 + k % 10, 120 + k // 10, 26)) for k in range(30)]
    looker = add_child(sim)
    sim.sessions.handshake_replied(looker.agent, 0)
    frame(sim, 1)
    for keys in (AT_POS, LEFT_POS | AT_POS, UP_POS, UP_POS | FLY, AT_POS | FLY, FLY, 0, SIT_DOWN, 0x10000):
        for viewer in (anna, *others):
            viewer.sends(Message("AgentUpdate", AgentData={"ControlFlags": keys, "BodyRotation": (0.0, 0.0, 0.3, 0.95)}))
        frame(sim, 0.5)
    entry, params = bytes(46), [{"ParamValue": k} for k in range(200)]
    for viewer in others[:3]:
        viewer.sends(Message("AgentSetAppearance", AgentData={"SerialNum": 1, "Size": (0.5, 0.6, 1.8)},
                             ObjectData={"TextureEntry": entry}, WearableData=[], VisualParam=params))  # fmt: skip
    for viewer in others[3:]:
        sim.world.changes.agents.note(viewer.agent, What.MOTION)
    for _ in range(40):
        frame(sim)
    chair = rez(anna, (128.0, 128.0, 25.0))
    frame(sim, 0.2)
    sit(others[0], chair)
    frame(sim, 0.5)
    stand(others[0])
    frame(sim, 0.5)
    for viewer in others:
        sim.sessions.kick(viewer.agent, "gone")
    frame(sim, 1)


async def things(sim: TestSimulator, anna: Viewer) -> None:
    """Prims of all forms made, moved, made physical, pushed about; a mesh; land."""
    made = [rez(anna, (100 + 2 * k, 100, 30), **to_wire(shape), Scale=(1, 1, 1 + 0.1 * k))
            for k, shape in enumerate((CYLINDER, SPHERE, PRISM, TORUS))]  # fmt: skip
    made.append(rez(anna, (101, 102, 30)))
    for prim in made:
        flags(anna, prim, physical=True)
    frame(sim, 3)
    edit(anna, made[0], position=(101.0, 101.0, 40.0))
    edit(anna, made[1], scale=(2.0, 2.0, 2.0), rotation=(0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)))
    frame(sim, 2)
    shape = rez(anna, (110, 110, 30), Scale=(4, 4, 1))
    formed(anna, shape, store(sim, mesh_asset()))
    for _ in range(2000):
        frame(sim)
        await asyncio.sleep(0.02)
        if not sim.region.tasks.pending:
            break
    sim.world.terrain.heights[:20, :20] += 3
    sim.world.terrain.revision += 1
    for row in range(16):
        sim.world.terrain.normal(10.0 + row, 10.0)
    for payload in terrain.encode_patches(sim.world.terrain.patches(), [(0, 0), (1, 1)]):
        terrain.decode_patches(payload)
    frame(sim, 1)


def wire(sim: TestSimulator) -> None:
    """Datagrams through a real socket, those that kernels read and those that Python reads."""
    from protocol import packet
    from protocol.message import encode
    from sim.circuits.datagrams import DatagramSocket, key_of

    client = DatagramSocket("127.0.0.1", 0)
    agent = {"AgentID": uuid4(), "SessionID": uuid4(), "ControlFlags": 1}
    for number, flags_ in enumerate((0, packet.ZEROCODED, packet.RELIABLE)):
        body = packet.build(encode(Message("AgentUpdate", AgentData=agent)), number + 1, flags_)
        client.outgoing.queue(key_of("127.0.0.1", sim.port), body)
        client.outgoing.queue(key_of("127.0.0.1", sim.port), body)
    client.flush()
    frame(sim, 0.5)
    list(client.receive())
    client.close()


async def play() -> None:
    """All of it, in one region."""
    sim = make_sim()
    try:
        sim.world.terrain.heights[:] = 25.0
        sim.world.terrain.revision += 1
        anna = add_root(sim, "Anna Player", (128, 128, 26))
        frame(sim, 1)
        bodies(sim)
        await people(sim, anna)
        await things(sim, anna)
        wire(sim)
        assert not sim.metrics.labelled["stage_errors"], sim.region.aside.failing()
    finally:
        await sim.bodies.close()
        close_sim(sim)


def report() -> None:
    """In a process of its own: what warm-up left to be compiled, as JSON."""
    from sim.host import warm

    warm()
    before = kernels.signatures()
    asyncio.run(play())
    after = kernels.signatures()
    late = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
    sys.stdout.write("\n" + json.dumps({"late": late, "known": len(before)}) + "\n")


def test_no_kernel_is_compiled_after_warm_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tests.sim.test_warm import report; report()"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer: Any = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer["known"] > 50  # dispatchers were found at all
    assert not answer["late"]
