"""Tokens to tree, by recursive descent; after an error it goes on at the next statement, so that all errors are told.

Three places follow Second Life's own grammar closely. `&&` and `||` bind alike, from the left. A unary minus takes a
whole product (`-a * b` is `-(a * b)`). Inside the last part of `<x, y, z>` a `>` ends the vector unless a name, constant,
`(` or `[` follows it. Two places are wider than it, as docs/decisions/0008 says: a cast also takes an operand with a sign
or another cast before it, and a global's starting value may be any constant expression.
"""

from __future__ import annotations

from sim.scripts.language import syntax as tree
from sim.scripts.language.errors import Diary
from sim.scripts.language.lexer import TYPES, Token

DEEPEST = 500  # nested parentheses, blocks, else-ifs
LONGEST_CHAIN = 3000  # operators in one expression
MOST_ARGUMENTS = 10_000  # items of a list literal

_LEVEL = {
    "||": 1, "&&": 1, "|": 2, "^": 3, "&": 4, "==": 5, "!=": 5, "<": 6, ">": 6, "<=": 6, ">=": 6,
    "<<": 7, ">>": 7, "+": 8, "-": 8, "*": 9, "/": 9, "%": 9,
}  # fmt: skip
_PRODUCT = 9
_ASSIGN = {"=": "=", "+=": "+", "-=": "-", "*=": "*", "/=": "/", "%=": "%"}
_STATEMENT = TYPES | {"if", "for", "while", "do", "return", "jump"}  # words that begin one
_AFTER_GREATER = {"name", "integer_value", "float_value", "string_value", "(", "[", "print"}


class _Recover(Exception):
    """Unwinds to the nearest statement or declaration after an error was noted."""


def _type_of(token: Token) -> str:
    return "rotation" if token.kind == "quaternion" else token.kind


class Parser:
    def __init__(self, tokens: list[Token], diary: Diary):
        self.tokens = tokens
        self.diary = diary
        self.at = 0
        self.kind = tokens[0].kind
        self.depth = 0
        self.last_error = -1
        self.lost_names: set[str] = set()  # declared in statements that did not parse

    # --- tokens

    def next(self) -> Token:
        token = self.tokens[self.at]
        if self.at < len(self.tokens) - 1:
            self.at += 1
        self.kind = self.tokens[self.at].kind
        return token

    @property
    def offset(self) -> int:
        return self.tokens[self.at].offset

    def take(self, kind: str, where: str = "") -> Token:
        if self.kind != kind:
            self.fail(f"Expected {'a name' if kind == 'name' else repr(kind)}{where} but found {self.found()}")
        return self.next()

    def found(self) -> str:
        token = self.tokens[self.at]
        if token.kind == "end":
            return "the end of the script"
        if token.kind == "string_value":
            return "a string"
        return repr(str(token.value))

    def fail(self, message: str) -> None:
        if self.at != self.last_error:  # one error a place is enough
            self.last_error = self.at
            self.diary.error(self.offset, message)
        raise _Recover

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"Nested more than {DEEPEST} deep")

    # --- script

    def script(self) -> tree.Script:
        result = tree.Script([], [], [])
        while self.kind != "end" and self.kind not in ("default", "state"):
            start = self.at
            try:
                self.declaration(result)
            except _Recover:
                self.to_next_declaration(start)
        if self.kind == "state":
            self.diary.error(self.offset, "The first state must be 'default'")
        while self.kind != "end":
            start = self.at
            try:
                result.states.append(self.state())
            except _Recover:
                self.to_next_state(start)
        if not any(state.name == "default" for state in result.states):
            self.diary.error(self.offset, "Script has no default state")
        return result

    def declaration(self, result: tree.Script) -> None:
        offset = self.offset
        if self.kind in TYPES:
            kind = _type_of(self.next())
            name = str(self.take("name", " after the type").value)
            if self.kind == "(":
                result.functions.append(self.function(offset, kind, name))
                return
            self.lost_names.add(name)
            value = None
            if self.kind == "=":
                self.next()
                value = self.expression()
            self.take(";", " after the global variable")
            self.lost_names.discard(name)
            result.globals.append(tree.Global(offset, kind, name, value))
        elif self.kind == "name":
            name = str(self.next().value)
            if self.kind != "(":
                self.fail(f"Expected '(' after the function name {name!r} but found {self.found()}")
            result.functions.append(self.function(offset, "void", name))
        else:
            self.fail(f"Expected a global variable, a function or the default state but found {self.found()}")

    def function(self, offset: int, returns: str, name: str) -> tree.Function:
        self.lost_names.add(name)
        parameters = self.parameters()
        body = self.block()
        self.lost_names.discard(name)
        return tree.Function(offset, returns, name, parameters, body)

    def parameters(self) -> list[tree.Parameter]:
        self.take("(")
        parameters: list[tree.Parameter] = []
        while self.kind != ")":
            if parameters:
                self.take(",", " between parameters")
            offset = self.offset
            if self.kind not in TYPES:
                self.fail(f"Expected the type of a parameter but found {self.found()}")
            kind = _type_of(self.next())
            parameters.append(tree.Parameter(offset, kind, str(self.take("name", " of a parameter").value)))
        self.next()
        return parameters

    def state(self) -> tree.State:
        offset = self.offset
        if self.kind == "default":
            name = str(self.next().value)
        else:
            if self.kind != "state":
                self.fail(f"Expected a state but found {self.found()}")
            self.next()
            name = str(self.take("name", " of the state").value)
        self.take("{", " after the state's name")
        handlers: list[tree.Function] = []
        result = tree.State(offset, name, handlers)
        if self.kind == "}":
            self.diary.error(self.offset, f"State {name!r} has no event handler")
        while self.kind not in ("}", "end"):
            start = self.at
            try:
                handler_at = self.offset
                if self.kind != "name":
                    self.fail(f"Expected an event handler but found {self.found()}")
                handler = str(self.next().value)
                handlers.append(tree.Function(handler_at, "void", handler, self.parameters(), self.block()))
            except _Recover:
                self.skip_balanced(start)
        self.take("}", " at the end of the state")
        return result

    # --- going on after an error

    def skip_balanced(self, start: int) -> None:
        """Past the next block at this level, or to the '}' that ends it."""
        depth = 0
        while self.kind != "end":
            if self.kind == "{":
                depth += 1
            elif self.kind == "}":
                if depth == 0:
                    return
                depth -= 1
                if depth == 0:
                    self.next()
                    return
            self.next()

    def to_next_declaration(self, start: int) -> None:
        self.depth = 0
        depth = 0
        while self.kind != "end":
            if self.kind == "{":
                depth += 1
            elif self.kind == "}":
                depth -= 1
                if depth <= 0:
                    self.next()
                    return
            elif depth <= 0:
                if self.kind == ";":
                    self.next()
                    return
                if self.kind == "default" or (
                    self.kind == "state"
                    and self.tokens[self.at + 1].kind == "name"
                    and self.at + 2 < len(self.tokens)
                    and self.tokens[self.at + 2].kind == "{"
                ):
                    return
            self.next()

    def to_next_state(self, start: int) -> None:
        self.depth = 0
        if self.at == start:
            self.next()
        while self.kind != "end":
            follows = self.tokens[min(self.at + 1, len(self.tokens) - 1)].kind
            after = self.tokens[min(self.at + 2, len(self.tokens) - 1)].kind
            if (self.kind == "default" and follows == "{") or (
                self.kind == "state" and follows == "name" and after == "{"
            ):
                return
            self.next()

    def to_next_statement(self, start: int) -> None:
        """After a `;` at this level, or before the `}` that ends the block."""
        depth = 0
        moved = False
        while self.kind != "end":
            if self.kind == "{":
                depth += 1
            elif self.kind == "}":
                if depth == 0:
                    return
                depth -= 1
                if depth == 0:
                    self.next()
                    return
            elif self.kind == ";" and depth == 0:
                self.next()
                return
            elif depth == 0 and moved and self.kind in _STATEMENT and self.tokens[self.at - 1].kind not in ("(", ","):
                return
            self.next()
            moved = True

    # --- statements

    def block(self) -> tree.Block:
        offset = self.offset
        self.take("{")
        self.deeper()
        body: list[tree.Statement] = []
        while self.kind not in ("}", "end"):
            start, depth = self.at, self.depth
            try:
                body.append(self.statement(True))
            except _Recover:
                self.depth = depth
                self.to_next_statement(start)
        self.depth -= 1
        self.take("}", " at the end of the block")
        return tree.Block(offset, body)

    def statement(self, may_declare: bool = False) -> tree.Statement:
        offset, kind = self.offset, self.kind
        result: tree.Statement
        if kind == "{":
            return self.block()
        if kind == ";":
            self.next()
            return tree.Empty(offset)
        if kind in TYPES:
            return self.declare(may_declare)
        if kind == "if":
            return self.if_chain()
        if kind == "while":
            self.next()
            condition = self.condition("while")
            return tree.While(offset, condition, self.inner())
        if kind == "do":
            self.next()
            body = self.inner()
            self.take("while", " after the body of 'do'")
            result = tree.DoWhile(offset, body, self.condition("while"))
        elif kind == "for":
            return self.for_loop()
        elif kind == "jump":
            self.next()
            result = tree.Jump(offset, str(self.take("name", " of a label").value))
        elif kind == "@":
            self.next()
            result = tree.Label(offset, str(self.take("name", " of a label").value))
        elif kind == "return":
            self.next()
            result = tree.Return(offset, None if self.kind == ";" else self.expression())
        elif kind == "state":
            self.next()
            if self.kind not in ("default", "name"):
                self.fail(f"Expected the name of a state but found {self.found()}")
            result = tree.ChangeState(offset, str(self.next().value))
        elif kind == "else":
            self.fail("'else' without 'if'")
            raise AssertionError
        else:
            result = tree.Evaluate(offset, self.expression())
        self.take(";", " at the end of the statement")
        return result

    def inner(self) -> tree.Statement:
        """The body of an if or a loop."""
        self.deeper()
        result = self.statement()
        self.depth -= 1
        return result

    def declare(self, allowed: bool) -> tree.Declare:
        offset = self.offset
        kind = _type_of(self.next())
        name = str(self.take("name", " of a variable").value)
        self.lost_names.add(name)
        value = None
        if self.kind == "=":
            self.next()
            value = self.expression()
        self.take(";", " after the variable")
        self.lost_names.discard(name)
        if not allowed:
            self.diary.error(offset, "Declaration requires a new scope -- use { and }")
        return tree.Declare(offset, kind, name, value)

    def condition(self, word: str) -> tree.Expression:
        self.take("(", f" after '{word}'")
        result = self.expression()
        self.take(")", " after the condition")
        return result

    def if_chain(self) -> tree.If:
        """`if ... else if ... else`, gathered in a loop so that long chains are not deep."""
        branches: list[tuple[int, tree.Expression, tree.Statement]] = []
        otherwise: tree.Statement | None = None
        while True:
            offset = self.offset
            self.take("if")
            condition = self.condition("if")
            branches.append((offset, condition, self.inner()))
            if len(branches) + self.depth > DEEPEST:
                self.fail(f"Nested more than {DEEPEST} deep")
            if self.kind != "else":
                break
            self.next()
            if self.kind != "if":
                otherwise = self.inner()
                break
        result: tree.If | None = None
        for offset, condition, then in reversed(branches):
            result = tree.If(offset, condition, then, otherwise)
            otherwise = result
        assert result is not None
        return result

    def for_loop(self) -> tree.For:
        offset = self.next().offset
        self.take("(", " after 'for'")
        start = self.expressions(";")
        self.take(";", " after the first part of 'for'")
        condition = self.expression()
        self.take(";", " after the condition of 'for'")
        step = self.expressions(")")
        self.take(")", " after the last part of 'for'")
        return tree.For(offset, start, condition, step, self.inner())

    # --- expressions

    def expressions(self, end: str) -> list[tree.Expression]:
        result: list[tree.Expression] = []
        if self.kind == end:
            return result
        while True:
            result.append(self.expression())
            if len(result) > MOST_ARGUMENTS:
                self.fail(f"More than {MOST_ARGUMENTS} items")
            if self.kind != ",":
                return result
            self.next()

    def expression(self, in_vector: bool = False) -> tree.Expression:
        return self.binary(1, in_vector)

    def binary(self, lowest: int, in_vector: bool) -> tree.Expression:
        left = self.unary(in_vector)
        while True:
            operator = self.kind
            level = _LEVEL.get(operator)
            if level is None or level < lowest:
                return left
            if operator == ">" and in_vector and self.tokens[self.at + 1].kind not in _AFTER_GREATER:
                return left
            offset = self.next().offset
            right = self.binary(level + 1, in_vector)
            node = tree.Binary(offset, operator, left, right)
            node.depth = max(left.depth, right.depth) + 1
            if node.depth > LONGEST_CHAIN:
                self.fail(f"More than {LONGEST_CHAIN} operators in one expression")
            left = node

    def unary(self, in_vector: bool, may_assign: bool = True) -> tree.Expression:
        kind = self.kind
        if kind in ("-", "!", "~"):
            self.deeper()
            offset = self.next().offset
            operand = self.binary(_PRODUCT, in_vector) if kind == "-" else self.unary(in_vector)
            self.depth -= 1
            node: tree.Expression = tree.Unary(offset, kind, operand)
            node.depth = operand.depth + 1
            return node
        if kind in ("++", "--"):
            offset = self.next().offset
            return tree.Step(offset, kind[0], self.place(), True)
        if kind == "(" and self.tokens[self.at + 1].kind in TYPES:
            self.deeper()
            offset = self.next().offset
            to = _type_of(self.next())
            self.take(")", " after the type of a cast")
            if self.kind in ("++", "--"):
                self.fail(f"Expected '(' before {self.found()} after a cast")
            operand = self.unary(in_vector, False)
            self.depth -= 1
            node = tree.Cast(offset, to, operand)
            node.depth = operand.depth + 1
            return node
        return self.primary(in_vector, may_assign)

    def place(self) -> tree.Name | tree.Member:
        token = self.take("name")
        if self.kind == ".":
            self.next()
            part = self.take("name", " of a part (x, y, z or s)")
            return tree.Member(token.offset, str(token.value), str(part.value))
        return tree.Name(token.offset, str(token.value))

    def primary(self, in_vector: bool, may_assign: bool) -> tree.Expression:
        token = self.tokens[self.at]
        kind = token.kind
        if kind == "name":
            if self.tokens[self.at + 1].kind == "(":
                return self.call()
            place = self.place()
            if self.kind in ("++", "--"):
                return tree.Step(token.offset, self.next().kind[0], place, False)
            if may_assign and self.kind in _ASSIGN:
                operator = _ASSIGN[self.next().kind]
                self.deeper()
                value = self.expression(in_vector)
                self.depth -= 1
                node = tree.Assign(token.offset, operator, place, value)
                node.depth = value.depth + 1
                return node
            return place
        if kind in ("integer_value", "float_value", "string_value"):
            self.next()
            return tree.Literal(token.offset, token.value, kind.removesuffix("_value"))
        if kind == "(":
            self.deeper()
            self.next()
            inner = self.expression()
            self.take(")")
            self.depth -= 1
            return inner
        if kind == "[":
            self.deeper()
            self.next()
            items = self.expressions("]")
            self.take("]", " at the end of the list")
            self.depth -= 1
            result: tree.Expression = tree.ListLiteral(token.offset, items)
            result.depth = 1 + max((item.depth for item in items), default=0)
            return result
        if kind == "<":
            return self.vector()
        if kind == "print":
            self.next()
            self.take("(", " after 'print'")
            self.deeper()
            inner = self.expression()
            self.take(")")
            self.depth -= 1
            return tree.Print(token.offset, inner)
        self.fail(f"Expected an expression but found {self.found()}")
        raise AssertionError

    def call(self) -> tree.Call:
        token = self.next()
        self.deeper()
        self.next()
        arguments = self.expressions(")")
        self.take(")", f" after the arguments of {token.value}")
        self.depth -= 1
        node = tree.Call(token.offset, str(token.value), arguments)
        node.depth = 1 + max((argument.depth for argument in arguments), default=0)
        return node

    def vector(self) -> tree.VectorLiteral:
        self.deeper()
        offset = self.next().offset
        parts = [self.expression()]
        self.take(",", " in a vector")
        parts.append(self.expression())
        self.take(",", " in a vector")
        parts.append(self.expression(True))
        if self.kind == ",":
            self.next()
            parts.append(self.expression(True))
        self.take(">", " at the end of the vector")
        self.depth -= 1
        node = tree.VectorLiteral(offset, parts)
        node.depth = 1 + max(part.depth for part in parts)
        return node
