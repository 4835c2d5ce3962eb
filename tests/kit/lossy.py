"""A bad network in a box: a UDP relay on loopback that loses, delays, repeats and reorders datagrams, from a seed.

    link = LossyLink(seed=7, loss=0.3, delay=(0.0, 0.05))
    async with viewer.login(..., habits=Habits(route=link.route)) as me: ...
    link.close()

Each simulator a client talks to gets its own relay port, and each client its own upstream socket, so that the simulator
sees clients at different addresses as it would without the relay:

    client :50001  ->  relay :41000 (for sim :9000)  ->  upstream :42001  ->  sim :9000
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

Address = tuple[str, int]
TO_SIM, TO_CLIENT = "to sim", "to client"


@dataclass
class LossyLink:
    """Chances are 0.0 to 1.0 for each datagram, each way; ``delay`` is (least, most) seconds.

    ``drop_if(datagram, direction)`` may drop chosen ones on top: returns True to drop. Fields may change at any time.
    """

    seed: int = 0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # chance to be held back until a few more have passed
    delay: tuple[float, float] = (0.0, 0.0)
    drop_if: Callable[[bytes, str], bool] | None = None
    passed: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    repeated: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._relays: dict[Address, socket.socket] = {}
        self._upstream: dict[tuple[Address, Address], socket.socket] = {}
        self._closed = False

    def route(self, target: Address) -> Address:
        """The relay's address for a simulator's; opens the relay at first. Fits ``Habits.route``."""
        relay = self._relays.get(target)
        if relay is None:
            relay = self._open()
            self._relays[target] = relay
            asyncio.get_running_loop().add_reader(relay.fileno(), self._from_client, relay, target)
        return ("127.0.0.1", relay.getsockname()[1])

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind(("127.0.0.1", 0))
        return opened

    def _from_client(self, relay: socket.socket, target: Address) -> None:
        for datagram, client in _drain(relay):
            upstream = self._upstream.get((client, target))
            if upstream is None:
                upstream = self._open()
                self._upstream[client, target] = upstream
                loop = asyncio.get_running_loop()
                loop.add_reader(upstream.fileno(), self._from_sim, upstream, relay, client)
            self._carry(datagram, TO_SIM, upstream, target)

    def _from_sim(self, upstream: socket.socket, relay: socket.socket, client: Address) -> None:
        for datagram, _ in _drain(upstream):
            self._carry(datagram, TO_CLIENT, relay, client)

    def _carry(self, datagram: bytes, direction: str, out: socket.socket, to: Address) -> None:
        chance = self._random.random
        if (self.drop_if is not None and self.drop_if(datagram, direction)) or chance() < self.loss:
            self.dropped += 1
            return
        copies = 1
        if chance() < self.duplicate:
            copies = 2
            self.repeated += 1
        for _ in range(copies):
            wait = self._random.uniform(*self.delay)
            if chance() < self.reorder:
                wait += self._random.uniform(0.005, 0.03)
            if wait > 0.0:
                asyncio.get_running_loop().call_later(wait, self._put, datagram, out, to)
            else:
                self._put(datagram, out, to)

    def _put(self, datagram: bytes, out: socket.socket, to: Address) -> None:
        if self._closed:
            return
        self.passed += 1
        try:
            out.sendto(datagram, to)
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        """Close every socket; datagrams still on their way are lost."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        for opened in (*self._relays.values(), *self._upstream.values()):
            loop.remove_reader(opened.fileno())
            opened.close()


def _drain(source: socket.socket, most: int = 64) -> list[tuple[bytes, Address]]:
    received = []
    for _ in range(most):
        try:
            received.append(source.recvfrom(65536))
        except OSError:  # nothing left, or closed
            break
    return received
