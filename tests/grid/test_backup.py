"""A whole grid copied while it is in use, and made again; nothing damaged is ever taken for whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from assets.store import Store
from backbone import admin
from grid import backup, plan, settings
from grid.errors import GridError
from grid.layout import Layout
from sim.storage.batch import Batch, LinksetRow
from sim.storage.file import opened
from tests.grid.kit import Mainland


def silent(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A small grid as it lies on the disk: two regions of which one was run, people, assets, settings."""
    layout = Layout(tmp_path / "grid")
    layout.create()
    grid = plan.decide(None, settings.load(regions="2x1"))
    plan.save(layout, grid)
    layout.settings.write_text('name = "Ours"\n')
    admin.add_user(layout.backbone, "Ada", "Mainland", "open sesame")
    with opened(layout.regions / grid.regions[0].region_id / "region.sqlite", 0.0) as store:
        store.write(rows(range(50)), 0.0)
    with Store(layout.assets) as assets:
        for number in range(40):
            assets.put(UUID(int=number + 1 << 100), b"asset %d" % (number // 2) * 50, 0)
    (layout.logs / "supervisor.log").write_text("a log")
    return layout


def rows(numbers: range) -> Batch:
    batch = Batch(facts={"made": "1.0", "state": "open", "cache_id": str(UUID(int=7))})
    for number in numbers:
        batch.linksets[UUID(int=number + 1).bytes] = LinksetRow(os.urandom(200), bytes(4), bytes(4), 1.0)
    return batch


def first_store(layout: Layout) -> Path:
    grid = plan.load(layout)
    assert grid is not None
    return layout.regions / grid.regions[0].region_id / "region.sqlite"


def dump(file: Path) -> list[str]:
    with sqlite3.connect(file) as database:
        return [line for line in database.iterdump() if "cache_id" not in line]


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_what_was_backed_up_is_there_again(layout: Layout, tmp_path: Path, name: str) -> None:
    before = dump(first_store(layout))
    report = backup.back_up(layout, tmp_path / name, silent)
    assert (report.assets, report.damaged, report.notes) == (40, [], [])
    shutil.rmtree(layout.root)
    fresh = Layout(tmp_path / "again")
    backup.restore(tmp_path / name, fresh.root, silent)
    assert fresh.settings.read_text() == 'name = "Ours"\n' and fresh.read_secret()
    assert oct(fresh.root.stat().st_mode)[-3:] == "700" and oct(fresh.secret.stat().st_mode)[-3:] == "600"
    assert plan.load(fresh) is not None and dump(first_store(fresh)) == before
    with opened(first_store(fresh), 0.0) as store:
        assert len(store.kept.linksets) == 50
        assert store.kept.facts["cache_id"] != str(UUID(int=7))  # viewers may remember what came later
    assert admin.set_password(fresh.backbone, "Ada", "Mainland", "another")
    with Store(fresh.assets) as assets:
        for number in range(40):
            found = assets.get(UUID(int=number + 1 << 100))
            assert found is not None and found[1] == b"asset %d" % (number // 2) * 50
    assert not fresh.logs.joinpath("supervisor.log").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["again", name])


def test_a_backup_of_a_grid_at_work_is_whole_and_every_item_finds_its_asset(layout: Layout, tmp_path: Path) -> None:
    """A store and an asset store that are written to meanwhile: what is in the one is in the other, put there before it."""
    ending = threading.Event()
    written: list[UUID] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with opened(first_store(layout), 0.0) as store, Store(layout.assets) as assets:
                while not ending.is_set():
                    asset_id = uuid4()
                    assets.put(asset_id, os.urandom(300), 6)
                    batch = rows(range(len(written) % 40, len(written) % 40 + 5))
                    batch.facts[f"item {asset_id}"] = "here"
                    store.write(batch, 0.0)
                    written.append(asset_id)
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for number in range(2):
            seen = len(written)
            while len(written) < seen + 30 and worker.is_alive():
                ending.wait(0.01)
            backup.back_up(layout, tmp_path / f"copy {number}", silent)
            fresh = Layout(tmp_path / f"grid {number}")
            backup.restore(tmp_path / f"copy {number}", fresh.root, silent)
            with opened(first_store(fresh), 0.0) as store, Store(fresh.assets) as assets:
                items = [UUID(name[5:]) for name in store.kept.facts if name.startswith("item ")]
                assert len(items) >= seen
                assert all(assets.find(item) is not None for item in items)
    finally:
        ending.set()
        worker.join(30)
    assert not failed


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_any_flipped_bit_is_refused_and_nothing_is_left_behind(layout: Layout, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    backup.back_up(layout, target, silent)
    files = [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
    dice, refused, tried = random.Random(11), 0, 0
    for _ in range(50):
        file = dice.choice(files)
        data = bytearray(file.read_bytes())
        at, bit = dice.randrange(len(data)), 1 << dice.randrange(8)
        data[at] ^= bit
        file.write_bytes(data)
        try:
            backup.restore(target, tmp_path / "again", silent)
        except GridError as error:
            refused += 1
            assert "backup" in error.problem
            assert not (tmp_path / "again").exists()
        else:  # filling between the files of an archive: what came out is what went in
            assert name.endswith(".tar")
            assert dump(first_store(Layout(tmp_path / "again"))) == dump(first_store(layout))
            shutil.rmtree(tmp_path / "again")
        tried += 1
        data[at] ^= bit
        file.write_bytes(data)
    assert refused == tried or name.endswith(".tar") and refused > tried / 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["grid", name])
    backup.restore(target, tmp_path / "again", silent)


@pytest.mark.parametrize("harm", ["cut", "gone", "empty manifest", "no manifest", "later", "elsewhere"])
def test_a_backup_that_is_none_is_refused_with_a_word(layout: Layout, tmp_path: Path, harm: str) -> None:
    copy = tmp_path / "copy"
    backup.back_up(layout, copy, silent)
    manifest = copy / backup.MANIFEST
    facts = json.loads(manifest.read_text())
    asset = next(copy / "grid" / name for name in facts["files"] if name.count("/") > 2)
    if harm == "cut":
        os.truncate(asset, asset.stat().st_size - 1)
    elif harm == "gone":
        asset.unlink()
    elif harm == "empty manifest":
        manifest.write_text("")
    elif harm == "no manifest":
        manifest.unlink()
    else:
        del facts["check"]
        facts |= {"format": 2} if harm == "later" else {"files": {"../../outside": [1, "x"]}}
        manifest.write_text(json.dumps({**facts, "check": backup._check(facts)}))
    with pytest.raises(GridError, match="format 2" if harm == "later" else "backup"):
        backup.restore(copy, tmp_path / "again", silent)
    assert not (tmp_path / "again").exists() and not (tmp_path / "outside").exists()


def test_nothing_is_ever_overwritten(layout: Layout, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    backup.back_up(layout, copy, silent)
    with pytest.raises(GridError, match="there already"):
        backup.back_up(layout, copy, silent)
    with pytest.raises(GridError, match="own folder"):
        backup.back_up(layout, layout.root / "inside", silent)
    with pytest.raises(GridError, match="not empty"):
        backup.restore(copy, layout.root, silent)
    with pytest.raises(GridError, match="no grid"):
        backup.back_up(Layout(tmp_path / "nothing"), tmp_path / "other", silent)
    with pytest.raises(GridError, match="no backup"):
        backup.restore(layout.root, tmp_path / "again", silent)
    (tmp_path / "empty").mkdir()
    backup.restore(copy, tmp_path / "empty", silent)  # an empty folder will do


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(layout: Layout, tmp_path: Path) -> None:
    file = first_store(layout)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = os.urandom(len(data) - len(data) // 2)
    file.write_bytes(data)
    with pytest.raises(GridError, match=r"damaged|cannot be copied"):
        backup.back_up(layout, tmp_path / "copy", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grid"]


def test_a_damaged_asset_is_left_out_and_said(layout: Layout, tmp_path: Path) -> None:
    asset = next(path for path in layout.assets.rglob("*") if path.name.startswith(str(UUID(int=3 << 100))))
    with open(asset, "r+b") as file:  # its bytes are another asset's, too
        file.write(b"damage")
    report = backup.back_up(layout, tmp_path / "copy", silent)
    assert len(report.damaged) == 2 and str(UUID(int=3 << 100)) in report.damaged and report.assets == 38
    backup.restore(tmp_path / "copy", tmp_path / "again", silent)


def test_the_commands(layout: Layout, tmp_path: Path) -> None:
    done = Mainland(layout.root)("backup", str(tmp_path / "copy.tar"))
    assert done.returncode == 0 and "40 of them assets" in done.stdout and "assets:" in done.stderr
    done = Mainland(tmp_path / "again")("restore", str(tmp_path / "copy.tar"))
    assert done.returncode == 0 and "mainland up" in done.stdout
    again = Mainland(tmp_path / "again")("restore", str(tmp_path / "copy.tar"))
    assert again.returncode == 1 and "not empty" in again.stderr
