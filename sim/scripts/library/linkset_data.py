"""Linkset data: names and values that live with the object, whatever becomes of its scripts. At most 131072 bytes.

A pair takes the bytes of its name and value, and 32 more when it is protected by a pass phrase. All scripts of the
object share them, and hear of changes by `linkset_data`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.scripts.language.values import Item
from sim.scripts.library.common import fits, spend
from sim.scripts.library.declare import ll
from sim.world.linkset_data import MOST_BYTES, LinksetStore, size_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

LONGEST_PATTERN = 800
NO_BACK = "regular expressions with references back to a group (\\1) find nothing"
PATTERN_MEMORY = 1 << 20

RESET, UPDATE, DELETED, MULTIDELETE = range(4)  # actions of the event
OK, NO_MEMORY, NO_KEY, PROTECTED, NOT_FOUND, NO_UPDATE = range(6)  # results

LONGEST_EVENT = 16384  # characters of names that one event tells


def _put(store: LinksetStore, name: str, value: str, phrase: str) -> bool:
    """Writes a pair; False when there is no room."""
    old = store.pairs.get(name)
    used = store.used + size_of(name, value, phrase) - (size_of(name, *old) if old is not None else 0)
    if used > MOST_BYTES:
        return False
    store.used = used
    store.pairs[name] = (value, phrase)
    return True


def _take(store: LinksetStore, name: str) -> None:
    store.used -= size_of(name, *store.pairs.pop(name))


def _write(script: Script, name: str, value: str, phrase: str) -> int:
    if not value:
        return _delete(script, name, phrase)
    if not name:
        return NO_KEY
    store = script.world.linkset_store(script)
    old = store.pairs.get(name)
    if old is not None and old[1] and old[1] != phrase:
        return PROTECTED
    if old == (value, phrase):
        return NO_UPDATE
    if not _put(store, name, value, phrase):
        return NO_MEMORY
    script.world.linkset_changed(script, UPDATE, name, "" if phrase else value)
    return OK


def _delete(script: Script, name: str, phrase: str) -> int:
    if not name:
        return NO_KEY
    store = script.world.linkset_store(script)
    old = store.pairs.get(name)
    if old is None:
        return NOT_FOUND
    if old[1] and old[1] != phrase:
        return PROTECTED
    _take(store, name)
    script.world.linkset_changed(script, DELETED, name, "")
    return OK


def _read(script: Script, name: str, phrase: str) -> str:
    value, needed = script.world.linkset_store(script).pairs.get(name, ("", ""))
    return value if not needed or needed == phrase else ""


def _matcher(script: Script, pattern: str) -> Any:
    """A function that tells whether a name holds a pattern; None when the pattern is none.

    RE2 and not Python's `re`: its time grows with the text alone, whatever the pattern.
    """
    spend(script, 10 * len(pattern))
    found = compiled(pattern)
    return found.search if found is not None else None


def compiled(pattern: str) -> Any:
    """A regular expression; None when it is none, or too long."""
    import re2

    if len(pattern) > LONGEST_PATTERN:
        return None
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


def _found(script: Script, pattern: str) -> list[str]:
    """The names that hold a pattern, in alphabetical order."""
    matches = _matcher(script, pattern)
    if matches is None:
        return []
    pairs = script.world.linkset_store(script).pairs
    spend(script, 10 * len(pairs))
    return sorted([name for name in pairs if matches(name)])


def _part(names: list[str], start: int, count: int) -> list[Item]:
    start = max(start, 0)
    part: list[Item] = [*(names[start : start + count] if count > 0 else names[start:])]
    fits(0, len(part))
    return part


@ll
def llLinksetDataWrite(script: Script, name: str, value: str) -> int:
    """Sets a value, or deletes the pair when the value is empty.

    Returns LINKSETDATA_OK, _EMEMORY when it is full, _ENOKEY for an empty name, _EPROTECTED when a pass phrase
    protects it, _NOUPDATE when it has that value already, _NOTFOUND when there is nothing to delete.
    """
    return _write(script, name, value, "")


@ll
def llLinksetDataWriteProtected(script: Script, name: str, value: str, phrase: str) -> int:
    """As llLinksetDataWrite, and whoever reads, changes or deletes the pair needs the same pass phrase.

    The event for it does not tell the value. A pair that was not protected becomes so.
    """
    return _write(script, name, value, phrase)


@ll
def llLinksetDataRead(script: Script, name: str) -> str:
    """The value of a name; empty when there is none or it is protected."""
    return _read(script, name, "")


@ll
def llLinksetDataReadProtected(script: Script, name: str, phrase: str) -> str:
    """The value of a name; empty when there is none or the pass phrase is wrong."""
    return _read(script, name, phrase)


@ll
def llLinksetDataDelete(script: Script, name: str) -> int:
    """Deletes a pair: LINKSETDATA_OK, _NOTFOUND, or _EPROTECTED when it needs a pass phrase."""
    return _delete(script, name, "")


@ll
def llLinksetDataDeleteProtected(script: Script, name: str, phrase: str) -> int:
    """Deletes a pair with its pass phrase: LINKSETDATA_OK, _NOTFOUND or _EPROTECTED."""
    return _delete(script, name, phrase)


@ll(lacks=NO_BACK)
def llLinksetDataDeleteFound(script: Script, pattern: str, phrase: str) -> list[Item]:
    """Deletes all pairs whose names hold a regular expression; returns how many were deleted and how many were
    protected.

    One event, LINKSETDATA_MULTIDELETE, tells the names with commas between them, as far as 16384 characters go. Of
    protected pairs only those with the given pass phrase are deleted.
    """
    store = script.world.linkset_store(script)
    found = _found(script, pattern)
    spend(script, 10 * len(found))
    gone = [name for name in found if store.pairs[name][1] in ("", phrase)]
    for name in gone:
        _take(store, name)
    if gone:
        script.world.linkset_changed(script, MULTIDELETE, ",".join(gone)[:LONGEST_EVENT], "")
    return [len(gone), len(found) - len(gone)]


@ll
def llLinksetDataReset(script: Script) -> None:
    """Deletes all pairs, protected ones too; the event is LINKSETDATA_RESET."""
    store = script.world.linkset_store(script)
    store.pairs.clear()
    store.used = 0
    script.world.linkset_changed(script, RESET, "", "")


@ll
def llLinksetDataAvailable(script: Script) -> int:
    """How many of the 131072 bytes are free."""
    return MOST_BYTES - script.world.linkset_store(script).used


@ll
def llLinksetDataCountKeys(script: Script) -> int:
    """How many pairs there are."""
    return len(script.world.linkset_store(script).pairs)


@ll
def llLinksetDataListKeys(script: Script, start: int, count: int) -> list[Item]:
    """Up to `count` names in alphabetical order, from the one at `start` on; all from there when `count` is below 1."""
    pairs = script.world.linkset_store(script).pairs
    spend(script, 3 * len(pairs))
    return _part(sorted(pairs), start, count)


@ll(lacks=NO_BACK)
def llLinksetDataFindKeys(script: Script, pattern: str, start: int, count: int) -> list[Item]:
    """As llLinksetDataListKeys, only the names that hold a regular expression of at most 800 characters.

    A pattern that is none finds nothing.
    """
    return _part(_found(script, pattern), start, count)


@ll(lacks=NO_BACK)
def llLinksetDataCountFound(script: Script, pattern: str) -> int:
    """How many names hold a regular expression."""
    return len(_found(script, pattern))
