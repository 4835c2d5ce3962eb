"""What an operator may do to Backbone's database with the server down (or up: SQLite lets both write)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backbone import passwords
from backbone.storage import accounts, inventory
from backbone.storage.accounts import BadName, NameTaken
from backbone.storage.database import open_engine, sqlite_url

__all__ = ["BadName", "NameTaken", "add_user"]


def add_user(data_dir: Path | str, first: str, last: str, password: str, database: str | None = None) -> dict[str, Any]:
    """Make an account in the database under ``data_dir`` (Backbone's ``--data``): {agent_id, first, last, created}.

    ``last`` may be empty: then it is Resident. BadName and NameTaken say in their text what is wrong;
    ValueError for an empty or overlong password.
    """
    if not 1 <= len(password) <= passwords.MAX_PASSWORD:
        raise ValueError(f"a password has 1 to {passwords.MAX_PASSWORD} characters")
    first, last = accounts.check_name(first, last)
    verifier = passwords.make_verifier(password)
    folder = Path(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(database or sqlite_url(folder))
    now = int(time.time())
    try:
        with engine.connect().execution_options(write=True) as conn, conn.begin():
            inventory.ensure_library(conn, now)
            return accounts.create(conn, first, last, verifier, now)
    finally:
        engine.dispose()
