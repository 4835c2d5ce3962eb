"""The work of a crowd's tick, compiled: a thousand clients are columns here, not objects.

Every client has its own socket, since a simulator tells clients apart by their address; each is connected, so a
datagram costs one `send`, and is emptied by one `recvmmsg` a tick. That is some 50,000 system calls a second for a
thousand clients, a twentieth of a core: less than what the datagrams themselves cost.

The kernel stamps each datagram on arrival (SO_TIMESTAMPNS), so that what is measured does not depend on when a tick
looks. Layouts are those of `man recvmmsg` and `man cmsg` on 64-bit Linux:

    struct mmsghdr (64 bytes, 8 u64)   name, namelen, iov, iovlen, control, controllen, flags | length of the datagram
    struct cmsghdr (16 bytes)          u64 length, i32 level, i32 type; then the timespec: i64 seconds, i64 nanoseconds
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protocol.kernels import inline, kernel, types
from protocol.packet import zero_decode_into, zero_encode_into

SLOT = 2048  # bytes kept of a datagram; longer ones are counted, their end is not read
BATCH = 64  # datagrams a system call
ACKS = 250  # acks a client holds until the next tick sends them

JOINING, LIVE, GONE = 0, 1, 2
CIRCUIT, MOVED_IN, SHAKEN = 1, 2, 4  # what has come back so far

AT_POS, FAST_AT, FLY = 0x1, 0x400, 0x2000
RELIABLE, RESENT, ZEROCODED = 0x40, 0x20, 0x80
UPDATE_SIZE = 115  # bytes of AgentUpdate's body with its number

BOT = np.dtype(
    [
        ("fd", np.int32),
        ("state", np.uint8),
        ("come", np.uint8),  # CIRCUIT | MOVED_IN | SHAKEN
        ("flier", np.uint8),
        ("walking", np.uint8),
        ("region", np.int32),
        ("agent", np.uint8, 16),
        ("session", np.uint8, 16),
        ("sequence", np.uint32),  # last one used
        ("local_id", np.uint32),  # of the own avatar, 0 until told
        ("controls", np.uint32),
        ("position", np.float32, 3),
        ("heading", np.float64),  # radians
        ("look", np.float64),  # where the camera points, radians
        ("next_update", np.float64),  # when the next AgentUpdate is due, unix seconds as all times here
        ("next_whim", np.float64),
        ("turned_at", np.float64),  # when the last change of direction left
        ("turn", np.uint16),  # number of that change
        ("timed", np.uint8),  # whether that change is one to be timed
        ("way_x", np.float32),  # the direction it chose
        ("way_y", np.float32),
        ("half_sine", np.float32),  # the same as a rotation's z and w
        ("half_cosine", np.float32),
        ("heard_at", np.float64),
        ("first", np.int64),  # sequence numbers of the simulator: first and highest seen
        ("highest", np.int64),
        ("packets", np.int64),
        ("resent", np.int64),
        ("bytes", np.int64),
        ("sent", np.int64),
        ("sent_bytes", np.int64),
        ("refused", np.int64),
        ("updates", np.int64),  # terse blocks
        ("full", np.int64),  # ObjectUpdate datagrams
        ("chats", np.int64),
        ("animations", np.int64),
        ("pings", np.int64),
        ("acks_due", np.int32),
    ],
    align=True,
)

_recvmmsg: Any = types.ExternalFunction(
    "recvmmsg", types.int32(types.int32, types.uint64, types.uint32, types.int32, types.uint64)
)
_send: Any = types.ExternalFunction("send", types.int64(types.int32, types.uint64, types.uint64, types.int32))
_clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.uint64))
_DONTWAIT = 0x40


@kernel
def seed(number):  # pragma: no cover - compiled
    np.random.seed(number)


@kernel
def _unix(pair):  # pragma: no cover - compiled
    _clock_gettime(np.int32(0), np.uint64(pair.ctypes.data))
    return pair[0] + pair[1] * 1e-9


@inline
def _put32(out, at, word):  # pragma: no cover - compiled
    out[at] = word & np.uint32(255)
    out[at + 1] = (word >> np.uint32(8)) & np.uint32(255)
    out[at + 2] = (word >> np.uint32(16)) & np.uint32(255)
    out[at + 3] = word >> np.uint32(24)


@inline
def _put_float(out, at, value):  # pragma: no cover - compiled
    _put32(out, at, np.float32(value).view(np.uint32))


@inline
def _u32(data, at):  # pragma: no cover - compiled
    return (
        np.uint32(data[at])
        | (np.uint32(data[at + 1]) << np.uint32(8))
        | (np.uint32(data[at + 2]) << np.uint32(16))
        | (np.uint32(data[at + 3]) << np.uint32(24))
    )


@inline
def _share(data, at):  # pragma: no cover - compiled
    """A U16 as -1..1."""
    return (np.int64(data[at]) + 256 * np.int64(data[at + 1])) * (2 / 65535) - 1


@kernel
def _head(bot, out, flags):  # pragma: no cover - compiled
    bot.sequence += np.uint32(1)
    sequence = bot.sequence
    out[0] = flags
    out[1] = sequence >> np.uint32(24)
    out[2] = (sequence >> np.uint32(16)) & np.uint32(255)
    out[3] = (sequence >> np.uint32(8)) & np.uint32(255)
    out[4] = sequence & np.uint32(255)
    out[5] = 0


@kernel
def _post(bot, out, size):  # pragma: no cover - compiled
    if _send(bot.fd, np.uint64(out.ctypes.data), np.uint64(size), np.int32(_DONTWAIT)) < 0:
        bot.refused += 1
    bot.sent += 1
    bot.sent_bytes += size


# ---- what clients do


@kernel
def _agent_update(bot, body, out):  # pragma: no cover - compiled
    """Write and send AgentUpdate as viewers do: zero coded, unreliable."""
    body[:] = 0
    body[0] = 4
    for k in range(16):
        body[1 + k] = bot.agent[k]
        body[17 + k] = bot.session[k]
    sine = math.sin(bot.heading / 2)  # heading is within half a turn, so w is positive and need not be sent
    _put_float(body, 41, sine)
    _put_float(body, 53, sine)
    _put_float(body, 58, bot.position[0] - 3 * math.cos(bot.look))
    _put_float(body, 62, bot.position[1] - 3 * math.sin(bot.look))
    _put_float(body, 66, bot.position[2] + 1)
    _put_float(body, 70, math.cos(bot.look))
    _put_float(body, 74, math.sin(bot.look))
    _put_float(body, 82, -math.sin(bot.look))
    _put_float(body, 86, math.cos(bot.look))
    _put_float(body, 102, 1.0)
    _put_float(body, 106, 128.0)
    _put32(body, 110, bot.controls)
    size = zero_encode_into(body, 0, UPDATE_SIZE, out[6:])
    _head(bot, out, ZEROCODED)
    _post(bot, out, size + 6)


@kernel
def _turn(bot, number, now, angle, walk, seen, met, missed):  # pragma: no cover - compiled
    """Choose a direction. Who has not been shown the last one by now never will be."""
    if bot.timed:
        for j in range(len(seen)):
            if met[j, number] and seen[j, number] != bot.turn and j != number:
                missed[0] += 1
    change = abs((angle - bot.heading + math.pi) % (2 * math.pi) - math.pi)
    bot.turn += np.uint16(1)
    bot.timed = 1 if change > 1.0 else 0  # a small turn looks like the old way
    bot.heading = angle
    bot.walking = 1 if walk else 0
    bot.way_x = math.cos(angle)
    bot.way_y = math.sin(angle)
    bot.half_sine = math.sin(angle / 2)
    bot.half_cosine = math.cos(angle / 2)
    bot.turned_at = now


@kernel
def act(bots, now, interval, idle, edge, seen, met, missed, pair, body, out):  # pragma: no cover - compiled
    """One tick of everybody: acks, whims, AgentUpdates.

    interval, idle: seconds between AgentUpdates of who moves and who stands; edge: metres to keep from the border.
    """
    for number in range(len(bots)):
        bot = bots[number]
        if bot.state != LIVE:
            continue
        if now >= bot.next_whim:
            x, y = bot.position[0], bot.position[1]
            near_edge = x < edge or y < edge or x > 256 - edge or y > 256 - edge
            if near_edge:
                angle = math.atan2(128 - y, 128 - x) + np.random.uniform(-0.6, 0.6)
            else:
                angle = np.random.uniform(-math.pi, math.pi)
            angle = (angle + math.pi) % (2 * math.pi) - math.pi
            walk = near_edge or np.random.random() < 0.85
            _turn(bot, number, _unix(pair), angle, walk, seen, met, missed)
            bot.next_whim = now + np.random.uniform(1.5, 4.5)
            bot.controls = np.uint32((AT_POS | FAST_AT if walk else 0) | (FLY if bot.flier else 0))
            bot.next_update = now
        elif bot.walking and (
            (bot.position[0] < 4 and bot.way_x < 0)
            or (bot.position[1] < 4 and bot.way_y < 0)
            or (bot.position[0] > 252 and bot.way_x > 0)
            or (bot.position[1] > 252 and bot.way_y > 0)
        ):
            bot.next_whim = now  # about to bump into the border: another way, at the next tick
        if now >= bot.next_update:
            bot.look += 0.1 if bot.walking else 0.02
            bot.next_update = now + (interval if bot.walking else idle)
            _agent_update(bot, body, out)


@kernel
def send_acks(bots, acks, out):  # pragma: no cover - compiled
    """PacketAck for all that asked to be acknowledged."""
    for number in range(len(bots)):
        bot = bots[number]
        due = bot.acks_due
        if due == 0 or bot.fd < 0:
            continue
        _head(bot, out, 0)
        out[6], out[7], out[8], out[9] = 0xFF, 0xFF, 0xFF, 0xFB
        out[10] = due
        for k in range(due):
            _put32(out, 11 + 4 * k, acks[number, k])
        bot.acks_due = 0
        _post(bot, out, 11 + 4 * due)


# ---- what clients hear


@kernel
def _terse(
    bots, number, data, size, stamp, owner, seen, met, near_times, far_times, near
):  # pragma: no cover - compiled
    """Blocks of one ImprovedTerseObjectUpdate."""
    bot = bots[number]
    count = data[17]
    at: Any = 18
    for _ in range(count):
        if at >= size:
            return
        length = np.int64(data[at])
        if at + 1 + length > size or length < 44:
            return
        local = _u32(data, at + 1)
        start = at + 1 + 6 + (16 if data[at + 6] else 0)
        bot.updates += 1
        at += 1 + length
        if at + 2 > size:
            return
        at += 2 + np.int64(data[at]) + 256 * np.int64(data[at + 1])
        who = owner[bot.region, local] if local < owner.shape[1] else -1
        if who < 0:
            continue
        other = bots[who]
        if who == number:
            for k in range(3):
                bot.position[k] = np.uint32(_u32(data, start + 4 * k)).view(np.float32)
            continue
        if not met[number, who]:  # introduced only now, whatever it did before
            met[number, who] = 1
            seen[number, who] = other.turn
            continue
        if seen[number, who] == other.turn or not other.timed:
            continue
        qz, qw = _share(data, start + 28), _share(data, start + 30)
        # Cosine of half the angle between this rotation and the chosen direction's: within 11 degrees.
        if abs(qz * other.half_sine + qw * other.half_cosine) < 0.995:
            continue
        seen[number, who] = other.turn
        dx, dy = other.position[0] - bot.position[0], other.position[1] - bot.position[1]
        slot = min(max(np.int64((stamp - other.turned_at) * 1000), 0), len(near_times) - 1)
        if dx * dx + dy * dy < near * near:
            near_times[slot] += 1
        else:
            far_times[slot] += 1


@kernel
def _message(
    bots, number, data, size, stamp, owner, seen, met, near_times, far_times, near, acks, plain, out
):  # pragma: no cover - compiled
    bot = bots[number]
    bot.packets += 1
    bot.bytes += size
    bot.heard_at = stamp
    kept = min(size, SLOT)
    if kept < 7:
        return
    flags = data[0]
    sequence = (np.int64(data[1]) << 24) | (np.int64(data[2]) << 16) | (np.int64(data[3]) << 8) | np.int64(data[4])
    if flags & RESENT:
        bot.resent += 1
    else:
        if bot.first == 0:
            bot.first = sequence
        bot.highest = max(bot.highest, sequence)
    if flags & RELIABLE and bot.acks_due < ACKS:
        acks[number, bot.acks_due] = sequence
        bot.acks_due += 1
    begin = 6 + np.int64(data[5])
    if begin >= kept:
        return
    if not flags & ZEROCODED and data[begin] == 15:
        if begin == 6 and kept >= 18:
            _terse(bots, number, data[begin - 6 :], kept, stamp, owner, seen, met, near_times, far_times, near)
        return
    # Only the beginning of anything else is looked at; `plain` is short, and full is far enough.
    if flags & ZEROCODED:
        plain[:] = 0
        zero_decode_into(data, begin, kept, plain)
    else:
        for k in range(min(len(plain), kept - begin)):
            plain[k] = data[begin + k]
    if plain[0] == 1:  # StartPingCheck
        bot.pings += 1
        answer = plain[1]
        _head(bot, out, 0)
        out[6], out[7] = 2, answer
        _post(bot, out, 8)
    elif plain[0] == 12:  # ObjectUpdate: the first one begins with the own avatar
        bot.full += 1
        if bot.local_id == 0:
            for k in range(16):
                if plain[17 + k] != bot.agent[k]:
                    return
            bot.local_id = _u32(plain, 12)
            if bot.local_id < owner.shape[1]:
                owner[bot.region, bot.local_id] = number
    elif plain[0] == 20:
        bot.animations += 1
    elif plain[0] == 0xFF and plain[1] == 0xFF:
        low = (np.int64(plain[2]) << 8) | np.int64(plain[3])
        if low == 0xFFFB:
            bot.come |= CIRCUIT
        elif low == 139:
            bot.chats += 1
        elif low == 148:
            bot.come |= SHAKEN
        elif low == 250:
            bot.come |= MOVED_IN
            for k in range(3):
                bot.position[k] = np.uint32(_u32(plain, 36 + 4 * k)).view(np.float32)
        elif low == 253 or low == 163:  # LogoutReply, KickUser
            bot.state = GONE


@kernel
def hear(
    bots, buffer, headers, vectors, control, owner, seen, met, near_times, far_times, near, acks, plain, out
):  # pragma: no cover - compiled
    """Read all that has arrived at every client. Returns how many datagrams."""
    total = 0
    base, control_base = np.uint64(buffer.ctypes.data), np.uint64(control.ctypes.data)
    vector_base, header_base = np.uint64(vectors.ctypes.data), np.uint64(headers.ctypes.data)
    for i in range(BATCH):
        vectors[i, 0] = base + np.uint64(SLOT * i)
        vectors[i, 1] = SLOT
        headers[i, 0] = 0
        headers[i, 1] = 0
        headers[i, 2] = vector_base + np.uint64(16 * i)
        headers[i, 3] = 1
        headers[i, 4] = control_base + np.uint64(64 * i)
        headers[i, 5] = 64
        headers[i, 6] = 0
    for number in range(len(bots)):
        if bots[number].fd < 0:
            continue
        while True:
            # MSG_TRUNC: the length told is the datagram's own, also when not all of it fits
            got = _recvmmsg(bots[number].fd, header_base, np.uint32(BATCH), np.int32(_DONTWAIT | 0x20), np.uint64(0))
            if got <= 0:
                break
            for i in range(got):
                size = np.int64(headers[i, 7] & np.uint64(0xFFFFFFFF))
                stamp = control[i, 2] + control[i, 3] * 1e-9
                headers[i, 5] = 64
                headers[i, 6] = 0
                data = buffer[SLOT * i : SLOT * (i + 1)]
                _message(
                    bots, number, data, size, stamp, owner, seen, met, near_times, far_times, near, acks, plain, out
                )
            total += got
            if got < BATCH:
                break
    return total
