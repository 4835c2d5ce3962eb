"""Statements, functions and the module: the checked tree becomes one wasm module in text form."""

from __future__ import annotations

from dataclasses import dataclass

from sim.scripts.language import layout
from sim.scripts.language import syntax as tree
from sim.scripts.language.builtins import Builtin, table
from sim.scripts.language.calls import Calls, can_pause, weight
from sim.scripts.language.errors import Diary
from sim.scripts.language.expressions import Expressions, local_names
from sim.scripts.language.frames import MOST_WEIGHT, Frame, Segment, TooLarge, seal
from sim.scripts.language.image import Image
from sim.scripts.language.wasm import ZERO, Held, as_single, i32, load, store

# What the runtime module and the host give every script.
_IMPORTS = """
(import "rt" "memory" (memory 4 4))
(import "host" "fail" (func $fail (param i32)))
(import "host" "print" (func $print (param i32 i32)))
(import "host" "float_text" (func $float_text (param f32) (result i32)))
(import "host" "vector_text" (func $vector_text (param f32 f32 f32) (result i32)))
(import "host" "rotation_text" (func $rotation_text (param f32 f32 f32 f32) (result i32)))
(import "host" "list_text" (func $list_text (param i32) (result i32)))
(import "host" "text_integer" (func $text_integer (param i32) (result i32)))
(import "host" "text_float" (func $text_float (param i32) (result f32)))
(import "host" "text_vector" (func $text_vector (param i32) (result f32 f32 f32)))
(import "host" "text_rotation" (func $text_rotation (param i32) (result f32 f32 f32 f32)))
(import "rt" "retain" (func $retain (param i32) (result i32)))
(import "rt" "release" (func $release (param i32)))
(import "rt" "release_list" (func $release_list (param i32)))
(import "rt" "concat" (func $concat (param i32 i32) (result i32)))
(import "rt" "text_equal" (func $text_equal (param i32 i32) (result i32)))
(import "rt" "is_key" (func $is_key (param i32) (result i32)))
(import "rt" "integer_text" (func $integer_text (param i32) (result i32)))
(import "rt" "to_integer" (func $to_integer (param f64) (result i32)))
(import "rt" "list_new" (func $list_new (param i32) (result i32)))
(import "rt" "list_push" (func $list_push (param i32 i32 i32) (result i32)))
(import "rt" "list_concat" (func $list_concat (param i32 i32) (result i32)))
(import "rt" "box3" (func $box3 (param f32 f32 f32) (result i32)))
(import "rt" "box4" (func $box4 (param f32 f32 f32 f32) (result i32)))
(import "rt" "dot" (func $dot (param f32 f32 f32 f32 f32 f32) (result f32)))
(import "rt" "cross" (func $cross (param f32 f32 f32 f32 f32 f32) (result f32 f32 f32)))
(import "rt" "turn" (func $turn (param f32 f32 f32 f32 f32 f32 f32) (result f32 f32 f32)))
(import "rt" "compose" (func $compose (param f32 f32 f32 f32 f32 f32 f32 f32) (result f32 f32 f32 f32)))
"""
_IMPORT_LINES = {line.split("$")[1].split(" ")[0]: line for line in _IMPORTS.strip().splitlines()[1:]}
_MEMORY = _IMPORTS.strip().splitlines()[0]


@dataclass(frozen=True, slots=True)
class FunctionMap:
    """What stack dumps and the check of saved stacks need of one function.

    frame_bytes: 0 when it can't pause; lines: source line of every point (0 is none); calls: the function number called
    at a point, or -1 where the function itself pauses.
    """

    name: str
    frame_bytes: int
    lines: tuple[int, ...]
    calls: tuple[int, ...]


class Emitter:
    def __init__(self, script: tree.Script, diary: Diary):
        self.script = script
        self.diary = diary
        self.image = Image()
        self.calls = Calls()
        self.addresses: dict[tree.Variable, int] = {}
        self.maps: list[FunctionMap] = []
        self.states = [state.name for state in script.states]
        self.state_at = -1
        self.frame = Frame(0, "void")
        self.to = Expressions(self, self.frame)
        self._pauses: dict[int, bool] = {}
        self._numbers = {id(function): index for index, function in enumerate(script.functions)}

    def line(self, offset: int) -> int:
        return self.diary.line(offset)

    def number(self, function: tree.Function) -> int:
        return self._numbers[id(function)]

    # --- module

    def module(self) -> str:
        """The whole module's text. Afterwards `image`, `maps` and `handlers` are complete."""
        for item in self.script.globals:
            variable = item.variable
            self.addresses[variable] = self.image.reserve(4 * len(layout.FLAT[variable.kind]))
        for item in self.script.globals:
            self.image.put(self.addresses[item.variable], item.kind, item.variable.value)
        functions = [self.function(function, f"$f{self.number(function)}") for function in self.script.functions]
        self.handlers: dict[tuple[int, str], int] = {}
        for index, state in enumerate(self.script.states):
            self.state_at = index
            for handler in state.handlers:
                number = self.handlers[index, handler.name] = len(self.handlers)
                functions.append(self.function(handler, f"$h{number}", f"{state.name}.{handler.name}"))
        body = " ".join(functions)
        used = [line for name, line in _IMPORT_LINES.items() if f"call ${name} " in body or name == "fail"]
        return "\n".join(["(module", _MEMORY, *used, *self.calls.imports(), *functions, self.dispatcher(), ")"])

    def dispatcher(self) -> str:
        """`run` starts, or goes on with, the handler the page names; its arguments lie in the page too."""
        events = table().events
        handlers = sorted(self.handlers.items(), key=lambda item: item[1])
        names = " ".join([f"$c{number}" for _, number in handlers])
        out = ['(func (export "run")']
        out.append("block $none " + " ".join([f"block $c{number}" for _, number in reversed(handlers)]))
        out.append(f"{load('i32', layout.HANDLER)} br_table {names} $none")
        for (_, name), number in handlers:
            pushes = []
            for index, (kind, _) in enumerate(events[name].arguments):
                at = layout.ARGUMENTS + 16 * index
                pushes += [load(each, at + 4 * part) for part, each in enumerate(layout.FLAT[kind])]
            out.append(f"end {' '.join(pushes)} call $h{number} return")
        out.append("end)")
        return " ".join(out)

    # --- functions

    def can_pause(self, function: tree.Function) -> bool:
        """Whether calls of it need a resume point: not for short functions that call nobody and never loop."""
        known = self._pauses.get(id(function))
        if known is None:
            known = self._pauses[id(function)] = _may_pause(function.body) or _weight(function.body) >= MOST_WEIGHT
        return known

    def function(self, function: tree.Function, name: str, title: str = "") -> str:
        self.frame = frame = Frame(len(self.maps), function.returns)
        self.to = Expressions(self, frame)
        self.labels: list[dict[str, tuple[str, int]]] = []
        self.returns = function.returns
        count = len(function.parameters)
        parameters = [pair for variable in function.variables[:count] for pair in local_names(variable)]
        frame.saved += parameters
        for variable in function.variables[count:]:
            for each, kind in local_names(variable):
                frame.locals[each] = kind
                frame.saved.append((each, kind))
        try:
            if self.can_pause(function):
                frame.checkpoint(function.offset)
            self.statement(function.body)
        except TooLarge:
            self.diary.error(function.offset, f"Function {function.name!r} is too large")
            frame.segments.clear()
        epilogue = " ".join(
            [
                f"local.get {local_names(variable)[0][0]} call $release{'_list' if variable.kind == 'list' else ''}"
                for variable in function.variables
                if variable.kind in layout.COUNTED
            ]
        )
        text = frame.text(name, parameters, epilogue)
        lines = tuple([self.line(offset) for offset in frame.points])
        self.maps.append(FunctionMap(title or function.name, frame.size, lines, tuple(frame.callees)))
        return text

    # --- statements

    def statement(self, node: tree.Statement) -> None:
        frame = self.frame
        if isinstance(node, tree.Evaluate):
            value = self.to.value(node.value, wanted=False)
            if value.owned:
                self.to.release(value)
            frame.weigh(0, node.offset)
        elif isinstance(node, tree.Block):
            self.block(node)
        elif isinstance(node, tree.Declare):
            self.declare(node)
            frame.weigh(0, node.offset)
        elif isinstance(node, tree.If):
            self.if_chain(node)
        elif isinstance(node, tree.While | tree.DoWhile | tree.For):
            self.loop(node)
        elif isinstance(node, tree.Jump):
            loop, point = next(labels[node.label] for labels in reversed(self.labels) if node.label in labels)
            frame.emit(f"i32.const @{point}@ local.set $pc br {loop}")
        elif isinstance(node, tree.Label):
            _, key = self.labels[-1][node.name]
            frame.checkpoint(node.offset)
            self.frame.label_points[key] = frame.last_point
        elif isinstance(node, tree.Return):
            self.give_back(node)
        elif isinstance(node, tree.ChangeState):
            index = self.states.index(node.name)
            if index != self.state_at:
                frame.emit(store("i32", layout.NEXT_STATE, i32(index)))
            frame.emit("br $ret")

    def sealed(self, node: tree.Statement) -> Segment:
        """A statement on its own, as the branch of an if or the body of a loop."""
        with self.frame.nested() as segments:
            if isinstance(node, tree.Label):  # a label without a block still needs its loop
                self.block(tree.Block(node.offset, [node]))
            else:
                self.statement(node)
        return seal(segments)

    def block(self, node: tree.Block) -> None:
        names = [item.name for item in node.body if isinstance(item, tree.Label)]
        if not names:
            for item in node.body:
                self.statement(item)
            return
        # A block with labels is a loop: `jump` sets pc to the label's point and starts the block over.
        loop = self.frame.label()
        keys = {name: (loop, len(self.frame.label_points) + index) for index, name in enumerate(names)}
        self.frame.label_points += [0] * len(names)
        self.labels.append(keys)
        with self.frame.nested() as segments:
            for item in node.body:
                self.statement(item)
        self.labels.pop()
        text, high = seal(segments)
        for _, key in keys.values():
            text = text.replace(f"@{key}@", str(self.frame.label_points[key]))
        self.frame.emit_point(f"loop {loop} {text} end", high)

    def declare(self, node: tree.Declare) -> None:
        variable = node.variable
        target = tree.Name(node.offset, node.name)
        target.target, target.type = variable, variable.kind
        if node.value is not None:
            value = self.to.convert(self.to.value(node.value), variable.kind)
            self.to.put(target, value, wanted=False)
            return
        kinds = layout.FLAT[variable.kind]
        parts = [ZERO[kind] for kind in kinds]
        if variable.kind == "rotation":
            parts[3] = "f32.const 1"
        if variable.kind in layout.COUNTED:
            self.to.put(target, Held(variable.kind, ("i32.const 0",), constant=""), wanted=False)
        else:
            for (name, _), part in zip(local_names(variable), parts, strict=True):
                self.frame.emit(f"{part} local.set {name}")

    def give_back(self, node: tree.Return) -> None:
        frame = self.frame
        if node.value is not None:
            value = self.to.value(node.value)
            if self.returns != "void":
                value = self.to.convert(value, self.returns)
                if self.returns in layout.COUNTED:
                    value = self.to.own(value)
                frame.use(value)
                texts = [as_single(value)] if self.returns == "float" else list(value.parts)
                sets = "".join([f" local.set $r{index}" for index in range(len(texts) - 1, -1, -1)])
                frame.emit(" ".join(texts) + sets)
            elif value.owned:
                self.to.release(value)
        frame.emit("br $ret")

    def if_chain(self, node: tree.If) -> None:
        frame = self.frame
        test = self.to.condition(node.condition)
        before = frame.weight
        then, high = self.sealed(node.then)
        last_of_then = frame.last_point
        after_then, frame.weight = frame.weight, before
        otherwise, other_high = self.sealed(node.otherwise) if node.otherwise is not None else ("", 0)
        frame.weight = max(frame.weight, after_then)
        tail = f" else {otherwise}" if otherwise else ""
        if not (high or other_high):
            frame.emit(f"{test} if {then}{tail} end")
            return
        # Resuming inside, the point alone decides the branch: nothing in a saved page can lead it astray.
        test = f"local.get $pc i32.eqz if (result i32) {test} else local.get $pc i32.const {last_of_then} i32.le_u end"
        frame.emit_point(f"{test} if {then}{tail} end", max(high, other_high))

    def loop(self, node: tree.While | tree.DoWhile | tree.For) -> None:
        frame = self.frame
        out, again = frame.label(), frame.label()
        if isinstance(node, tree.For):
            for part in node.start:
                self.evaluate(part)
        with frame.nested() as segments:
            frame.checkpoint(node.offset)
            condition = node.condition
            if not isinstance(node, tree.DoWhile):
                frame.emit(f"{self.to.condition(condition)} i32.eqz br_if {out}")
            text, high = self.sealed(node.body)
            if high:
                frame.emit_point(text, high)
            else:
                frame.emit(text)
            frame.noted_line = -1
            if isinstance(node, tree.For):
                for part in node.step:
                    self.evaluate(part)
            if isinstance(node, tree.DoWhile):
                frame.emit(f"{self.to.condition(condition)} br_if {again}")
        text, high = seal(segments)
        back = "" if isinstance(node, tree.DoWhile) else f" br {again}"
        frame.emit_point(f"block {out} loop {again} {text}{back} end end", high)

    def evaluate(self, node: tree.Expression) -> None:
        value = self.to.value(node, wanted=False)
        if value.owned:
            self.to.release(value)


def _may_pause(node: object) -> bool:
    """Whether a tree holds a loop, a label, a call of a user function, or of a host function that may pause."""
    if isinstance(node, tree.While | tree.DoWhile | tree.For | tree.Label):
        return True
    if isinstance(node, tree.Call) and not (isinstance(node.target, Builtin) and not can_pause(node.target)):
        return True
    if isinstance(node, tree.Binary):
        while isinstance(node, tree.Binary):
            if _may_pause(node.right):
                return True
            node = node.left
        return _may_pause(node)
    if isinstance(node, tree.Call):
        return any([_may_pause(item) for item in node.arguments])
    if isinstance(node, list):
        return any([_may_pause(item) for item in node])
    if isinstance(node, tree.Expression | tree.Statement):
        return any([_may_pause(getattr(node, slot)) for slot in _CHILDREN.get(type(node).__name__, ())])
    return False


def _weight(node: object) -> int:
    """At least what all of a tree weighs, so that a function with a checkpoint for it has a frame."""
    total, rest = 0, [node]
    while rest:
        one = rest.pop()
        if isinstance(one, list):
            rest += one
        elif isinstance(one, tree.Expression | tree.Statement):
            if isinstance(one, tree.Call):
                total += weight(one.target) if isinstance(one.target, Builtin) else 0
            elif isinstance(one, tree.Binary | tree.Cast | tree.ListLiteral | tree.Assign):
                total += 1 if not isinstance(one, tree.ListLiteral) else 1 + len(one.items)
            rest += [getattr(one, slot) for slot in _CHILDREN.get(type(one).__name__, ())]
    return total


_CHILDREN = {
    "ListLiteral": ("items",), "VectorLiteral": ("parts",), "Unary": ("operand",), "Cast": ("operand",),
    "Binary": ("left", "right"), "Call": ("arguments",),
    "Print": ("operand",), "Assign": ("value",), "Block": ("body",), "Declare": ("value",), "Evaluate": ("value",),
    "If": ("condition", "then", "otherwise"), "Return": ("value",),
}  # fmt: skip
