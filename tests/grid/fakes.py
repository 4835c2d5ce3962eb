"""Small stand-ins for the grid's services, so that the launcher's own life can be tested without a world.

As a program: `fakes.py service PORT` answers like Backbone and the assets; `fakes.py sims CONFIG` like the sim host,
one child process a region. They keep the agreed lines on stdout and endpoints, and nothing else.
"""

import json
import os
import signal
import socketserver
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from grid import services
from grid.layout import Layout
from grid.plan import Grid

_real_commands = services.commands

def table(grid: Grid, layout: Layout) -> dict[str, services.Command]:
    """A command table like `services.commands`, of fakes. DIR/fake-sims etc. hold a fake's wish to misbehave."""
    real = _real_commands(grid, layout)
    here = (sys.executable, __file__)
    common = (str(layout.sims), str(layout.root))
    return {
        name: services.Command((*here, name, str(command.port), *common), command.port, command.hosts_regions)
        for name, command in real.items()
    }


class _Answers(BaseHTTPRequestHandler):
    regions: list[dict[str, object]] = []
    users: dict[str, dict[str, str]] = {}
    secret = ""
    root = Path()
    name = ""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/health/live":
            if (self.root / f"stuck-{self.name}").exists():
                threading.Event().wait(30)
            self._say(200, {"status": "ok"})
        elif path == "/health/ready":
            self._say(503 if (self.root / f"unwell-{self.name}").exists() else 200, {"status": "?"})
        elif path == "/regions":
            self._say(200, {"regions": [{**region, "online": True} for region in self.regions]})
        elif path == "/users":
            self._say(200, {"users": list(self.users.values())}) if self._trusted() else self._say(401, {})
        elif path == "/services/status" and self._trusted():
            self._say(200, {"agents": 0, "fps": 45.0, "dilation": 1.0})
        else:
            self._say(404, {"title": "not here"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = f"{body['first']} {body['last']}"
        if not self._trusted():
            self._say(401, {"title": "no"})
        elif name in self.users:
            self._say(409, {"title": "Conflict", "description": f"{name} exists already"})
        else:
            self.users[name] = {"agent_id": str(uuid.uuid4()), "first": body["first"], "last": body["last"]}
            self._say(201, self.users[name])

    def _trusted(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.secret}"

    def _say(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _serve(port: int) -> None:
    server = _Server(("127.0.0.1", port), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(name: str, port: int, config_file: str, root: str) -> None:
    config = json.loads(Path(config_file).read_text())
    _Answers.regions, _Answers.root, _Answers.name = config["regions"], Path(root), name
    _Answers.secret = Path(config["secret_file"]).read_text().strip()
    if (Path(root) / f"deaf-{name}").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if (Path(root) / f"broken-{name}").exists():
        sys.exit("something is wrong with the fake")
    print(f"{name} speaks", file=sys.stderr)
    if name == "sims":
        _host(config)
    else:
        _serve(port)
        print(json.dumps({"ready": True, "port": port, "pid": os.getpid()}))
        while True:
            signal.pause()


def _host(config: dict) -> None:
    children: dict[int, dict] = {}

    def start(region: dict) -> None:
        pid = os.fork()
        if pid == 0:
            import ctypes

            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _serve(region["port"])
            while True:
                signal.pause()
        children[pid] = region
        print(json.dumps({"event": "ready", "region": region["name"], "pid": pid, "port": region["port"]}))

    for region in config["regions"]:
        start(region)
    while True:
        pid, status = os.wait()
        region = children.pop(pid)
        print(json.dumps({"event": "exit", "region": region["name"], "code": os.waitstatus_to_exitcode(status)}))
        start(region)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
