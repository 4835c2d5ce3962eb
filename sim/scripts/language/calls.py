"""Calls of ll* functions: most go to the host, some to the runtime module in the same page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language import layout
from sim.scripts.language import syntax as tree
from sim.scripts.language.builtins import Builtin
from sim.scripts.language.frames import MOST_WEIGHT
from sim.scripts.language.wasm import Held, as_single

if TYPE_CHECKING:
    from sim.scripts.language.expressions import Expressions

# ll* functions the runtime module has itself; the library's Python versions say what they must do
NATIVE = frozenset(
    {
        "llAbs", "llCeil", "llFabs", "llFloor", "llGetListEntryType", "llGetListLength", "llGetSubString",
        "llList2Float", "llList2Integer", "llList2List", "llList2String", "llStringLength",
    }
)  # fmt: skip


def can_pause(function: Builtin) -> bool:
    return function.sleep > 0 or "pauses" in function.flags


def weight(function: Builtin) -> int:
    """How much of MOST_WEIGHT a call is worth: all of it for the host's functions of lists, which may take milliseconds."""
    if function.name in NATIVE:
        return 1
    return MOST_WEIGHT if function.returns == "list" or any(kind == "list" for kind, _ in function.arguments) else 1


class Calls:
    """Knows which host functions the script uses."""

    def __init__(self) -> None:
        self.used: dict[str, Builtin] = {}

    def imports(self) -> list[str]:
        out = []
        for name, function in self.used.items():
            flat = " ".join([each for kind, _ in function.arguments for each in layout.FLAT[kind]])
            parameters = f" (param {flat})" if flat else ""
            results = "".join([f" (result {each})" for each in layout.FLAT[function.returns]])
            module = "rt" if name in NATIVE else "ll"
            out.append(f'(import "{module}" "{name}" (func ${name}{parameters}{results}))')
        return out

    def builtin(self, to: Expressions, node: tree.Call, function: Builtin) -> Held:
        frame = to.frame
        values = to.in_order(node.arguments, [kind for kind, _ in function.arguments])
        pushed: list[str] = []
        for value in values:
            frame.use(value)
            pushed.extend([as_single(value)] if value.type == "float" else value.parts)
        self.used[function.name] = function
        to.note(node)
        text = " ".join([*pushed, f"call ${function.name}"])
        if function.returns == "void":
            frame.emit(text)
            result = Held("void", ())
        else:
            result = to.flat_results(text, function.returns)
        for value in values:
            to.release(value)
        if can_pause(function):
            point = frame.point(node.offset)
            frame.emit_point(frame.leave_if_pausing(point), point)
        else:
            frame.weigh(weight(function), node.offset)
        return result
