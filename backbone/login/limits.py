"""Limits on failed logins, so that passwords cannot be guessed by the thousand.

Only failures count, and a bucket of them refills with time, so people who mistype are never in the way. They are
counted by address, and by account and address together, never by account alone: a stranger cannot lock anyone out of
home. An address that has got an account's password right before is not held back by what others behind it guess.

An attempt is counted from its beginning to its end: as many go on at once as might fail, the others wait for these,
so that a thousand guesses in one moment are not one.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from backbone.errors import TooMany

MAX_KEYS = 20_000  # addresses and accounts remembered; the longest unused go first
OF_ADDRESS = (60, 1.0)  # failures at once and seconds for one more: a school has one address
OF_ACCOUNT = (20, 3.0)  # at one account from one address
POLL_SECONDS = 0.02  # while as many attempts are under way as may fail


@dataclass(slots=True)
class _Bucket:
    failures: float
    at: float
    under_way: int = 0


class FailureBuckets:
    """Per key, ``burst`` failures at once and one more each ``refill_seconds``. Pure: the caller brings the time."""

    def __init__(self, burst: int, refill_seconds: float) -> None:
        self._burst, self._refill = burst, refill_seconds
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def _failures(self, bucket: _Bucket, now: float) -> float:
        return max(0.0, bucket.failures - (now - bucket.at) / self._refill)

    def seconds_to_wait(self, key: str, now: float) -> int:
        """0 when another try is welcome, else in how many seconds one will be."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0
        failures = self._failures(bucket, now)
        return 0 if failures <= self._burst - 1 else math.ceil((failures - self._burst + 1) * self._refill)

    def is_full(self, key: str, now: float) -> bool:
        """Whether as many attempts are under way as may fail."""
        bucket = self._buckets.get(key)
        return bucket is not None and self._failures(bucket, now) + bucket.under_way > self._burst - 1

    def begin(self, key: str, now: float) -> None:
        self._bucket(key, now).under_way += 1

    def end(self, key: str, now: float, failed: bool) -> None:
        bucket = self._bucket(key, now)
        bucket.under_way = max(0, bucket.under_way - 1)
        bucket.failures, bucket.at = self._failures(bucket, now) + failed, now

    def failed(self, key: str, now: float) -> None:
        self.begin(key, now)
        self.end(key, now, True)

    def _bucket(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.pop(key, None) or _Bucket(0.0, now)
        self._buckets[key] = bucket
        while len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        return bucket


class Attempt:
    """One try at an account's password, counted while it lasts. Use as a context; say `failed` if it was wrong."""

    def __init__(self, limits: LoginLimits, address: str, account: str) -> None:
        self._limits, self._address, self._account = limits, address, account
        self._wrong: bool | None = None

    def failed(self) -> None:
        self._wrong = True

    def succeeded(self) -> None:
        self._wrong = False

    def __enter__(self) -> Attempt:
        self._limits.enter(self._address, self._account)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._limits.leave(self._address, self._account, self._wrong)


class LoginLimits:
    def __init__(
        self, sleep: Callable[[float], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep, self._clock = sleep, clock
        self._addresses = FailureBuckets(*OF_ADDRESS)
        self._accounts = FailureBuckets(*OF_ACCOUNT)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()  # (address, account) that once succeeded

    def attempt(self, address: str, account: str) -> Attempt:
        return Attempt(self, address, account)

    def enter(self, address: str, account: str) -> None:
        """An attempt begins, once there is room for it; TooMany when it has to wait for longer than others take."""
        pair = f"{address} {account}"
        keys = [(self._accounts, pair)]
        if (address, account) not in self._trusted:
            keys.append((self._addresses, address))
        while True:
            now = self._clock()
            wait = max(buckets.seconds_to_wait(key, now) for buckets, key in keys)
            if wait:
                raise TooMany(f"Too many failed logins. Please try again in {wait} seconds.")
            if not any(buckets.is_full(key, now) for buckets, key in keys):
                break
            self._sleep(POLL_SECONDS)
        self._addresses.begin(address, now)
        self._accounts.begin(pair, now)

    def leave(self, address: str, account: str, wrong: bool | None) -> None:
        """An attempt ended; ``wrong`` None: it came to no verdict."""
        now = self._clock()
        counts = wrong is True and (address, account) not in self._trusted
        self._addresses.end(address, now, counts)
        self._accounts.end(f"{address} {account}", now, wrong is True)
        if wrong is False:
            self._trusted.pop((address, account), None)
            self._trusted[(address, account)] = None
            while len(self._trusted) > MAX_KEYS:
                self._trusted.popitem(last=False)
