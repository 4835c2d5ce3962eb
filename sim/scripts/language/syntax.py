"""The tree of a script. `offset` is the place in the source; the checker fills `type` and `constant` of expressions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Expression:
    offset: int
    type: str = field(default="", init=False)
    constant: Any = field(default=None, init=False)  # the value when known: int, float (of 32 bits), str, tuple, list
    depth: int = field(default=1, init=False)


@dataclass(slots=True)
class Literal(Expression):
    value: Any
    kind: str


@dataclass(slots=True)
class Name(Expression):
    name: str
    target: Any = field(default=None, init=False)  # Variable, once checked


@dataclass(slots=True)
class Member(Expression):
    name: str
    part: str
    target: Any = field(default=None, init=False)


@dataclass(slots=True)
class ListLiteral(Expression):
    items: list[Expression]


@dataclass(slots=True)
class VectorLiteral(Expression):
    parts: list[Expression]  # three: vector, four: rotation


@dataclass(slots=True)
class Call(Expression):
    name: str
    arguments: list[Expression]
    target: Any = field(default=None, init=False)  # Function of the tree or of the library


@dataclass(slots=True)
class Unary(Expression):
    operator: str
    operand: Expression


@dataclass(slots=True)
class Binary(Expression):
    operator: str
    left: Expression
    right: Expression


@dataclass(slots=True)
class Assign(Expression):
    operator: str  # "=" or the binary operator of a compound one
    target: Name | Member
    value: Expression


@dataclass(slots=True)
class Step(Expression):
    """++ and --."""

    operator: str  # "+" or "-"
    target: Name | Member
    prefix: bool


@dataclass(slots=True)
class Cast(Expression):
    to: str
    operand: Expression


@dataclass(slots=True)
class Print(Expression):
    operand: Expression


@dataclass(slots=True)
class Statement:
    offset: int


@dataclass(slots=True)
class Block(Statement):
    body: list[Statement]


@dataclass(slots=True)
class Declare(Statement):
    kind: str
    name: str
    value: Expression | None
    variable: Any = field(default=None, init=False)


@dataclass(slots=True)
class Evaluate(Statement):
    value: Expression


@dataclass(slots=True)
class If(Statement):
    condition: Expression
    then: Statement
    otherwise: Statement | None


@dataclass(slots=True)
class While(Statement):
    condition: Expression
    body: Statement


@dataclass(slots=True)
class DoWhile(Statement):
    body: Statement
    condition: Expression


@dataclass(slots=True)
class For(Statement):
    start: list[Expression]
    condition: Expression
    step: list[Expression]
    body: Statement


@dataclass(slots=True)
class Jump(Statement):
    label: str


@dataclass(slots=True)
class Label(Statement):
    name: str


@dataclass(slots=True)
class Return(Statement):
    value: Expression | None


@dataclass(slots=True)
class ChangeState(Statement):
    name: str


@dataclass(slots=True)
class Empty(Statement):
    pass


@dataclass(slots=True)
class Parameter:
    offset: int
    kind: str
    name: str


@dataclass(slots=True)
class Global:
    offset: int
    kind: str
    name: str
    value: Expression | None
    variable: Any = field(default=None, init=False)


@dataclass(slots=True)
class Function:
    """A user function, or an event handler (`returns` is void)."""

    offset: int
    returns: str
    name: str
    parameters: list[Parameter]
    body: Block
    variables: list[Any] = field(default_factory=list, init=False)  # parameters first, then locals


@dataclass(slots=True)
class State:
    offset: int
    name: str
    handlers: list[Function]


@dataclass(slots=True)
class Script:
    globals: list[Global]
    functions: list[Function]
    states: list[State]


@dataclass(slots=True, eq=False)
class Variable:
    """A named place: `index` counts globals of a script or variables of a function."""

    name: str
    kind: str
    is_global: bool
    index: int
    value: Any = None  # a global's starting value
