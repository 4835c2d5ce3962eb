"""Every message that has a handler, with anything in its fields: neither handler, nor errand, nor the frame may fail.

The values are those a decoder lets through, extremes first; ids are often those of people and things that exist, since
an unknown id ends most handlers early.
"""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.errors import ProtocolError
from protocol.message import Message, decode, encode
from protocol.table import BY_NAME, FieldSpec
from sim import handlers
from tests.kit.world import TestSimulator, Viewer, add_region, add_root, settle

ROUNDS = 25
RANGES = {
    "U8": (0, 255), "S8": (-128, 127), "U16": (0, 65535), "S16": (-32768, 32767), "IPPORT": (0, 65535),
    "U32": (0, 2**32 - 1), "S32": (-(2**31), 2**31 - 1), "U64": (0, 2**64 - 1), "S64": (-(2**63), 2**63 - 1),
}  # fmt: skip
VECTORS = {"LLVector3": 3, "LLVector3d": 3, "LLVector4": 4}
TEXTS = (b"", b"\0", b"getinfo\0", b"avatarpicksrequest\0", b"Here\0", b"\xff\xfe", b"%s{0}\0", "é".encode() * 60)
# They end the session or the connection, which is what they are for.
ENDINGS = {"LogoutRequest"}


def value(field: FieldSpec, dice: random.Random, ids: list[UUID]) -> Any:
    if field.type in RANGES:
        low, high = RANGES[field.type]
        return dice.choice(
            (low, high, 0, 1, 6, 38, dice.randint(low, high)) if low <= 0 and high >= 38 else (low, high)
        )
    if field.type in ("F32", "F64"):
        return dice.choice((0.0, -1.0, 3e38, -3e38, 1e-30, dice.uniform(-300, 300)))
    if field.type in VECTORS:
        return tuple(dice.choice((0.0, 3e38, -3e38, dice.uniform(-300, 300))) for _ in range(VECTORS[field.type]))
    if field.type == "LLQuaternion":
        return tuple(dice.uniform(-1, 1) for _ in range(4))
    if field.type == "LLUUID":
        return dice.choice(ids)
    if field.type == "BOOL":
        return dice.random() < 0.5
    if field.type == "IPADDR":
        return "127.0.0.1"
    if field.type == "Fixed":
        return dice.randbytes(field.size)
    return dice.choice((*TEXTS, dice.randbytes(dice.choice((16, 20, 28, 100, 200)))))


def anything(name: str, dice: random.Random, ids: list[UUID], viewer: Viewer) -> Message:
    blocks: dict[str, Any] = {}
    for block in BY_NAME[name].blocks:
        count = {"Single": 1, "Multiple": block.count}.get(block.kind, dice.choice((0, 1, 2, 12)))
        rows = [{field.name: value(field, dice, ids) for field in block.fields} for _ in range(count)]
        blocks[block.name] = rows[0] if block.kind == "Single" else rows
    for block_name in ("AgentData", "Info"):
        claims = blocks.get(block_name)
        if isinstance(claims, dict) and "SessionID" in claims:
            claims |= {"AgentID": viewer.agent.agent_id, "SessionID": viewer.agent.session_id}
    return Message(name, **blocks)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", sorted(set(handlers.load()) - ENDINGS))
async def test_a_handler_takes_anything(sim: TestSimulator, name: str, down: bool) -> None:
    dice = random.Random(f"{name} {down}")
    there = add_region(sim, "Over There", 1001, 1000)
    anna, bert = add_root(sim), add_root(sim)
    folders = sim.backbone.add_inventory(anna.id)
    item = sim.backbone.add_item(anna.id, folders[7])["item_id"]
    await settle(sim)
    sim.backbone.down = sim.assets.down = down
    facts = sim.world.facts
    known = [anna.id, bert.id, facts.region_id, there.region_id, UUID(folders[8]), UUID(item)]
    ids = [UUID(int=0), UUID(int=2**128 - 1), uuid4(), *known]
    for _ in range(ROUNDS):
        try:
            message = decode(encode(anything(name, dice, ids, anna)))
        except ProtocolError:
            continue  # nothing that could come over the wire
        sim.circuits.dispatch(anna.circuit, message, sim.clock.now())
        sim.clock.advance(1.0)
        for viewer in (anna, bert):
            viewer.circuit.heard_at = sim.clock.now()
        if anna.agent.root:
            sim.frame.once(sim.clock.now())
        await settle(sim)
    assert not sim.metrics.labelled["handler_errors"]
    assert not sim.metrics.labelled["task_errors"]
    assert not sim.metrics.labelled["stage_errors"]
