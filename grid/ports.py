"""Which ports a grid uses.

People type one port, the login's, so only that one is fixed. The others prefer places near it (assets +1, web +2, regions
+10, +11, ...) because that is easy to open in a firewall, keep the place they had on the last run, and take any free
one when theirs is taken.

A port that is free now can be gone a moment later when two grids start together. So each grid holds, for as long as it
runs, a claim that other grids see: a Unix socket with an abstract name. It needs no file, ends with the process and has
the reach of a port, one network namespace. It also keeps a crashed service's port from being taken while it restarts.
"""

import errno
import random
import socket
from collections.abc import Iterable

from grid.errors import GridError

ASSETS = 1
"""The asset store's preferred place: login port + 1."""
WEB = 2
"""The browser viewer's: login port + 2."""
REGIONS = 10
"""The first region's: login port + 10."""
BLOCK = 100
"""Grids side by side get a hundred ports each: 9000, 9100, 9200."""


class Ports:
    """The ports claimed by this grid on one address. `close` gives them back."""

    def __init__(self, bind: str):
        self.bind = bind
        self._claims: dict[int, socket.socket] = {}

    def close(self) -> None:
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def take(self, port: int, udp: bool = False) -> bool:
        """Claim one port; False when another grid has claimed it or any program uses it."""
        if not 0 < port < 65536 or port in self._claims:
            return False
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0mainland-port-{port}")
        except OSError:
            claim.close()
            return False
        if not (self._free(port, socket.SOCK_STREAM) and (not udp or self._free(port, socket.SOCK_DGRAM))):
            claim.close()
            return False
        self._claims[port] = claim
        return True

    def give_back(self, ports: Iterable[int]) -> None:
        for port in ports:
            claim = self._claims.pop(port, None)
            if claim is not None:
                claim.close()

    def _free(self, port: int, kind: socket.SocketKind) -> bool:
        probe = socket.socket(socket.AF_INET, kind)
        try:
            if kind == socket.SOCK_STREAM:
                # As the services bind: connections of an earlier run that linger in TIME_WAIT are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.bind, port))
            if kind == socket.SOCK_STREAM:
                probe.listen(1)
            return True
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            if error.errno == errno.EADDRNOTAVAIL:
                raise GridError(
                    f"{self.bind} is not an address of this machine",
                    "use --bind 127.0.0.1 (this machine only), 0.0.0.0 (all networks) or one of its own addresses",
                ) from error
            if error.errno == errno.EACCES:
                raise GridError(
                    f"no permission to use port {port}", "ports under 1024 belong to root: choose a higher --http-port"
                ) from error
            raise
        finally:
            probe.close()

    def take_any(self, udp: bool = False) -> int:
        """Claim some free port under the range the kernel uses for outgoing connections, which could hit it later."""
        top = _first_ephemeral()
        for _ in range(1000):
            port = random.randrange(10000, top)
            if self.take(port, udp):
                return port
        raise GridError(f"found no free port on {self.bind}", "end programs that hold ports, or use another --bind")

    def take_preferred(self, wanted: Iterable[int], udp: bool = False) -> int:
        """Claim the first free one of `wanted`, or any."""
        for port in wanted:
            if self.take(port, udp):
                return port
        return self.take_any(udp)

    def take_block(self, first: int, regions: int) -> bool:
        """Claim a login port if the other services' and regions' preferred places beside it are free too."""
        taken: list[int] = []
        places = [(first, False), (first + ASSETS, False), (first + WEB, False)]
        places += [(first + REGIONS + i, True) for i in range(regions)]
        for port, udp in places:
            if not self.take(port, udp):
                self.give_back(taken)
                return False
            taken.append(port)
        self.give_back(taken[1:])
        return True


def _first_ephemeral() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            low = int(file.read().split()[0])
    except OSError:
        low = 32768
    return low if low > 12000 else 32768


def user_of(port: int) -> str:
    """Words about who listens on a TCP port, as far as this user may know; empty when unknown."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp4"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
