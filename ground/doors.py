"""Who may be connected to a server, and for how long: bounds by address and in all, and time for heads and bodies.

A connection costs a file and some memory whether its peer says anything or not, so a thousand silent ones would shut
everybody else out. `Doors` counts them. A newcomer to a full house is let in all the same while anybody waits: the one
that has waited longest goes, first of those that never asked for anything, of the address that holds the most. Only
when all are being served is the newcomer turned away.

Pure: no sockets, no clock. ``server.py`` (eventlet) and ``visitors.py`` (aiohttp) bring both.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, field

from ground.proxies import Networks

HEAD_SECONDS = 10.0  # from a connection to the whole head of its first request
KEEPALIVE_SECONDS = 75.0  # from an answer to the whole head of the next request; longer than a sim's heartbeat interval
BODY_SECONDS = 60.0  # from a request's head to the end of its body
MOST = 8192  # connections in all, where the limit of open files allows: 24 KB each while idle
FILES = 65_536  # open files asked for
OWN_FILES = 160  # of them kept for everything that is no visitor: databases, logs, calls to others
SHARE = 4  # one address holds at most this fraction of all


def raise_open_files() -> int:
    """Raise this process's soft limit of open files as far as allowed; what it is now. A connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
        except (OSError, ValueError):  # some systems have a lower limit of their own
            pass
    return FILES if soft == resource.RLIM_INFINITY else soft


@dataclass(slots=True, eq=False)
class Visitor:
    """One connection. ``close`` ends it; ``unfinished`` says of a request under way whether its body is still missing."""

    address: str
    close: Callable[[], None]
    deadline: float | None
    served: bool = False  # a request of it is under way
    asked: bool = False  # it made a request once
    gone: bool = False
    unfinished: Callable[[], bool] | None = None


@dataclass(slots=True)
class _Address:
    """The connections of one address: those that never asked, those between requests (each in order of waiting)."""

    silent: dict[Visitor, None] = field(default_factory=dict)
    idle: dict[Visitor, None] = field(default_factory=dict)
    count: int = 0


class Doors:
    """``most`` connections in all, ``by_address`` of one address; those of ``friends`` (the machine itself, proxies: many
    people each) are bound by ``most`` alone. Every method takes the time in seconds where it needs it."""

    def __init__(self, most: int | None = None, by_address: int | None = None, friends: Networks | None = None) -> None:
        self.most = most if most is not None else max(16, min(MOST, raise_open_files() - OWN_FILES))
        self.by_address = by_address if by_address is not None else max(16, self.most // SHARE)
        self._friends = friends or Networks(())
        self._addresses: dict[str, _Address] = {}
        self._visitors: dict[Visitor, None] = {}
        self.pushed_out = 0  # waiting connections ended in favour of newcomers
        self.turned_away = 0  # newcomers that found everybody busy
        self.timed_out = 0

    def __len__(self) -> int:
        return len(self._visitors)

    def served(self) -> int:
        """How many requests are under way."""
        return sum(visitor.served for visitor in self._visitors)

    def enter(self, address: str, close: Callable[[], None], now: float) -> Visitor | None:
        """A new connection; None when there is no room for it, and the caller closes it."""
        here = self._addresses.get(address)
        if here is not None and here.count >= self.by_address and not self._is_friend(address):
            room = self._push_out(here)
        elif len(self._visitors) >= self.most:
            room = self._push_out_of_the_largest()
        else:
            room = True
        if not room:
            self.turned_away += 1
            return None
        visitor = Visitor(address, close, now + HEAD_SECONDS)
        here = self._addresses.setdefault(address, _Address())
        here.count += 1
        here.silent[visitor] = None
        self._visitors[visitor] = None
        return visitor

    def began(self, visitor: Visitor, now: float, unfinished: Callable[[], bool] | None = None) -> None:
        """A request's head is complete; ``unfinished``: whether its body is still being received (None: it has none)."""
        visitor.served = visitor.asked = True
        visitor.unfinished = unfinished
        visitor.deadline = now + BODY_SECONDS if unfinished is not None else None
        here = self._addresses.get(visitor.address)
        if here is not None:
            here.silent.pop(visitor, None)
            here.idle.pop(visitor, None)

    def ended(self, visitor: Visitor, now: float) -> None:
        """Its answer is out; the connection waits for the next request."""
        visitor.served, visitor.unfinished = False, None
        visitor.deadline = now + KEEPALIVE_SECONDS
        here = self._addresses.get(visitor.address)
        if here is not None and not visitor.gone:
            here.idle[visitor] = None

    def leave(self, visitor: Visitor) -> None:
        """The connection is closed. May be called twice."""
        if visitor.gone:
            return
        visitor.gone = True
        del self._visitors[visitor]
        here = self._addresses[visitor.address]
        here.silent.pop(visitor, None)
        here.idle.pop(visitor, None)
        here.count -= 1
        if not here.count:
            del self._addresses[visitor.address]

    def sweep(self, now: float) -> None:
        """Close those whose time is up; to be called every second or so."""
        late = [one for one in self._visitors if one.deadline is not None and one.deadline <= now]
        for visitor in late:
            if visitor.unfinished is not None and not visitor.unfinished():
                visitor.deadline = None  # the body came; the answer may take as long as it takes
                continue
            self.timed_out += 1
            self._end(visitor)

    def make_room(self, most: int = 32) -> None:
        """Close some that wait: this process ran out of files or memory."""
        for _ in range(most):
            if not self._push_out_of_the_largest():
                return

    def close_waiting(self) -> None:
        """Close all that wait for nothing in particular: the server ends."""
        for visitor in [one for one in self._visitors if not one.served]:
            self._end(visitor)

    def _is_friend(self, address: str) -> bool:
        return address.startswith("127.") or address == "::1" or self._friends.hold(address)

    def _push_out_of_the_largest(self) -> bool:
        """Of the address with the most connections that never asked, else of the one with the most that idle."""
        held = self._addresses.values()
        silent = max(held, key=lambda one: len(one.silent), default=None)
        if silent is not None and silent.silent:
            return self._push_out(silent)
        idle = max(held, key=lambda one: len(one.idle), default=None)
        return idle is not None and self._push_out(idle)

    def _push_out(self, here: _Address) -> bool:
        waiting = here.silent or here.idle
        if not waiting:
            return False
        self.pushed_out += 1
        self._end(next(iter(waiting)))
        return True

    def _end(self, visitor: Visitor) -> None:
        self.leave(visitor)
        visitor.close()
