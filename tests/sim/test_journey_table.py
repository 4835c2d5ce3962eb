"""The states of an agent's journey, and the transitions there are."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.neighbours.records import RegionRecord
from sim.world.agent import Agent
from sim.world.journey import CROSSING, ROOT, TABLE, At, Gone, ImpossibleStep, Journey, Step

EAST = RegionRecord(uuid4(), "East", 1001, 1000, "127.0.0.1", 9000, "http://127.0.0.1:9000", 7)
GONE = Gone(EAST, "seed", (1.0, 2.0, 3.0), (1.0, 0.0, 0.0))


def test_every_state_can_be_reached_and_left() -> None:
    reached = {At.LOOKING}
    for _ in At:
        reached |= {after for (at, _), after in TABLE.items() if at in reached}
    assert reached == set(At)
    assert {at for at, _ in TABLE} == set(At)


def test_an_avatar_that_stands_here_can_always_turn_out_to_be_elsewhere() -> None:
    assert all(TABLE[at, Step.YIELD] is At.LOOKING for at in ROOT)


@pytest.mark.parametrize("at", At)
@pytest.mark.parametrize("step", Step)
def test_what_is_not_in_the_table_is_a_bug(at: At, step: Step) -> None:
    journey = Journey("Anna Tester", at)
    if (at, step) in TABLE:
        journey.step(step)
        assert journey.at is TABLE[at, step]
    else:
        with pytest.raises(ImpossibleStep, match="Anna Tester"):
            journey.step(step)
        assert journey.at is at


@given(st.lists(st.sampled_from(Step), max_size=40))
def test_whatever_happens_the_state_says_all(steps: list[Step]) -> None:
    journey = Journey("Anna Tester")
    for step in steps:
        transaction = uuid4()
        try:
            journey.step(step, transaction, region=EAST, gone=GONE)
        except ImpossibleStep:
            continue
        journey.viewer_came = journey.at in ROOT
        assert journey.under_way == journey.is_by(transaction)
        assert (journey.gone is not None) == (journey.at is At.GONE)
        assert not (journey.crossing and journey.teleporting)
        assert journey.crossing == (journey.at in CROSSING)
        if journey.at not in ROOT:
            assert journey.lineage == () and not journey.out_of_sight


def test_one_id_followed_through_the_log_is_the_whole_story(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    journey, transaction = Journey("Anna Tester", At.HERE), uuid4()
    journey.step(Step.WALK, transaction, region=EAST)
    journey.step(Step.GO, gone=GONE)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and all(str(transaction) in line and "Anna Tester" in line for line in said)
    assert "East" in said[0] and "gone over" in said[1]


def test_what_several_rooms_know_of_an_agent_has_names_and_types() -> None:
    assert not hasattr(Agent(uuid4(), uuid4(), uuid4(), 1, "Anna", "Tester"), "extras")
