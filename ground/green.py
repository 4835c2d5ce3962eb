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
    import eventlet.greenpool
    import eventlet.hubs
    import eventlet.patcher
    import eventlet.semaphore
    import eventlet.timeout
    import eventlet.tpool
    import eventlet.wsgi

import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

_native_threading = eventlet.patcher.original("threading")
_native_select = eventlet.patcher.original("select")

log = logging.getLogger(__name__)
T = TypeVar("T")

Semaphore = eventlet.semaphore.Semaphore
Timeout = eventlet.timeout.Timeout
sleep = eventlet.sleep
MAX_CONNECTIONS = 8192  # 24 KB each while idle
KEEPALIVE_SECONDS = 75  # longer than a sim's heartbeat interval, so its connection stays up
MAX_URL = 32 * 1024  # batch reads list a few hundred ids
SOCKET_TIMEOUT = 60  # a peer that neither reads nor writes for so long is closed


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


class _Wakeup:
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
        self._wakeup = _Wakeup()
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


class _Protocol(eventlet.wsgi.HttpProtocol):
    """Two changes to eventlet's: fair turns, and a way for the application to end the connection.

    A socket whose next request is there already never makes its greenlet wait, so one busy keep-alive peer
    would be served for as long as it likes while the others starve (p99 of 80 ms at 32 connections, 12 with
    a turn for everybody before each request).
    """

    def handle_one_request(self) -> None:
        sleep(0)
        super().handle_one_request()

    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        environ["ground.connection"] = self
        return environ


def readable_now(sock: Any) -> bool:
    """Whether a socket has something to read (or was closed) at this moment; never waits.

    By the native select: the green one, asked not to wait, may come back before it has looked.
    """
    return bool(_native_select.select([sock.fileno()], [], [], 0)[0])


def close_after(environ: dict[str, Any]) -> None:
    """End this request's connection once the answer is out."""
    connection = environ.get("ground.connection")
    if connection is not None:
        connection.close_connection = 1


def listen(address: str, port: int) -> Any:
    """A listening TCP socket. TCP_NODELAY is inherited by what it accepts: eventlet.wsgi sends headers and body
    apart, and without it each answer would wait 40 ms for the peer's delayed ack."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = eventlet.listen((address, port), family=family, backlog=2048, reuse_port=False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(listener: Any, application: Any) -> None:
    """Serve a WSGI application until the listener is closed by `stop_serving` or the greenlet is killed."""
    eventlet.wsgi.server(
        listener,
        application,
        custom_pool=eventlet.greenpool.GreenPool(MAX_CONNECTIONS),
        protocol=_Protocol,
        keepalive=KEEPALIVE_SECONDS,
        socket_timeout=SOCKET_TIMEOUT,
        url_length_limit=MAX_URL,
        log=logging.getLogger("ground.wsgi"),
        log_output=False,
        debug=False,  # no tracebacks to strangers
    )


def run_until_signal(listener: Any, application: Any, signals: Iterable[int], *, drain_seconds: float = 3.0) -> None:
    """Serve until one of the signals arrives, then stop accepting and give running requests a moment.

    A Python signal handler alone would not wake the hub from its poll, hence the wakeup descriptor.
    """
    wakeup = _Wakeup()
    asked: list[int] = []
    for number in signals:
        signal.signal(number, lambda got, frame: asked.append(got))
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    pool = _Counted(application)
    eventlet.spawn_n(serve, listener, pool)
    while not asked:
        wakeup.wait()
    log.info("signal %s: stopping", asked[0])
    listener.close()
    deadline = time.monotonic() + drain_seconds
    while pool.running and time.monotonic() < deadline:
        sleep(0.02)


class _Counted:
    """Counts requests inside the application, so that a stop waits for them but not for idle connections."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.running = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.running += 1
        try:
            return self._application(environ, start_response)
        finally:
            self.running -= 1


def leave(code: int) -> None:
    """End the process now: idle keep-alive greenlets would otherwise hold `eventlet.wsgi.server` open."""
    logging.shutdown()
    os._exit(code)
