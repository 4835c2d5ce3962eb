"""LLSD: what we write, what we accept, and what we refuse."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import llsd as peer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import llsd
from protocol.errors import ProtocolError

HEAD = b'<?xml version="1.0" ?><llsd>'
ID = UUID("00112233-4455-6677-8899-aabbccddeeff")

plain_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 31), (1 << 31) - 1), st.floats(allow_nan=False, allow_infinity=False),
        plain_text, st.uuids(allow_nil=True), st.binary(max_size=40),
        st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(plain_text, inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def test_replies_start_exactly_as_a_client_looks_for() -> None:
    assert llsd.format_xml({}) == HEAD + b"<map></map></llsd>"


def test_every_type_as_it_is_written() -> None:
    value = {
        "u": None, "b": True, "i": -5, "r": 0.5, "s": "a<b&c>", "e": "", "id": ID, "bin": b"\x00\x01", "a": [1, [False]],
        "d": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }  # fmt: skip
    assert llsd.format_xml(value) == HEAD + (
        b"<map><key>u</key><undef /><key>b</key><boolean>true</boolean><key>i</key><integer>-5</integer>"
        b"<key>r</key><real>0.5</real><key>s</key><string>a&lt;b&amp;c&gt;</string><key>e</key><string />"
        b"<key>id</key><uuid>00112233-4455-6677-8899-aabbccddeeff</uuid><key>bin</key><binary>AAE=</binary>"
        b"<key>a</key><array><integer>1</integer><array><boolean>false</boolean></array></array>"
        b"<key>d</key><date>2026-01-02T03:04:05Z</date></map></llsd>"
    )


@settings(deadline=None)
@given(values)
def test_what_we_write_we_read_and_a_peer_reads_alike(value: Any) -> None:
    body = llsd.format_xml(value)
    assert llsd.parse_xml(body) == value
    assert peer.parse_xml(body) == for_peer(value)


def for_peer(value: Any) -> Any:
    """The peer's dates have no time zone."""
    if isinstance(value, dict):
        return {key: for_peer(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_peer(item) for item in value]
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


@settings(deadline=None)
@given(values)
def test_all_three_forms_of_a_peer_are_read(value: Any) -> None:
    value = {"value": value}
    theirs = for_peer(value)
    assert llsd.parse(peer.format_xml(theirs)) == value
    assert llsd.parse(peer.format_binary(theirs)) == value
    assert llsd.parse(b"<? llsd/notation ?>\n" + peer.format_notation(theirs)) == value
    assert llsd.parse(peer.format_notation(theirs), "application/llsd+notation; charset=utf-8") == value


def test_empty_elements_are_the_zero_of_their_type() -> None:
    body = b"".join(b"<%s />" % name for name in (b"undef", b"boolean", b"integer", b"real", b"string", b"uuid", b"uri"))
    assert llsd.parse(HEAD + b"<array>" + body + b"<binary/><date/></array></llsd>") == [
        None, False, 0, 0.0, "", UUID(int=0), "", b"", datetime(1970, 1, 1, tzinfo=UTC)
    ]  # fmt: skip
    assert llsd.parse(b"<llsd/>") is None


@pytest.mark.parametrize(("word", "value"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)])
def test_booleans_come_in_many_forms(word: str, value: bool) -> None:
    assert llsd.parse(f"<llsd><boolean>{word}</boolean></llsd>".encode()) is value


def test_binary_encodings_and_white_space() -> None:
    assert llsd.parse(b'<llsd><binary encoding="base16">00fF</binary></llsd>') == b"\x00\xff"
    assert llsd.parse(b"<llsd><binary>\n AA\n E= </binary></llsd>") == b"\x00\x01"


def test_white_space_and_declarations_around_the_document() -> None:
    assert llsd.parse(b'\n <?xml version="1.0" encoding="utf-8"?>\n<llsd>\n <map> <key>a</key> <string> x </string></map></llsd>') == {
        "a": " x "
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<llsd>",
        b"<html></html>",
        b"<llsd><what/></llsd>",
        b"<llsd><integer>1</integer><integer>2</integer></llsd>",
        b"<llsd><integer>one</integer></llsd>",
        b"<llsd><integer>" + b"9" * 5000 + b"</integer></llsd>",
        b"<llsd><integer>18446744073709551616</integer></llsd>",
        b"<llsd><real>nan</real></llsd>",
        b"<llsd><real>-inf</real></llsd>",
        b"<llsd><real>1e999</real></llsd>",
        b"<llsd><boolean>perhaps</boolean></llsd>",
        b"<llsd><uuid>0011</uuid></llsd>",
        b"<llsd><date>yesterday</date></llsd>",
        b"<llsd><binary>!!!!</binary></llsd>",
        b"<llsd><binary>AAA</binary></llsd>",
        b'<llsd><binary encoding="base85">AA</binary></llsd>',
        b"<llsd><map><integer>1</integer></map></llsd>",
        b"<llsd><map><key>a</key></map></llsd>",
        b"<llsd><map><key>a</key><key>b</key></map></llsd>",
        b"<llsd><key>a</key></llsd>",
        b"<llsd><string><integer/></string></llsd>",
        b"<llsd><map><key><string/></key></map></llsd>",
        b"<llsd>" + b"<array>" * 100 + b"</array>" * 100 + b"</llsd>",
        b"<? LLSD/Binary ?>\n",
        b"<? LLSD/Binary ?>\n[\x7f\xff\xff\xff",
        b"<? LLSD/Binary ?>\ns\x7f\xff\xff\xff",
        b"<? LLSD/Binary ?>\nr" + b"\x7f\xf0" + bytes(6),
        b"<? LLSD/Binary ?>\n" + b"[\x00\x00\x00\x01" * 100,
        b"<? LLSD/Notation ?>\n[i",
        b"<? LLSD/Notation ?>\nb(-5)\"",
        b"<? LLSD/Notation ?>\n" + b"[" * 1000,
    ],
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        llsd.parse(body)


def test_entities_are_refused_before_they_can_expand() -> None:
    bomb = b'<!DOCTYPE llsd [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><llsd><string>&b;</string></llsd>'
    with pytest.raises(ProtocolError, match="document type"):
        llsd.parse(bomb)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):  # the same, dressed up
        with pytest.raises(ProtocolError):
            llsd.parse(bomb.decode().encode(encoding), llsd.XML)
    with pytest.raises(ProtocolError, match="UTF-8"):
        llsd.parse(b"<?xml version='1.0' encoding='cp037'?><llsd/>")
    with pytest.raises(ProtocolError, match="document type"):
        llsd.parse(b'<!DOCTYPE llsd SYSTEM "http://example.invalid/"><llsd/>')


def test_size_and_depth_have_limits() -> None:
    with pytest.raises(ProtocolError, match="more than"):
        llsd.parse(b"<llsd><string>" + b"a" * 100 + b"</string></llsd>", limit=100)
    with pytest.raises(ProtocolError, match="nested deeper"):
        llsd.parse(b"<llsd>" + b"<array>" * 60_000 + b"</array>" * 60_000 + b"</llsd>")
    with pytest.raises(ProtocolError):
        llsd.parse(b"<llsd>" + b"<array>" * 100_000)
    for head in (b"<? LLSD/Binary ?>\n", b"<? LLSD/Notation ?>\n"):
        with pytest.raises(ProtocolError, match="more than"):
            llsd.parse(head + b"!" * (llsd.MAX_RARE_BYTES + 1))
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ProtocolError, match="nested deeper"):
        llsd.format_xml(deep)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<llsd>", b"<? LLSD/Binary ?>\n", b"<? LLSD/Notation ?>\n"]))
def test_arbitrary_bytes_are_a_value_or_refused(tail: bytes, head: bytes) -> None:
    try:
        value = llsd.parse(head + tail)
    except ProtocolError:
        return
    try:
        llsd.format_xml(value)
    except ProtocolError as error:  # binary and notation may hold integers that XML readers do not take
        assert "does not fit" in str(error)


@settings(deadline=None, max_examples=200)
@given(values, st.data())
def test_damaged_documents_are_a_value_or_refused(value: Any, data: st.DataObject) -> None:
    write = data.draw(st.sampled_from([llsd.format_xml, peer.format_binary]))
    body = bytearray(write({"value": value}))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        llsd.parse(bytes(body), "application/llsd+binary")
    except ProtocolError:
        return


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1, 1 << 40])
def test_integers_beyond_31_bits_name_the_way_out(number: int) -> None:
    with pytest.raises(ProtocolError, match="u32"):
        llsd.format_xml({"mask": number})


def test_what_llsd_cannot_hold() -> None:
    for value in (float("nan"), float("inf"), object(), {1, 2}):
        with pytest.raises(ProtocolError):
            llsd.format_xml([value])


def test_characters_that_xml_cannot_carry_are_left_out() -> None:
    body = llsd.format_xml({"a\x00": "x\x01\x1b\ud800y\tz\r\n"})
    assert llsd.parse(body) == {"a": "xy\tz\r\n"}
    assert peer.parse_xml(body) == {"a": "xy\tz\r\n"}


def test_numbers_of_other_libraries() -> None:
    assert llsd.parse(llsd.format_xml([np.int64(3), np.float32(0.5), np.float64(0.25)])) == [3, 0.5, 0.25]


def test_wide_numbers_are_big_endian_binary() -> None:
    assert llsd.u32(0x01020304) == b"\x01\x02\x03\x04"
    assert llsd.u64(256000 << 32 | 256) == b"\x00\x03\xe8\x00\x00\x00\x01\x00"
    assert llsd.ip("127.0.0.1") == b"\x7f\x00\x00\x01"
    assert base64.b64encode(llsd.u32(4)) == b"AAAABA=="
    for bad in (-1, 1 << 32):
        with pytest.raises(ProtocolError):
            llsd.u32(bad)
    with pytest.raises(ProtocolError):
        llsd.ip("localhost")


@pytest.mark.parametrize(("value", "number"), [(b"\x00\x00\x01\x00", 256), (7, 7), (-1, 0xFFFFFFFF), ("12", 12)])
def test_unsigned_numbers_in_any_client_s_form(value: Any, number: int) -> None:
    assert llsd.unsigned(value) == number


@pytest.mark.parametrize("value", [b"", b"123456789", "-1", "x" * 30, 1.5, None, 1 << 64, "¹"])
def test_and_what_is_none(value: Any) -> None:
    with pytest.raises(ProtocolError):
        llsd.unsigned(value)
