"""When a disk has room for what grows."""

from __future__ import annotations

from pathlib import Path

from ground.disks import ASKED_EVERY, BACKBONE_RESERVE, Reserve, free_bytes


def test_the_fullest_disk_counts_and_one_that_is_away_does_not(tmp_path: Path) -> None:
    here = free_bytes([tmp_path])
    assert here > 0 and free_bytes([tmp_path / "away"]) == free_bytes([]) == 0
    assert free_bytes([tmp_path, tmp_path / "away", Path("/")]) <= free_bytes([tmp_path]) + (64 << 20)


def test_room_ends_at_the_reserve_and_comes_back(tmp_path: Path) -> None:
    free, now = [BACKBONE_RESERVE], [0.0]
    disk = Reserve(tmp_path, BACKBONE_RESERVE, lambda: now[0], lambda homes: free[0])
    assert disk.has_room()
    free[0] -= 1
    assert disk.has_room()  # as of a moment ago
    now[0] += ASKED_EVERY
    assert not disk.has_room()
    free[0] += 1
    now[0] += ASKED_EVERY
    assert disk.has_room()


def test_what_is_kept_elsewhere_has_room() -> None:
    assert Reserve(None, 1 << 60).has_room()
