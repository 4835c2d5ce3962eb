"""Passwords as the protocol hands them over, and as we keep them.

A viewer never sends the password but ``$1$`` + md5 hex of it; some clients hash only its first
16 characters. So that digest is the password to us, and what is stored is argon2id of it:

    argon2id$m=8192,t=1,p=1$salt$hash of the whole password's digest$hash of the 16-character digest's

Both hashes share the salt, so a login costs one argon2 run whichever digest came, and an account that does
not exist costs the same. 8 MiB and one pass take about 4 ms here: a login storm of 117 a second is
half a core of hashing. Figures can be raised: they are part of each verifier, and old ones keep working.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from argon2.low_level import Type, hash_secret_raw

MEMORY_KIB = 8192
PASSES = 1
SALT_BYTES = 16
HASH_BYTES = 32
SHORT = 16  # characters of the password that some clients hash
MAX_PASSWORD = 256
_DIGEST = re.compile(r"(?:\$1\$)?([0-9a-fA-F]{32})")
_COST = re.compile(r"m=(\d+),t=(\d+),p=1")


def digest(password: str) -> str:
    """What a viewer sends for a password, without the ``$1$``."""
    return hashlib.md5(password.encode("utf-8"), usedforsecurity=False).hexdigest()


def digest_of_login(passwd: str) -> str | None:
    """The md5 hex in a login's ``passwd`` member, or None if it is not one."""
    found = _DIGEST.fullmatch(passwd.strip())
    return found.group(1).lower() if found else None


def make_verifier(password: str) -> str:
    """The text to store for a new password. Takes a few milliseconds of CPU: not on the hub."""
    salt = secrets.token_bytes(SALT_BYTES)
    whole = _slow_hash(digest(password), salt, MEMORY_KIB, PASSES)
    short = whole if len(password) <= SHORT else _slow_hash(digest(password[:SHORT]), salt, MEMORY_KIB, PASSES)
    fields = [base64.b64encode(part).decode() for part in (salt, whole, short)]
    return "$".join(["argon2id", f"m={MEMORY_KIB},t={PASSES},p=1", *fields])


def verify(verifier: str | None, login_digest: str | None) -> bool:
    """Whether the digest is the account's; None for no such account or no usable digest costs the same time."""
    kind, cost, salt, whole, short = (verifier or NOBODY).split("$")
    found = _COST.fullmatch(cost)
    if kind != "argon2id" or found is None:
        raise ValueError("unknown password verifier in the database")
    memory, passes = int(found.group(1)), int(found.group(2))
    offered = _slow_hash(login_digest or "", base64.b64decode(salt), memory, passes)
    # Both comparisons always run, each in constant time.
    is_whole = hmac.compare_digest(offered, base64.b64decode(whole))
    is_short = hmac.compare_digest(offered, base64.b64decode(short))
    return (is_whole | is_short) and verifier is not None and login_digest is not None


def _slow_hash(login_digest: str, salt: bytes, memory_kib: int, passes: int) -> bytes:
    return hash_secret_raw(login_digest.encode("ascii"), salt, passes, memory_kib, 1, HASH_BYTES, Type.ID)


# What logins of unknown accounts are measured against: the verifier of a password nobody knows.
NOBODY = make_verifier(secrets.token_hex(16))
