"""Compiled kernels follow their sources, also those of the inner kernels in other files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.physics import contacts, data, motion, solver


def test_a_change_in_any_file_makes_all_kernels_old(tmp_path: Path) -> None:
    source = Path(data.__file__).parent
    folder, land = tmp_path / "physics", tmp_path / "world"
    folder.mkdir()
    land.mkdir()
    shutil.copy(source.parent / "world" / "terrain.py", land)
    for path in source.glob("*.py"):
        shutil.copy(path, folder)
    assert data.stamp_of(folder) == data.STAMP  # dates and places do not count
    (folder / "polyhedra.py").open("a").write("# changed\n")
    changed = data.stamp_of(folder)
    assert changed != data.STAMP
    (land / "terrain.py").open("a").write("# changed\n")
    assert data.stamp_of(folder) not in (data.STAMP, changed)


def test_kernels_are_cached_under_that_stamp_with_one_signature_each() -> None:
    for kernel in (contacts.collide_pairs, solver.solve, motion.integrate):
        assert kernel._cache._cache_file._source_stamp == data.STAMP
        assert len(kernel.signatures) <= 1


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.5, 0.5, -1.0]), st.booleans()), max_size=60))
def test_contacts_are_dealt_out_each_once(pairs: list[tuple[int, float, bool]]) -> None:
    """Pairs of 1-9 contacts; what is only reported, and what nothing moves, is not solved."""
    rows = [(k + 1, friction, moves) for k, (count, friction, moves) in enumerate(pairs) for _ in range(count)]
    contacts_ = np.zeros(len(rows) + 1, data.CONTACT)
    for row, (i, friction, moves) in zip(contacts_, rows, strict=False):
        row["i"], row["friction"], row["mass_n"] = i, friction, moves
    order = np.full(len(rows) + 1, -1, np.int32)
    count = solver.interleave(contacts_, len(rows), order, np.zeros(solver.PAIRS_AT_ONCE + 1, np.int32))
    solved = [k for k, (_, friction, moves) in enumerate(rows) if friction >= 0 and moves]
    assert sorted(order[:count].tolist()) == solved
    for i in {row[0] for row in rows}:  # a pair's own keep their order
        own = [k for k in order[:count].tolist() if rows[k][0] == i]
        assert own == sorted(own)
    together = [rows[k][0] for k in order[: min(count, solver.PAIRS_AT_ONCE)].tolist()]
    if len(pairs) >= solver.PAIRS_AT_ONCE and all(friction >= 0 and moves for _, friction, moves in pairs):
        assert len(set(together)) == solver.PAIRS_AT_ONCE
