"""Names to places, expressions to types, constants to values; finds everything the grammar lets through.

After it every expression has `type`, a known value in `constant` (64-bit for float expressions, as at run time), names
and calls their `target`. It goes on after each error; an expression that is wrong has type `""` and says nothing more.
"""

from __future__ import annotations

from typing import Any

from sim.scripts.language import rules
from sim.scripts.language import syntax as tree
from sim.scripts.language.builtins import Builtin, table
from sim.scripts.language.errors import Diary
from sim.scripts.language.values import DEFAULTS, Rotation, Vector, to_single

_PARTS = {"vector": "xyz", "rotation": "xyzs"}
MOST_VARIABLES = 2000  # of one function: each is one to four wasm locals


class Checker:
    def __init__(self, diary: Diary, lost_names: set[str]):
        self.diary = diary
        self.lost = lost_names  # declared by text that did not parse: silence about them
        self.table = table()
        self.globals: dict[str, tree.Variable] = {}
        self.functions: dict[str, tree.Function] = {}
        self.states: dict[str, tree.State] = {}
        self.scopes: list[dict[str, tree.Variable]] = []
        self.labels: list[set[str]] = []
        self.function: tree.Function | None = None
        self.in_handler = False
        self.loose = 0  # how many loops, and ifs without else, are around the statement

    def error(self, offset: int, message: str) -> None:
        self.diary.error(offset, message)

    # --- script

    def script(self, script: tree.Script) -> None:
        for function in script.functions:
            self.declare_function(function)
        for item in script.globals:
            self.declare_global(item)
        for state in script.states:
            self.free_word(state.offset, state.name)
            if state.name in self.states:
                self.error(state.offset, f"State {state.name!r} is declared twice")
            self.states[state.name] = state
        for function in script.functions:
            self.body(function, function.parameters, False)
            if function.returns != "void" and not _returns(function.body):
                self.error(function.offset, f"Not all code paths of {function.name!r} return a value")
        for state in script.states:
            self.handlers(state)

    def is_taken(self, name: str) -> bool:
        """Names of constants, functions and events can't be declared again."""
        return name in self.table.constants or name in self.table.functions or name in self.table.events

    def free_word(self, offset: int, name: str) -> None:
        """Events' names are words of the language, like `if`: nothing else may be called so."""
        if name in self.table.events:
            self.error(offset, f"{name!r} is the name of an event")

    def declare_function(self, function: tree.Function) -> None:
        if self.is_taken(function.name) or function.name in self.functions:
            self.error(function.offset, f"Name {function.name!r} previously declared within scope")
        else:
            self.functions[function.name] = function

    def declare_global(self, item: tree.Global) -> None:
        if item.name in self.globals or item.name in self.functions or self.is_taken(item.name):
            self.error(item.offset, f"Name {item.name!r} previously declared within scope")
        variable = tree.Variable(item.name, item.kind, True, len(self.globals), DEFAULTS[item.kind])
        if item.value is not None:
            before = len(self.diary.findings)
            self.expression(item.value)
            self.expect(item.value, item.kind, f"cannot put {item.value.type} into {item.kind} {item.name!r}")
            if item.value.type and len(self.diary.findings) == before:
                value = start_value(item.value)
                if value is None:
                    self.error(item.value.offset, "The starting value of a global must be a constant")
                else:
                    variable.value = rules.convert(value, item.kind)
        item.variable = variable
        self.globals.setdefault(item.name, variable)

    def handlers(self, state: tree.State) -> None:
        seen: set[str] = set()
        for handler in state.handlers:
            event = self.table.events.get(handler.name)
            if event is None:
                self.error(handler.offset, f"There is no event {handler.name!r}")
            else:
                kinds = [parameter.kind for parameter in handler.parameters]
                wanted = [kind for kind, _ in event.arguments]
                if kinds != wanted:
                    shape = ", ".join(f"{kind} {name}" for kind, name in event.arguments)
                    self.error(handler.offset, f"Event {handler.name} takes ({shape})")
            if handler.name in seen:
                self.error(handler.offset, f"Event {handler.name!r} previously declared within scope")
            seen.add(handler.name)
            self.body(handler, handler.parameters, True)

    def body(self, function: tree.Function, parameters: list[tree.Parameter], in_handler: bool) -> None:
        self.function, self.in_handler = function, in_handler
        self.scopes, self.labels = [{}], []
        for parameter in parameters:
            self.declare(parameter.offset, parameter.kind, parameter.name)
        self.statement(function.body)
        self.scopes = []

    def declare(self, offset: int, kind: str, name: str) -> tree.Variable:
        assert self.function is not None
        if name in self.scopes[-1] or self.is_taken(name):
            self.error(offset, f"Name {name!r} previously declared within scope")
        variable = tree.Variable(name, kind, False, len(self.function.variables))
        self.function.variables.append(variable)
        if len(self.function.variables) == MOST_VARIABLES:
            self.error(offset, f"More than {MOST_VARIABLES} variables in one function")
        self.scopes[-1][name] = variable
        return variable

    # --- statements

    def statement(self, node: tree.Statement) -> None:
        if isinstance(node, tree.Evaluate):
            self.expression(node.value)
        elif isinstance(node, tree.Block):
            self.scopes.append({})
            labels: set[str] = set()
            for item in node.body:
                if isinstance(item, tree.Label):
                    self.free_word(item.offset, item.name)
                    if item.name in labels:
                        self.error(item.offset, f"Label {item.name!r} previously declared within scope")
                    labels.add(item.name)
            self.labels.append(labels)
            for item in node.body:
                self.statement(item)
            self.labels.pop()
            self.scopes.pop()
        elif isinstance(node, tree.Declare):
            if node.value is not None:
                self.expression(node.value)
                self.expect(node.value, node.kind, f"cannot put {node.value.type} into {node.kind} {node.name!r}")
            node.variable = self.declare(node.offset, node.kind, node.name)
        elif isinstance(node, tree.If):
            self.condition(node.condition)
            self.alone(node.then, node.otherwise is None)
            if node.otherwise is not None:
                self.alone(node.otherwise, False)
        elif isinstance(node, tree.While):
            self.condition(node.condition)
            self.alone(node.body, True)
        elif isinstance(node, tree.DoWhile):
            self.alone(node.body, True)
            self.condition(node.condition)
        elif isinstance(node, tree.For):
            for part in node.start:
                self.expression(part)
            self.condition(node.condition)
            for part in node.step:
                self.expression(part)
            self.alone(node.body, True)
        elif isinstance(node, tree.Jump):
            if not any(node.label in labels for labels in self.labels):
                self.error(node.offset, f"There is no label {node.label!r} in this block or around it")
        elif isinstance(node, tree.Return):
            self.check_return(node)
        elif isinstance(node, tree.ChangeState):
            # Second Life's compiler looks for a state change in a function only where it is sure to be reached.
            if not (self.in_handler or self.loose):
                self.error(node.offset, "Global functions can't change state")
            elif node.name not in self.states and node.name not in self.lost:
                self.error(node.offset, f"There is no state {node.name!r}")

    def alone(self, node: tree.Statement, loose: bool) -> None:
        """The one statement of an if or loop, a scope of its own; loose: of a loop, or of an if without else."""
        self.loose += loose
        if isinstance(node, tree.Block):
            self.statement(node)
        else:
            self.scopes.append({})
            self.labels.append({node.name} if isinstance(node, tree.Label) else set())
            self.statement(node)
            self.labels.pop()
            self.scopes.pop()
        self.loose -= loose

    def check_return(self, node: tree.Return) -> None:
        assert self.function is not None
        returns = self.function.returns
        if node.value is None:
            if returns != "void":
                self.error(node.offset, f"{self.function.name!r} must return a value of type {returns}")
            return
        self.expression(node.value)
        if self.in_handler:
            self.error(node.offset, "An event handler returns no value")
        elif returns == "void":
            if node.value.type != "void":
                self.error(node.offset, f"{self.function.name!r} is declared to return no value")
        else:
            self.expect(node.value, returns, f"{self.function.name!r} returns {returns}, not {node.value.type}")

    def condition(self, node: tree.Expression) -> None:
        self.expression(node)
        if node.type == "void":
            self.error(node.offset, "A condition needs a value")

    def expect(self, node: tree.Expression, kind: str, what: str) -> None:
        if node.type and not rules.may_assign(node.type, kind):
            self.error(node.offset, f"Type mismatch: {what}")

    # --- expressions

    def expression(self, node: tree.Expression) -> None:
        if isinstance(node, tree.Binary):
            self.binary(node)
        elif isinstance(node, tree.Literal):
            node.type = node.kind
            node.constant = to_single(node.value) if node.kind == "float" else node.value
        elif isinstance(node, tree.Name):
            self.name(node)
        elif isinstance(node, tree.Call):
            self.call(node)
        elif isinstance(node, tree.Assign):
            self.assign(node)
        elif isinstance(node, tree.Cast):
            self.cast(node)
        elif isinstance(node, tree.Unary):
            self.unary(node)
        elif isinstance(node, tree.Member):
            self.member(node)
        elif isinstance(node, tree.Step):
            self.expression(node.target)
            if self.is_place(node.target) and node.target.type not in ("integer", "float", ""):
                self.error(node.offset, f"Type mismatch: no {node.operator * 2} for {node.target.type}")
            node.type = node.target.type
        elif isinstance(node, tree.ListLiteral):
            self.list_literal(node)
        elif isinstance(node, tree.VectorLiteral):
            self.vector_literal(node)
        elif isinstance(node, tree.Print):
            self.value(node.operand)
            node.type = "void"

    def value(self, node: tree.Expression) -> None:
        """An expression that must give something."""
        self.expression(node)
        if node.type == "void":
            self.error(node.offset, "This gives no value")
            node.type = ""

    def binary(self, node: tree.Binary) -> None:
        # Long chains lean left: walk down in a loop, so that only true nesting costs depth.
        chain = []
        inner: tree.Expression = node
        while isinstance(inner, tree.Binary):
            chain.append(inner)
            inner = inner.left
        self.value(inner)
        for link in reversed(chain):
            left, right = link.left, link.right
            self.value(right)
            if not left.type or not right.type:
                continue
            kind = rules.binary_type(link.operator, left.type, right.type)
            if kind is None:
                self.error(link.offset, f"Type mismatch: {left.type} {link.operator} {right.type}")
                continue
            link.type = kind
            if left.constant is not None and right.constant is not None:
                link.constant = rules.fold(link.operator, left.constant, left.type, right.constant, right.type)

    def name(self, node: tree.Name) -> None:
        for scope in reversed(self.scopes):
            if node.name in scope:
                node.target = scope[node.name]
                node.type = node.target.kind
                return
        constant = self.table.constants.get(node.name)
        if constant is not None:
            node.type, node.constant = constant.kind, constant.value
        elif node.name in self.globals:
            node.target = self.globals[node.name]
            node.type = node.target.kind
        elif node.name not in self.lost:
            self.error(node.offset, f"Name {node.name!r} not defined within scope")

    def is_place(self, node: tree.Name | tree.Member) -> bool:
        if node.type and node.target is None:
            self.error(node.offset, f"{node.name} is a constant")
            return False
        return bool(node.type)

    def member(self, node: tree.Member) -> None:
        whole = tree.Name(node.offset, node.name)
        self.name(whole)
        if not whole.type:
            return
        parts = _PARTS.get(whole.type, "")
        if len(node.part) != 1 or node.part not in parts:
            what = f"{whole.type} {node.name!r} has no part {node.part!r}"
            self.error(node.offset, f"Use of vector or quaternion method on incorrect type: {what}")
            return
        node.type, node.target = "float", whole.target
        if whole.constant is not None:
            node.constant = whole.constant[parts.index(node.part)]

    def unary(self, node: tree.Unary) -> None:
        operand = node.operand
        self.value(operand)
        kind = operand.type
        if not kind:
            return
        allowed = ("integer", "float", "vector", "rotation") if node.operator == "-" else ("integer",)
        if kind not in allowed:
            self.error(node.offset, f"Type mismatch: {node.operator} {kind}")
            return
        node.type = kind
        if operand.constant is not None:
            node.constant = rules.fold_unary(node.operator, operand.constant, kind)

    def cast(self, node: tree.Cast) -> None:
        self.value(node.operand)
        kind = node.operand.type
        node.type = node.to
        if not kind:
            return
        if not rules.may_cast(kind, node.to):
            self.error(node.offset, f"Type mismatch: no cast from {kind} to {node.to}")
        elif node.operand.constant is not None:
            node.constant = rules.fold_cast(node.operand.constant, kind, node.to)

    def list_literal(self, node: tree.ListLiteral) -> None:
        node.type = "list"
        values: list[Any] | None = []
        for item in node.items:
            self.value(item)
            if item.type == "list":
                self.error(item.offset, "Lists can't contain lists; use + to join them")
            if item.constant is not None and values is not None:
                values.append(to_single(item.constant) if item.type == "float" else item.constant)
            else:
                values = None
        node.constant = values

    def vector_literal(self, node: tree.VectorLiteral) -> None:
        node.type = "vector" if len(node.parts) == 3 else "rotation"
        values: list[float] | None = []
        for part in node.parts:
            self.value(part)
            self.expect(part, "float", f"a part of a {node.type} is a float, not {part.type}")
            if part.constant is not None and part.type in ("integer", "float") and values is not None:
                values.append(to_single(float(part.constant)))
            else:
                values = None
        if values is not None:
            node.constant = Vector(*values) if len(values) == 3 else Rotation(*values)

    def call(self, node: tree.Call) -> None:
        for argument in node.arguments:
            self.value(argument)
        target: tree.Function | Builtin | None = self.functions.get(node.name) or self.table.functions.get(node.name)
        if target is None:
            if node.name not in self.lost:
                self.error(node.offset, f"Function {node.name!r} not defined within scope")
            return
        node.target, node.type = target, target.returns
        if isinstance(target, Builtin):
            wanted = [kind for kind, _ in target.arguments]
            if "god-mode" in target.flags:
                self.error(node.offset, f"{node.name} can only be used in god mode")
        else:
            wanted = [parameter.kind for parameter in target.parameters]
        if len(wanted) != len(node.arguments):
            self.error(
                node.offset,
                "Function call mismatches type or number of arguments: "
                f"{node.name} takes {len(wanted)}, not {len(node.arguments)}",
            )
            return
        for number, (argument, kind) in enumerate(zip(node.arguments, wanted, strict=True), 1):
            if argument.type and not rules.may_assign(argument.type, kind):
                self.error(
                    argument.offset,
                    "Function call mismatches type or number of arguments: "
                    f"argument {number} of {node.name} is {kind}, not {argument.type}",
                )

    def assign(self, node: tree.Assign) -> None:
        self.value(node.value)
        self.expression(node.target)
        node.type = node.target.type
        if not self.is_place(node.target) or not node.value.type:
            return
        kind, given = node.target.type, node.value.type
        if node.operator == "=":
            self.expect(node.value, kind, f"cannot put {given} into {kind} {node.target.name!r}")
            return
        result = rules.binary_type(node.operator, kind, given)
        if result is None:
            self.error(node.offset, f"Type mismatch: {kind} {node.operator}= {given}")
        elif (kind, node.operator, given) == ("integer", "*", "float"):
            pass  # Second Life's compiler lets this one through, and truncates
        elif not rules.may_assign(result, kind):
            self.error(node.offset, f"Type mismatch: {kind} {node.operator}= {given} gives {result}")


def start_value(node: tree.Expression) -> Any:
    """What a checked expression gives before the script runs: a constant, a global declared before, or a list or vector
    of such; None for anything else.
    """
    if node.constant is not None:
        return to_single(node.constant) if node.type == "float" else node.constant
    if isinstance(node, tree.Name):
        return node.target.value
    if isinstance(node, tree.ListLiteral | tree.VectorLiteral):
        parts = [start_value(part) for part in (node.items if isinstance(node, tree.ListLiteral) else node.parts)]
        if any(part is None for part in parts):
            return None
        if isinstance(node, tree.ListLiteral):
            return parts
        return (Vector if len(parts) == 3 else Rotation)(*[to_single(float(part)) for part in parts])
    return None


def _returns(node: tree.Statement) -> bool:
    """Whether every way through ends in a return, as Second Life's compiler sees it (loops don't count)."""
    if isinstance(node, tree.Return):
        return True
    if isinstance(node, tree.Block):
        return any(_returns(item) for item in node.body)
    if isinstance(node, tree.If):
        return node.otherwise is not None and _returns(node.then) and _returns(node.otherwise)
    return False
