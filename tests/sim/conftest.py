"""A region for tests of handlers and capabilities."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.world import TestSimulator, close_sim, make_sim


@pytest.fixture
async def sim() -> AsyncIterator[TestSimulator]:
    region = make_sim()
    yield region
    close_sim(region)
