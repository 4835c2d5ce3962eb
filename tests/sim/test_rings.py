"""Who hears of whose movement, and when: the kernel against what its rules say in plain words."""

from __future__ import annotations

import numpy as np
import pytest

from protocol import objects, packet
from sim.circuits.datagrams import MTU, Outgoing
from sim.interest.interest import encode_rows, mark_sent
from sim.interest.packing import NEEDS, STEPS, Rings
from sim.world.avatars import AVATAR_DTYPE


class Scene:
    """Viewer in slot 0 with avatar row 0; others at the distances given."""

    def __init__(self, distances: list[float], rate: float = 1e6) -> None:
        count = len(distances) + 1
        self.rows = np.zeros(count, AVATAR_DTYPE)
        self.rows["active"] = 1
        self.rows["local_id"] = np.arange(count) + 100
        self.rows["rotation"][:, 3] = self.rows["sent_rotation"][:, 3] = 1.0
        self.rows["position"][1:, 0] = distances
        self.rings = Rings()
        self.known = np.ones((64, 128), np.uint8)
        self.rates = np.full(64, rate)
        self.sequences, self.keys = np.zeros(64, np.uint32), np.ones(64, np.uint64)
        self.turn = 0
        self.bytes = 0

    def frame(self, *moved: int) -> list[int]:
        """Local ids told in one frame in which these rows moved."""
        self.turn += 1
        self.rows["dirty"][list(moved)] = 1
        records = np.zeros((len(self.rows), objects.RECORD_SIZE), np.uint8)
        lengths = np.zeros(len(self.rows), np.int64)
        encode_rows(self.rows, np.arange(len(self.rows)), records, lengths)
        out = Outgoing(4)
        zero = np.zeros(1, np.int64)
        self.rings.update(
            out, self.rows, records, lengths, zero, zero, self.rows["position"][:1], self.known, self.rates, 1 / 45,
            self.turn, self.sequences, self.keys, 5, 1.0,
        )  # fmt: skip
        mark_sent(self.rows, np.array(moved, np.int64))
        told = []
        for start, size in zip(out.offsets[: out.count].tolist(), out.lengths[: out.count].tolist(), strict=True):
            assert size <= MTU
            self.bytes += size
            body = packet.parse(out.buffer[start : start + size].tobytes()).body
            at = 12
            for _ in range(body[11]):
                told.append(objects.decode_terse(body[at + 1 : at + 1 + body[at]]).local_id)
                at += 3 + body[at]
            assert at == len(body)
        return told


def test_an_empty_line_tells_everything_at_once_and_once() -> None:
    scene = Scene([10, 50, 100, 200])
    assert sorted(scene.frame(0, 1, 2, 3, 4)) == [100, 101, 102, 103, 104]
    assert scene.frame() == []


def test_who_was_not_introduced_is_not_told_of() -> None:
    scene = Scene([10, 20])
    scene.known[0, 2] = 0
    assert sorted(scene.frame(0, 1, 2)) == [100, 101]
    scene.known[0, 2] = 1
    assert scene.frame() == []  # the movement of before is not its business
    assert scene.frame(2) == [102]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("ring", [0, 1, 2, 3])
def test_a_full_line_makes_the_distant_wait(level: int, ring: int) -> None:
    distance = (10, 50, 100, 200)[ring]
    need, step = NEEDS[ring], int(STEPS[level])
    for news in (False, True):
        # As many as fill a packet, since a full line holds back what does not.
        scene = Scene([distance] * 18)
        scene.frame()  # rings are drawn
        if news:
            scene.rows["velocity"][1:, 0] = 3.0
        start = need - (need >> 2) if news else 1
        wait = max(-(-(need - start) // step), 1)
        moved = tuple(range(1, 19))
        for frame in range(1, wait + 1):
            scene.rings.lines["level"][0] = level
            told = scene.frame(*(moved if frame == 1 else ()))
            assert (len(told) == 18) == (frame == wait), (frame, wait, len(told))


def test_a_narrow_line_is_kept_to_and_nobody_starves() -> None:
    rate = 20_000.0
    distances = [5.0 + 3 * n for n in range(60)]
    scene = Scene(distances, rate)
    heard = np.zeros(61, int)
    frames = 450
    for _ in range(frames):
        for local_id in scene.frame(*range(61)):
            heard[local_id - 100] += 1
    assert scene.bytes < rate * (frames / 45 + 1)
    assert heard.min() >= 2
    assert heard[0] == frames  # oneself always
    near = heard[1:7].mean()
    assert near > 3 * heard[-20:].mean()
    scene.rates[:] = 1e7
    for _ in range(150):
        told = scene.frame(*range(61))
    assert len(told) == 61  # a wide line, and it is all told at once again


def test_told_in_turns_every_viewer_hears_of_every_movement() -> None:
    """Three viewers in the same place, told every third frame: each hears of a movement once, within three frames."""
    scene = Scene([10, 20, 30])
    scene.rings.turns = 3
    viewers, own = np.arange(3), np.zeros(3, np.int64)
    records = np.zeros((4, objects.RECORD_SIZE), np.uint8)
    lengths = np.zeros(4, np.int64)
    encode_rows(scene.rows, np.arange(4), records, lengths)
    told: dict[int, list[tuple[int, int]]] = {0: [], 1: [], 2: []}  # viewer -> frame, blocks
    for turn in range(1, 40):
        moved = np.array([1, 2] if turn == 10 else [3] if turn == 11 else [], np.int64)
        scene.rows["dirty"][moved] = 1
        out = Outgoing(4)
        scene.keys[:3] = (1, 2, 3)
        scene.rings.update(
            out, scene.rows, records, lengths, viewers, own, scene.rows["position"][own], scene.known, scene.rates, 1 / 45,
            turn, scene.sequences, scene.keys, 5, 1.0,
        )  # fmt: skip
        mark_sent(scene.rows, moved)
        for n in range(out.count):
            start = int(out.offsets[n])
            told[int(out.keys[n]) - 1].append((turn, int(out.buffer[start + 17])))
    for viewer, heard in told.items():
        assert sum(blocks for _, blocks in heard) == 3, (viewer, heard)
        assert all(10 <= turn <= 13 and turn % 3 == viewer for turn, _ in heard), (viewer, heard)
