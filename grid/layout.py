"""What lies where under a grid's data directory. All state of a grid is in it: copy it, and you have a backup.

    DIR/
      mainland.toml      optional settings, written by people (see settings.py)
      grid.json          the grid itself: name, ports, regions with their ids and places (see plan.py)
      accounts.json      the ready-made accounts with their passwords (only the owner can read it)
      secret             what the processes of this grid show each other (only the owner can read it)
      backbone/ assets/  the two services' own data
      regions/ID/        one folder a region: region.sqlite keeps what stands in it (sim/storage)
      logs/              supervisor.log, one log a process, put aside by size
      run/               lock, status.json, sims.json, database (its URL, if not ours): true only while the grid is up
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from grid.errors import GridError


def default_dir() -> Path:
    """Where a grid lives when nobody says where: the user's data directory (XDG)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification tells to ignore a relative path.
    home = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
    return home / "mainland"


class Layout:
    """The paths of one grid. Making one touches nothing on disk; `create` does."""

    def __init__(self, root: Path):
        self.root = Path(os.path.abspath(root.expanduser()))
        self.settings = self.root / "mainland.toml"
        self.saved = self.root / "grid.json"
        self.accounts = self.root / "accounts.json"
        self.secret = self.root / "secret"
        self.backbone = self.root / "backbone"
        self.assets = self.root / "assets"
        self.regions = self.root / "regions"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.lock = self.run / "lock"
        self.status = self.run / "status.json"
        self.sims = self.run / "sims.json"
        self.database = self.run / "database"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make what is missing. Only the owner may look inside: accounts and the secret are in it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.backbone, self.assets, self.regions, self.logs, self.run):
                folder.mkdir(exist_ok=True, mode=0o700)
            self._make_secret()
        except FileExistsError as error:
            raise GridError(f"{error.filename} is in the way: it is not a folder", "choose another --data") from error
        except OSError as error:
            raise GridError(
                f"cannot use {self.root} as the data directory: {error.strerror}",
                "choose a folder you may write to with --data DIR",
            ) from error

    def _make_secret(self) -> None:
        try:
            file = os.open(self.secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if self.secret.stat().st_mode & 0o077:
                self.secret.chmod(0o600)
            return
        with os.fdopen(file, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")

    def read_secret(self) -> str:
        try:
            secret = self.secret.read_text(encoding="ascii").strip()
        except OSError as error:
            raise GridError(f"cannot read {self.secret}: {error.strerror}", "is --data the right folder?") from error
        except ValueError:
            secret = ""
        if not secret:
            raise GridError(
                f"{self.secret} is damaged: it holds no secret", "remove it while the grid is down; `mainland up` makes another"
            )
        return secret


def read_json(path: Path) -> Any:
    """The file's content, None when there is none. GridError when it is damaged: guessing would lose a world."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GridError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise GridError(f"{path} is damaged: {error}", "put back a copy of it, or choose another --data") from error


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Replace the file in one step, readable by its owner only: a reader sees the old or the new text, never half.

    `durable` waits for the disk; files that mean nothing after a power cut need not.
    """
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(value, out, indent=2)
        out.write("\n")
        if durable:
            out.flush()
            os.fsync(out.fileno())
    os.replace(fresh, path)


def write_secret(path: Path, text: str) -> None:
    """A line that only the owner may read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text + "\n")
