"""The store on disk: immutable, deduplicated, durable when acknowledged, never serving damaged bytes."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets import durable, moving
from assets.partitions import bucket_of
from assets.store import Conflict, CorruptAsset, PartitionLost, Record, Store, StoreError, check, repartition


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "store") as opened:
        yield opened


def files_of(directory: Path) -> list[Path]:
    return [path for path in directory.glob("p*/[0-9a-f][0-9a-f][0-9a-f]/**/*") if path.is_file()]


def file_of(store: Store, asset_id: UUID) -> Path:
    [path] = store.directory.glob(f"*/{str(asset_id)[:3]}/**/{asset_id}.*")
    return path


def test_put_then_get(store: Store) -> None:
    asset_id = uuid4()
    assert store.put(asset_id, b"hello", 7) is True
    record, data = store.get(asset_id) or pytest.fail("lost")
    assert data == b"hello" and (record.type, record.size) == (7, 5)
    assert store.find(asset_id) == record


def test_unknown_id_is_none(store: Store) -> None:
    assert store.get(uuid4()) is None and store.find(uuid4()) is None


def test_the_same_again_is_no_news_and_other_bytes_or_type_conflict(store: Store) -> None:
    asset_id = uuid4()
    store.put(asset_id, b"one", 0)
    assert store.put(asset_id, b"one", 0) is False
    for data, kind in ((b"two", 0), (b"one", 1), (b"", 0)):
        with pytest.raises(Conflict):
            store.put(asset_id, data, kind)
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"one"
    assert check(store.directory).ok


@pytest.mark.parametrize(("asset_id", "kind"), [(UUID(int=0), 0), (uuid4(), -1), (uuid4(), 128)])
def test_nonsense_is_refused(store: Store, asset_id: UUID, kind: int) -> None:
    with pytest.raises(ValueError):
        store.put(asset_id, b"x", kind)


def test_equal_bytes_take_space_once(store: Store) -> None:
    data = os.urandom(100_000)
    ids = [uuid4() for _ in range(50)]
    for asset_id in ids:
        store.put(asset_id, data, 0)
    assert len({path.stat().st_ino for path in files_of(store.directory)}) == 1
    assert all((store.get(asset_id) or pytest.fail("lost"))[1] == data for asset_id in ids)


def test_without_hard_links_there_are_copies_and_nothing_is_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EPERM, "no links on this file system")

    monkeypatch.setattr(os, "link", refuse)
    ids = [uuid4() for _ in range(3)]
    for asset_id in ids:
        store.put(asset_id, b"same", 0)
    assert all((store.get(asset_id) or pytest.fail("lost"))[1] == b"same" for asset_id in ids)


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=3000), kind=st.integers(0, 127), asset_id=st.uuids())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: int, asset_id: UUID) -> None:
    with Store(tmp_path_factory.mktemp("store"), ["only"]) as store:
        if asset_id.int == 0:
            return
        store.put(asset_id, data, kind)
        record = store.find(asset_id)
        assert record is not None and Record.parse(str(record)) == record
        assert store.get(asset_id) == (record, data)


def test_what_was_put_survives_reopening(tmp_path: Path) -> None:
    assets = {uuid4(): os.urandom(200) for _ in range(100)}
    with Store(tmp_path) as store:
        for asset_id, data in assets.items():
            store.put(asset_id, data, 0)
    with Store(tmp_path) as store:
        assert all((store.get(asset_id) or pytest.fail("lost"))[1] == data for asset_id, data in assets.items())


def test_order_of_a_put_is_file_sync_rename_directory_sync(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut respects: nothing is acknowledged before its bytes and its name are on disk."""
    steps: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "rename")}

    def fsync(fd: int) -> None:
        steps.append("sync directory" if os.path.isdir(f"/proc/self/fd/{fd}") else "sync file")
        real["fsync"](fd)

    monkeypatch.setattr(os, "fsync", fsync)

    def noted(name: str) -> Callable[..., None]:
        def call(*args: object) -> None:
            steps.append(name)
            real[name](*args)

        return call

    monkeypatch.setattr(os, "rename", noted("rename"))
    asset_id = uuid4()
    store.put(asset_id, b"durable", 0)
    assert steps[-3:] == ["sync file", "rename", "sync directory"]
    steps.clear()
    store.put(asset_id, b"durable", 0)
    assert steps[-1] == "sync directory", "the same again is acknowledged only when it is durable, too"


@pytest.mark.parametrize("failing", ["fsync", "rename", "write"])
def test_a_disk_that_refuses_acknowledges_nothing_and_leaves_no_rubbish(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    asset_id = uuid4()
    durable.make_directory(store._buckets[bucket_of(asset_id)])

    def refuse(*args: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as broken:
        broken.setattr(os, failing, refuse)
        with pytest.raises(OSError):
            store.put(asset_id, b"unlucky", 0)
    assert not [path for path in store.directory.glob("p*/tmp/*")]
    assert store.put(asset_id, b"unlucky", 0)
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"unlucky"


def test_damaged_bytes_are_never_served_and_put_aside(store: Store) -> None:
    asset_id = uuid4()
    store.put(asset_id, b"precious bytes", 0)
    file_of(store, asset_id).write_bytes(b"precious bites")
    assert not check(store.directory).ok
    with pytest.raises(CorruptAsset):
        store.get(asset_id)
    assert [path.read_bytes() for path in files_of(store.directory)] == [b"precious bites"]
    assert file_of(store, asset_id).name.endswith(".damaged")
    assert not list(store.directory.glob("hashes/*/*")), "nothing new may link to damaged bytes"
    with pytest.raises(CorruptAsset):
        store.get(asset_id)
    report = check(store.directory)
    assert not report.ok and report.quarantined == 1
    with pytest.raises(Conflict):
        store.put(asset_id, b"precious bites", 0)
    assert store.put(asset_id, b"precious bytes", 0) is False, "putting the right bytes again repairs it"
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"precious bytes"
    assert check(store.directory).ok


def test_damage_does_not_spread_to_the_next_with_equal_bytes(store: Store) -> None:
    first, second = UUID(int=1 << 120), UUID(int=2 << 120)
    store.put(first, b"shared", 0)
    file_of(store, first).write_bytes(b"shaxed")
    store.put(second, b"shared", 0)
    assert (store.get(second) or pytest.fail("lost"))[1] == b"shared"


def test_a_blob_damaged_in_place_is_replaced_when_put_again(store: Store) -> None:
    asset_id = uuid4()
    store.put(asset_id, b"whole", 0)
    file_of(store, asset_id).write_bytes(b"")
    store.put(asset_id, b"whole", 0)
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"whole"


def test_an_asset_taken_away_behind_our_back_is_absent(store: Store) -> None:
    asset_id = uuid4()
    store.put(asset_id, b"hello", 0)
    file_of(store, asset_id).unlink()
    assert store.get(asset_id) is None and store.find(asset_id) is None


def test_files_that_are_no_assets_are_left_alone(store: Store) -> None:
    asset_id = uuid4()
    store.put(asset_id, b"hello", 0)
    good = file_of(store, asset_id)
    for name in ("README", f"{asset_id}.999.5." + "a" * 64, f"{asset_id}.0.5." + "g" * 64, f"{asset_id}", ".half"):
        (good.parent / name).write_bytes(b"?")
    (good.parent / "link").symlink_to("/etc/passwd")
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"hello"
    report = check(store.directory)
    assert report.ok and report.assets == 1 and len(report.foreign) == 6


def test_a_bucket_that_grows_is_split_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.leaves.SPLIT", 20)
    assets = {UUID(int=0x7A1 << 116 | uuid4().int & (1 << 116) - 1): os.urandom(20) for _ in range(200)}
    with Store(tmp_path / "store", ["only"]) as store:
        for number, (asset_id, data) in enumerate(assets.items()):
            store.put(asset_id, data, 0)
            assert len([path for path in (tmp_path / "store/only/7a1").iterdir() if path.is_file()]) <= 21, number
        for asset_id, data in assets.items():
            assert (store.get(asset_id) or pytest.fail("lost"))[1] == data
            assert file_of(store, asset_id).parent.name == str(asset_id)[3:5]
            with pytest.raises(Conflict):
                store.put(asset_id, data + b"!", 0)
        assert [record.id for record in store.walk(0x7A1)] == sorted(assets)
    report = check(tmp_path / "store")
    assert report.ok and report.assets == len(assets) and not report.foreign


@pytest.mark.parametrize("failing", ["mkdir", "rename"])
def test_a_split_that_is_broken_off_is_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    assets = {UUID(int=0x7A1 << 116 | uuid4().int & (1 << 116) - 1): os.urandom(20) for _ in range(60)}
    with Store(tmp_path / "store", ["only"]) as store:
        for asset_id, data in assets.items():
            store.put(asset_id, data, 0)
    monkeypatch.setattr("assets.leaves.SPLIT", 20)
    real, left = getattr(os, failing), [15]

    def refuse(*args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full")
        real(*args)

    with Store(tmp_path / "store") as store:
        monkeypatch.setattr(os, failing, refuse)
        for asset_id, data in assets.items():
            assert (store.get(asset_id) or pytest.fail("lost"))[1] == data, "while the disk is full"
        monkeypatch.setattr(os, failing, real)
        for asset_id, data in assets.items():
            assert (store.get(asset_id) or pytest.fail("lost"))[1] == data, "when there is room again"
        assert not [path for path in (tmp_path / "store/only/7a1").iterdir() if path.is_file()]
    report = check(tmp_path / "store")
    assert report.ok and report.assets == len(assets)


def test_a_store_of_format_1_is_read_and_split_as_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = {UUID(int=0x7A1 << 116 | uuid4().int & (1 << 116) - 1): os.urandom(20) for _ in range(60)}
    with Store(tmp_path, ["only"]) as store:
        for asset_id, data in assets.items():
            store.put(asset_id, data, 0)
    (tmp_path / "store.json").write_text('{"format": 1, "partitions": ["only"], "previous": null}')
    monkeypatch.setattr("assets.leaves.SPLIT", 20)
    with Store(tmp_path) as store:
        assert json.loads((tmp_path / "store.json").read_text())["format"] == 2, "an older Mainland would not find leaves"
        assert all((store.get(asset_id) or pytest.fail("lost"))[1] == data for asset_id, data in assets.items())
    assert len(list((tmp_path / "only/7a1").glob("??/*"))) == len(assets)


def test_of_many_at_once_with_one_id_exactly_one_wins(store: Store) -> None:
    for _ in range(10):
        asset_id = uuid4()

        def put(number: int, asset_id: UUID = asset_id) -> bool | None:
            try:
                return store.put(asset_id, b"%d" % number, 0)
            except Conflict:
                return None

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(put, range(8)))
        assert outcomes.count(True) == 1 and outcomes.count(None) == 7
        assert (store.get(asset_id) or pytest.fail("lost"))[1] == b"%d" % outcomes.index(True)


def test_the_same_put_by_many_at_once_is_new_once(store: Store) -> None:
    asset_id, data = uuid4(), os.urandom(5000)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: store.put(asset_id, data, 0), range(8)))
    assert outcomes.count(True) == 1
    assert (store.get(asset_id) or pytest.fail("lost"))[1] == data
    assert check(store.directory).ok


def test_one_process_at_a_time(store: Store) -> None:
    with pytest.raises(StoreError, match="another process"):
        Store(store.directory)


@pytest.mark.parametrize("empty", [False, True], ids=["gone", "not mounted"])
def test_a_partition_that_is_away_is_no_empty_one(tmp_path: Path, empty: bool) -> None:
    assets = {uuid4(): os.urandom(20) for _ in range(100)}
    with Store(tmp_path) as store:
        for asset_id, data in assets.items():
            store.put(asset_id, data, 0)
        away = {asset_id for asset_id in assets if (tmp_path / "p1" / str(asset_id)[:3]).exists()}

        def as_it_should(store: Store) -> None:
            assert store.lost() == ("p1",)
            for asset_id, data in assets.items():
                if asset_id in away:
                    for ask in (store.get, store.find, lambda id: store.put(id, b"else", 0), store.delete):
                        with pytest.raises(PartitionLost, match="p1"):
                            ask(asset_id)
                else:
                    assert (store.get(asset_id) or pytest.fail("lost"))[1] == data
            assert not empty or not list((tmp_path / "p1").iterdir()), "nothing is written where a disk belongs"

        (tmp_path / "p1").rename(tmp_path / "elsewhere")
        if empty:
            (tmp_path / "p1").mkdir()
        as_it_should(store)
    with Store(tmp_path) as store:
        as_it_should(store)
        if empty:
            (tmp_path / "p1").rmdir()
        (tmp_path / "elsewhere").rename(tmp_path / "p1")
        assert store.lost() == ()
        assert all((store.get(asset_id) or pytest.fail("lost"))[1] == data for asset_id, data in assets.items())
        for asset_id in away:
            assert store.put(asset_id, assets[asset_id], 0) is False
    assert check(tmp_path).ok


def test_a_store_without_any_partition_does_not_start(tmp_path: Path) -> None:
    with Store(tmp_path, ["a", "b"]):
        pass
    for name in "ab":
        (tmp_path / name).rename(tmp_path / f"{name}-away")
    with pytest.raises(StoreError, match="is its disk mounted"):
        Store(tmp_path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format": 9, "partitions": ["a"], "previous": null}', b"\xff"])
def test_a_description_nobody_understands_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "store.json").write_bytes(text)
    with pytest.raises(StoreError):
        Store(tmp_path)
    with pytest.raises(StoreError):
        check(tmp_path)


# -- more partitions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, dict[UUID, bytes]]:
    assets = {uuid4(): os.urandom(50) for _ in range(300)}
    with Store(tmp_path / "store", ["p0", "p1", "p2"]) as store:
        for asset_id, data in assets.items():
            store.put(asset_id, data, 0)
    return tmp_path / "store", assets


def all_there(directory: Path, assets: dict[UUID, bytes]) -> bool:
    with Store(directory) as store:
        good = all((store.get(asset_id) or (None, None))[1] == data for asset_id, data in assets.items())
    report = check(directory)
    return good and report.ok and report.assets == len(assets)


def test_a_new_partition_takes_over_a_few_buckets(filled: tuple[Path, dict[UUID, bytes]]) -> None:
    directory, assets = filled
    buckets = {str(asset_id)[:3] for asset_id in assets}
    moved = repartition(directory, ["p0", "p1", "p2", "p3"])
    assert 0 < moved < len(buckets) / 2
    assert all_there(directory, assets)
    assert repartition(directory, ["p0", "p1", "p2", "p3"]) == 0
    repartition(directory, ["p3"])
    assert all_there(directory, assets)


def test_moving_to_another_file_system_copies(
    filled: tuple[Path, dict[UUID, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, assets = filled
    rename = os.rename

    def across(source: Path, target: Path) -> None:
        if Path(source).parent.parent != Path(target).parent.parent:
            raise OSError(errno.EXDEV, "other file system")
        rename(source, target)

    monkeypatch.setattr(os, "rename", across)
    repartition(directory, ["p0", "p1", "p2", "p3"])
    assert all_there(directory, assets)


@pytest.mark.parametrize("after", [0, 1, 7, 60])
def test_killed_while_moving_the_next_opening_goes_on(
    filled: tuple[Path, dict[UUID, bytes]], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    directory, assets = filled
    left = [after]
    real = moving._move

    def stop(source: Path, target: Path) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, target)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(moving, "_move", stop)
        with pytest.raises(KeyboardInterrupt):
            repartition(directory, ["p0", "p1", "p2", "p3"])
    assert not check(directory).ok or after == 0
    assert all_there(directory, assets)
    assert [path.name for path in directory.glob("p*/tmp/*")] == []


# -- checking ----------------------------------------------------------------------------------------------------------


def test_check_counts_and_names_what_is_wrong(store: Store) -> None:
    ids = [UUID(int=(n << 116) + n) for n in range(1, 6)]
    for asset_id in ids:
        store.put(asset_id, str(asset_id).encode(), 0)
    twin = uuid4()
    store.put(twin, str(ids[0]).encode(), 0)
    report = check(store.directory)
    assert (report.ok, report.assets, report.blobs, report.bytes) == (True, 6, 5, 5 * 36)
    file_of(store, ids[0]).write_bytes(b"damage")
    path = file_of(store, ids[1])
    path.rename(path.with_name(path.name + ".damaged"))
    path = file_of(store, ids[2])
    shutil.copy(path, path.with_name(str(Record(ids[2], 1, 36, "0" * 64))))
    path = file_of(store, ids[3])
    shutil.copy(path, file_of(store, ids[4]).with_name(path.name))
    report = check(store.directory)
    bad = "\n".join(report.bad)
    assert all(str(asset_id) in bad for asset_id in (ids[0], twin, ids[1], ids[2]))
    assert not any(str(asset_id) in bad for asset_id in ids[3:])
    assert [str(ids[3]) in line for line in report.misplaced] == [True]
    assert report.quarantined == 1 and not report.ok
