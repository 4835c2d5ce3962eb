"""What a client hears, for those who want to listen: subscribe, or wait for one.

Two kinds of names share one hub. A name of the message table (``ChatFromSimulator``, ``CrossedRegion``) carries the raw
``Heard``, whether it came by datagram or by event queue. The client's own names are lower case and carry typed values:

=================  ==========================================================
``chat``           ``Chat``: somebody (or something) spoke, or began to type
``im``             ``InstantMessage``, all dialogs
``dialog``, ``question``, ``web-page``   ``Dialog``, ``Question``, ``WebPage``: a script asks something
``friend-offer``   ``InstantMessage`` of dialog 38
``friend-online``, ``friend-offline``, ``friend-changed``   ``Friend``
``friend-ended``   ``UUID`` of who ended it
``avatar-seen``, ``avatar-gone``, ``object-seen``, ``object-gone``   ``Entity``
``described``      ``Entity``: its form, look, text or name came (again)
``item``, ``folder``, ``item-gone``   ``Item``, ``Folder``, ``UUID``: something of our inventory came, changed, went
``offer``, ``offer-answered``   ``Offer``: somebody gave us something; ``Answer`` to what we gave
``land``           ``Region``: more of its ground came
``handshake``, ``time-of-day``   ``Region``: it told its name and ground; where its sun stands
``moved``          ``Entity``: some object or avatar got a new motion
``self-moved``     ``Entity``: the own avatar did
``animations``     ``(UUID, frozenset[UUID])``: everything that avatar plays now
``region-added``, ``region-gone``, ``region-changed``   ``Region``
``crossed``, ``teleported``   ``Crossing`` with its timings
``alert``          ``str``: the server tells the user something
``kicked``         ``str``: the reason
``closed``         ``Exception | None``: the session is over
=================  ==========================================================
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from typing import Any

from .errors import ConnectionLost, UnknownEvent, WaitTimeout

log = logging.getLogger("viewer")
OWN_EVENTS = frozenset({
    "chat", "im", "dialog", "question", "web-page", "friend-offer", "friend-online", "friend-offline", "friend-changed",
    "friend-ended", "avatar-seen", "avatar-gone", "object-seen", "object-gone", "described", "land", "handshake",
    "time-of-day", "moved", "self-moved", "animations", "region-added", "region-gone", "region-changed", "crossed",
    "teleported", "alert", "kicked", "closed", "item", "folder", "item-gone", "offer", "offer-answered",
})  # fmt: skip
"""The client's own names, as in the table above."""
Listener = Callable[[Any], object]
UNRELATED = 0.5  # seconds that what was waited for may come after an alert


class EventHub:
    """Names to listeners. Emitting a name nobody listens to costs one dict look-up.

    ``names``: those that are ever emitted, if that is known; whoever listens to another waits in vain, and is told so.
    """

    def __init__(self, names: Container[str] | None = None) -> None:
        self._names = names
        self._listeners: dict[str, list[Listener]] = {}
        self._waiters: set[asyncio.Future[Any]] = set()
        self.failures = 0  # listeners that raised
        self._closed: BaseException | None = None

    def wants(self, name: str) -> bool:
        """Whether anybody listens to ``name``: lets callers skip decoding what nobody will read."""
        return name in self._listeners

    def subscribe(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener(value)`` at every ``name``. Returns a function that ends it (harmless to call twice).

        ``UnknownEvent`` if nothing is ever called that.
        """
        if self._names is not None and name not in self._names:
            raise UnknownEvent(name)
        self._listeners.setdefault(name, []).append(listener)

        def unsubscribe() -> None:
            listeners = self._listeners.get(name)
            if listeners and listener in listeners:
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[name]

        return unsubscribe

    def emit(self, name: str, value: Any = None) -> None:
        """Tell every listener. One that raises is logged and counted, and the others still hear."""
        listeners = self._listeners.get(name)
        if not listeners:
            return
        for listener in tuple(listeners):
            try:
                listener(value)
            except Exception:
                self.failures += 1
                log.exception("a listener of %r failed", name)

    def expect(self, name: str, predicate: Callable[[Any], bool] | None = None) -> asyncio.Future[Any]:
        """A future of the next ``name`` that satisfies ``predicate``, listening from this moment.

        Call it *before* sending the question whose answer you want, so that a quick answer isn't missed.
        Cancel it (or await it) to stop listening.
        """
        if self._names is not None and name not in self._names:
            raise UnknownEvent(name)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed is not None:
            future.set_exception(self._closed)
            return future

        def listener(value: Any) -> None:
            if future.done():
                return
            try:
                if predicate is not None and not predicate(value):
                    return
                future.set_result(value)
            except Exception as error:  # the predicate is the waiter's code: the waiter hears of its failure
                future.set_exception(error)
            unsubscribe()

        unsubscribe = self.subscribe(name, listener)
        self._waiters.add(future)

        def finished(done: asyncio.Future[Any]) -> None:
            unsubscribe()
            self._waiters.discard(done)

        future.add_done_callback(finished)
        return future

    async def wait_for(self, name: str, predicate: Callable[[Any], bool] | None = None, timeout: float = 10.0) -> Any:
        """The next ``name`` that satisfies ``predicate``; ``WaitTimeout`` after ``timeout`` seconds."""
        return await answered(self.expect(name, predicate), timeout, name)

    def close(self, error: BaseException | None) -> None:
        """The session is over: whoever still waits gets ``ConnectionLost``, later waiters too."""
        self._closed = error or ConnectionLost("the session has ended")
        for future in tuple(self._waiters):
            if not future.done():
                future.set_exception(self._closed)
                future.exception()  # marks it retrieved: nobody may be awaiting it any more


async def answered_unless_alerted(
    events: EventHub, future: asyncio.Future[Any], timeout: float, what: str, refused: Callable[[str], Exception]
) -> Any:
    """Await ``future``; where an alert comes instead, raise ``refused`` of its words. ``WaitTimeout`` without any.

    An alert may be about anything: after one, what was waited for has a moment more.
    """
    alert = events.expect("alert")
    try:
        await asyncio.wait((future, alert), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if alert.done() and not future.done():
            await asyncio.wait((future,), timeout=UNRELATED)
        if not future.done():
            if alert.done():
                raise refused(alert.result())
            raise WaitTimeout(f"no {what} within {timeout:g} s")
        return future.result()
    finally:
        future.cancel()
        alert.cancel()


async def answered(future: asyncio.Future[Any], timeout: float, what: str) -> Any:
    """Await ``future`` for at most ``timeout`` seconds; ``WaitTimeout`` names ``what`` was missing."""
    try:
        return await asyncio.wait_for(future, timeout)
    except TimeoutError:
        raise WaitTimeout(f"no {what} within {timeout:g} s") from None
