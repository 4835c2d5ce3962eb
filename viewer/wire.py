"""The client's one UDP socket: full viewers talk to every simulator from the same port, and so do we.

Datagrams are read in batches straight from the event loop's readiness callback, without a transport between: at fifty
bots in a process the transport would cost more than the protocol.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from time import monotonic

from .habits import Address

log = logging.getLogger("viewer")
_BATCH = 64  # datagrams a wake-up; the rest waits for the next turn of the loop, so that HTTP gets its share


class Wire:
    """A bound, non-blocking IPv4 UDP socket. ``receive(datagram, address, now)`` gets everything that comes in."""

    def __init__(self, receive: Callable[[bytes, Address, float], None]) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("", 0))
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self.send_errors = 0
        self.closed = False

    @property
    def port(self) -> int:
        """The local port, the same for every simulator."""
        return int(self._socket.getsockname()[1])

    def send(self, datagram: bytes, address: Address) -> None:
        """Send, or count an error: a full buffer or an unreachable network is the same to UDP as a lost packet."""
        if self.closed:
            return
        try:
            self._socket.sendto(datagram, address)
        except OSError as error:
            self.send_errors += 1
            log.debug("sending to %s: %s", address, error)

    def _readable(self) -> None:
        receive, recvfrom, now = self._receive, self._socket.recvfrom, monotonic()
        for _ in range(_BATCH):
            try:
                datagram, address = recvfrom(65536)
            except BlockingIOError:
                return
            except OSError as error:
                log.debug("receiving: %s", error)
                return
            receive(datagram, address, now)
            if self.closed:  # what we just read may have ended the session
                return

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
