"""Hashes and signatures, against Python's own and the wiki's examples."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripts.bench import evaluate, occurrences
from tests.scripts.library.stand_in import StandIn, call

ALGORITHMS = ("sha1", "sha224", "sha256", "sha384", "sha512")
texts = st.text(max_size=40)


@pytest.fixture(scope="module")
def keys():
    private = rsa.generate_private_key(65537, 1024)
    return pem(private), public_pem(private)


def pem(private, kind=serialization.PrivateFormat.TraditionalOpenSSL) -> str:
    return private.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


def public_pem(private) -> str:
    public = private.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_known_digests():
    assert evaluate(
        'llHash("")', 'llHash("a")', 'llHash("ab")', 'llMD5String("Hello, Avatar!", 0)', 'llSHA1String("")',
        'llSHA256String("abc")', 'llComputeHash("abc", "md5_sha1")', 'llHMAC("secret key", "Hello, Avatar!", "sha1")',
        'llSHA1String("é漢")',
    ) == [
        "0", "97", str(98 + 97 * 65599), hashlib.md5(b"Hello, Avatar!:0").hexdigest(),
        "da39a3ee5e6b4b0d3255bfef95601890afd80709", hashlib.sha256(b"abc").hexdigest(),
        hashlib.md5(b"abc").hexdigest() + hashlib.sha1(b"abc").hexdigest(), "ffCDntkagRO5mIEtd2tYzM2Bg8I=",
        hashlib.sha1("é漢".encode()).hexdigest(),
    ]  # fmt: skip


@given(texts, st.sampled_from(("md5", *ALGORITHMS)), texts)
def test_digests_are_those_of_utf8(text, name, key):
    data = text.encode("utf-8", "replace")
    assert call("llComputeHash", text, name) == hashlib.new(name, data).hexdigest()
    wanted = hmac.digest(key.encode("utf-8", "replace"), data, name)
    assert base64.b64decode(call("llHMAC", key, text, name)) == wanted


@given(st.text(max_size=30))
def test_the_hash_is_the_one_the_wiki_gives_in_lsl(text):
    value = 0
    for letter in text:
        value = (ord(letter) + (value << 6) + (value << 16) - value) & 0xFFFFFFFF
    assert call("llHash", text) == value


def test_unknown_algorithms_are_complained_about():
    for source in ('llComputeHash("a", "crc")', 'llHMAC("k", "a", "md5_sha1")', 'llSignRSA("k", "a", "md5")'):
        complaint, empty = occurrences(f"default {{ state_entry() {{ llOwnerSay('' + {source}); }} }}".replace("'", '"'))
        assert complaint["kind"] == "complaint" and "unknown algorithm" in complaint["message"] and empty["text"] == ""


def test_signatures(keys):
    private, public = keys
    for name in ALGORITHMS:
        signature = call("llSignRSA", private, "message", name)
        assert call("llVerifyRSA", public, "message", signature, name) is True
        assert call("llVerifyRSA", public, "messagf", signature, name) is False
        assert call("llVerifyRSA", public, "message", signature[:-8] + "AAAAAA==", name) is False
    other = ALGORITHMS[0]
    assert call("llVerifyRSA", public, "message", call("llSignRSA", private, "message", "sha256"), other) is False


def test_signing_in_a_script(keys):
    private, public = (one.replace("\n", "\\n") for one in keys)
    assert evaluate(
        f'llVerifyRSA("{public}", "hello", llSignRSA("{private}", "hello", "sha256"), "sha256")',
        f'llVerifyRSA("{public}", "hullo", llSignRSA("{private}", "hello", "sha256"), "sha256")',
    ) == ["1", "0"]  # fmt: skip


def test_keys_on_one_line_and_in_the_newer_form_work(keys):
    private, public = keys
    again = serialization.load_pem_private_key(private.encode(), None)
    newer = pem(again, serialization.PrivateFormat.PKCS8)
    signatures = {call("llSignRSA", one, "m", "sha1") for one in (private, newer, private.replace("\n", ""))}
    assert len(signatures) == 1 and signatures != {""}
    assert call("llVerifyRSA", public.replace("\n", ""), "m", signatures.pop(), "sha1")


@pytest.mark.parametrize("what", ["curve", "public", "long", "broken", "text", "empty"])
def test_unusable_keys_are_complained_about(keys, what):
    private, public = keys
    curve = ec.generate_private_key(ec.SECP256R1())
    bad = {
        "curve": pem(curve), "public": public, "long": private + " " * 9000, "text": "é", "empty": "",
        "broken": mistaken(private),
    }[what]  # fmt: skip
    script = StandIn()
    assert call("llSignRSA", bad, "m", "sha256", script=script) == ""
    other = {"curve": public_pem(curve), "public": private, "long": public + " " * 9000}.get(what, bad)
    assert call("llVerifyRSA", other, "m", "AAAA", "sha256", script=script) is False
    assert len(script.complaints) == 2 and script.spent > 1_000_000


def mistaken(private: str) -> str:
    """A key whose numbers do not belong together."""
    lines = private.splitlines()
    data = bytearray(base64.b64decode("".join(lines[1:-1])))
    data[-3] ^= 1
    return "\n".join([lines[0], base64.b64encode(data).decode(), lines[-1]])


@settings(deadline=None)
@given(st.data())
def test_damaged_keys_are_no_error(keys, data):
    private, public = keys
    for name, text in (("llSignRSA", private), ("llVerifyRSA", public)):
        place = data.draw(st.integers(28, len(text) - 30))
        damaged = text[:place] + data.draw(st.sampled_from("ABz+/=\n-")) + text[place + 1 :]
        assert call(name, damaged, "m", *(["AAAA"] if name == "llVerifyRSA" else []), "sha1") in ("", False) or damaged
