"""Expressions to wasm. Operands go right to left, arguments and list items left to right, and nothing short-circuits.

Every value in the heap is counted: reading a variable borrows, and whoever keeps a value must own it. `s = s + x` moves
`s` instead of copying it, so that appending in a loop works in place.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sim.scripts.language import layout
from sim.scripts.language import syntax as tree
from sim.scripts.language.builtins import Builtin
from sim.scripts.language.frames import Frame
from sim.scripts.language.values import Value, to_single
from sim.scripts.language.wasm import Held, Temporary, as_double, as_single, f32, f64, from_single, i32, load, store

if TYPE_CHECKING:
    from sim.scripts.language.emitter import Emitter

_INTEGER_OPS = {
    "+": "i32.add", "-": "i32.sub", "*": "i32.mul", "&": "i32.and", "|": "i32.or", "^": "i32.xor", "<<": "i32.shl",
    ">>": "i32.shr_s", "<": "i32.lt_s", ">": "i32.gt_s", "<=": "i32.le_s", ">=": "i32.ge_s", "==": "i32.eq",
    "!=": "i32.ne",
}  # fmt: skip
_FLOAT_OPS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_FLOAT_TESTS = {"<": "lt", ">": "gt", "<=": "le", ">=": "ge", "==": "eq", "!=": "ne"}
NOTHING = Held("void", ())


class Expressions:
    """Emits expressions into `frame`; the statement side is in `emitter.py`."""

    def __init__(self, emitter: Emitter, frame: Frame):
        self.emitter = emitter
        self.frame = frame
        self.moving: tree.Variable | None = None  # the variable whose old value may be taken instead of shared
        self._effects: dict[int, bool] = {}

    # --- owning and giving up

    def own(self, value: Held) -> Held:
        """A heap value with a reference of its own, in a temporary (or a literal, which needs none)."""
        if value.owned or value.constant is not None:
            return value
        self.frame.use(value)
        return self.keep(f"{value.text} call $retain", value.type)

    def keep(self, text: str, kind: str) -> Held:
        """Runs code that leaves an owned heap value."""
        one = self.frame.temporary("i32")
        self.frame.emit(f"{text} local.set {one.name}")
        return Held(kind, (f"local.get {one.name}",), owned=True, uses=(one,))

    def release(self, value: Held) -> None:
        if value.owned:
            self.frame.use(value)
            self.frame.emit(f"{value.text} call ${'release_list' if value.type == 'list' else 'release'}")

    def note(self, node: tree.Expression) -> None:
        self.frame.note_line(self.emitter.line(node.offset))

    # --- effects: whether evaluating a node can change what an earlier value reads

    def changes(self, node: tree.Expression) -> bool:
        known = self._effects.get(id(node))
        if known is None:
            known = self._effects[id(node)] = self._find_changes(node)
        return known

    def _find_changes(self, node: tree.Expression) -> bool:
        if isinstance(node, tree.Assign | tree.Step):
            return True
        if isinstance(node, tree.Call):
            return not isinstance(node.target, Builtin) or any([self.changes(one) for one in node.arguments])
        if isinstance(node, tree.Binary):
            chain = [node]
            while isinstance(chain[-1].left, tree.Binary) and id(chain[-1].left) not in self._effects:
                chain.append(chain[-1].left)
            found = self.changes(chain[-1].left)
            for link in reversed(chain):  # each is noted, so that a long chain is looked through once
                found = self._effects[id(link)] = found or self.changes(link.right)
            return found
        if isinstance(node, tree.Unary | tree.Cast | tree.Print):
            return self.changes(node.operand)
        if isinstance(node, tree.ListLiteral):
            return any([self.changes(one) for one in node.items])
        if isinstance(node, tree.VectorLiteral):
            return any([self.changes(one) for one in node.parts])
        return False

    def reads(self, node: tree.Expression, variable: tree.Variable) -> int:
        """How often an expression names a variable (a user call may read any global)."""
        if isinstance(node, tree.Name | tree.Member):
            return int(node.target is variable)
        if isinstance(node, tree.Binary):
            count = 0
            while isinstance(node, tree.Binary):
                count += self.reads(node.right, variable)
                node = node.left
            return count + self.reads(node, variable)
        if isinstance(node, tree.Unary | tree.Cast | tree.Print):
            return self.reads(node.operand, variable)
        if isinstance(node, tree.Assign):
            return self.reads(node.target, variable) + self.reads(node.value, variable)
        if isinstance(node, tree.Step):
            return self.reads(node.target, variable)
        if isinstance(node, tree.Call):
            return sum([self.reads(one, variable) for one in node.arguments])
        if isinstance(node, tree.ListLiteral | tree.VectorLiteral):
            parts = node.items if isinstance(node, tree.ListLiteral) else node.parts
            return sum([self.reads(one, variable) for one in parts])
        return 0

    # --- values

    def constant(self, value: Value, kind: str) -> Held:
        if kind == "integer":
            return Held(kind, (i32(value),), constant=value)  # type: ignore[arg-type]
        if kind == "float":
            assert isinstance(value, float)
            single = f32(value) if to_single(value) == value or value != value else None
            return Held(kind, (f64(value),), single=single, constant=value)
        if kind in ("vector", "rotation"):
            return Held(kind, tuple([f32(part) for part in value]), constant=value)  # type: ignore[union-attr, arg-type]
        image = self.emitter.image
        address = image.list(value) if kind == "list" else image.text(str(value))  # type: ignore[arg-type]
        return Held(kind, (i32(address),), constant=value)

    def operand(self, node: tree.Expression, unproven: bool) -> Held:
        """A value; `unproven`: whoever uses it checks its own result, which is no number either if this is none."""
        if unproven and node.constant is None and isinstance(node, tree.Binary):
            return self.binary_chain(node, False)
        return self.value(node)

    def proven(self, value: Held, node: tree.Expression) -> Held:
        """The result of float arithmetic, once it is known to be a number: anything else is a Math Error."""
        value = self.frame.capture(value)
        self.frame.use(value)
        self.fail_if(f"{value.text} {value.text} f64.ne", layout.MATH_ERROR, node)
        return value

    def value(self, node: tree.Expression, wanted: bool = True) -> Held:
        """Emits what the expression does and returns its value; without `wanted` only the effects matter."""
        if node.constant is not None:
            return self.constant(node.constant, node.type)
        if isinstance(node, tree.Name):
            return self.read(node.target)
        if isinstance(node, tree.Binary):
            return self.binary_chain(node)
        if isinstance(node, tree.Call):
            return self.call(node)
        if isinstance(node, tree.Assign):
            return self.assign(node, wanted)
        if isinstance(node, tree.Step):
            return self.step(node, wanted)
        if isinstance(node, tree.Cast):
            return self.cast(self.value(node.operand), node.to, node)
        if isinstance(node, tree.Unary):
            return self.unary(node)
        if isinstance(node, tree.Member):
            return from_single(self.part(node))
        if isinstance(node, tree.ListLiteral):
            return self.list_literal(node)
        if isinstance(node, tree.VectorLiteral):
            parts = self.in_order(node.parts, ["float"] * len(node.parts))
            for part in parts:
                self.frame.use(part)
            uses = tuple([use for part in parts for use in part.uses])
            return Held(node.type, tuple([as_single(part) for part in parts]), uses=uses)
        assert isinstance(node, tree.Print)
        return self.print(node)

    def read(self, variable: tree.Variable) -> Held:
        if variable is self.moving:
            self.moving = None
            value = self.read(variable)
            return Held(value.type, value.parts, owned=True)
        if variable.is_global:
            address = self.emitter.addresses[variable]
            kinds = layout.FLAT[variable.kind]
            parts = tuple([load(kind, address + 4 * index) for index, kind in enumerate(kinds)])
        else:
            parts = tuple([f"local.get {name}" for name, _ in local_names(variable)])
        if variable.kind == "float":
            return from_single(parts[0])
        return Held(variable.kind, parts)

    def part(self, node: tree.Member) -> str:
        index = "xyzs".index(node.part)
        if node.target.is_global:
            return load("f32", self.emitter.addresses[node.target] + 4 * index)
        return f"local.get {local_names(node.target)[index][0]}"

    def in_order(self, nodes: list[tree.Expression], kinds: list[str]) -> list[Held]:
        """Arguments or items, left to right; each safe from those after it, and converted to its place's kind."""
        values: list[Held] = []
        later = [False] * len(nodes)
        for index in range(len(nodes) - 2, -1, -1):
            later[index] = later[index + 1] or self.changes(nodes[index + 1])
        for index, node in enumerate(nodes):
            value = self.convert(self.value(node), kinds[index])
            if later[index]:
                if value.type in layout.COUNTED:
                    value = self.own(value)
                if not (value.owned and value.uses):
                    value = self.frame.capture(value)
            values.append(value)
        return values

    def convert(self, value: Held, kind: str) -> Held:
        """Into a place of a kind it may be assigned to."""
        if value.type == kind:
            return value
        if kind == "float":
            constant = float(value.constant) if value.constant is not None else None
            return Held(kind, (as_double(value),), single=as_single(value), uses=value.uses, constant=constant)
        return Held(kind, value.parts, owned=value.owned, uses=value.uses, constant=value.constant)

    def condition(self, node: tree.Expression) -> str:
        """i32 text that is non-zero when the value counts as true."""
        value = self.value(node)
        self.frame.use(value)
        kind = value.type
        if kind == "integer":
            return value.text
        if kind == "float":
            return f"{value.text} f64.const 0 f64.ne"
        if kind in ("vector", "rotation"):
            zero = (0.0, 0.0, 0.0) if kind == "vector" else (0.0, 0.0, 0.0, 1.0)
            tests = [f"{part} {f32(one)} f32.ne" for part, one in zip(value.parts, zero, strict=True)]
            return tests[0] + "".join([f" {test} i32.or" for test in tests[1:]])
        test = f"{value.text} call $is_key" if kind == "key" else f"{value.text} i32.load offset=8"
        if not value.owned:
            return test
        answer = self.result(test, "integer")
        self.release(value)
        return answer.text

    def result(self, text: str, kind: str) -> Held:
        """Runs code that leaves a number, into a temporary."""
        one = self.frame.temporary("f64" if kind == "float" else "i32")
        self.frame.emit(f"{text} local.set {one.name}")
        return Held(kind, (f"local.get {one.name}",), uses=(one,))

    def flat_results(self, text: str, kind: str) -> Held:
        """Runs code that leaves a value as FLAT describes it, into temporaries."""
        made: list[Temporary] = [self.frame.temporary(each) for each in layout.FLAT[kind]]
        sets = " ".join([f"local.set {one.name}" for one in reversed(made)])
        self.frame.emit(f"{text} {sets}")
        return held_in(kind, made)

    # --- operators

    def binary_chain(self, node: tree.Binary, prove: bool = True) -> Held:
        """Left-leaning chains in a loop: the rights first, from the outermost in, then the innermost left.

        What is no number makes no number of all arithmetic above it, so the outermost operation alone is checked, by
        whoever called when not `prove`.
        """
        chain = [node]
        while isinstance(chain[-1].left, tree.Binary) and chain[-1].left.constant is None:
            chain.append(chain[-1].left)
        pending: list[list[Held]] = []  # the right side of each link: one value, or the items a list is to get
        for link in chain:
            right = self.pushed(link.right) if self.is_push(link) else [self.operand(link.right, link.type == "float")]
            if self.changes(link.left):
                right = [self.safe(one) for one in right]
            pending.append(right)
        unproven = {id(inner) for outer, inner in pairwise(chain) if outer.type == "float"}
        value = self.operand(chain[-1].left, chain[-1].type == "float")
        for link, right in zip(reversed(chain), reversed(pending), strict=True):
            if self.is_push(link):
                value = self.push_items(value, right, link)
            else:
                value = self.binary(link, value, right[0])
            if link.type == "float" and (prove if link is node else id(link) not in unproven):
                value = self.proven(value, link)
        return value

    def safe(self, value: Held) -> Held:
        """Kept as it is now, whatever runs before it is used."""
        if value.type in layout.COUNTED and value.constant is None:
            owned = self.own(value)
            return owned if owned.uses else self.frame.capture(owned)
        return self.frame.capture(value)

    def is_push(self, link: tree.Binary) -> bool:
        """`list + item` and `list + [item, ...]`: appended one by one, without a list in between."""
        if link.type != "list" or link.operator != "+" or link.left.type != "list":
            return False
        right = link.right
        if isinstance(right, tree.ListLiteral):
            return right.constant is None and 0 < len(right.items) <= 8
        return right.type != "list"

    def pushed(self, right: tree.Expression) -> list[Held]:
        items = right.items if isinstance(right, tree.ListLiteral) else [right]
        return self.in_order(items, [item.type for item in items])

    def push_items(self, value: Held, items: list[Held], node: tree.Expression) -> Held:
        self.note(node)
        value = self.own(value)
        for item in items:
            tag, payload = self.item(item)
            self.frame.use(value)
            self.frame.use(item)
            value = self.keep(f"{value.text} {i32(tag)} {payload} call $list_push", "list")
        self.frame.weight += 1
        return value

    def item(self, value: Held) -> tuple[int, str]:
        """A list item's type and owned payload."""
        kind = value.type
        if kind == "integer":
            payload = value.text
        elif kind == "float":
            payload = f"{as_single(value)} i32.reinterpret_f32"
        elif kind in ("vector", "rotation"):
            box = self.keep(f"{' '.join(value.parts)} call ${'box3' if kind == 'vector' else 'box4'}", kind)
            payload = box.text
        else:
            payload = self.own(value).text
        return layout.TAGS[kind], payload

    def list_of(self, items: list[Held], node: tree.Expression) -> Held:
        self.note(node)
        ready = [self.item(item) for item in items]
        made = self.keep(f"{i32(len(items))} call $list_new", "list")
        for index, (tag, payload) in enumerate(ready):
            at = layout.HEADER + 8 * index
            for use in items[index].uses:
                use.last = max(use.last, self.frame.last_point)
            self.frame.emit(
                f"{made.text} {i32(tag)} i32.store offset={at} {made.text} {payload} i32.store offset={at + 4}"
            )
        return made

    def list_literal(self, node: tree.ListLiteral) -> Held:
        return self.list_of(self.in_order(node.items, [item.type for item in node.items]), node)

    def binary(self, node: tree.Binary | tree.Assign, left: Held, right: Held) -> Held:
        """The operation on two values in hand; uses up both."""
        operator = node.operator
        kinds = (left.type, right.type)
        self.frame.use(left)
        self.frame.use(right)
        uses = left.uses + right.uses
        if kinds == ("integer", "integer"):
            return self.integers(node, operator, left, right, uses)
        if left.type in ("integer", "float") and right.type in ("integer", "float"):
            return self.floats(node, operator, left, right, uses)
        if "list" in kinds:
            return self.lists(node, operator, left, right)
        if left.type in ("string", "key"):
            return self.texts(node, operator, left, right)
        return self.vectors(node, operator, left, right)

    def integers(
        self, node: tree.Expression, operator: str, left: Held, right: Held, uses: tuple[Temporary, ...]
    ) -> Held:
        a, b = left.text, right.text
        if operator in ("&&", "||"):
            joined = "i32.and" if operator == "&&" else "i32.or"
            return Held("integer", (f"{a} i32.const 0 i32.ne {b} i32.const 0 i32.ne {joined}",), uses=uses)
        if operator not in ("/", "%"):
            return Held("integer", (f"{a} {b} {_INTEGER_OPS[operator]}",), uses=uses)
        if right.constant is not None and right.constant not in (0, -1):
            return Held("integer", (f"{a} {b} i32.{'div_s' if operator == '/' else 'rem_s'}",), uses=uses)
        # Zero is a Math Error; -2147483648 / -1 would trap in wasm and wraps here.
        right = self.frame.capture(right) if not right.is_simple else right
        b = right.text
        self.fail_if(f"{b} i32.eqz", layout.MATH_ERROR, node)
        if operator == "%":
            return Held("integer", (f"{a} {b} i32.rem_s",), uses=left.uses + right.uses)
        left = self.frame.capture(left)
        a = left.text
        text = f"{b} i32.const -1 i32.eq if (result i32) i32.const 0 {a} i32.sub else {a} {b} i32.div_s end"
        return self.result(text, "integer")

    def fail_if(self, test: str, failure: int, node: tree.Expression) -> None:
        line = store("i32", layout.LINE, i32(self.emitter.line(node.offset)))
        self.frame.emit(f"{test} if {line} {i32(failure)} call $fail end")

    def floats(
        self, node: tree.Expression, operator: str, left: Held, right: Held, uses: tuple[Temporary, ...]
    ) -> Held:
        if operator in _FLOAT_TESTS:
            text = f"{as_double(left)} {as_double(right)} f64.{_FLOAT_TESTS[operator]}"
            return Held("integer", (text,), uses=uses)
        if operator == "/":
            if right.constant is None or right.constant == 0:
                right = self.frame.capture(right) if not right.is_simple else right
                test = f"{right.text} i32.eqz" if right.type == "integer" else f"{right.text} f64.const 0 f64.eq"
                self.fail_if(test, layout.MATH_ERROR, node)
            uses = left.uses + right.uses
        # One operation on two exact 32-bit values, rounded to 32 bits, is the same done in 32 bits.
        single = None
        if is_single(left) and is_single(right):
            single = f"{as_single(left)} {as_single(right)} f32.{_FLOAT_OPS[operator]}"
        text = f"{as_double(left)} {as_double(right)} f64.{_FLOAT_OPS[operator]}"
        return Held("float", (text,), uses=uses, rounded=single)

    def texts(self, node: tree.Expression, operator: str, left: Held, right: Held) -> Held:
        if operator == "+":
            self.note(node)
            left = self.own(left)
            self.frame.use(right)
            joined = self.keep(f"{left.text} {right.text} call $concat", "string")
            self.release(right)
            self.frame.weight += 1
            return joined
        answer = f"{left.text} {right.text} call $text_equal"
        if operator == "!=":
            answer += " i32.eqz"
        if not (left.owned or right.owned):
            return Held("integer", (answer,), uses=left.uses + right.uses)
        found = self.result(answer, "integer")
        self.release(left)
        self.release(right)
        return found

    def lists(self, node: tree.Expression, operator: str, left: Held, right: Held) -> Held:
        if operator == "+":
            if left.type != "list":
                right = self.own(right)
                left = self.list_of([left], node)
            self.note(node)
            left = self.own(left)
            self.frame.use(right)
            joined = self.keep(f"{left.text} {right.text} call $list_concat", "list")
            self.release(right)
            self.frame.weight += 1
            return joined
        # == tells whether the lengths are equal; != how much longer the left one is.
        text = f"{left.text} i32.load offset=8 {right.text} i32.load offset=8"
        text += " i32.eq" if operator == "==" else " i32.sub i32.const 3 i32.shr_s"
        found = self.result(text, "integer")
        self.release(left)
        self.release(right)
        return found

    def vectors(self, node: tree.Expression, operator: str, left: Held, right: Held) -> Held:
        kinds = (left.type, right.type)
        left = left if left.is_simple else self.frame.capture(left)
        right = right if right.is_simple else self.frame.capture(right)
        self.frame.use(left)
        self.frame.use(right)
        uses = left.uses + right.uses
        pairs = list(zip(left.parts, right.parts, strict=False))
        if operator in ("==", "!="):
            tests = [f"{a} {b} f32.eq" for a, b in pairs]
            text = tests[0] + "".join([f" {test} i32.and" for test in tests[1:]])
            return Held("integer", (text if operator == "==" else text + " i32.eqz",), uses=uses)
        if operator in ("+", "-"):
            name = "add" if operator == "+" else "sub"
            return Held(left.type, tuple([f"{a} {b} f32.{name}" for a, b in pairs]), uses=uses)
        if "integer" in kinds or "float" in kinds:
            return self.scale(node, operator, left, right, uses)
        both = " ".join(left.parts + right.parts)
        if kinds == ("vector", "vector"):
            if operator == "*":
                return self.flat_results(f"{both} call $dot", "float")
            return self.flat_results(f"{both} call $cross", "vector")
        if operator == "/":  # by the conjugate
            x, y, z, s = right.parts
            both = " ".join([*left.parts, f"{x} f32.neg {y} f32.neg {z} f32.neg {s}"])
        if left.type == "vector":
            return self.flat_results(f"{both} call $turn", "vector")
        return self.flat_results(f"{both} call $compose", "rotation")

    def scale(self, node: tree.Expression, operator: str, left: Held, right: Held, uses: tuple[Temporary, ...]) -> Held:
        vector, number = (left, right) if left.type == "vector" else (right, left)
        factor = as_single(number)
        if operator == "/" and not number.constant:
            self.fail_if(f"{factor} f32.const 0 f32.eq", layout.MATH_ERROR, node)
        name = "div" if operator == "/" else "mul"
        return Held("vector", tuple([f"{part} {factor} f32.{name}" for part in vector.parts]), uses=uses)

    def unary(self, node: tree.Unary) -> Held:
        value = self.value(node.operand)
        self.frame.use(value)
        if value.type == "integer":
            text = {"-": f"i32.const 0 {value.text} i32.sub", "!": f"{value.text} i32.eqz",
                    "~": f"{value.text} i32.const -1 i32.xor"}[node.operator]  # fmt: skip
            return Held("integer", (text,), uses=value.uses)
        if value.type == "float":
            single = None if value.single is None else f"{value.single} f32.neg"
            return Held("float", (f"{value.text} f64.neg",), single=single, uses=value.uses)
        return Held(value.type, tuple([f"{part} f32.neg" for part in value.parts]), uses=value.uses)

    def cast(self, value: Held, to: str, node: tree.Expression) -> Held:
        kind = value.type
        if kind == to:
            return value
        self.frame.use(value)
        if kind == "integer" and to == "float":
            return self.convert(value, to)
        if kind == "float" and to == "integer":
            return Held(to, (f"{value.text} call $to_integer",), uses=value.uses)
        if to == "list":
            return self.list_of([value], node)
        if {kind, to} == {"string", "key"}:
            return self.convert(value, to)
        self.note(node)
        self.frame.weight += 1
        if kind == "integer":
            return self.keep(f"{value.text} call $integer_text", to)
        if kind == "float":
            return self.keep(f"{as_single(value)} call $float_text", to)
        if kind in ("vector", "rotation"):
            return self.keep(f"{' '.join(value.parts)} call ${kind}_text", to)
        if kind == "list":
            made = self.keep(f"{value.text} call $list_text", to)
        else:
            made = self.flat_results(f"{value.text} call $text_{to}", to)
        self.release(value)
        return made

    def print(self, node: tree.Print) -> Held:
        value = self.value(node.operand)
        self.note(node)
        wrapped = value if value.type == "list" else self.list_of([value], node)
        self.frame.use(wrapped)
        self.frame.emit(f"{wrapped.text} {i32(int(value.type == 'list'))} call $print")
        self.release(wrapped)
        return NOTHING

    # --- assignment

    def assign(self, node: tree.Assign, wanted: bool) -> Held:
        target, variable = node.target, node.target.target
        moved = False  # the old value went into the new one
        if node.operator == "=":
            outer, self.moving = self.moving, variable if self.may_move(node.value, variable) else None
            moved = self.moving is not None
            value = self.value(node.value)
            moved = moved and self.moving is None
            self.moving = outer
        elif (
            variable.kind in ("string", "list")
            and isinstance(target, tree.Name)
            and self.reads(node.value, variable) == 0
        ):
            as_binary = tree.Binary(node.offset, node.operator, target, node.value)
            as_binary.type = variable.kind
            value = self.compound(as_binary, variable)
            moved = True
        else:
            right = self.operand(node.value, target.type == "float")
            value = self.binary(node, self.value(target), right)
            if value.type == "float":
                value = self.proven(value, node)
        kind = target.type
        if kind == "integer" and value.type == "float":  # the `integer *= float` Second Life lets through
            value = self.cast(value, "integer", node)
        value = self.convert(value, kind)
        return self.put(target, value, wanted, moved)

    def compound(self, node: tree.Binary, variable: tree.Variable) -> Held:
        """`s += x` as `s = s + x` with the old value moved."""
        right = self.pushed(node.right) if self.is_push(node) else [self.value(node.right)]
        old = self.read(variable)
        old.owned = True
        return self.push_items(old, right, node) if self.is_push(node) else self.binary(node, old, right[0])

    def may_move(self, value: tree.Expression, variable: tree.Variable) -> bool:
        """`s = s + ...`: the old value is read last and nowhere else, so it can be taken and appended to in place."""
        if variable.kind not in ("string", "list") or not isinstance(value, tree.Binary) or value.operator != "+":
            return False
        inner: tree.Expression = value
        while isinstance(inner, tree.Binary) and inner.operator == "+" and inner.constant is None:
            inner = inner.left
        if not (isinstance(inner, tree.Name) and inner.target is variable):
            return False
        return inner.type == value.type and self.reads(value, variable) == 1

    def put(self, target: tree.Name | tree.Member, value: Held, wanted: bool, moved: bool = False) -> Held:
        """Stores a value; what the assignment itself is worth: a local float keeps 64 bits, others are read again."""
        variable = target.target
        frame = self.frame
        if isinstance(target, tree.Member):
            frame.use(value)
            index = "xyzs".index(target.part)
            if variable.is_global:
                frame.emit(store("f32", self.emitter.addresses[variable] + 4 * index, as_single(value)))
            else:
                frame.emit(f"{as_single(value)} local.set {local_names(variable)[index][0]}")
            return from_single(self.part(target))
        kind = variable.kind
        if kind in layout.COUNTED:
            value = self.own(value)
            frame.use(value)
            drop = "call $release_list" if kind == "list" else "call $release"
            if moved and variable.is_global:
                frame.emit(store("i32", self.emitter.addresses[variable], value.text))
            elif moved:
                frame.emit(f"{value.text} local.set {local_names(variable)[0][0]}")
            elif variable.is_global:
                address = self.emitter.addresses[variable]
                # Store first, release after: the old block may be the new value's only other owner.
                frame.emit(f"{load('i32', address)} {store('i32', address, value.text)} {drop}")
            else:
                name = local_names(variable)[0][0]
                frame.emit(f"local.get {name} {value.text} local.set {name} {drop}")
            return self.read(variable)
        if kind == "float" and not variable.is_global and wanted and value.single is None:
            value = frame.capture(value)
        frame.use(value)
        if kind == "float":
            texts = [as_single(value)]
        else:
            texts = list(value.parts)
        if variable.is_global:
            address = self.emitter.addresses[variable]
            if len(texts) > 1:  # the new parts may read the old ones
                value = frame.capture(value)
                frame.use(value)
                texts = list(value.parts)
            for index, (text, each) in enumerate(zip(texts, layout.FLAT[kind], strict=True)):
                frame.emit(store(each, address + 4 * index, text))
        else:
            names = local_names(variable)
            pushes = " ".join(texts)
            frame.emit(pushes + "".join([f" local.set {name}" for name, _ in reversed(names)]))
            if kind == "float" and wanted and value.single is None:
                return value
        return self.read(variable)

    def step(self, node: tree.Step, wanted: bool) -> Held:
        """++ and --: before or after, on integers and floats."""
        old = self.value(node.target)
        if wanted and not node.prefix:
            old = self.frame.capture(old)
        one = self.constant(1, "integer") if old.type == "integer" else self.constant(1.0, "float")
        new = self.binary_of(node.operator, old, one)
        if new.type == "float":
            new = self.proven(new, node)
        result = self.put(node.target, new, wanted and node.prefix)
        return result if node.prefix or not wanted else old

    def binary_of(self, operator: str, left: Held, right: Held) -> Held:
        link = tree.Assign(0, operator, tree.Name(0, ""), tree.Expression(0))
        return self.binary(link, left, right)

    # --- calls

    def call(self, node: tree.Call) -> Held:
        if isinstance(node.target, Builtin):
            return self.emitter.calls.builtin(self, node, node.target)
        function: tree.Function = node.target
        frame = self.frame
        values = self.in_order(node.arguments, [parameter.kind for parameter in function.parameters])
        pushed: list[str] = []
        for value in values:
            if value.type in layout.COUNTED:
                value = self.own(value)
                frame.use(value)
                pushed.append(value.text)
            else:
                if value.type in ("float", "vector", "rotation") or not value.is_simple:
                    value = self.settle(value)
                frame.use(value)
                pushed.extend([as_single(value)] if value.type == "float" else value.parts)
        text = " ".join([*pushed, f"call $f{self.emitter.number(function)}"])
        made = [frame.temporary(kind) for kind in layout.FLAT[function.returns]]
        sets = "".join([f" local.set {one.name}" for one in reversed(made)])
        if not self.emitter.can_pause(function):
            frame.emit(text + sets)
        else:
            point = frame.point(node.offset, self.emitter.number(function))
            frame.emit_point(f"{text}{sets} {frame.leave_if_pausing(point)}", point)
            for one in made:
                one.born = one.last = point
        frame.noted_line = -1
        return held_in(function.returns, made)

    def settle(self, value: Held) -> Held:
        """Long texts into temporaries, so that the part run again on resuming is short and harmless."""
        return value if value.is_simple else self.frame.capture(value)


def held_in(kind: str, made: list[Temporary]) -> Held:
    """A value that lies in temporaries as FLAT describes it."""
    uses = tuple(made)
    if kind == "float":
        return from_single(f"local.get {made[0].name}", uses)
    return Held(kind, tuple([f"local.get {one.name}" for one in made]), owned=kind in layout.COUNTED, uses=uses)


def is_single(value: Held) -> bool:
    """Whether a number is exactly a 32-bit float (an integer is, when it is small enough to know)."""
    if value.type == "integer":
        return isinstance(value.constant, int) and abs(value.constant) <= 1 << 24
    return value.single is not None


def local_names(variable: tree.Variable) -> list[tuple[str, str]]:
    """The wasm locals of a script's local variable: (name, wasm type)."""
    base = f"$v{variable.index}"
    kinds = layout.FLAT[variable.kind]
    if len(kinds) == 1:
        return [(base, kinds[0])]
    return [(f"{base}{letter}", kind) for letter, kind in zip("xyzs", kinds, strict=False)]
