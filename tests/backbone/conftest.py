from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backbone.client import BackboneClient
from tests.backbone.kit import Server, client_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Backbone shared by a module's tests: each makes its own people and regions."""
    running = Server(tmp_path_factory.mktemp("backbone")).start()
    yield running
    assert running.stop() == 0, running.log()
    assert "Traceback" not in running.log()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A Backbone of one test's own, to kill and start again."""
    running = Server(tmp_path / "backbone").start()
    yield running
    running.stop()


@pytest.fixture
async def backbone(server: Server) -> AsyncIterator[BackboneClient]:
    async with client_of(server) as client:
        yield client
