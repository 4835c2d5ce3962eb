"""Buckets and their owners: fair, stable, independent of order."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.partitions import BUCKETS, bucket_name, bucket_of, owners


@given(st.uuids())
def test_bucket_is_the_first_three_hex_digits(asset_id: UUID) -> None:
    assert bucket_name(bucket_of(asset_id)) == str(asset_id)[:3]


def test_every_bucket_is_reached() -> None:
    assert {bucket_of(UUID(int=bucket << 116)) for bucket in range(BUCKETS)} == set(range(BUCKETS))
    assert 0 <= bucket_of(uuid4()) < BUCKETS


def test_partitions_get_fair_shares() -> None:
    shares = Counter(owners([f"p{i}" for i in range(16)]))
    assert len(shares) == 16
    assert max(shares.values()) < 1.25 * BUCKETS / 16 and min(shares.values()) > 0.75 * BUCKETS / 16


def test_a_new_partition_takes_its_share_and_nothing_else_moves() -> None:
    before, after = owners([f"p{i}" for i in range(16)]), owners([f"p{i}" for i in range(17)])
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"p16"}
    assert len(moved) / BUCKETS == pytest.approx(1 / 17, rel=0.25)


def test_order_of_names_does_not_matter() -> None:
    assert owners(["a", "b", "c"]) == owners(["c", "a", "b"])


@pytest.mark.parametrize("names", [[], ["a", "a"], ["../up"], [""], ["x" * 65], [".hidden"], ["a/b"]])
def test_names_that_cannot_be_directories_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError):
        owners(names)
