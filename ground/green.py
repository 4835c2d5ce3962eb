"""Everything of eventlet that services use, in one module, so that the server can be changed in one place.

A service process is one native thread, the hub, running a greenlet per connection. Two kinds of work would
stop the hub and so go to native threads (Backbone does both):

* SQLite (and PostgreSQL) commits: fsync takes a millisecond or many. `Batcher` is one thread that takes
  all waiting jobs at once; its database makes one transaction of them (group commit).
* the slow password hash: a Batcher of its own. Long reads: `in_thread`.

Only sockets, select and time are patched. Threads stay native: SQLAlchemy's and logging's locks are
held across native threads here, and a green lock is not safe there. So nothing may hold a lock
across a socket call; the stores never do.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # It says of itself on import that it is in maintenance. Chosen with that known, and kept to this module.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet
    import eventlet.debug
    import eventlet.event
    import eventlet.greenio
    import eventlet.hubs
    import eventlet.patcher
    import eventlet.semaphore
    import eventlet.timeout
    import eventlet.tpool
    import eventlet.wsgi

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_native_threading = eventlet.patcher.original("threading")
_native_select = eventlet.patcher.original("select")

log = logging.getLogger(__name__)
T = TypeVar("T")

Semaphore = eventlet.semaphore.Semaphore
Timeout = eventlet.timeout.Timeout
sleep = eventlet.sleep
wsgi = eventlet.wsgi  # HTTP itself, for server.py
shutdown_safe = eventlet.greenio.shutdown_safe
GreenSocket = eventlet.greenio.GreenSocket
listen_on = eventlet.listen


def patch() -> None:
    """Make sockets and sleeps of the standard library cooperative. Before any other import, in a server's process."""
    eventlet.monkey_patch(os=False, select=True, socket=True, thread=False, time=True)


def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run blocking work on a native thread (there are 20, or see set_threads) while other greenlets go on; its result or exception."""
    return eventlet.tpool.execute(work, *args)


def set_threads(number: int) -> None:
    """How many native threads `in_thread` has; before its first use."""
    eventlet.tpool.set_num_threads(number)


def spawn(work: Callable[..., Any], *args: Any) -> Any:
    """Start a greenlet; an exception that leaves it is logged, not lost."""

    def run() -> None:
        try:
            work(*args)
        except Exception:
            log.exception("background work %s failed", getattr(work, "__name__", work))

    return eventlet.spawn_n(run)


class Promise(Generic[T]):
    """A result that one greenlet waits for and another, or the batch thread's courier, gives."""

    def __init__(self) -> None:
        self._event = eventlet.event.Event()

    def give(self, value: T) -> None:
        self._event.send(value)

    def fail(self, error: BaseException) -> None:
        self._event.send_exception(error)

    def wait(self) -> T:
        return self._event.wait()


class Mailbox(Generic[T]):
    """A bounded queue between greenlets of the hub. ``put`` refuses when full instead of waiting."""

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque()
        self._limit = limit
        self._ready = Semaphore(0)

    def put(self, item: T) -> bool:
        if len(self._items) >= self._limit:
            return False
        self._items.append(item)
        self._ready.release()
        return True

    def get(self) -> T:
        self._ready.acquire()
        return self._items.popleft()


class Wakeup:
    """A socket pair by which native threads and signal handlers wake the hub. Sends never block."""

    def __init__(self) -> None:
        native = eventlet.patcher.original("socket")
        reader, self._writer = native.socketpair()
        self._writer.setblocking(False)
        self._reader = eventlet.greenio.GreenSocket(reader)

    def fileno(self) -> int:
        return self._writer.fileno()

    def ring(self) -> None:
        try:
            self._writer.send(b"!")
        except BlockingIOError:
            pass  # full of unread rings: the hub will wake anyway

    def wait(self) -> None:
        self._reader.recv(4096)


class Batcher:
    """One native thread that runs jobs in batches: all that wait, up to ``limit``, in one call of ``run_batch``.

    ``run_batch(jobs)`` returns one outcome a job, in order: a value, or an exception instance to raise at
    the submitter's. ``setup``/``teardown`` run in the thread itself, for what may not change threads.
    """

    def __init__(
        self,
        name: str,
        run_batch: Callable[[list[Any]], list[Any]],
        *,
        limit: int = 256,
        setup: Callable[[], None] = lambda: None,
        teardown: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_batch = run_batch
        self._limit = limit
        self._setup, self._teardown = setup, teardown
        self._jobs: deque[tuple[Any, Promise[Any]]] = deque()
        self._done: deque[tuple[Promise[Any], Any]] = deque()
        self._waiting = _native_threading.Semaphore(0)
        self._wakeup = Wakeup()
        self._closing = False
        self._thread = _native_threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        eventlet.spawn_n(self._deliver)

    def submit(self, job: Any) -> Any:
        """Wait, in a greenlet, until the batch with this job has run."""
        if self._closing:
            raise RuntimeError("the batch thread is closed")
        promise: Promise[Any] = Promise()
        self._jobs.append((job, promise))
        self._waiting.release()
        return promise.wait()

    def close(self) -> None:
        """Run what is queued, then stop the thread."""
        if not self._closing:
            self._closing = True
            self._waiting.release()
            in_thread(self._thread.join)

    def _work(self) -> None:
        self._setup()
        while True:
            self._waiting.acquire()
            while self._waiting.acquire(blocking=False):
                pass  # a batch takes all there is; surplus permits would only wake us for nothing
            while self._jobs:
                batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), self._limit))]
                outcomes = self._run_batch([job for job, _ in batch])
                self._done.extend((promise, outcome) for (_, promise), outcome in zip(batch, outcomes, strict=True))
                self._wakeup.ring()
            if self._closing:
                self._teardown()
                return

    def _deliver(self) -> None:
        while True:
            self._wakeup.wait()
            while self._done:
                promise, outcome = self._done.popleft()
                if isinstance(outcome, BaseException):
                    promise.fail(outcome)
                else:
                    promise.give(outcome)


def readable_now(sock: Any) -> bool:
    """Whether a socket has something to read (or was closed) at this moment; never waits.

    By the native poll: the green one, asked not to wait, may come back before it has looked. Not select, which takes
    no descriptor beyond 1,023.
    """
    poll = _native_select.poll()
    poll.register(sock.fileno(), _native_select.POLLIN)
    return bool(poll.poll(0))


def leave(code: int) -> None:
    """End the process now: greenlets of idle connections would otherwise hold it."""
    logging.shutdown()
    os._exit(code)
