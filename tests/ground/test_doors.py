"""Who is let in, who goes in their favour, and who has been waiting too long."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ground.doors import BODY_SECONDS, HEAD_SECONDS, KEEPALIVE_SECONDS, Doors, Visitor
from ground.proxies import Networks

HERE, THERE = "203.0.113.1", "203.0.113.2"


class Ended(list[str]):
    """Names of the visitors that the doors closed, in order."""

    def closing(self, name: str):
        return lambda: self.append(name)


def test_a_newcomer_takes_the_place_of_who_has_waited_longest_without_asking() -> None:
    doors, ended = Doors(most=3, by_address=3), Ended()
    first = doors.enter(HERE, ended.closing("first"), 0.0)
    assert first is not None
    doors.enter(HERE, ended.closing("second"), 1.0)
    doors.enter(HERE, ended.closing("third"), 2.0)
    doors.began(first, 3.0)
    doors.ended(first, 3.0)
    assert doors.enter(THERE, ended.closing("fourth"), 4.0) is not None
    assert doors.enter(THERE, ended.closing("fifth"), 5.0) is not None
    assert ended == ["second", "third"], "an idle connection that has asked stays longer than silent ones"
    assert len(doors) == 3 and doors.pushed_out == 2


def test_nobody_is_pushed_out_who_is_being_served() -> None:
    doors, ended = Doors(most=2, by_address=2), Ended()
    for name in ("first", "second"):
        visitor = doors.enter(HERE, ended.closing(name), 0.0)
        assert visitor is not None
        doors.began(visitor, 0.0)
    assert doors.enter(THERE, ended.closing("third"), 1.0) is None
    assert ended == [] and doors.turned_away == 1 and doors.served() == 2


def test_one_address_shuts_out_itself_alone() -> None:
    doors, ended = Doors(most=100, by_address=2), Ended()
    doors.enter(THERE, ended.closing("neighbour"), 0.0)
    for number in range(10):
        assert doors.enter(HERE, ended.closing(str(number)), 1.0 + number) is not None
    assert ended == [str(number) for number in range(8)]


def test_the_machine_itself_and_proxies_are_many_people() -> None:
    doors, ended = Doors(most=50, by_address=2, friends=Networks.parse("203.0.113.0/24")), Ended()
    for address in ("127.0.0.1", THERE):
        for number in range(20):
            assert doors.enter(address, ended.closing(str(number)), 0.0) is not None
    assert ended == []


def test_heads_bodies_and_idling_have_their_time() -> None:
    doors, ended = Doors(most=10, by_address=10), Ended()
    silent = doors.enter(HERE, ended.closing("silent"), 0.0)
    slow, swift, idle = (doors.enter(HERE, ended.closing(name), 0.0) for name in ("slow", "swift", "idle"))
    assert silent and slow and swift and idle
    doors.began(slow, 1.0, lambda: True)
    doors.began(swift, 1.0, lambda: False)
    doors.began(idle, 1.0)
    doors.ended(idle, 2.0)
    doors.sweep(HEAD_SECONDS - 0.1)
    assert ended == []
    doors.sweep(HEAD_SECONDS)
    assert ended == ["silent"]
    doors.sweep(1.0 + BODY_SECONDS)
    assert ended == ["silent", "slow"], "a body that came leaves the answer all the time it takes"
    doors.sweep(2.0 + KEEPALIVE_SECONDS)
    assert ended == ["silent", "slow", "idle"] and doors.timed_out == 3
    doors.close_waiting()
    assert ended[3:] == [] and len(doors) == 1


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, the bounds hold and the counts are right."""

    visitors = Bundle("visitors")

    def __init__(self) -> None:
        super().__init__()
        self.doors = Doors(most=6, by_address=3)
        self.now = 0.0
        self.inside: set[int] = set()
        self.made: list[Visitor] = []

    @rule(target=visitors, address=st.sampled_from(["a", "b", "c", "127.0.0.1"]))
    def enter(self, address: str) -> Visitor | None:
        number = len(self.made)
        visitor = self.doors.enter(address, lambda: self.inside.discard(number), self.now)
        if visitor is not None:
            self.made.append(visitor)
            self.inside.add(number)
        return visitor

    @rule(visitor=visitors, body=st.sampled_from([None, True, False]))
    def begin(self, visitor: Visitor | None, body: bool | None) -> None:
        if visitor is not None and not visitor.gone and not visitor.served:
            self.doors.began(visitor, self.now, None if body is None else lambda: bool(body))

    @rule(visitor=visitors)
    def end(self, visitor: Visitor | None) -> None:
        if visitor is not None and visitor.served:
            self.doors.ended(visitor, self.now)

    @rule(visitor=consumes(visitors))
    def leave(self, visitor: Visitor | None) -> None:
        if visitor is not None:
            self.inside.discard(self.made.index(visitor))
            self.doors.leave(visitor)

    @rule(seconds=st.floats(0, 100))
    def sweep(self, seconds: float) -> None:
        self.now += seconds
        self.doors.sweep(self.now)

    @rule()
    def make_room(self) -> None:
        self.doors.make_room(2)

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.doors) == len(self.inside) <= 6
        for address in "abc":
            assert sum(one.address == address for one in self.made if not one.gone) <= 3
        assert {number for number, one in enumerate(self.made) if not one.gone} == self.inside


TestAnyOrder = AnyOrder.TestCase
