"""Hashes and signatures: digests, keyed digests (HMAC), RSA. Texts are hashed as UTF-8."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
LONGEST_PEM = 8192  # characters; a private key of 4096 bits has 3300
LARGEST_KEY = 4096  # bits
SIGNING = 1_000_000  # checkpoints that a signature is worth, some milliseconds


def _bytes(script: Script, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    script.spend(len(data))
    return data


@ll
def llHash(script: Script, text: str) -> int:
    """A 32-bit hash (SDBM over code points), quick and not for secrets; 0 for the empty text."""
    value = 0
    for letter in text:
        value = (ord(letter) + value * 65599) & 0xFFFFFFFF
    script.spend(60 * len(text))
    return value


@ll
def llMD5String(script: Script, text: str, nonce: int) -> str:
    """The MD5, 32 hexadecimal digits, of `text:nonce`."""
    return hashlib.md5(_bytes(script, f"{text}:{nonce}"), usedforsecurity=False).hexdigest()


@ll
def llSHA1String(script: Script, text: str) -> str:
    """The SHA-1, 40 hexadecimal digits."""
    return hashlib.sha1(_bytes(script, text), usedforsecurity=False).hexdigest()


@ll
def llSHA256String(script: Script, text: str) -> str:
    """The SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(_bytes(script, text)).hexdigest()


@ll
def llComputeHash(script: Script, text: str, algorithm: str) -> str:
    """The digest, in hexadecimal, by md5, md5_sha1, sha1, sha224, sha256, sha384 or sha512.

    Others: empty, and a complaint.
    """
    data = _bytes(script, text)
    names = ("md5", "sha1") if algorithm == "md5_sha1" else (algorithm,)
    if not all(name in DIGESTS for name in names):
        script.complain(f"llComputeHash: unknown algorithm {algorithm[:32]}")
        return ""
    return "".join([hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in names])


@ll
def llHMAC(script: Script, key: str, text: str, algorithm: str) -> str:
    """The keyed digest, in base64, by md5, sha1, sha224, sha256, sha384 or sha512. Others: empty, and a complaint."""
    if algorithm not in DIGESTS:
        script.complain(f"llHMAC: unknown algorithm {algorithm[:32]}")
        return ""
    return b64encode(hmac.digest(_bytes(script, key), _bytes(script, text), algorithm)).decode("ascii")


def _digest(name: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    return getattr(hashes, name.upper())()


def _unusable() -> tuple[type[Exception], ...]:
    """What the library raises for keys that are none, or of a kind it does not know, or encrypted."""
    from cryptography.exceptions import UnsupportedAlgorithm

    return (ValueError, TypeError, UnsupportedAlgorithm)


def _is_sound(key: Any) -> bool:
    """Whether a private key's numbers belong together; whether its primes are prime would take a tenth of a second."""
    numbers = key.private_numbers()
    p, q, d, public = numbers.p, numbers.q, numbers.d, numbers.public_numbers
    return (
        min(p, q) > 2 and p & q & 1 and p * q == public.n and public.e % 2 == 1 and public.e.bit_length() <= 64
        and public.e * d % (p - 1) == 1 and public.e * d % (q - 1) == 1
        and numbers.dmp1 == d % (p - 1) and numbers.dmq1 == d % (q - 1) and numbers.iqmp * q % p == 1
    )  # fmt: skip


@ll
def llSignRSA(script: Script, private_key: str, text: str, algorithm: str) -> str:
    """The RSA signature (PKCS #1 v1.5), in base64, with a private key in PEM form, over sha1, sha224, sha256, sha384
    or sha512.

    A key that can't be read, is encrypted or longer than 4096 bits, or another algorithm: empty, and a complaint.
    """
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if algorithm not in DIGESTS[1:]:
        script.complain(f"llSignRSA: unknown algorithm {algorithm[:32]}")
        return ""
    data = _bytes(script, text)
    script.spend(SIGNING)
    try:
        if len(private_key) > LONGEST_PEM:
            raise ValueError("too long")
        # The library's own validation tests the primes, which takes up to 0.3 s: the frame can't wait for that.
        key = load_pem_private_key(private_key.encode(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size > LARGEST_KEY or not _is_sound(key):
            raise ValueError("not an RSA key")
        return b64encode(key.sign(data, padding.PKCS1v15(), _digest(algorithm))).decode("ascii")
    except _unusable():
        script.complain("llSignRSA: this is not a usable RSA private key")
        return ""


@ll
def llVerifyRSA(script: Script, public_key: str, text: str, signature: str, algorithm: str) -> int:
    """TRUE if llSignRSA made this base64 signature over the text with the private key to this public one (PEM form)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if algorithm not in DIGESTS[1:]:
        script.complain(f"llVerifyRSA: unknown algorithm {algorithm[:32]}")
        return False
    data = _bytes(script, text)
    script.spend(SIGNING)
    try:
        if len(public_key) > LONGEST_PEM:
            raise ValueError("too long")
        key = load_pem_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size > LARGEST_KEY:
            raise ValueError("not an RSA key")
        if key.public_numbers().e.bit_length() > 64:
            raise ValueError("slow on purpose")
    except _unusable():
        script.complain("llVerifyRSA: this is not a usable RSA public key")
        return False
    try:
        key.verify(b64decode(signature), data, padding.PKCS1v15(), _digest(algorithm))
    except (InvalidSignature, ValueError):  # it doesn't fit, or is no base64
        return False
    return True
