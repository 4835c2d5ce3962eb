"""What the codecs cost: messages, packets, zero coding, LLSD, terse updates and terrain.

    python -m bench.protocol_codec [--rounds 25] [--json]

Each line is the median over rounds of thread CPU time, beside a rival or a limit measured in the same rounds: bare `struct`
for messages (the least Python can do), the same algorithm in plain Python for kernels, the `llsd` package for LLSD.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from uuid import UUID

import llsd as llsd_package
import numpy as np

from protocol import events, llsd, objects, packet, terrain
from protocol.message import Message, decode, encode

AGENT, SESSION = UUID(int=random.Random(1).getrandbits(128)), UUID(int=random.Random(2).getrandbits(128))
AGENT_BLOCK = {"AgentID": AGENT, "SessionID": SESSION}


@dataclass
class Case:
    """One line: `run` does `count` operations, `rival` does `rival_count` of the same."""

    name: str
    unit: str
    scale: float  # from seconds
    count: int
    run: Callable[[], object]
    rival_name: str = ""
    rival_count: int = 1
    rival: Callable[[], object] | None = None


@dataclass
class Line:
    name: str
    unit: str
    median: float
    rival: str
    rival_median: float | None
    ratio: float | None  # how many times ours the rival takes


def python_zero_encode(data: bytes) -> bytes:
    """Zero coding without a compiler: jump from zero run to zero run with bytes.find."""
    out, at = bytearray(), 0
    while (start := data.find(0, at)) >= 0:
        out += data[at:start]
        at = start
        while at < len(data) and data[at] == 0 and at - start < 255:
            at += 1
        out += bytes((0, at - start))
    return bytes(out + data[at:])


def python_zero_decode(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while (start := data.find(0, at)) >= 0:
        out += data[at:start]
        out += bytes(data[start + 1] or 256)
        at = start + 2
    return bytes(out + data[at:])


def repeat(count: int, call: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        for _ in range(count):
            call()

    return run


def message_cases() -> list[Case]:
    update = Message(
        "AgentUpdate",
        AgentData={
            **AGENT_BLOCK, "BodyRotation": (0.0, 0.0, 0.6, 0.8), "HeadRotation": (0.0, 0.0, 0.6, 0.8), "State": 0,
            "CameraCenter": (128.0, 128.0, 25.0), "CameraAtAxis": (1.0, 0.0, 0.0), "CameraLeftAxis": (0.0, 1.0, 0.0),
            "CameraUpAxis": (0.0, 0.0, 1.0), "Far": 128.0, "ControlFlags": 1, "Flags": 0,
        },
    )  # fmt: skip
    chat = Message(
        "ChatFromViewer", AgentData=AGENT_BLOCK, ChatData={"Message": "hello there", "Type": 1, "Channel": 0}
    )
    block = objects.full_block(7, AGENT, objects.Motion((1.0, 2.0, 3.0)), texture_entry=bytes(40), text="hi")
    full = Message("ObjectUpdate", RegionData={"RegionHandle": 1, "TimeDilation": 65535}, ObjectData=[block] * 5)
    terse = objects.terse_block(objects.encode_terse(7, objects.Motion()))
    many = Message(
        "ImprovedTerseObjectUpdate", RegionData={"RegionHandle": 1, "TimeDilation": 1}, ObjectData=[terse] * 20
    )
    layout = struct.Struct("<B16s16s3f3fB12ffIB")
    cases = []
    for message, rival in ((update, layout), (chat, None), (full, None), (many, None)):
        data, values = encode(message), None
        if rival is not None:
            values = rival.unpack(data)
        cases += [
            Case(
                f"decode {message.name}", "us", 1e6, 2000, repeat(2000, lambda data=data: decode(data)),  # type: ignore[misc]
                "bare struct" if rival else "", 2000,
                repeat(2000, lambda data=data, rival=rival: rival.unpack(data)) if rival else None,  # type: ignore[misc]
            ),
            Case(
                f"encode {message.name}", "us", 1e6, 2000, repeat(2000, lambda message=message: encode(message)),  # type: ignore[misc]
                "bare struct" if rival else "", 2000,
                repeat(2000, lambda values=values, rival=rival: rival.pack(*values)) if rival else None,  # type: ignore[misc]
            ),
        ]  # fmt: skip
    return cases


def packet_cases() -> list[Case]:
    rng = random.Random(3)
    body = b"".join(rng.randbytes(rng.randrange(1, 24)) + bytes(rng.randrange(1, 16)) for _ in range(60))[:1100]
    coded = packet.zero_encode(body)
    datagram = packet.build(body, 7, packet.ZEROCODED | packet.RELIABLE, [1, 2, 3])
    return [
        Case("zero encode 1,100 bytes", "us", 1e6, 1000, repeat(1000, lambda: packet.zero_encode(body)),
             "plain Python", 200, repeat(200, lambda: python_zero_encode(body))),
        Case("zero decode 1,100 bytes", "us", 1e6, 1000, repeat(1000, lambda: packet.zero_decode(coded)),
             "plain Python", 200, repeat(200, lambda: python_zero_decode(coded))),
        Case("parse a zero-coded packet", "us", 1e6, 1000, repeat(1000, lambda: packet.parse(datagram))),
        Case("build a zero-coded packet", "us", 1e6, 1000, repeat(1000, lambda: packet.build(body, 7, 0xC0, (1, 2, 3)))),
    ]  # fmt: skip


def llsd_cases() -> list[Case]:
    value = events.event(Message("ParcelProperties", ParcelData={"Name": "Here", "Bitmap": bytes(512)}))
    data = llsd.format_xml(value)
    return [
        Case("LLSD write a parcel", "us", 1e6, 100, repeat(100, lambda: llsd.format_xml(value)),
             "llsd package", 100, repeat(100, lambda: llsd_package.format_xml(value))),
        Case("LLSD read a parcel", "us", 1e6, 100, repeat(100, lambda: llsd.parse_xml(data)),
             "llsd package", 100, repeat(100, lambda: llsd_package.parse_xml(data))),
    ]  # fmt: skip


def terse_cases() -> list[Case]:
    rng, n = np.random.default_rng(1), 10_000
    position, velocity, acceleration, spin = (rng.normal(0, 20, (n, 3)).astype(np.float32) for _ in range(4))
    rotation = np.tile(np.array([0, 0, 0.6, 0.8], np.float32), (n, 1))
    ids, avatars, rows = np.arange(n, dtype=np.uint32), (np.arange(n) % 2).astype(np.uint8), np.arange(n)
    records, lengths = np.zeros((n, objects.RECORD_SIZE), np.uint8), np.zeros(n, np.int64)
    motion = objects.Motion((1.0, 2.0, 3.0), (1.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.6, 0.8))
    data = objects.encode_terse(7, motion)
    return [
        Case("terse updates, batch of 10,000", "ns", 1e9, n,
             lambda: objects.encode_terse_batch(
                 rows, ids, avatars, position, velocity, acceleration, rotation, spin, records, lengths
             ), "one by one", 1000, repeat(1000, lambda: objects.encode_terse(7, motion))),
        Case("terse update, read one", "us", 1e6, 1000, repeat(1000, lambda: objects.decode_terse(data))),
    ]  # fmt: skip


def terrain_cases() -> list[Case]:
    y, x = np.mgrid[0:256, 0:256]
    smooth = (22 + 6 * np.sin(x / 20) + 4 * np.cos(y / 15)).astype(np.float32)
    noisy = np.random.default_rng(5).normal(20, 5, (256, 256)).astype(np.float32)
    payloads = terrain.encode_patches(smooth)
    return [
        Case("terrain, 256 smooth patches", "ms", 1e3, 1, lambda: terrain.encode_patches(smooth)),
        Case("terrain, 256 noisy patches", "ms", 1e3, 1, lambda: terrain.encode_patches(noisy)),
        Case("terrain, read 256 patches", "ms", 1e3, 1, lambda: [terrain.decode_patches(data) for data in payloads]),
    ]


def measure(cases: list[Case], rounds: int) -> list[Line]:
    """Every case once a round, so that a busy moment of the machine touches all of them alike."""
    for case in cases:
        case.run()
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in cases]
    for _ in range(rounds):
        for case, (own, other) in zip(cases, times, strict=True):
            start = time.thread_time()
            case.run()
            middle = time.thread_time()
            if case.rival is not None:
                case.rival()
                other.append((time.thread_time() - middle) / case.rival_count)
            own.append((middle - start) / case.count)
    lines = []
    for case, (own, other) in zip(cases, times, strict=True):
        ours, theirs = median(own), median(other) if other else None
        rival = None if theirs is None else theirs * case.scale
        ratio = None if theirs is None else theirs / ours
        lines.append(Line(case.name, case.unit, ours * case.scale, case.rival_name, rival, ratio))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="What the codecs cost.")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cases = [*message_cases(), *packet_cases(), *llsd_cases(), *terse_cases(), *terrain_cases()]
    lines = measure(cases, arguments.rounds)
    if arguments.json:
        print(
            json.dumps(
                {"bench": "protocol_codec", "rounds": arguments.rounds, "lines": [asdict(line) for line in lines]}
            )
        )
        return
    for line in lines:
        beside = f"{line.rival}: {line.rival_median:9.2f} {line.unit}  x{line.ratio:.2f}" if line.rival else ""
        print(f"{line.name:<34}{line.median:10.2f} {line.unit}   {beside}")


if __name__ == "__main__":
    main()
