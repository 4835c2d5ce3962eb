"""One wasm function in the making: locals, temporaries, and code in segments that a resumed script can skip.

A checkpoint is a numbered point where the function can leave (budget spent) and later go on. To go on, the function is
called again from the top with the local `pc` holding the point's number, and everything before the point is skipped:

    plain code         runs if pc == 0
    code with points   runs if pc <= its last point; the point sets pc = 0

Code is gathered as a list of segments (text, last point in it or 0) and `seal` turns such a list into guarded text.
Values that live across a point are locals saved in the frame, so no wasm stack value ever crosses a segment.

The frame of a function on the shadow stack: {i32 function << 16 | point, saved locals ...}. It is reserved at entry, so
a pause can't fail for want of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sim.scripts.language import layout
from sim.scripts.language.wasm import SIZE, ZERO, Held, Temporary, i32, load, store

Segment = tuple[str, int]
MOST_WEIGHT = 32  # of work between two checkpoints: calls of host functions, text and list operations; heavy calls weigh all of it
MOST_POINTS = 60_000
MOST_TEMPORARIES = 40_000  # wasm allows 50,000 locals


class TooLarge(Exception):
    """A function with more points than a frame can number, or more values in hand than wasm has locals for."""


def seal(segments: list[Segment]) -> Segment:
    """One text for a list of segments, guarded so that it can be entered at any point in it."""
    groups: list[tuple[list[str], int]] = []
    lead: list[str] = []
    for text, high in segments:
        if high:
            groups.append(([text], high))
        elif groups:
            groups[-1][0].append(text)
        else:
            lead.append(text)
    if not groups:
        return " ".join(lead), 0
    out: list[str] = []
    if lead:
        out.append("local.get $pc i32.eqz if " + " ".join(lead) + " end")
    for texts, high in groups[:-1]:
        out.append(f"local.get $pc i32.const {high} i32.le_u if " + " ".join(texts) + " end")
    out.extend(groups[-1][0])  # pc is 0 or in this group by now: no guard
    return " ".join(out), groups[-1][1]


class Frame:
    """Gathers the code of one function."""

    def __init__(self, number: int, returns: str):
        self.number = number
        self.returns = returns
        self.segments: list[Segment] = []
        self.points: list[int] = [0]  # offset in the source of each point; 0 is not used
        self.callees: list[int] = [-1]
        self.locals: dict[str, str] = {}  # name -> wasm type, without parameters
        self.saved: list[tuple[str, str]] = []  # variables: always in the frame
        self.temporaries: list[Temporary] = []
        self.labels = 0
        self.label_points: list[int] = []  # the point of every `@label`, once it is reached
        self.size = 0  # bytes of the frame, once the text is made
        self.noted_line = -1
        self.weight = 0  # of the work since the last checkpoint

    # --- code

    def emit(self, text: str) -> None:
        self.segments.append((text, 0))

    def point(self, offset: int, callee: int = -1) -> int:
        """The number of a new point; `callee` is the user function called there."""
        self.points.append(offset)
        self.callees.append(callee)
        self.weight = 0
        if len(self.points) > MOST_POINTS:
            raise TooLarge
        self.noted_line = -1
        return len(self.points) - 1

    @property
    def last_point(self) -> int:
        return len(self.points) - 1

    def emit_point(self, text: str, point: int) -> None:
        self.segments.append((text, point))

    @contextmanager
    def nested(self) -> Iterator[list[Segment]]:
        """Gathers into a fresh list, which the caller seals."""
        outer, self.segments = self.segments, []
        self.noted_line = -1
        try:
            yield self.segments
        finally:
            self.segments = outer
            self.noted_line = -1

    def label(self) -> str:
        self.labels += 1
        return f"$b{self.labels}"

    def checkpoint(self, offset: int) -> None:
        """Leaves when the budget is spent; goes on here when resumed."""
        point = self.point(offset)
        self.emit_point(
            f"{load('i32', layout.BUDGET)} i32.const 0 i32.le_s if {i32(point)} local.set $spill_at br $spill end "
            f"{store('i32', layout.BUDGET, load('i32', layout.BUDGET) + ' i32.const 1 i32.sub')} "
            "i32.const 0 local.set $pc",
            point,
        )

    def weigh(self, weight: int, offset: int) -> None:
        """Notes work that is not over at once. Enough of it in a row is followed by a checkpoint, as a loop would be."""
        self.weight += weight
        if self.weight >= MOST_WEIGHT:
            self.checkpoint(offset)

    def leave_if_pausing(self, point: int) -> str:
        return f"{load('i32', layout.MODE)} if {i32(point)} local.set $spill_at br $spill end i32.const 0 local.set $pc"

    def note_line(self, line: int) -> None:
        """Writes the source line where the host can find it, before something that may fail."""
        if self.noted_line != line:
            self.noted_line = line
            self.emit(store("i32", layout.LINE, i32(line)))

    # --- locals

    def temporary(self, kind: str) -> Temporary:
        new = Temporary(f"$t{len(self.temporaries)}", kind, self.last_point, self.last_point)
        self.temporaries.append(new)
        self.locals[new.name] = kind
        if len(self.temporaries) > MOST_TEMPORARIES:
            raise TooLarge
        return new

    def use(self, value: Held) -> None:
        """Notes that a value in hand is pushed here."""
        for temporary in value.uses:
            temporary.last = self.last_point

    def capture(self, value: Held) -> Held:
        """The same value in temporaries, safe from whatever is evaluated next."""
        if value.constant is not None or not value.parts:
            return value
        self.use(value)
        if value.type == "float":
            if value.single is not None:
                one = self.temporary("f32")
                self.emit(f"{value.single} local.set {one.name}")
                text = f"local.get {one.name}"
                return Held("float", (f"{text} f64.promote_f32",), text, uses=(one,))
            one = self.temporary("f64")
            self.emit(f"{value.text} local.set {one.name}")
            return Held("float", (f"local.get {one.name}",), uses=(one,))
        kind = "f32" if value.type in ("vector", "rotation") else "i32"
        made = []
        for part in value.parts:
            one = self.temporary(kind)
            self.emit(f"{part} local.set {one.name}")
            made.append(one)
        return Held(value.type, tuple([f"local.get {one.name}" for one in made]), owned=value.owned, uses=tuple(made))

    # --- the whole function

    def text(self, name: str, parameters: list[tuple[str, str]], epilogue: str) -> str:
        """The function's wasm text. `epilogue` runs at every return, before the frame is given back."""
        saved = self.saved + [(one.name, one.kind) for one in self.temporaries if one.last > one.born]
        body, high = seal(self.segments)
        results = layout.FLAT[self.returns]
        out = [f"(func {name}"]
        out += [f"(param {each} {kind})" for each, kind in parameters]
        out += [f"(result {kind})" for kind in results]
        out += [f"(local {each} {kind})" for each, kind in self.locals.items()]
        out += [f"(local $r{index} {kind})" for index, kind in enumerate(results)]
        give = " ".join([f"local.get $r{index}" for index in range(len(results))])
        if not high:  # no points: no frame, no budget; bounded by its own length
            out.append(f"block $ret {body} end {epilogue} {give})")
            return " ".join(out)
        address, places = 4, []
        for each, kind in saved:
            places.append((each, kind, address))
            address += SIZE[kind]
        self.size = size = layout.align(address, 8)
        out.append("(local $pc i32) (local $spill_at i32) (local $fp i32)")
        get_sp = load("i32", layout.SP)
        top = f"local.get $fp i32.const {size} i32.add"
        out.append(
            f"{get_sp} local.set $fp {top} {load('i32', layout.HEAP_USED)} i32.add {load('i32', layout.LIMIT)} "
            f"i32.gt_u if i32.const {layout.COLLISION} call $fail end {store('i32', layout.SP, top)} "
            f"{load('i32', layout.MODE)} if"
        )
        for each, kind, at in places:
            out.append(f"local.get $fp {kind}.load offset={at} local.set {each}")
        out.append(
            f"local.get $fp i32.load i32.const 65535 i32.and local.set $pc "
            f"{top} {load('i32', layout.SAVED_SP)} i32.eq if "
            f"{store('i32', layout.MODE, i32(layout.RUNNING))} end end"
        )
        out.append(f"block $ret block $spill {body} br $ret end")
        for each, kind, at in places:
            out.append(f"local.get $fp local.get {each} {kind}.store offset={at}")
        out.append(f"local.get $fp local.get $spill_at i32.const {self.number << 16} i32.or i32.store")
        out.append(store("i32", layout.MODE, i32(layout.PAUSING)))
        out.append(" ".join([ZERO[kind] for kind in results]) + " return end")
        out.append(f"{epilogue} {store('i32', layout.SP, 'local.get $fp')} {give})")
        return " ".join(out)
