"""What a region says of its frames is what was there when it was needed."""

from __future__ import annotations

import asyncio

import pytest

from sim.clock import STEP
from tests.kit.world import region


async def test_frames_made_up_for_are_not_frames_on_time() -> None:
    """A machine that gives the region every third frame's time only: it makes up for the others, and says so."""
    with region() as sim:
        frame, clock = sim.frame, sim.clock
        sim.pace.due = clock.now()
        for _ in range(40):
            clock.advance(3 * STEP)
            frame._beat(3)
            while frame._behind:
                await asyncio.sleep(0)
        rates = sim.pace.rates()
        assert rates.on_time == pytest.approx(15, abs=1.2)  # a frame at the edge of the second
        assert rates.made_up == pytest.approx(30, abs=2.4)
        assert sim.metrics.value("frames_made_up") == 80
        for _ in range(60):
            clock.advance(STEP)
            frame._beat(1)
        assert sim.pace.rates().on_time == pytest.approx(45, abs=0.1) and sim.pace.rates().made_up == 0
