"""A line between browser and gateway that can be cut: every connection drops, and new ones are refused until mended."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from urllib.parse import urlsplit


class Line:
    """``with Line("http://127.0.0.1:1234/") as line``: the same page is at ``line.address``."""

    def __init__(self, address: str) -> None:
        self._to = ("127.0.0.1", urlsplit(address).port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_cut = False
        self._refused = 0
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Line:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Drop every connection, let no new one in."""
        self._is_cut = True
        for end in self._open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it had ended by itself
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def refused(self, patience: float = 20.0) -> int:
        """How many tried in vain; waits for the first."""
        end = time.monotonic() + patience
        while not self._refused and time.monotonic() < end:
            time.sleep(0.05)
        return self._refused

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            if self._is_cut:
                self._refused += 1
                near.close()
                continue
            far = socket.create_connection(self._to)
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass  # cut
        try:
            other.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other direction saw it first
        one.close()
