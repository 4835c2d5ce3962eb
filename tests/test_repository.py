"""Rules that the repository itself must keep: who imports whom, file sizes, where clocks are read, public docstrings."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import protocol
from sim.parts import Parts

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("protocol", "sim", "ground", "backbone", "assets", "viewer", "grid")
MAX_LINES = 800

# What of the ground floor needs no eventlet, and serves every process.
PLAIN_GROUND = ("ground.stacks", "ground.doors", "ground.visitors", "ground.proxies")
# What each package may import of the others: whole packages, or the named modules only.
ALLOWED = {
    "protocol": set(),
    "sim": {"protocol", "backbone.client", "assets.client", *PLAIN_GROUND},
    "ground": set(),
    "backbone": {"protocol", "ground"},
    "assets": {"protocol", "ground"},
    "viewer": {"protocol", *PLAIN_GROUND},
    # `grid` starts processes: it may know what they are called and how to talk to them, not what is inside.
    "grid": {
        "backbone.client",
        "assets.client",
        "viewer",
        "protocol",
        "assets.layout",  # what an asset's file is called, for backups
        "backbone.admin",  # the operator's door, for when the server is down
        "sim.__main__",
        "sim.storage.settling",  # the operator's door to stores of regions that do not run
        "sim.scripts.tools",  # `mainland lsl`: the script engine without a world
        "backbone.__main__",
        "assets.__main__",
    },
}
# The clock is a parameter everywhere but in one file.
CLOCK_CALLS = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "time.sleep", "time.process_time", "datetime.now", "datetime.utcnow", "datetime.datetime.now",
    "datetime.datetime.utcnow", "datetime.date.today", "date.today",
}  # fmt: skip


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "node_modules" not in path.parts and "__pycache__" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


ALL = sources(*PACKAGES)
trees: dict[Path, ast.Module] = {}


def tree(path: Path) -> ast.Module:
    if path not in trees:
        trees[path] = ast.parse(path.read_text("utf-8"), str(path))
    return trees[path]


def imports(path: Path, with_types: bool = True) -> Iterator[tuple[str, int]]:
    """Every module a file imports, relative ones resolved, `from a import b` as a.b: (dotted name, line).

    `with_types` false leaves out what stands under `if TYPE_CHECKING:` and is never imported when running.
    """
    package = path.relative_to(ROOT).parent.parts
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree(path)):
        if not with_types and isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING"):
            skipped.update(inner for child in node.body for inner in ast.walk(child))
    for node in ast.walk(tree(path)):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    wrong = []
    for path in sources(package):
        for name, line in imports(path):
            other = name.split(".")[0]
            if other in PACKAGES and other != package and not any(within(name, good) for good in ALLOWED[package]):
                wrong.append(f"{name_of(path)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_inside_the_sim_the_world_knows_nobody() -> None:
    changers = ("sim.handlers", "sim.caps", "sim.scripts", "sim.interest", "sim.circuits", "sim.neighbours")
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("sim/world")
        for name, line in imports(path, with_types=False)
        if any(within(name, changer) for changer in changers)
    ]
    assert not wrong, "\n".join(wrong)


def test_actions_know_the_world_and_no_adapter() -> None:
    """They send nothing and see no message; whoever wants something done decodes, calls an action and answers."""
    banned = (
        "sim.handlers", "sim.caps", "sim.scripts", "sim.scenes", "sim.neighbours", "sim.interest", "sim.circuits", "sim.sessions",
        "sim.simulator", "sim.frame", "protocol.message", "protocol.events", "protocol.packet", "aiohttp", "asyncio",
        "backbone.client", "assets.client",
    )  # fmt: skip
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("sim/actions")
        for name, line in imports(path)
        if any(within(name, bad) for bad in banned)
    ]
    assert not wrong, "\n".join(wrong)


def test_actions_are_reached_through_no_simulator() -> None:
    """They take a `Region` and other parts by name, never the whole sim."""
    wrong = [
        f"{name_of(path)}:{node.lineno} uses {dotted(node)}"
        for path in sources("sim/actions")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node).split(".")[:-1][-1:] == ["sim"]
    ]
    assert not wrong, "\n".join(wrong)


# Who may be asked by nobody but the parts that put a region together: adapters decode, call and answer.
ADAPTERS = ("sim.caps", "sim.scenes")
MAKERS = {"sim/simulator.py", "sim/host.py", "sim/sessions.py"}


def test_adapters_are_imported_by_nobody_else() -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("sim/world", "sim/actions", "sim/physics", "sim/interest", "sim/circuits", "sim/scripts")
        for name, line in imports(path, with_types=False)
        if any(within(name, adapter) for adapter in ADAPTERS) and name_of(path) not in MAKERS
    ]
    assert not wrong, "\n".join(wrong)


# The one file that knows every part, and the process that makes it.
SIMULATOR_KNOWN_TO = {"sim/host.py"}
# Adapters are handed `Parts`; these pass it on.
PARTS_KNOWN_TO = ("sim/handlers/", "sim/caps/", "sim/neighbours/services.py", "sim/circuits/circuits.py", "sim/simulator.py")


def test_nobody_is_handed_the_whole_simulator() -> None:
    """A part gets the `Region` and the other parts that it uses by its constructor, so that its signature says whom it knows."""
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("sim")
        for name, line in imports(path)
        if within(name, "sim.simulator") and name_of(path) not in SIMULATOR_KNOWN_TO
    ]
    wrong += [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("sim")
        for name, line in imports(path)
        if within(name, "sim.parts") and not name_of(path).startswith(PARTS_KNOWN_TO)
    ]
    assert not wrong, "\n".join(wrong)


def reaches(path: Path) -> Iterator[tuple[str, int]]:
    """What a file takes from something called `sim`, `_sim` or `_parts`, and where."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and dotted(node.value).rpartition(".")[2] in ("sim", "_sim", "_parts"):
            yield node.attr, node.lineno


def test_only_adapters_reach_through_something_for_parts() -> None:
    """And what they are handed holds nothing that no adapter uses."""
    used = set()
    wrong = []
    for path in sources("sim"):
        for name, line in reaches(path):
            if name_of(path).startswith(PARTS_KNOWN_TO):
                used.add(name)
            elif name_of(path) not in SIMULATOR_KNOWN_TO:
                wrong.append(f"{name_of(path)}:{line} reaches for {name}: hand it to the constructor")
    assert not wrong, "\n".join(wrong)
    assert not {field.name for field in dataclasses.fields(Parts)} - used


def test_eventlet_is_imported_in_one_module() -> None:
    wrong = [
        f"{name_of(path)}:{line}"
        for path in ALL
        for name, line in imports(path)
        if within(name, "eventlet") and name_of(path) != "ground/green.py"
    ]
    assert not wrong, "\n".join(wrong)


def test_the_protocol_has_no_sockets_clock_or_loop() -> None:
    banned = ("socket", "socketserver", "time", "asyncio", "threading", "aiohttp", "eventlet", "selectors", "ssl")
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("protocol")
        for name, line in imports(path)
        if any(within(name, bad) for bad in banned)
    ]
    assert not wrong, "\n".join(wrong)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def clock_uses(path: Path) -> Iterator[str]:
    """Clock functions a file refers to, called or handed on, under whatever name they were imported."""
    aliases = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            aliases.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            aliases.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute | ast.Name):
            name = dotted(node)
            head, _, rest = name.partition(".")
            full = ".".join(part for part in (aliases.get(head, head), rest) if part)
            if full in CLOCK_CALLS:
                yield f"{name_of(path)}:{node.lineno} uses {full}"


def test_only_the_sim_s_clock_reads_a_clock() -> None:
    wrong = [use for path in sources("sim") if name_of(path) != "sim/clock.py" for use in clock_uses(path)]
    assert not wrong, "\n".join(wrong)


def test_the_clock_rule_sees_through_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    sly = tmp_path / "sly.py"
    sly.write_text("import time as t\nfrom time import monotonic as now\nfrom datetime import datetime\n"
                   "def f(): return t.sleep(1), now(), datetime.now(), t.strftime('')\n")  # fmt: skip
    assert [use.split()[-1] for use in clock_uses(sly)] == ["time.sleep", "time.monotonic", "datetime.datetime.now"]


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        name_of(path): lines
        for path in [*ALL, *sources("tests", "bench")]
        if (lines := path.read_text("utf-8").count("\n")) > MAX_LINES
    }
    assert not long


def protocol_functions() -> Iterator[tuple[str, object]]:
    for info in pkgutil.iter_modules(protocol.__path__):
        module = importlib.import_module(f"protocol.{info.name}")
        assert module.__doc__, f"protocol.{info.name} does not say what it is"
        for name, member in vars(module).items():
            member = getattr(member, "py_func", member)  # a numba function carries its Python self
            if not name.startswith("_") and inspect.isfunction(member) and member.__module__ == module.__name__:
                yield f"protocol.{info.name}.{name}", member


def test_every_public_function_of_the_protocol_is_documented() -> None:
    functions = dict(protocol_functions())
    assert len(functions) > 40
    missing = [name for name, function in functions.items() if not inspect.getdoc(function)]
    assert not missing, "\n".join(missing)
