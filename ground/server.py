"""The HTTP server that services run in: eventlet's HTTP, under an accept loop that never ends by itself.

A greenlet a connection. Who may be connected and for how long is the doors' matter (`doors.py`); whom a proxy speaks
for, `proxies.py`. A stop drains: nobody new is let in, every answer says `Connection: close`, what is under way is
finished.
"""

from __future__ import annotations

import errno
import logging
import signal
import socket
import time
from collections.abc import Iterable
from typing import Any

from ground import green, proxies
from ground.doors import KEEPALIVE_SECONDS, Doors, Visitor

log = logging.getLogger(__name__)

MAX_URL = 32 * 1024  # batch reads list a few hundred ids
SOCKET_TIMEOUT = 60  # a peer that neither reads nor writes for so long is closed
DRAIN_SECONDS = 5.0  # for requests under way when the server ends
LINGER_SECONDS = 0.5  # of those, for requests that idle connections are about to make
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_NO_ROOM_PAUSE = 0.1  # seconds; meanwhile newcomers wait in the kernel's queue
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 21\r\n\r\ntoo many connections\n"
)


def listen(address: str, port: int) -> Any:
    """A listening TCP socket. TCP_NODELAY is inherited by what it accepts: eventlet.wsgi sends headers and body
    apart, and without it each answer would wait 40 ms for the peer's delayed ack."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = green.listen_on((address, port), family=family, backlog=2048, reuse_port=False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def close_after(environ: dict[str, Any]) -> None:
    """End this request's connection once the answer is out."""
    connection = environ.get("ground.connection")
    if connection is not None:
        connection.close_connection = 1


class _Protocol(green.wsgi.HttpProtocol):
    """Four changes to eventlet's: fair turns, the doors hear of each request, trusted proxies are heeded, and the
    application can end the connection.

    A socket whose next request is there already never makes its greenlet wait, so one busy keep-alive peer
    would be served for as long as it likes while the others starve (p99 of 80 ms at 32 connections, 12 with
    a turn for everybody before each request).
    """

    def handle_one_request(self) -> None:
        green.sleep(0)
        super().handle_one_request()
        self.server.owner.doors.ended(self.conn_state[3], time.monotonic())

    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        owner = self.server.owner
        environ["ground.connection"] = self
        body = environ["wsgi.input"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length or body.chunked_input:
            owner.doors.began(self.conn_state[3], time.monotonic(), lambda: body.chunked_input or body.position < length)
        else:
            owner.doors.began(self.conn_state[3], time.monotonic())
        peer = environ["REMOTE_ADDR"]
        # Taken out: nobody further up should come to believe what a stranger wrote.
        said_for, said_proto = environ.pop("HTTP_X_FORWARDED_FOR", None), environ.pop("HTTP_X_FORWARDED_PROTO", None)
        environ.pop("HTTP_FORWARDED", None)
        if said_for is not None or said_proto is not None:
            environ["REMOTE_ADDR"] = proxies.asker(peer, said_for, owner.trusted)
            environ["wsgi.url_scheme"] = proxies.scheme(peer, said_proto, owner.trusted)
        if owner.draining:
            self.close_connection = 1
        owner.speaking[self.conn_state[3]] = self
        return environ

    def handle_one_response(self) -> None:
        try:
            super().handle_one_response()
        finally:
            self.server.owner.speaking.pop(self.conn_state[3], None)


class Server:
    """Serves a WSGI application on a listener (from `listen`). ``trusted``: the proxies that are believed."""

    def __init__(
        self, listener: Any, application: Any, *, doors: Doors | None = None, trusted: proxies.Networks | None = None
    ) -> None:
        self.trusted = trusted or proxies.Networks(())
        self.doors = doors or Doors(friends=self.trusted)
        self.draining = False
        self.speaking: dict[Visitor, _Protocol] = {}  # those whose request is under way
        self._listener = listener
        self._http = green.wsgi.Server(
            listener, listener.getsockname(), application, protocol=_Protocol, keepalive=KEEPALIVE_SECONDS + 5,
            socket_timeout=SOCKET_TIMEOUT, url_length_limit=MAX_URL, log_output=False,
            debug=False,  # no tracebacks to strangers
            max_http_version="HTTP/1.1",
        )  # fmt: skip
        self._http.owner = self

    def serve(self) -> None:
        """Accept until `drain`. An accept that fails is logged and tried again."""
        green.spawn(self._sweep)
        while not self.draining:
            try:
                self._admit(*self._listener.accept())
            except OSError as error:
                if self.draining:
                    return
                if error.errno in _NO_ROOM:
                    self.doors.make_room()
                    log.warning("no new connection could be accepted: %s", error)
                    green.sleep(_NO_ROOM_PAUSE)
                else:  # the peer was gone before we looked, and the like
                    log.info("accept failed: %s", error)
                    green.sleep(0)

    def _admit(self, sock: Any, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        visitor = self.doors.enter(host, lambda: green.shutdown_safe(sock), time.monotonic())
        if visitor is None:
            try:
                sock.settimeout(0)
                sock.send(_BUSY)
            except OSError:
                pass
            sock.close()
            return
        green.spawn(self._converse, [address, sock, green.wsgi.STATE_IDLE, visitor])

    def _converse(self, connection: list[Any]) -> None:
        sock, visitor = connection[1], connection[3]
        try:
            sock.settimeout(SOCKET_TIMEOUT)
            self._http.process_request(connection)
        except OSError:  # the peer went in the middle of something
            pass
        finally:
            self.doors.leave(visitor)
            green.shutdown_safe(sock)
            sock.close()

    def _sweep(self) -> None:
        while True:
            green.sleep(1.0)
            self.doors.sweep(time.monotonic())

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Let nobody in any more, finish what is under way (at most for so many seconds), close the rest."""
        self.draining = True
        for speaking in self.speaking.values():
            speaking.close_connection = 1
        self._accept_waiting()
        self._listener.close()
        began = time.monotonic()
        while len(self.doors) and (passed := time.monotonic() - began) < seconds:
            if passed > LINGER_SECONDS and not self.doors.served():
                break
            green.sleep(0.02)
        self.doors.close_waiting()

    def _accept_waiting(self) -> None:
        """Whom the kernel has connected to us already would be reset when the listener closes."""
        try:
            while True:  # by the native socket, which does not wait: `serve` waits on the green one
                sock, address = self._listener.fd.accept()
                self._admit(green.GreenSocket(sock), address)
        except OSError:  # nobody is left
            pass


def run_until_signal(server: Server, signals: Iterable[int], *, drain_seconds: float = DRAIN_SECONDS) -> None:
    """Serve until one of the signals arrives, then drain.

    A Python signal handler alone would not wake the hub from its poll, hence the wakeup descriptor.
    """
    wakeup = green.Wakeup()
    asked: list[int] = []
    for number in signals:
        signal.signal(number, lambda got, frame: asked.append(got))
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    green.spawn(server.serve)
    while not asked:
        wakeup.wait()
    log.info("signal %s: stopping", asked[0])
    server.drain(drain_seconds)
