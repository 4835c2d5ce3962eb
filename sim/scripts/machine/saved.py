"""A script's whole state as bytes, at any pause, and back: for restarts, crossings and copies.

    "LSLS" | u16 version | u16 0 | 16 bytes BLAKE2b of the rest | u32 length | JSON facts | deflated page

The page is saved as it is: control words, globals and literals; heap up to its top; stack up to its end. What is loaded
is checked from end to end: the digest against accidents; and against malice every fact, and the chain of frames on the
stack, so that wasm resumes only where the compiler made a resume point. What lies in the heap is not trusted either:
wasm can't leave its memory, and the host checks every pointer it follows.

A page fits only the compiler version that made it. So the globals are saved by name too whenever no handler is running,
and `restore` falls back on them: an upgraded simulator keeps a script's globals and state, and drops the event it was
in.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections import deque
from typing import Any

from sim.scripts.answers import ANSWERS, MOST_ASKED, Question
from sim.scripts.controls import EVERY
from sim.scripts.language import layout
from sim.scripts.language.program import Program
from sim.scripts.language.values import NULL_KEY, Item, Key, Rotation, Value, Vector, to_single, type_of, wrap
from sim.scripts.library.world import Detected, Listen, WorldInterface
from sim.scripts.machine import senses
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.page import check_stack, load_page, save_page
from sim.scripts.machine.scheduler import Scheduler
from sim.scripts.machine.script import (
    CRASHED,
    IDLE,
    MOST_LISTENS,
    QUEUE_LENGTH,
    RUNNING,
    SLEEPING,
    STOPPED,
    TIMER,
    Event,
    Script,
)

MAGIC = b"LSLS"
VERSION = 1
_head = struct.Struct("<4sHH16sI")
MOST_BYTES = 1 << 20


# --- values as JSON: {"vector": [..]} and so on; integers, strings and floats by a letter, so that nothing is guessed


def pack(value: Value) -> Any:
    kind = type_of(value)
    if kind == "list":
        return ["list", [pack(item) for item in value]]  # type: ignore[union-attr]
    if kind == "float":
        return ["float", float(value).hex()]  # type: ignore[arg-type]
    if kind in ("vector", "rotation"):
        return [kind, [part.hex() for part in value]]  # type: ignore[union-attr]
    return [kind, value]


def unpack(data: Any, depth: int = 0) -> Value:
    try:
        kind, value = data
        if kind == "integer" and type(value) is int:
            return wrap(value)
        if kind == "float":
            return to_single(float.fromhex(value))
        if kind == "string" and type(value) is str:
            return value
        if kind == "key" and type(value) is str:
            return Key(value)
        if kind == "vector":
            x, y, z = [to_single(float.fromhex(part)) for part in value]
            return Vector(x, y, z)
        if kind == "rotation":
            x, y, z, s = [to_single(float.fromhex(part)) for part in value]
            return Rotation(x, y, z, s)
        if kind == "list" and depth == 0 and type(value) is list:
            items: list[Item] = [unpack(item, 1) for item in value]  # type: ignore[misc]
            return items
    except (ValueError, TypeError, OverflowError) as problem:
        raise BadState(f"damaged value: {problem}") from None
    raise BadState("damaged value")


def _pack_detected(one: Detected) -> dict[str, Any]:
    return {
        "key": one.key, "name": one.name, "owner": one.owner, "group": one.group, "kind": one.kind, "link": one.link,
        "position": pack(one.position), "velocity": pack(one.velocity), "rotation": pack(one.rotation),
        "grab": pack(one.grab), "touch": {name: pack(value) for name, value in one.touch.items()},
        "rezzer": one.rezzer, "damage": pack(list(one.damage)) if one.damage is not None else None,
    }  # fmt: skip


def _unpack_detected(data: Any) -> Detected:
    return Detected(
        key=Key(data["key"]),
        name=str(data["name"]),
        owner=Key(data["owner"]),
        group=Key(data["group"]),
        kind=wrap(int(data["kind"])),
        link=wrap(int(data["link"])),
        position=_expect(unpack(data["position"]), Vector),
        velocity=_expect(unpack(data["velocity"]), Vector),
        rotation=_expect(unpack(data["rotation"]), Rotation),
        grab=_expect(unpack(data["grab"]), Vector),
        touch={str(name): unpack(value) for name, value in data["touch"].items()},
        rezzer=Key(data.get("rezzer", NULL_KEY)),
        damage=_unpack_damage(data.get("damage")),
    )


def _unpack_damage(data: Any) -> tuple[float, int, float] | None:
    if data is None:
        return None
    now, kind, first = _expect(unpack(data), list)
    return _expect(now, float), _expect(kind, int), _expect(first, float)


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise BadState("damaged value")
    return value


def _pack_event(event: Event | None) -> Any:
    if event is None:
        return None
    detected = [_pack_detected(one) for one in event.detected]
    return [event.name, [pack(value) for value in event.arguments], detected, senses.pack_sweep(event.sweep)]


def _unpack_event(data: Any) -> Event:
    name, arguments, detected, *more = data
    if name == "timer":
        return TIMER
    sweep = senses.unpack_sweep(more[0]) if more else None
    return Event(
        str(name), tuple([unpack(value) for value in arguments]), [_unpack_detected(one) for one in detected], sweep
    )


# --- the script


def save(script: Script, now: float) -> bytes:
    """The whole state. Times are kept relative to `now`, so that they hold wherever and whenever it goes on."""
    idle = not script.paused
    facts = {
        "source": script.program.source_hash,
        "compiler": layout.VERSION,
        "name": script.name,
        "state": script.state_name,
        "next_state": script.next_state,
        "status": script.status,
        "paused": script.paused,
        "event": _pack_event(script.event) if script.event is not None else None,
        "queue": [_pack_event(event) for event in script.queue],
        "listens": [
            [one.handle, one.channel, one.name, one.key, one.message, one.active] for one in script.listens.values()
        ],
        "next_listen": script.next_listen,
        "timer": [script.timer_period.hex(), (script.timer_at - now).hex()],
        "timer_queued": script.timer_queued,
        "wake_in": (script.wake_at - now).hex(),
        "event_gap": script.event_gap.hex(),
        "next_event_in": (script.next_event_at - now).hex(),
        "clock": (now - script.reset_at).hex(),
        "asked": [[key, question.kind, [pack(value) for value in question.values]] for key, question in script.asked.items()],
        "controls": list(script.controls) if script.controls is not None else None,
        "senses": senses.pack(script.senses, now),
        "granted": script.granted,
        "granter": script.granter,
        "start_parameter": script.start_parameter,
        "start_text": script.start_text,
        "limit": script.limit,
        "globals": {name: pack(value) for name, value in script.globals().items()} if idle else None,
    }
    body = json.dumps(facts, separators=(",", ":")).encode()
    rest = struct.pack("<I", len(body)) + body + zlib.compress(save_page(script.instance), 1)
    return MAGIC + struct.pack("<HH", VERSION, 0) + hashlib.blake2b(rest, digest_size=16).digest() + rest


def restore(
    engine: Engine, data: bytes, program: Program, world: WorldInterface, now: float, *, owner: Key, object_id: Key,
    item_id: str = "", source: str = "", scheduler: Scheduler | None = None,
) -> Script:  # fmt: skip
    """A script that goes on where `save` left it. Raises BadState for anything that isn't such a state."""
    facts, page = _open(data)
    if facts.get("source") != program.source_hash and facts.get("compiler") == layout.VERSION:
        raise BadState("the state belongs to another source")
    script = Script(
        engine, program, world, name=str(facts.get("name", "script")), item_id=item_id, object_id=object_id,
        owner=owner,
        source=source, now=now, scheduler=scheduler,
    )  # fmt: skip
    try:
        _apply(script, facts, page, now)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, zlib.error, struct.error) as problem:
        if isinstance(problem, BadState):
            raise
        raise BadState(f"damaged facts: {type(problem).__name__}") from None
    for listen in script.listens.values():
        world.listen_started(script, listen)
    world.resumed(script)
    scheduler = script.scheduler
    if script.timer_period:
        scheduler.timer(script)
    if script.senses.period:
        scheduler.sensor(script)
    if script.senses.targets or script.senses.turns:
        world.rooms.targets.watch(script)
    if script.status == SLEEPING:
        scheduler.wake_later(script, script.wake_at)
    elif script.has_work:
        scheduler.wake(script)
    return script


def _open(data: bytes) -> tuple[dict[str, Any], bytes]:
    if not _head.size <= len(data) <= MOST_BYTES:
        raise BadState("not a script state")
    magic, version, zero, digest, length = _head.unpack_from(data)
    if magic != MAGIC or version != VERSION or zero:
        raise BadState("not a script state of this version")
    rest = data[_head.size - 4 :]
    if hashlib.blake2b(rest, digest_size=16).digest() != digest:
        raise BadState("the state is damaged")
    try:
        facts = json.loads(rest[4 : 4 + length])
        opened = zlib.decompressobj()
        page = opened.decompress(rest[4 + length :], layout.PAGE_BYTES + 8)
    except (ValueError, RecursionError, zlib.error):
        raise BadState("the state is damaged") from None
    if not isinstance(facts, dict):
        raise BadState("the state is damaged")
    return facts, page


def _seconds(text: Any) -> float:
    value = float.fromhex(text)
    if not -1e12 < value < 1e12:
        raise BadState("an impossible time")
    return value


def _apply(script: Script, facts: dict[str, Any], page: bytes, now: float) -> None:
    program = script.program
    status, paused = facts["status"], facts["paused"]
    if status not in (IDLE, RUNNING, SLEEPING, STOPPED, CRASHED) or type(paused) is not bool:
        raise BadState("an unknown status")
    if facts["state"] not in program.states:
        raise BadState("an unknown state")
    script.queue.clear()
    script.set_state(program.states.index(facts["state"]))
    if facts["compiler"] == layout.VERSION:
        load_page(script.instance, page)
        if paused:
            check_stack(script.instance)
            script.event = _unpack_event(facts["event"])
            script.detected = script.event.detected
        script.paused = paused
        script.next_state = int(facts["next_state"])
        if not -1 <= script.next_state < len(program.states):
            raise BadState("an unknown state")
        if not paused and status in (RUNNING, SLEEPING):
            raise BadState("an unknown status")
        script.status = status
    else:
        _by_name(script, facts["globals"])
        script.status = status if status in (STOPPED, CRASHED) else IDLE
    for data in facts["queue"][:QUEUE_LENGTH]:
        event = _unpack_event(data)
        if event.sweep is not None or (event.name in script.handlers and _fits(event)):
            script.queue.append(event)
    script.queue = deque(script.queue, QUEUE_LENGTH + 2)
    for handle, channel, name, key, message, active in facts["listens"][:MOST_LISTENS]:
        script.listens[int(handle)] = Listen(
            int(handle), wrap(int(channel)), str(name), Key(key), str(message), bool(active)
        )
    script.next_listen = max([int(facts["next_listen"]), *[handle + 1 for handle in script.listens]])
    script.timer_period = max(_seconds(facts["timer"][0]), 0.0)
    script.timer_at = now + _seconds(facts["timer"][1])
    script.timer_queued = any(event.name == "timer" for event in script.queue)
    script.wake_at = now + _seconds(facts["wake_in"])
    script.event_gap = max(_seconds(facts["event_gap"]), 0.0)
    script.next_event_at = now + _seconds(facts["next_event_in"])
    script.reset_at = now - _seconds(facts["clock"])
    for key, kind, values in facts.get("asked", [])[:MOST_ASKED]:
        if kind in ANSWERS:
            script.asked[Key(key)] = Question(str(kind), tuple([unpack(value) for value in values]))
    if facts.get("controls") is not None:
        keys, accept, pass_on = facts["controls"]
        script.controls = int(keys) & EVERY, bool(accept), bool(pass_on)
    script.senses = senses.unpack(facts.get("senses"), now)
    script.granted = wrap(int(facts["granted"]))
    script.granter = Key(facts["granter"])
    script.start_parameter = wrap(int(facts["start_parameter"]))
    script.start_text = str(facts.get("start_text", ""))[:1024]
    limit = int(facts["limit"])
    if not len(program.image) <= limit <= layout.LOGICAL_BYTES:
        raise BadState("an impossible memory limit")
    script.limit = limit
    script.instance.set_limit(limit)


def _fits(event: Event) -> bool:
    """Whether an event's arguments are of the types its handlers take."""
    from sim.scripts.language.builtins import table

    wanted = [kind for kind, _ in table().events[event.name].arguments]
    return [type_of(value) for value in event.arguments] == wanted


def _by_name(script: Script, saved: Any) -> None:
    """Another compiler's state: globals by name, where name and type still fit."""
    if not isinstance(saved, dict):
        return  # it was in the middle of an event: it starts over
    for one in script.program.globals:
        if one.name in saved:
            value = unpack(saved[one.name])
            if type_of(value) == one.kind:
                script.instance.put(one.address, value)
