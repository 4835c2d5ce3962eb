"""A day's worth for everybody, and no more."""

from __future__ import annotations

from uuid import uuid4

from assets import quotas
from assets.quotas import DAY, Quotas


def test_a_person_has_a_day_s_worth_and_the_next_day_another() -> None:
    one, other = uuid4(), uuid4()
    limits = Quotas(100)
    assert limits.take(one, 60, 10.0) and not limits.take(one, 41, 11.0) and limits.take(one, 40, 12.0)
    assert limits.take(other, 100, 13.0), "nobody pays for another"
    assert not limits.take(one, 1, DAY - 1.0) and limits.take(one, 100, DAY + 1.0)


def test_what_was_not_stored_does_not_count() -> None:
    one = uuid4()
    limits = Quotas(100)
    assert limits.take(one, 100, 10.0)
    limits.give_back(one, 100, 11.0)
    assert limits.take(one, 100, 12.0)
    limits.give_back(one, 100, DAY + 1.0)
    assert limits.take(one, 100, DAY + 2.0) and not limits.take(one, 1, DAY + 3.0)


def test_no_limit_and_bounded_memory(monkeypatch) -> None:
    assert Quotas(0).take(uuid4(), 1 << 50, 0.0)
    monkeypatch.setattr(quotas, "MOST_PEOPLE", 10)
    limits = Quotas(100)
    for _ in range(50):
        limits.take(uuid4(), 1, 0.0)
    assert len(limits._used) == 10
