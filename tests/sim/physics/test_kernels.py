"""Compiled kernels follow their sources, also those of the inner kernels in other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import kernels
from sim.interest import packing
from sim.physics import contacts, data, motion, solver


def test_kernels_are_kept_under_the_stamp_of_all_their_sources_with_one_signature_each() -> None:
    for module, kernel in ((contacts, contacts.collide_pairs), (solver, solver.solve), (motion, motion.integrate)):
        assert kernel._cache._cache_file._source_stamp == kernels.stamp_of(Path(str(module.__file__)))
        assert len(kernel.signatures) <= 1


def test_a_change_in_a_file_makes_the_kernels_old_that_are_made_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also through two modules, and of constants; and no others."""
    before = {module: kernels.stamp_of(Path(str(module.__file__))) for module in (contacts, solver, motion, packing)}
    read = kernels._source

    def changed(name: str) -> set[object]:
        def source(path: Path) -> tuple[bytes, bool, frozenset[Path]]:
            text, *more = read(path)
            return (text + b"# changed" if path.name == name else text, *more)  # type: ignore[return-value]

        monkeypatch.setattr(kernels, "_source", source)
        return {module for module, stamp in before.items() if kernels.stamp_of(Path(str(module.__file__))) != stamp}

    assert changed("polyhedra.py") == {contacts, motion}  # motion casts rays at pieces, as contacts places them
    assert changed("terrain.py") == {motion}
    assert changed("solver.py") == {contacts, solver, motion}
    assert changed("datagrams.py") == {packing}
    assert changed("bodies.py") == set()


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
