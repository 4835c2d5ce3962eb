"""Compiled kernels follow their sources, also those of the inner kernels in other files."""

from __future__ import annotations

import shutil
from pathlib import Path

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
