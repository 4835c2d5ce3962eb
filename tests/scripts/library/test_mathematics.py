"""Numbers and chance."""

from __future__ import annotations

import math
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tests.scripts.bench import evaluate
from tests.scripts.library.stand_in import StandIn, call

floats = st.floats(width=32)
integers = st.integers(-(2**31), 2**31 - 1)
HUGE = "1e38 * 10"  # infinity


def test_whole_numbers():
    assert evaluate("llAbs(-3)", "llAbs(3)", "llAbs(-2147483648)", "llFabs(-2.5)", "llFabs(-0.0)") == [
        "3", "3", "-2147483648", "2.500000", "0.000000",
    ]  # fmt: skip


def test_rounding():
    for name, wanted in (("llRound", "3 -2 0 1 0"), ("llFloor", "2 -3 0 0 -1"), ("llCeil", "3 -2 1 1 0")):
        got = evaluate(*[f"{name}({value})" for value in ("2.5", "-2.5", "0.25", "0.75", "-0.25")])
        assert got == wanted.split(), name
        assert evaluate(f"{name}(1e10)", f"{name}(-1e10)", f"{name}({HUGE})", f"{name}(llSqrt(-1))") == ["-2147483648"] * 4


def test_powers():
    assert evaluate(
        "llPow(2, 10)", "llPow(-8, 3)", "llPow(-1, 0.5)", "llPow(0, 0)", "llPow(0, -1)", "llPow(1e30, 2)", "llPow(-1e30, 3)",
        "llPow(2, -1)", "llSqrt(2)", "llSqrt(-1)", "llSqrt(0)", "llLog(0)", "llLog(-5)", "llLog(10)", "llLog10(1000)",
        "llLog10(-1)",
    ) == [
        "1024.000000", "-512.000000", "NaN", "1.000000", "Infinity", "Infinity", "-Infinity", "0.500000", "1.414214", "NaN",
        "0.000000", "0.000000", "0.000000", "2.302585", "3.000000", "0.000000",
    ]  # fmt: skip


def test_powers_of_remainders():
    assert evaluate(
        "llModPow(3, 5, 7)", "llModPow(2, 31, 1000000007)", "llModPow(-1, 2, 10)", "llModPow(2, -1, 13)", "llModPow(5, 0, 1)",
        "llModPow(5, 3, 0)", "llModPow(2, 31, -1)",
    ) == [
        "5", str(pow(2, 31, 1000000007)), str(pow(2**32 - 1, 2, 10)), str(pow(2, 2**32 - 1, 13)), "0", "0", "-2147483648",
    ]  # fmt: skip


def test_angles():
    assert evaluate(
        "llSin(PI_BY_TWO)", "llCos(0)", "llTan(0.785398)", "llAsin(1)", "llAcos(0)", "llAtan2(1, -1)", "llAsin(2)",
        "llAcos(-1.5)", f"llSin({HUGE})", f"llCos({HUGE})", f"llTan({HUGE})", "llAtan2(0, 0)",
    ) == [
        "1.000000", "1.000000", "1.000000", "1.570796", "1.570796", "2.356194", *["NaN"] * 5, "0.000000",
    ]  # fmt: skip


ONE = ("llFabs", "llRound", "llFloor", "llCeil", "llSqrt", "llLog", "llLog10", "llSin", "llCos", "llTan", "llAsin", "llAcos", "llFrand")


@given(st.sampled_from(ONE), floats)
def test_no_float_is_an_error(name, value):
    assert isinstance(call(name, value), int | float)


@given(st.sampled_from(("llPow", "llAtan2")), floats, floats)
def test_no_two_floats_are_an_error(name, first, second):
    assert isinstance(call(name, first, second), float)


@given(integers, integers, integers)
def test_remainders_stay_below_the_modulus(base, exponent, modulus):
    result = call("llModPow", base, exponent, modulus)
    assert 0 <= result < (modulus & 0xFFFFFFFF or 1)


@given(st.floats(-1e6, 1e6, width=32))
def test_random_numbers_stay_in_their_range(limit):
    script = StandIn()
    for _ in range(5):
        value = call("llFrand", limit, script=script)
        assert 0.0 <= value < limit if limit > 0 else limit < value <= 0.0 if limit < 0 else value == 0.0


def test_chance():
    first, second = evaluate("llGenerateKey()", "llGenerateKey()")
    assert first != second and UUID(first).version == 4 and str(UUID(first)) == first
    assert evaluate("llFrand(0)", f"llFrand({HUGE})") == ["0.000000", "0.000000"]
    assert call("llFrand", math.ulp(0.0)) == 0.0
