"""Limits on failed logins, so that passwords cannot be guessed by the thousand.

Only failures count, and a bucket of them refills with time, so people who mistype are never in the way. An
address that has got an account's password right before is not held back by what others guess at that account:
a stranger cannot lock anyone out of home. Pure: the caller brings the time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MAX_KEYS = 20_000  # addresses and accounts remembered; the longest unused go first


@dataclass(slots=True)
class _Bucket:
    failures: float
    at: float


class FailureBuckets:
    """Per key, ``burst`` failures at once and one more each ``refill_seconds``."""

    def __init__(self, burst: int, refill_seconds: float) -> None:
        self._burst, self._refill = burst, refill_seconds
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def seconds_to_wait(self, key: str, now: float) -> int:
        """0 when another try is welcome, else in how many seconds one will be."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0
        failures = max(0.0, bucket.failures - (now - bucket.at) / self._refill)
        return 0 if failures <= self._burst - 1 else math.ceil((failures - self._burst + 1) * self._refill)

    def failed(self, key: str, now: float) -> None:
        bucket = self._buckets.pop(key, None) or _Bucket(0.0, now)
        bucket.failures = max(0.0, bucket.failures - (now - bucket.at) / self._refill) + 1.0
        bucket.at = now
        self._buckets[key] = bucket
        while len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)


class LoginLimits:
    """60 failures from one address (a school has one), 20 at one account; then one each 1 and 3 seconds."""

    def __init__(self) -> None:
        self._addresses = FailureBuckets(60, 1.0)
        self._accounts = FailureBuckets(20, 3.0)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()  # (address, account) that once succeeded

    def seconds_to_wait(self, address: str, account: str, now: float) -> int:
        if (address, account) in self._trusted:
            # Still bounded: by the account's bucket of this address alone.
            return self._accounts.seconds_to_wait(f"{address} {account}", now)
        return max(
            self._addresses.seconds_to_wait(address, now),
            self._accounts.seconds_to_wait(account, now),
        )

    def failed(self, address: str, account: str, now: float) -> None:
        if (address, account) in self._trusted:
            self._accounts.failed(f"{address} {account}", now)
            return
        self._addresses.failed(address, now)
        self._accounts.failed(account, now)

    def succeeded(self, address: str, account: str) -> None:
        self._trusted.pop((address, account), None)
        self._trusted[(address, account)] = None
        while len(self._trusted) > MAX_KEYS:
            self._trusted.popitem(last=False)
