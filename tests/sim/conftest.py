"""A region for tests of handlers and capabilities."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sim.physics.warm import warm
from tests.kit.world import TestSimulator, close_sim, make_sim

warm()  # compiling physics takes a minute on a new machine, and no test's time limit should pay for it


@pytest.fixture
async def sim() -> AsyncIterator[TestSimulator]:
    region = make_sim()
    yield region
    close_sim(region)
