"""How functions become kernels: the one place that says how numba compiles them and keeps what it compiled.

    kernel   what Python calls; compiled once a machine for each set of types, and kept in __pycache__
    inline   what is copied into the kernels that call it

What is kept carries a digest of itself. A file that is damaged (a disk that was full, a machine that lost its power while
writing) is compiled anew, with one line in the log, in place of a process that never starts again or runs garbage.

Kernels check no bounds: an index beyond an array reads or writes somewhere else. With MAINLAND_CHECKED_KERNELS set to a
folder, every kernel of the process is one that checks (IndexError), kept in that folder, slower and compiled with less
care. Tests and `bench.fuzz_physics` play hostile worlds in such processes.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

CHECKED = os.environ.get("MAINLAND_CHECKED_KERNELS", "")
if CHECKED:  # numba reads these when it is first imported
    os.environ.update(NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=CHECKED, NUMBA_OPT="1")

import numba  # noqa: E402
from numba import types as types  # noqa: E402
from numba.core import caching  # noqa: E402

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])
_MAGIC = b"kernel 1"
_DIGEST = hashlib.sha256().digest_size
_njit: Any = numba.njit  # its stubs leave some of its options out
_ROOT = Path(__file__).resolve().parent.parent
_IMPORT = re.compile(rb"^from ((?:protocol|sim|viewer)\.[\w.]+) import", re.MULTILINE)
_KERNEL = re.compile(rb"^@\w*(?:kernel|inline|inner)\b", re.MULTILINE)
_LINE = re.compile(r"-\d+(?=\.py)")
_told: set[str] = set()  # folders with damaged files that the log has heard of


class _KeptFile(caching.IndexDataCacheFile):  # type: ignore[misc,unused-ignore]
    """Numba's file of what it compiled, of which nothing is read that was not written so."""

    def _load_index(self) -> dict[Any, str]:
        raw = self._read(self._index_path)
        if not raw:
            return {}
        version, stamp, overloads = caching.pickle.loads(raw)
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        raw = self._read(self._data_path(name))
        if not raw:
            raise FileNotFoundError(name)  # which numba takes for a file that somebody removed
        return caching.pickle.loads(raw)

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> bytes:
        """What was written there; nothing if it is not there, of another format, or damaged."""
        try:
            raw = Path(path).read_bytes()
        except OSError:
            return b""
        head = len(_MAGIC) + _DIGEST
        if raw.startswith(_MAGIC) and hashlib.sha256(raw[head:]).digest() == raw[len(_MAGIC) : head]:
            return raw[head:]
        if raw[:2] != b"\x80\x05":  # what numba wrote by itself is only old
            folder = os.path.dirname(path)
            if folder not in _told:
                _told.add(folder)
                log.warning("kernels kept in %s are damaged (%s); compiling them anew", folder, os.path.basename(path))
        return b""

    def _write(self, path: str, value: Any) -> None:
        raw = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(_MAGIC + hashlib.sha256(raw).digest() + raw)


def _compiled_part(text: bytes) -> bytes:
    """A module's text without its ordinary functions and methods, which no kernel can call."""
    kept: list[bytes] = []
    waiting: list[bytes] = []  # decorators of what is about to come
    within = -1  # how far the function is indented in which the line is
    for line in text.splitlines():
        bare = line.lstrip()
        if not bare or bare.startswith(b"#"):
            continue
        indent = len(line) - len(bare)
        if within >= 0 and (indent > within or (indent == within and bare.startswith(b")"))):
            continue
        within = -1
        if bare.startswith(b"@"):
            waiting.append(line)
        elif bare.startswith((b"def ", b"async def ")) and not any(map(_KERNEL.match, waiting)):
            within = indent
            waiting.clear()
        else:
            kept += (*waiting, line)
            waiting.clear()
    return b"\n".join(kept)


@cache
def _source(path: Path) -> tuple[bytes, bool, frozenset[Path]]:
    """Of a module what may be part of kernels, whether it has any, and the modules of ours that it imports."""
    text = path.read_bytes()
    found = []
    for name in _IMPORT.findall(text):
        at = _ROOT.joinpath(*name.decode().split("."))
        found.append(at / "__init__.py" if at.is_dir() else at.with_suffix(".py"))
    return _compiled_part(text), _KERNEL.search(text) is not None, frozenset(path for path in found if path.exists())


def stamp_of(path: Path) -> str:
    """A digest of what a module's kernels are made of: the module, those it takes constants and kernels from, and so on
    through all that have kernels. Numba by itself looks at the date of one file, and would go on with old inner kernels."""
    todo, seen = [path], {path}
    while todo:
        _, has_kernels, imported = _source(todo.pop())
        if has_kernels:
            todo += imported - seen
            seen |= imported
    digest = hashlib.sha256()
    for one in sorted(seen):
        digest.update(one.name.encode() + b"\0" + _source(one)[0])
    return digest.hexdigest()


def compiled(function: Function, kept: bool = True, **options: Any) -> Function:
    """A kernel with options of numba's own. What is not `kept` is compiled anew with each kernel that calls it."""
    made = _njit(cache=kept, **options)(function)
    file = getattr(made._cache, "_cache_file", None)
    if type(file) is caching.IndexDataCacheFile:
        file.__class__ = _KeptFile
        path = Path(inspect.getfile(function))
        if path.is_relative_to(_ROOT):
            file._source_stamp = stamp_of(path)
        # Its name need not say the line it stands in, which changes with every word above it.
        file._index_name = _LINE.sub("", file._index_name)
        file._index_path = os.path.join(file._cache_path, file._index_name)
        file._data_name_pattern = _LINE.sub("", file._data_name_pattern)
    kernel_: Function = made
    return kernel_


def kernel(function: Function) -> Function:
    """Compile a function that Python calls."""
    return compiled(function, nogil=True)


def inline(function: Function) -> Function:
    """Compile a function into the kernels that call it, as if it were written there."""
    return compiled(function, nogil=True, inline="always")


def signatures() -> dict[str, int]:
    """How many sets of types each kernel of this process is compiled or loaded for, by module and name."""
    import gc

    from numba.core.dispatcher import Dispatcher

    found: dict[str, int] = {}
    for thing in gc.get_objects():
        if isinstance(thing, Dispatcher):
            name = f"{thing.py_func.__module__}.{thing.py_func.__qualname__}"
            found[name] = found.get(name, 0) + len(thing.signatures)
    return found
