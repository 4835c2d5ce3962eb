"""kill -9 while eight threads are putting: whatever was acknowledged is there, whole, and the store opens again."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from assets.store import Store, check

ROUNDS = 8
WRITER = """
import os, sys, threading
from uuid import UUID, uuid4
from assets.store import Store
store = Store(sys.argv[1])
seen = threading.Lock()
def work():
    while True:
        asset_id, data = uuid4(), os.urandom(int.from_bytes(os.urandom(2)))
        store.put(asset_id, data, 0)
        import hashlib
        line = f"{asset_id} {hashlib.sha256(data).hexdigest()}\\n".encode()
        with seen:
            os.write(1, line)  # one write: the parent never reads half a line
for _ in range(8):
    threading.Thread(target=work).start()
"""


def test_no_acknowledged_put_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[UUID, str] = {}
    luck = random.Random(7)
    for _ in range(ROUNDS):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "store")], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        try:
            for _ in range(luck.randrange(1, 60)):
                asset_id, digest = writer.stdout.readline().split()
                acknowledged[UUID(asset_id.decode())] = digest.decode()
        finally:
            writer.kill()
            rest = writer.stdout.read()
            writer.wait()
            writer.stdout.close()
        for line in rest.splitlines():  # acknowledged before the kill, read after
            asset_id, digest = line.split()
            acknowledged[UUID(asset_id.decode())] = digest.decode()
        with Store(tmp_path / "store") as store:
            for known, expected in acknowledged.items():
                found = store.get(known)
                assert found is not None and hashlib.sha256(found[1]).hexdigest() == expected
            assert not list((tmp_path / "store").glob("p*/tmp/*"))
        assert check(tmp_path / "store").ok
    assert len(acknowledged) > ROUNDS
