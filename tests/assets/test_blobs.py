"""The contract of whatever keeps assets: every engine passes it. There is one today, a tree of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from assets import leaves
from assets.blobs import Blobs
from assets.layout import Conflict, Record
from assets.partitions import BUCKETS, bucket_of
from assets.store import Store

# Few ids, many of one bucket and of one leaf, so that what is done meets what was done.
IDS = [UUID(int=top << 108 | low) for top in (0x7A1B6, 0x7A1B7, 0x7A1FF, 0x00000, 0xFFFFF) for low in (1, 2, 3)]


@pytest.fixture(params=["files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    with Store(tmp_path / "store") as store:
        yield store


def test_an_asset_is_what_was_put(blobs: Blobs) -> None:
    data = os.urandom(5000)
    assert blobs.find(IDS[0]) is None and blobs.get(IDS[0]) is None
    assert blobs.put(IDS[0], data, 49) is True and blobs.put(IDS[0], data, 49) is False
    record = Record(IDS[0], 49, 5000, hashlib.sha256(data).hexdigest())
    assert blobs.find(IDS[0]) == record and blobs.get(IDS[0]) == (record, data)
    for other in ((data[1:], 49), (data, 0)):
        with pytest.raises(Conflict):
            blobs.put(IDS[0], *other)
    assert blobs.get(IDS[0]) == (record, data)


@pytest.mark.parametrize(("asset_id", "kind"), [(UUID(int=0), 0), (IDS[0], -1), (IDS[0], 128)])
def test_nonsense_is_refused(blobs: Blobs, asset_id: UUID, kind: int) -> None:
    with pytest.raises(ValueError):
        blobs.put(asset_id, b"x", kind)


def test_what_is_deleted_is_gone_and_may_be_put_anew(blobs: Blobs) -> None:
    for asset_id in IDS[:2]:
        blobs.put(asset_id, b"shared", 0)
    assert blobs.delete(IDS[0]) is True and blobs.delete(IDS[0]) is False
    assert blobs.get(IDS[0]) is None
    assert (blobs.get(IDS[1]) or pytest.fail("lost"))[1] == b"shared"
    assert blobs.put(IDS[0], b"other", 7) is True
    assert (blobs.get(IDS[0]) or pytest.fail("lost"))[1] == b"other"


def test_a_walk_meets_every_asset_once(blobs: Blobs) -> None:
    for asset_id in IDS:
        blobs.put(asset_id, asset_id.bytes, 0)
    met = [record.id for bucket in range(BUCKETS) for record in blobs.walk(bucket)]
    assert met == sorted(IDS)
    assert [record.id for record in blobs.walk(0x123)] == []


def test_it_knows_its_room_and_its_losses(blobs: Blobs) -> None:
    assert blobs.lost() == () and blobs.free_bytes() > 0


class AsADictionary(RuleBasedStateMachine):
    """Whatever is done in whatever order, it answers as a dictionary would; buckets are split at any moment."""

    folder: Path
    number = 0

    @initialize(split=st.integers(1, 4))
    def open(self, split: int) -> None:
        type(self).number += 1
        leaves.SPLIT = split
        self.store = Store(self.folder / str(self.number))
        self.known: dict[UUID, tuple[bytes, int]] = {}

    @rule(asset_id=st.sampled_from(IDS), data=st.sampled_from([b"", b"one", b"two"]), kind=st.sampled_from([0, 49]))
    def put(self, asset_id: UUID, data: bytes, kind: int) -> None:
        there = self.known.get(asset_id)
        try:
            new = self.store.put(asset_id, data, kind)
            assert there in (None, (data, kind)) and new == (there is None)
            self.known[asset_id] = (data, kind)
        except Conflict:
            assert there not in (None, (data, kind))

    @rule(asset_id=st.sampled_from(IDS))
    def get(self, asset_id: UUID) -> None:
        found = self.store.get(asset_id)
        assert (found and (found[1], found[0].type)) == self.known.get(asset_id)
        assert self.store.find(asset_id) == (found and found[0])

    @rule(asset_id=st.sampled_from(IDS))
    def delete(self, asset_id: UUID) -> None:
        assert self.store.delete(asset_id) == (self.known.pop(asset_id, None) is not None)

    @rule(asset_id=st.sampled_from(IDS))
    def walk(self, asset_id: UUID) -> None:
        bucket = bucket_of(asset_id)
        met = [record.id for record in self.store.walk(bucket)]
        assert met == sorted(one for one in self.known if bucket_of(one) == bucket)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.store.directory)

    def teardown(self) -> None:
        self.store.close()


def test_a_tree_of_files_is_a_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves, "SPLIT", leaves.SPLIT)  # put back afterwards
    monkeypatch.setattr(AsADictionary, "folder", tmp_path, raising=False)
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # what survives a power cut is asked elsewhere
    few = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(AsADictionary, settings=few)
