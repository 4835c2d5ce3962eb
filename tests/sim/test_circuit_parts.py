"""The throttled queue, the datagram batches, and what an AgentThrottle may say."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.circuits.datagrams import SLOT, DatagramSocket, address_of, key_of
from sim.circuits.throttle import CEILING, FLOOR, ThrottledQueue, parse_throttles


def test_a_throttled_queue_keeps_order_and_rate() -> None:
    queue: ThrottledQueue[int] = ThrottledQueue(80_000, now=0.0)  # 10,000 bytes a second
    for n in range(100):
        queue.put(1000, n)
    out = queue.take(0.0)
    now = 0.0
    while queue.items:
        now += 0.05
        out += queue.take(now)
    assert out == list(range(100))
    assert 9.0 < now < 10.0
    assert queue.waiting == 0


def test_a_packet_larger_than_the_burst_still_leaves() -> None:
    queue: ThrottledQueue[str] = ThrottledQueue(FLOOR, now=0.0)
    queue.put(100_000, "big")
    assert queue.take(0.0) == ["big"]


@given(st.binary(max_size=64))
def test_any_throttle_bytes_give_sane_rates_or_an_error(data: bytes) -> None:
    try:
        rates = parse_throttles(data)
    except ValueError:
        assert len(data) < 28
        return
    assert len(rates) == 7
    assert all(math.isfinite(rate) and FLOOR <= rate <= CEILING for rate in rates)


def test_throttles_are_read_in_order() -> None:
    wanted = (100e3, 200e3, 300e3, 400e3, 500e3, 600e3, 700e3)
    assert parse_throttles(struct.pack("<7f", *wanted)) == pytest.approx(wanted)


def test_keys_name_addresses() -> None:
    assert address_of(key_of("10.1.2.3", 9000)) == ("10.1.2.3", 9000)
    assert key_of("255.255.255.255", 65535) < 1 << 48


def test_datagrams_travel_in_batches() -> None:
    one, two = DatagramSocket("127.0.0.1", 0), DatagramSocket("127.0.0.1", 0)
    try:
        sent = [bytes([n % 256]) * (n % 1400 + 1) for n in range(700)]
        for data in sent:
            one.outgoing.queue(key_of("127.0.0.1", two.port), data)
        count, size, refused = one.flush()
        assert (count, size, refused) == (700, sum(map(len, sent)), 0)
        got = [(address_of(key), bytes(data)) for key, data in two.receive() if data is not None]
        assert [data for _, data in got] == sent
        assert {source for source, _ in got} == {("127.0.0.1", one.port)}
        assert one.flush() == (0, 0, 0)
    finally:
        one.close()
        two.close()


def test_an_oversized_datagram_is_reported_and_the_next_is_read() -> None:
    one, two = DatagramSocket("127.0.0.1", 0), DatagramSocket("127.0.0.1", 0)
    try:
        for data in (bytes(SLOT + 1), b"fine"):
            one.outgoing.queue(key_of("127.0.0.1", two.port), data)
        one.flush()
        assert [None if data is None else bytes(data) for _, data in two.receive()] == [None, b"fine"]
    finally:
        one.close()
        two.close()


def test_a_flood_does_not_hold_the_frame() -> None:
    one, two = DatagramSocket("127.0.0.1", 0), DatagramSocket("127.0.0.1", 0)
    try:
        for _ in range(1000):
            one.outgoing.queue(key_of("127.0.0.1", two.port), b"x")
        one.flush()
        assert sum(1 for _ in two.receive(limit=512)) == 512
        assert sum(1 for _ in two.receive()) == 488
    finally:
        one.close()
        two.close()


@pytest.mark.parametrize("segment", [True, False])
def test_datagrams_handed_over_as_one_arrive_as_they_were(segment: bool) -> None:
    """Runs of one length, a shorter last one, a longer one, another address in between, and more than one call takes."""
    here, there, elsewhere = (DatagramSocket("127.0.0.1", 0) for _ in range(3))
    here._segment = here._segment and segment
    sizes = [300] * 5 + [120] + [120] * 3 + [1150] * 60 + [40, 41, 41, 7]
    sent: dict[int, list[bytes]] = {there.port: [], elsewhere.port: []}
    try:
        for n, size in enumerate(sizes):
            to = elsewhere if n in (3, 30, 31) else there
            data = bytes((n * 7 + k) & 255 for k in range(size))
            here.outgoing.queue(key_of("127.0.0.1", to.port), data)
            sent[to.port].append(data)
        assert here.flush() == (len(sizes), sum(sizes), 0)
        for to in (there, elsewhere):
            assert [bytes(data) for _, data in to.receive() if data is not None] == sent[to.port]
    finally:
        for end in (here, there, elsewhere):
            end.close()


def test_what_the_kernel_will_not_cut_goes_one_by_one() -> None:
    """Port 0 is nowhere: all are refused, counted, and the ones behind them still leave."""
    here, there = DatagramSocket("127.0.0.1", 0), DatagramSocket("127.0.0.1", 0)
    try:
        for _ in range(4):
            here.outgoing.queue(key_of("127.0.0.1", 0), b"x" * 50)
        here.outgoing.queue(key_of("127.0.0.1", there.port), b"still here")
        assert here.flush() == (5, 210, 4)
        assert [bytes(data) for _, data in there.receive() if data is not None] == [b"still here"]
    finally:
        here.close()
        there.close()
