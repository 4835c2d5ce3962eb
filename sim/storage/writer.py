"""The thread that writes: all that waits in one transaction, at most every 200 ms, and again until the disk takes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import sqlalchemy as sa

from sim.storage.batch import Batch
from sim.storage.file import StoreFile

log = logging.getLogger(__name__)

EVERY = 0.2  # seconds between commits
AGAIN = 3.0  # seconds after which a full disk is tried again
TIDY = 3000  # commits between two cleanings of the history
BACKUP_AGE = 6 * 3600.0  # seconds


class Writer:
    """`give` batches from the world's thread; nothing here touches the world.

    `trouble`: why the disk takes nothing now, "" while it does. `written`: the number of the last batch that is durable.
    """

    def __init__(self, file: StoreFile, unix: Callable[[], float], history_days: float, history_bytes: int) -> None:
        self.file = file
        self.trouble = ""
        self.given = self.written = 0
        self.commits = 0
        self._unix = unix
        self._history = history_days, history_bytes
        self._waiting = Batch()
        self._awaited: list[tuple[int, Callable[[bool], None]]] = []
        self._lock = threading.Lock()
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def give(self, batch: Batch) -> int:
        """Have it written. The number it is known by: it is durable once `written` has reached it."""
        with self._lock:
            self._waiting.add(batch)
            self.given += 1
        self._wake.set()
        return self.given

    def when(self, number: int, say: Callable[[bool], None]) -> None:
        """Hurry, and call `say` from the writer's thread: True once everything up to that number is durable, False when the disk
        does not take it."""
        with self._lock:
            late = number > self.written
            if late:
                self._awaited.append((number, say))
        self._hurry.set()
        if not late:
            say(True)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was given is durable; False when the time was not enough, or the disk takes nothing."""
        outcome: list[bool] = []
        said = threading.Event()

        def say(done: bool) -> None:
            outcome.append(done)
            said.set()

        self.when(self.given, say)
        return said.wait(seconds) and outcome[0]

    def close(self, seconds: float) -> bool:
        """As `flush`, and the thread ends."""
        done = self.flush(seconds)
        self._ending = True
        self._wake.set()
        self._hurry.set()
        self._thread.join(seconds)
        if done:
            self._quietly(self.file.forget_sources)
        self.file.close()
        return done

    def back_up(self) -> None:
        """Make a backup beside everything else, when the last one is old."""
        if self.file.backup_age(self._unix()) > BACKUP_AGE:
            threading.Thread(target=lambda: self._quietly(self.file.back_up), name="backup", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._ending:
                return
            self._wake.clear()
            with self._lock:
                batch, self._waiting = self._waiting, Batch()
                number = self.given
            try:
                self.file.write(batch, self._unix())
            except (sa.exc.DBAPIError, OSError) as error:
                self._failed(batch, error)
            except Exception:  # a row that no database can hold must not end the keeping of all others
                log.exception("a batch of the store could not be written")
                self.trouble = "a defect"
                self._failed(batch, None)
            else:
                self.trouble = ""
                self.commits += 1
                with self._lock:
                    self.written = number
                self._say(number, True)
                if self.commits % TIDY == 0:
                    self._tidy()
            self._hurry.wait(AGAIN if self.trouble else EVERY)
            with self._lock:
                if not self._awaited:
                    self._hurry.clear()

    def _failed(self, batch: Batch, error: Exception | None) -> None:
        if error is not None:
            reason = str(getattr(error, "orig", None) or error)
            if not self.trouble:
                log.error("the store takes nothing: %s", reason)
            self.trouble = reason
        with self._lock:
            batch.add(self._waiting)
            self._waiting = batch
        self._say(self.given, False)
        self._hurry.clear()
        self._wake.set()

    def _say(self, number: int, done: bool) -> None:
        """Tell those who wait for what was given up to that number."""
        with self._lock:
            ready = [say for wanted, say in self._awaited if wanted <= number]
            self._awaited = [(wanted, say) for wanted, say in self._awaited if wanted > number]
        for say in ready:
            say(done)

    def _tidy(self) -> None:
        self._quietly(lambda: self.file.forget_old(self._unix(), *self._history))
        self.back_up()

    def _quietly(self, work: Callable[[], None]) -> None:
        """Do what may wait for another time."""
        try:
            work()
        except (sa.exc.DBAPIError, OSError) as error:
            log.warning("the store could not be tidied or backed up: %s", error)
