"""What numba compiled is kept, and nothing is loaded that was not written so."""

from __future__ import annotations

import ast
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "from protocol.kernels import kernel\n\n@kernel\ndef double(x):\n    return 2 * x\n"


def load(path: Path) -> Any:
    """The kernel `double` of a module, as a process would find it that has just begun."""
    spec = importlib.util.spec_from_file_location("doubling", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.double  # type: ignore[attr-defined]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "doubling.py"
    path.write_text(SOURCE)
    assert load(path)(21) == 42
    again = load(path)
    assert again(21) == 42 and again.stats.cache_hits and not again.stats.cache_misses
    return path


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "short": lambda raw: raw[: len(raw) // 2],
    "garbage": lambda raw: bytes(range(256)) * (len(raw) // 256 + 1),
    "one bit": lambda raw: raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:],
    "longer": lambda raw: raw + b"x",
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_files_are_compiled_anew_with_one_line_in_the_log(
    source: Path, suffix: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (source.parent / "__pycache__").glob(f"*.{suffix}")
    file.write_bytes(DAMAGE[kind](file.read_bytes()))
    with caplog.at_level(logging.WARNING, "protocol.kernels"):
        again = load(source)
        assert again(21) == 42 and again.stats.cache_misses
        assert load(source)(4) == 8
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(source.parent) in caplog.text
    third = load(source)
    assert third(21) == 42 and third.stats.cache_hits  # and is kept once more


def test_a_folder_full_of_damage_is_one_line(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    for file in (source.parent / "__pycache__").glob("*.nb?"):
        file.write_bytes(b"")
    with caplog.at_level(logging.WARNING, "protocol.kernels"):
        assert load(source)(21) == 42
    assert len(caplog.records) == 1


def test_a_changed_source_is_compiled_anew_without_a_word(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    source.write_text(SOURCE.replace("2 * x", "4 * x / 2"))
    assert load(source)(21) == 42.0 and isinstance(load(source)(21), float)
    assert not caplog.records


def test_numba_is_imported_in_one_module() -> None:
    """So that each kernel is kept, checked and counted alike."""
    others = []
    for folder in ("protocol", "sim", "viewer", "assets", "backbone", "grid", "bench", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" in path.parts or path.name == "kernels.py" and path.parent.name == "protocol":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if any(name.split(".")[0] == "numba" for name in names):
                    others.append(str(path.relative_to(ROOT)))
    assert not others
