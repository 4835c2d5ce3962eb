"""The reference and the coverage table, from the one place where each function is declared."""

from __future__ import annotations

import inspect

from sim.scripts.language.builtins import Builtin, table
from sim.scripts.language.values import to_string
from sim.scripts.library.declare import LIBRARY


def _docstring(name: str) -> str:
    declared = LIBRARY.get(name)
    if declared is None:
        return "Not built yet: calling it stops the script with an error that says so."
    text = inspect.getdoc(declared.function) or ""
    return text + (f"\n\nNot yet: {declared.lacks}." if declared.lacks else "")


def _facts(builtin: Builtin) -> list[str]:
    facts = []
    if builtin.sleep:
        facts.append(f"sleeps {builtin.sleep:g} s")
    if builtin.energy != 10.0:
        facts.append(f"energy {builtin.energy:g}")
    if builtin.needs:
        facts.append("needs " + builtin.needs.replace("|", " or "))
    facts += [flag for flag in ("deprecated", "experience", "god-mode") if flag in builtin.flags]
    return facts


def describe(name: str) -> str | None:
    """All that is known of a function, event or constant; None when LSL has no such name."""
    known = table()
    if name in known.functions:
        builtin = known.functions[name]
        facts = _facts(builtin)
        return "\n".join([builtin.signature, *(["  " + ", ".join(facts)] if facts else []), "", _docstring(name)])
    if name in known.events:
        inside = ", ".join([f"{kind} {argument}" for kind, argument in known.events[name].arguments])
        return f"event {name}({inside})"
    if name in known.constants:
        constant = known.constants[name]
        shown = to_string(constant.value)
        return (
            f"{constant.kind} {name} = {shown!r}" if constant.kind == "string" else f"{constant.kind} {name} = {shown}"
        )
    return None


def nearest(name: str) -> list[str]:
    """Names that a reader may have meant."""
    from difflib import get_close_matches

    known = table()
    names = [*known.functions, *known.events, *known.constants]
    close = get_close_matches(name, names, 5, 0.7)
    return close or [one for one in names if name.lower() in one.lower()][:10]


def reference() -> dict[str, str]:
    """The generated pages, by file name: one a family of the library, and the coverage table."""
    pages = {"coverage.md": _coverage()}
    families: dict[str, list[str]] = {}
    for name in sorted(LIBRARY):
        families.setdefault(LIBRARY[name].family, []).append(name)
    for family, names in sorted(families.items()):
        module = inspect.getmodule(LIBRARY[names[0]].function)
        about = (inspect.getdoc(module) or "").splitlines()[0]
        out = [f"# {family}", "", about, ""]
        for name in names:
            builtin = LIBRARY[name].builtin
            facts = _facts(builtin)
            out += [f"## {name}", "", f"    {builtin.signature}", ""]
            out += [*([", ".join(facts) + ".", ""] if facts else []), _docstring(name), ""]
        pages[f"{family}.md"] = "\n".join(out)
    return pages


def _coverage() -> str:
    functions = table().functions
    built = [name for name in functions if name in LIBRARY]
    partly = [name for name in built if LIBRARY[name].lacks]
    out = [
        "# Coverage of LSL's functions",
        "",
        f"The compiler knows all {len(functions)} functions, {len(table().events)} events and {len(table().constants)} "
        f"constants. {len(built)} functions are built, {len(partly)} of them with something missing; a function that "
        "is not built stops the script with an error that names it.",
        "",
        "| function | built | what it does not do yet |",
        "|---|---|---|",
    ]
    for name in sorted(functions, key=str.lower):
        declared = LIBRARY.get(name)
        if declared is None:
            out.append(f"| {name} | | |")
        else:
            out.append(f"| [{name}]({declared.family}.md#{name.lower()}) | yes | {declared.lacks} |")
    return "\n".join(out) + "\n"
