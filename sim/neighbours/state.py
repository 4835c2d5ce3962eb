"""What one region tells another about an agent: the hand-off, as JSON over the grid's own HTTP.

    reason      "login" | "child" | "teleport" | "crossing"
    identity    agent_id, session_id, secure_session_id, circuit_code, first, last
    place       position, look_at (metres in the receiving region), velocity, rotation, flying, running, controls
    looks       appearance {texture_entry, visual_params (base64), size, serial}, wearables, title
    views       children {region_id: seed}: regions where the viewer has a child agent already
    origin      {region_id, http_url}: whom to tell of the arrival
    transaction the hand-over's id, and lineage: those it came by before (`handovers.py`)

Everything is checked on the way in: it comes from another process, and a NaN in a position would spread.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.errors import ProtocolError
from sim.world.objects import Quaternion

if TYPE_CHECKING:
    from sim.simulator import Simulator
    from sim.world.agent import Agent

Lineage = tuple[UUID, ...]  # ids of hand-overs, oldest first
REASONS = ("login", "child", "teleport", "crossing")
LINEAGE = 32  # hand-overs an agent or object remembers
SPEED_LIMIT = 256.0  # metres a second: what a hand-off may claim


def agent_state(sim: Simulator, agent: Agent, reason: str, position: tuple[float, float, float]) -> dict[str, Any]:
    """The hand-off of an agent to a neighbour, where it will be at `position`."""
    state: dict[str, Any] = {
        "reason": reason,
        "agent_id": str(agent.agent_id),
        "session_id": str(agent.session_id),
        "secure_session_id": str(agent.secure_session_id),
        "circuit_code": agent.circuit_code,
        "first": agent.first,
        "last": agent.last,
        "position": list(position),
        "look_at": list(agent.arrival_look_at),
        "title": agent.group_title,
        "lineage": [str(one) for one in agent.extras.get("lineage", ())],
        "appearance": {
            "texture_entry": base64.b64encode(agent.appearance.texture_entry).decode(),
            "visual_params": base64.b64encode(agent.appearance.visual_params).decode(),
            "size": list(agent.appearance.size),
            "serial": agent.appearance.serial,
        },
        "wearables": [[str(item), str(asset), kind] for item, asset, kind in agent.wearables],
    }
    if agent.root:
        row = sim.world.row(agent)
        x, y, z, w = row["rotation"].tolist()
        state |= {
            "look_at": [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 0.0],
            "velocity": row["velocity"].tolist(),
            "rotation": row["rotation"].tolist(),
            "controls": int(row["controls"]),
            "flying": bool(row["flying"]),
            "running": bool(row["running"]),
            "animations": [str(animation) for animation in agent.animations],
        }
    return state


def parse_state(body: Any) -> dict[str, Any]:
    """A hand-off as received; ids become UUIDs, vectors tuples. ProtocolError says what is wrong."""
    if not isinstance(body, dict):
        raise ProtocolError("a hand-off is a JSON object")
    state = dict(body)
    state.pop("seat", None)  # given with an object only (object_arrival.py)
    if state.get("reason") not in REASONS:
        raise ProtocolError(f"reason must be one of {', '.join(REASONS)}")
    for name in ("agent_id", "session_id", "secure_session_id"):
        state[name] = _uuid(state, name)
    code = state.get("circuit_code")
    if not isinstance(code, int) or not 0 < code < 1 << 32:
        raise ProtocolError("circuit_code must be a positive 32-bit integer")
    for name in ("first", "last"):
        if not isinstance(state.get(name), str) or not 0 < len(state[name]) <= 63:
            raise ProtocolError(f"{name} must be a name of 1 to 63 characters")
    state["transaction"] = _uuid(state, "transaction") if state.get("transaction") is not None else None
    state["lineage"] = lineage(state.get("lineage", []))
    state["position"] = vector(state.get("position", [128.0, 128.0, 25.0]), 3, 8192.0)
    state["look_at"] = vector(state.get("look_at", [1.0, 0.0, 0.0]), 3, 2.0)
    state["velocity"] = vector(state.get("velocity", [0.0, 0.0, 0.0]), 3, SPEED_LIMIT)
    if state.get("rotation") is not None:
        state["rotation"] = turn(state["rotation"])
    controls = state.get("controls", 0)
    if not isinstance(controls, int) or not 0 <= controls < 1 << 32:
        raise ProtocolError("controls must be a U32")
    children = state.get("children", {})
    if not isinstance(children, dict) or len(children) > 64:
        raise ProtocolError("children must be a map of at most 64 regions")
    for name in ("animations", "wearables"):
        if not isinstance(state.get(name, []), list) or len(state.get(name, [])) > 64:
            raise ProtocolError(f"{name} must be a list of at most 64")
    try:
        state["animations"] = [UUID(str(animation)) for animation in state.get("animations", [])]
        state["wearables"] = [(UUID(item), UUID(asset), int(kind)) for item, asset, kind in state.get("wearables", [])]
    except (AttributeError, TypeError, ValueError) as error:
        raise ProtocolError(f"animations and wearables must be lists of uuids: {error}") from error
    look = state.get("appearance")
    if isinstance(look, dict) and "size" in look:
        look["size"] = vector(look["size"], 3, 10.0)
    return state


def vector(value: Any, length: int, limit: float) -> tuple[float, ...]:
    """So many finite numbers of at most `limit` in size."""
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ProtocolError(f"expected {length} numbers")
    try:
        parts = tuple(float(part) for part in value)
    except (TypeError, ValueError) as error:
        raise ProtocolError("expected numbers") from error
    if not all(math.isfinite(part) and abs(part) <= limit for part in parts):
        raise ProtocolError(f"numbers must be finite and at most {limit}")
    return parts


def turn(value: Any) -> Quaternion:
    """A rotation, made a unit one."""
    x, y, z, w = vector(value, 4, 1.01)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if length < 0.5:
        raise ProtocolError("rotation is not a unit quaternion")
    return x / length, y / length, z / length, w / length


def lineage(value: Any) -> Lineage:
    """The ids of hand-overs, at most LINEAGE."""
    if not isinstance(value, list) or len(value) > LINEAGE:
        raise ProtocolError(f"a lineage is a list of at most {LINEAGE}")
    try:
        return tuple(UUID(str(one)) for one in value)
    except ValueError:
        raise ProtocolError("a lineage holds uuids") from None


def longer(before: Lineage, transaction: UUID | None) -> Lineage:
    """The lineage of what has come by one more hand-over; none of what came by none."""
    return (*before, transaction)[-LINEAGE:] if transaction is not None else ()


def _uuid(state: dict[str, Any], name: str) -> UUID:
    try:
        return UUID(str(state.get(name)))
    except ValueError:
        raise ProtocolError(f"{name} must be a uuid") from None
