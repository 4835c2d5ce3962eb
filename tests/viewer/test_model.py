"""Where things are between two updates."""

from __future__ import annotations

import math
from typing import Any

import pytest

from protocol.objects import Motion, encode_terse
from protocol.wellknown import NULL
from viewer.circuit import Circuit
from viewer.habits import Habits
from viewer.model import Entity, multiply, name_values, rotate
from viewer.regions import Region


class Scene:
    """A region with a hand-driven clock and no network."""

    def __init__(self) -> None:
        self.now = 100.0
        circuit = Circuit(("127.0.0.1", 9), Habits(), lambda d, a: None, lambda b, s, n: None, self.now)
        self.region = Region(circuit, (1000 * 256) << 32 | (1001 * 256), Habits(), lambda: self.now)

    def later(self, seconds: float, heard: bool = True) -> None:
        self.now += seconds
        if heard:
            self.region.circuit.last_heard = self.now

    def thing(self, local_id: int, motion: Motion, **fields: Any) -> Entity:
        entity = Entity(self.region, local_id, NULL, 9)
        self.region.entities[local_id] = entity
        for name, value in fields.items():
            setattr(entity, name, value)
        entity.moved_full(motion, 1, self.now)
        return entity


def test_follows_velocity_and_acceleration() -> None:
    scene = Scene()
    ball = scene.thing(1, Motion((10, 20, 50), (2, 0, 5), (0, 0, -9.8)))
    scene.later(0.5)
    assert ball.position == pytest.approx((11, 20, 50 + 2.5 - 0.5 * 9.8 * 0.25))
    assert ball.global_position[:2] == pytest.approx((256011, 256276))


def test_slows_with_the_region() -> None:
    scene = Scene()
    ball = scene.thing(1, Motion((0, 0, 0), (4, 0, 0)))
    scene.region.dilation = 0.5
    scene.later(1.0)
    assert ball.position[0] == pytest.approx(2.0)


def test_a_silent_region_is_not_believed_for_ever() -> None:
    scene = Scene()
    ball = scene.thing(1, Motion((0, 0, 0), (1, 0, 0)))
    scene.later(60.0, heard=False)
    assert ball.position[0] == pytest.approx(3.0)


def test_spins() -> None:
    scene = Scene()
    top = scene.thing(1, Motion(angular_velocity=(0, 0, math.pi / 2)))
    scene.later(1.0)
    assert rotate(top.rotation, (1, 0, 0)) == pytest.approx((0, 1, 0), abs=1e-6)


def test_a_terse_update_is_read_when_asked_for() -> None:
    scene = Scene()
    ball = scene.thing(1, Motion())
    data = encode_terse(1, Motion((1, 2, 3), (4, 0, 0)))
    assert ball.moved_terse(data, 2, scene.now)
    assert ball.received_position == (1, 2, 3) and ball.velocity == pytest.approx((4, 0, 0), abs=0.01)
    assert ball.updates == 2


def test_a_late_packet_does_not_undo_a_newer_one() -> None:
    scene = Scene()
    ball = scene.thing(1, Motion())
    assert ball.moved_terse(encode_terse(1, Motion((5, 5, 5))), 9, scene.now)
    assert not ball.moved_terse(encode_terse(1, Motion((1, 1, 1))), 8, scene.now)
    assert not ball.moved_full(Motion((2, 2, 2)), 7, scene.now)
    assert ball.position == (5, 5, 5)


def test_a_passenger_moves_with_the_seat() -> None:
    scene = Scene()
    quarter = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
    scene.thing(1, Motion((100, 100, 30), (1, 0, 0), rotation=quarter))
    rider = scene.thing(2, Motion((2, 0, 1)), parent_id=1)
    scene.later(3.0)
    assert rider.position == pytest.approx((103, 102, 31))


def test_a_loop_of_parents_does_not_hang() -> None:
    scene = Scene()
    first = scene.thing(1, Motion((1, 0, 0)), parent_id=2)
    scene.thing(2, Motion((1, 0, 0)), parent_id=1)
    assert math.isfinite(first.position[0])


def test_quaternions_compose() -> None:
    a, b = (0.0, 0.0, math.sin(0.3), math.cos(0.3)), (math.sin(0.2), 0.0, 0.0, math.cos(0.2))
    assert rotate(multiply(a, b), (1, 2, 3)) == pytest.approx(rotate(a, rotate(b, (1, 2, 3))))


def test_names_of_an_avatar() -> None:
    text = "FirstName STRING RW SV Ann\nLastName STRING RW SV van der Test\nTitle STRING RW SV \nnonsense"
    assert name_values(text) == {"FirstName": "Ann", "LastName": "van der Test", "Title": ""}


def test_who_lost_its_seat_stays_where_that_was_until_told_better() -> None:
    scene = Scene()
    seat = scene.thing(1, Motion((100, 50, 20)))
    rider = scene.thing(2, Motion((0, 0, 1)), parent_id=1)
    assert rider.position == pytest.approx((100, 50, 21))
    rider.leave_at(seat)
    del scene.region.entities[1]
    assert rider.position == pytest.approx((100, 50, 21))
    assert rider.moved_terse(encode_terse(2, Motion((0, 0, 1.5))), 2, scene.now)  # relative to what we do not see
    assert rider.position == pytest.approx((100, 50, 21))
    rider.parent_id = 0
    rider.moved_full(Motion((101, 50, 20)), 3, scene.now)
    assert rider.position == (101, 50, 20)
