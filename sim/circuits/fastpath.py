"""AgentUpdate and PacketAck without Python: a thousand people move and look around ten times a second each.

Of every batch of datagrams the socket reads, a kernel takes out the plain AgentUpdates and writes what they say into
columns; all else is left where it lies for `Circuits`. So it does with a PacketAck if all it acknowledges was sent by
kernels (`flights`). Plain means: unreliable, without acks, of a client whose avatar
is here and whose first AgentUpdate went the ordinary way, with the right ids, finite numbers, and in its right order: once
a datagram of a client is left lying, so are its others in that batch. `handlers/movement.py` says what an AgentUpdate
means; this must do the same, and tests compare the two.

    columns by circuit slot   ids, avatar row and its local id, rate bucket, camera, when last heard
    columns by avatar row     controls, rotation, flying
    address -> slot           open addressing, `_SPREAD` of the key's product with a large odd number
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from protocol.kernels import inline, kernel
from protocol.packet import zero_decode_into
from sim.circuits.datagrams import SLOT, TAKEN
from sim.circuits.flights import Flights, land
from sim.handlers import CONTROL
from sim.world.agent import CAMERA_LIMIT, MAXIMUM_DRAW_DISTANCE, MINIMUM_DRAW_DISTANCE
from sim.world.avatars import AVATAR_DTYPE, FLY, PRESSES, SIT_ON_GROUND, STAND_UP

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit

_UPDATE_SIZE = 115  # bytes of AgentUpdate with its number
_SPREAD = np.uint64(0x9E3779B97F4A7C15)

SLOT_DTYPE = np.dtype(
    [
        ("ids", np.uint8, 32),  # agent, session
        ("key", np.uint64),
        ("row", np.int64),
        ("local_id", np.uint32),  # of the avatar in that row; 0: not for the fast path
        ("blocked", np.int64),  # number of the batch in which a datagram of it was left lying
        ("bucket", np.float64, 2),  # of handlers.CONTROL: tokens, when
        ("heard", np.float64),  # real time
        ("controls_time", np.float64),  # world time at which controls were last set
        ("camera", np.float32, 14),  # 1 when newer than the agent's own record, center, at, left, up, far
    ],
    align=True,
)


class _Senders(NamedTuple):
    """Whose addresses they are (see above), their columns by circuit slot, and what is in flight to them."""

    table_keys: np.ndarray
    table_slots: np.ndarray
    slots: np.ndarray
    flights: np.ndarray
    flying: np.ndarray


class _Rate(NamedTuple):
    per_second: float
    burst: float


_CONTROL = _Rate(CONTROL.per_second, CONTROL.burst)


@inline
def _f32(data, at):  # pragma: no cover - compiled
    word = (
        np.uint32(data[at])
        | (np.uint32(data[at + 1]) << np.uint32(8))
        | (np.uint32(data[at + 2]) << np.uint32(16))
        | (np.uint32(data[at + 3]) << np.uint32(24))
    )
    return np.uint32(word).view(np.float32)


@kernel
def _find(table_keys, table_slots, key):  # pragma: no cover - compiled
    mask = np.uint64(len(table_keys) - 1)
    at = ((key * _SPREAD) >> np.uint64(32)) & mask
    while table_slots[at] >= 0:
        if table_keys[at] == key:
            return table_slots[at]
        at = (at + np.uint64(1)) & mask
    return -1


@kernel
def _insert(table_keys, table_slots, key, slot):  # pragma: no cover - compiled
    """1 when the key is new to the table."""
    mask = np.uint64(len(table_keys) - 1)
    at = ((key * _SPREAD) >> np.uint64(32)) & mask
    while table_slots[at] >= 0:
        if table_keys[at] == key:
            table_slots[at] = slot
            return 0
        at = (at + np.uint64(1)) & mask
    table_keys[at] = key
    table_slots[at] = slot
    return 1


@kernel
def _apply(slot, row, body, world_time):  # pragma: no cover - compiled
    """What `handlers.movement.agent_update` does for a root agent."""
    camera = slot.camera
    center = False
    inside = True
    for k in range(3):
        part = _f32(body, 58 + 4 * k)
        center = center or part != 0
        inside = inside and abs(part) < CAMERA_LIMIT
    if center and inside:
        for k in range(12):
            camera[1 + k] = _f32(body, 58 + 4 * k)
    camera[13] = min(max(_f32(body, 106), np.float32(MINIMUM_DRAW_DISTANCE)), np.float32(MAXIMUM_DRAW_DISTANCE))
    camera[0] = 1
    controls = (
        np.uint32(body[110])
        | (np.uint32(body[111]) << np.uint32(8))
        | (np.uint32(body[112]) << np.uint32(16))
        | (np.uint32(body[113]) << np.uint32(24))
    )
    if slot.controls_time == world_time:  # no step has seen the last one yet
        kept = row.controls & np.uint32(PRESSES)
        if controls & np.uint32(STAND_UP):
            kept &= ~np.uint32(SIT_ON_GROUND)
        if controls & np.uint32(SIT_ON_GROUND):
            kept &= ~np.uint32(STAND_UP)
        controls |= kept
    slot.controls_time = world_time
    row.controls = controls
    if row.sitting:
        return
    x, y, z = 1.0 * _f32(body, 33), 1.0 * _f32(body, 37), 1.0 * _f32(body, 41)
    square = x * x + y * y + z * z
    w = 0.0
    if square <= 1.0:
        w = math.sqrt(1.0 - square)
    else:
        scale = 1.0 / math.sqrt(square)
        x, y, z = x * scale, y * scale, z * scale
    row.flying = 1 if controls & np.uint32(FLY) else 0
    if not row.flying:  # on the ground an avatar does not lean
        length = math.sqrt(z * z + w * w)
        x = 0.0
        y = 0.0
        if length < 1e-6:
            z = 0.0
            w = 1.0
        else:
            z /= length
            w /= length
    row.rotation[0] = x
    row.rotation[1] = y
    row.rotation[2] = z
    row.rotation[3] = w


@kernel
def _acknowledge(data, size, flights, flying, slot):  # pragma: no cover - compiled
    """Whether this is a PacketAck, as clients send it, and of flights only. Those it names have landed in any case."""
    if size < 11 or data[0] & 0x80 or data[5] or data[6] != 0xFF or data[7] != 0xFF or data[8] != 0xFF or data[9] != 0xFB:
        return False
    count = np.int64(data[10])
    if count == 0 or size != 11 + 4 * count:
        return False
    landed = 0
    for k in range(count):
        at = 11 + 4 * k
        sequence = (
            np.uint32(data[at])
            | (np.uint32(data[at + 1]) << np.uint32(8))
            | (np.uint32(data[at + 2]) << np.uint32(16))
            | (np.uint32(data[at + 3]) << np.uint32(24))
        )
        landed += land(flights, flying, slot, np.uint32(sequence))
    return landed == count


@kernel
def _take(count, buffer, keys, lengths, senders, rows, now, world_time, rate, batch, scratch, tally):
    # pragma: no cover - compiled
    """Deal with the plain ones of a batch: their length becomes TAKEN. tally += taken, bytes, AgentUpdates, over the rate."""
    for i in range(count):
        number = _find(senders.table_keys, senders.table_slots, keys[i])
        if number < 0:
            continue
        slot = senders.slots[number]
        if slot.local_id == 0 or slot.key != keys[i] or slot.blocked == batch:
            continue
        slot.blocked = batch  # taken back below when all is well
        size = lengths[i]
        data = buffer[SLOT * i : SLOT * i + max(size, 0)]
        if size < 8 or data[0] & 0x50:  # reliable, or with acks: both need Python
            continue
        if _acknowledge(data, size, senders.flights, senders.flying, number):
            slot.blocked = -1
            lengths[i] = TAKEN
            tally[0] += 1
            tally[1] += size
            slot.heard = now
            continue
        begin = 6 + np.int64(data[5])
        if begin >= size:
            continue
        if data[begin] != 4:  # a first byte that is not zero is the same zero coded
            continue
        if data[0] & 0x80:
            if zero_decode_into(data, begin, size, scratch) < _UPDATE_SIZE:
                continue
            body = scratch
        else:
            if size - begin < _UPDATE_SIZE:
                continue
            body = data[begin:]
        same = True
        for k in range(32):
            same = same and body[1 + k] == slot.ids[k]
        finite = True
        for k in range(6):
            finite = finite and math.isfinite(_f32(body, 33 + 4 * k))
        for k in range(13):
            finite = finite and math.isfinite(_f32(body, 58 + 4 * k))
        if not same or not finite:
            continue
        if slot.row >= len(rows) or rows[slot.row].local_id != slot.local_id:
            slot.local_id = 0  # it has left, or is somewhere else in the table
            continue
        slot.blocked = -1
        lengths[i] = TAKEN
        tally[0] += 1
        tally[1] += size
        tally[2] += 1
        slot.heard = now
        tokens = min(slot.bucket[0] + (now - slot.bucket[1]) * rate.per_second, rate.burst)
        slot.bucket[1] = now
        if tokens < 1:
            slot.bucket[0] = tokens
            tally[3] += 1
            continue
        slot.bucket[0] = tokens - 1
        _apply(slot, rows[slot.row], body, world_time)


class FastPath:
    """Who takes it, and what came by it. `slots` is indexed by circuit slot; it is replaced when it grows."""

    def __init__(self) -> None:
        self.slots = np.zeros(64, SLOT_DTYPE)
        self.slots["controls_time"] = np.nan
        self._table_keys = np.zeros(1024, np.uint64)
        self._table_slots = np.full(1024, -1, np.int64)
        self._used = 0
        self._batch = 0
        self._learned: dict[int, Circuit] = {}
        self._scratch = np.zeros(256, np.uint8)
        self._tally = np.zeros(4, np.int64)

    def grow(self, size: int) -> None:
        """Make room for circuit slots below `size`."""
        old = len(self.slots)
        if size <= old:
            return
        grown = np.zeros(max(size, 2 * old), SLOT_DTYPE)
        grown["controls_time"] = np.nan
        grown[:old] = self.slots
        self.slots = grown
        for circuit in self._learned.values():
            self._share(circuit)

    def learn(self, circuit: Circuit, row: int, local_id: int) -> None:
        """From now on this client's AgentUpdates, its avatar being in that row, may be taken by the kernel."""
        agent = circuit.agent
        self.grow(circuit.slot + 1)
        slot = self.slots[circuit.slot]
        if slot["local_id"] == local_id and slot["row"] == row:
            return
        if circuit.slot not in self._learned:
            slot["ids"] = np.frombuffer(agent.agent_id.bytes + agent.session_id.bytes, np.uint8)
            slot["key"] = circuit.key
            slot["heard"] = 0.0
            slot["blocked"] = -1
            slot["bucket"] = circuit.buckets.get(CONTROL.name, (CONTROL.burst, circuit.heard_at))
            slot["camera"] = 0
            camera = agent.camera
            slot["camera"][1:] = (*camera.center, *camera.at, *camera.left, *camera.up, camera.far)
            self._learned[circuit.slot] = circuit
            self._share(circuit)
            self._add(circuit.key, circuit.slot)
        slot["row"] = row
        slot["local_id"] = local_id

    def _share(self, circuit: Circuit) -> None:
        """Slow path and kernel keep one account: of the rate, and of where the camera is."""
        slot = self.slots[circuit.slot]
        circuit.buckets[CONTROL.name] = slot["bucket"]
        circuit.agent.camera_row = slot["camera"]

    def forget(self, circuit: Circuit) -> None:
        """The circuit has ended. Its place in the table of addresses points to nothing until that is rebuilt."""
        if self._learned.get(circuit.slot) is circuit:
            del self._learned[circuit.slot]
            circuit.agent.camera_row = None
            self.slots[circuit.slot] = np.zeros((), SLOT_DTYPE)
            self.slots[circuit.slot]["controls_time"] = np.nan

    def _add(self, key: int, slot: int) -> None:
        if 2 * self._used >= len(self._table_keys):
            size = len(self._table_keys)
            while size < 8 * len(self._learned):
                size *= 2
            self._table_keys = np.zeros(size, np.uint64)
            self._table_slots = np.full(size, -1, np.int64)
            self._used = 0
            for number, circuit in self._learned.items():
                self._used += _insert(self._table_keys, self._table_slots, np.uint64(circuit.key), number)
        self._used += _insert(self._table_keys, self._table_slots, np.uint64(key), slot)

    def take(
        self,
        count: int,
        buffer: np.ndarray,
        keys: np.ndarray,
        lengths: np.ndarray,
        rows: np.ndarray,
        flights: Flights,
        now: float,
        world_time: float,
    ) -> tuple[int, int, int, int]:
        """Deal with a batch as the socket read it.

        Returns how many were taken, their bytes, how many of them were AgentUpdates, and how many of these over the rate.
        """
        if not self._learned:
            return 0, 0, 0, 0
        self._batch += 1
        self._tally[:] = 0
        _take(
            count, buffer, keys, lengths,
            _Senders(self._table_keys, self._table_slots, self.slots, flights.table, flights.flying),
            rows, now, world_time, _CONTROL, self._batch, self._scratch, self._tally,
        )  # fmt: skip
        taken, size, updates, over = self._tally.tolist()
        return taken, size, updates, over


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    table, numbers = np.zeros(8, np.uint64), np.full(8, -1, np.int64)
    _insert(table, numbers, np.uint64(1), 0)
    _take(
        0, np.zeros(SLOT, np.uint8), table, numbers,
        _Senders(table, numbers, np.zeros(1, SLOT_DTYPE), Flights().table, Flights().flying), np.zeros(1, AVATAR_DTYPE),
        0.0, 0.0, _CONTROL, 1, np.zeros(256, np.uint8), np.zeros(4, np.int64),
    )  # fmt: skip
