"""Base64 and URL escapes."""

from __future__ import annotations

import base64
import urllib.parse

from hypothesis import given
from hypothesis import strategies as st

from tests.scripts.bench import evaluate, said
from tests.scripts.library.stand_in import call

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).filter(lambda text: "\ufffd" not in text)
anything = st.text(max_size=40)


def test_texts():
    assert evaluate(
        'llStringToBase64("Secret:Open")', 'llBase64ToString("U2VjcmV0Ok9wZW4=")', 'llStringToBase64("")',
        'llBase64ToString("")', 'llStringToBase64("é漢😀")', 'llBase64ToString("w6nmvKLwn5iA")', 'llBase64ToString("w6nmvKLwn5iA!!!!")',
        'llBase64ToString("U2VjcmV0Ok9wZW4")', 'llBase64ToString("/w==")', 'llBase64ToString("YQFi")', 'llBase64ToString("YQBi")',
        'llBase64ToString("YQpi")', 'llBase64ToString("=")',
    ) == [
        "U2VjcmV0Ok9wZW4=", "Secret:Open", "", "", "w6nmvKLwn5iA", "é漢😀", "é漢😀", "Secret:Open", "?", "a b", "a", "a\nb", "",
    ]  # fmt: skip


def test_integers():
    assert evaluate(
        "llIntegerToBase64(1)", "llIntegerToBase64(-1)", 'llBase64ToInteger("AAAAAQ==")', 'llBase64ToInteger("3q0AAA==")',
        'llBase64ToInteger("qqqqqq==") == 0xAAAAAAAA', 'llBase64ToInteger("qqqqq") == 0xAAAAAA00',
        'llBase64ToInteger("qqqq") == 0xAAAAAA00', 'llBase64ToInteger("q")', 'llBase64ToInteger("")',
        'llBase64ToInteger("AAAAAQ===")',
    ) == ["AAAAAQ==", "/////w==", "1", "-559087616", "1", "1", "1", "0", "0", "0"]  # fmt: skip


def test_exclusive_or():
    secret, key = 'llStringToBase64("attack at dawn")', 'llStringToBase64("key")'
    for name in ("llXorBase64", "llXorBase64Strings", "llXorBase64StringsCorrect"):
        twice = f"llOwnerSay(llBase64ToString({name}({name}({secret}, {key}), {key})));"
        source = f'default {{ state_entry() {{ {twice} llOwnerSay({name}("", "aaaa")); }} }}'
        assert said(source, seconds=1) == ["attack at dawn", ""]  # the oldest of them sleeps
    wanted = base64.b64encode(bytes(a ^ b for a, b in zip(b"abcd", b"xyxy", strict=True))).decode()
    assert evaluate('llXorBase64("YWJjZA==", "eHk=")', 'llXorBase64("YWJjZA==", "")') == [wanted, "YWJjZA=="]
    # "eAB5" is x, zero, y
    only_x = base64.b64encode(bytes(a ^ ord("x") for a in b"abcd")).decode()
    with_zero = base64.b64encode(bytes(a ^ b for a, b in zip(b"abcd", b"x\0yx", strict=True))).decode()
    assert evaluate('llXorBase64StringsCorrect("YWJjZA==", "eAB5")', 'llXorBase64("YWJjZA==", "eAB5")') == [only_x, with_zero]


def test_urls():
    assert evaluate(
        'llEscapeURL("LSL Portal")', 'llEscapeURL("a-b.c_d~e")', 'llEscapeURL("é/?")', 'llUnescapeURL("LSL%20Portal")',
        'llUnescapeURL("a+b%2")', 'llUnescapeURL("%C3%A9%zz%")', 'llUnescapeURL("%FF")', 'llUnescapeURL("a%00b")',
    ) == ["LSL%20Portal", "a%2Db%2Ec%5Fd%7Ee", "%C3%A9%2F%3F", "LSL Portal", "a+b%2", "é%zz%", "?", "a"]  # fmt: skip


@given(texts)
def test_texts_come_back(text):
    encoded = call("llStringToBase64", text)
    assert base64.b64decode(encoded).decode() == text
    assert call("llBase64ToString", encoded) == text
    escaped = call("llEscapeURL", text)
    assert call("llUnescapeURL", escaped) == text == urllib.parse.unquote(escaped)


@given(st.integers(-(2**31), 2**31 - 1))
def test_integers_come_back(number):
    assert call("llBase64ToInteger", call("llIntegerToBase64", number)) & 0xFFFFFFFF == number & 0xFFFFFFFF


@given(anything, anything)
def test_nothing_is_an_error(text, other):
    for name in ("llStringToBase64", "llBase64ToString", "llBase64ToInteger", "llEscapeURL", "llUnescapeURL"):
        call(name, text)
    call("llXorBase64", text, other), call("llXorBase64StringsCorrect", text, other), call("llXorBase64Strings", text, other)


@given(st.binary(max_size=30), st.binary(min_size=1, max_size=10))
def test_exclusive_or_undoes_itself(data, key):
    text, with_key = base64.b64encode(data).decode(), base64.b64encode(key).decode()
    assert call("llXorBase64", call("llXorBase64", text, with_key), with_key) == text
