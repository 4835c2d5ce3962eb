"""Whom X-Forwarded-For names, and who may say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ground.proxies import Networks, asker, scheme

TRUSTED = Networks.parse("10.0.0.0/8, 127.0.0.1")


@pytest.mark.parametrize(
    ("peer", "header", "right"),
    [
        ("198.51.100.9", "203.0.113.1", "198.51.100.9"),  # a stranger may write what he likes
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "192.0.2.66, 203.0.113.1, 10.1.2.3", "203.0.113.1"),  # the first is the stranger's own writing
        ("127.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("127.0.0.1", "203.0.113.1:4711", "203.0.113.1"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1, <script>", "127.0.0.1"),
        ("::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1"),
    ],
)
def test_the_first_address_nobody_vouches_for_asks(peer: str, header: str | None, right: str) -> None:
    assert asker(peer, header, TRUSTED) == right


def test_https_is_believed_from_proxies_alone() -> None:
    assert scheme("127.0.0.1", "https", TRUSTED) == "https"
    assert scheme("198.51.100.9", "https", TRUSTED) == "http"
    assert scheme("127.0.0.1", "gopher", TRUSTED) == "http"


@given(st.text(), st.text())
def test_any_text_gives_an_answer(peer: str, header: str) -> None:
    assert asker(peer, header, TRUSTED) == peer
    assert isinstance(asker("127.0.0.1", header, TRUSTED), str)


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"proxy\.example"):
        Networks.parse("10.0.0.0/8, proxy.example")
