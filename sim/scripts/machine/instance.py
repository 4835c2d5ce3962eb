"""One script's page and wasm functions, and LSL values in and out of the page.

Every pointer read from the page is checked before it is followed: a restored page may hold anything.

Carrying values costs time, and a text that stands in a list three thousand times costs the page next to nothing. So a
block is carried once a host call, whatever points to it: `_seen` has what came out of a block, and a value that goes back
in as it came out is the same block again. What is carried is charged to the script's budget, in checkpoints.
"""

from __future__ import annotations

import struct

import wasmtime

from sim.scripts.language import layout
from sim.scripts.language.program import Program
from sim.scripts.language.values import Item, Key, Rotation, Value, Vector
from sim.scripts.machine import raw
from sim.scripts.machine.failures import ScriptFailure

_i32 = struct.Struct("<i")
_pair = struct.Struct("<ii")
_f32 = struct.Struct("<f")
_vector = struct.Struct("<3f")
_rotation = struct.Struct("<4f")
_LAST = layout.PAGE_BYTES - layout.HEADER

raw_call = raw.call
_HANDLER, _MODE, _BUDGET = layout.HANDLER >> 2, layout.MODE >> 2, layout.BUDGET >> 2

DONE, PAUSED = 0, 1

# checkpoints (3 ns) that carrying values is worth: an item of a list, a block read or made, four bytes of text
ITEM, READ, BLOCK, BYTES_SHIFT = 60, 200, 400, 2
MANY = 500  # items
DEEPEST_DEBT = -(1 << 30)


class Instance:
    """One script in wasm. Made by Engine.instantiate; not shared between threads."""

    __slots__ = (
        "_alloc", "_keep", "_known", "_run", "_seen", "base", "calls", "context", "page", "program", "quick", "store", "words",
    )  # fmt: skip

    def __init__(
        self,
        program: Program,
        store: wasmtime.Store,
        runtime: wasmtime.Instance,
        script: wasmtime.Instance,
        calls: raw.Calls,
        quick: bool = False,
    ):
        self.program = program
        self.quick = quick  # made by the quick compiler
        self.store = store
        self.calls = calls
        self.context = context = raw.context_of(store)
        alloc, self._alloc = raw.export(context, runtime, "alloc")
        run, self._run = raw.export(context, script, "run")
        _, handle = raw.export(context, runtime, "memory")
        self._keep = (alloc, run)
        self._seen: dict[tuple[int, int], Item] = {}  # (tag, pointer) -> what the block holds
        self._known: dict[int, tuple[Item, int]] = {}  # id of such a value -> itself, its pointer
        self.base = raw.memory_address(context, handle)
        self.page = raw.view(self.base, layout.PAGE_BYTES)
        self.words = self.page.cast("i")  # the page as i32, for the control words

    # --- control words

    def word(self, address: int) -> int:
        return self.words[address >> 2]

    def set_word(self, address: int, value: int) -> None:
        self.words[address >> 2] = value

    def start(self) -> None:
        """A fresh page: globals at their starting values, empty heap and stack."""
        image = self.program.image
        self.page[:] = bytes(layout.PAGE_BYTES) if self.word(layout.HEAP_TOP) else self.page
        self.page[: len(image)] = image
        first = layout.align(len(image), 16)
        for address, value in (
            (layout.SP, layout.STACK_BASE), (layout.HEAP_TOP, first), (layout.HEAP_START, first),
            (layout.NEXT_STATE, -1), (layout.HANDLER, -1), (layout.MODE, layout.RUNNING),
        ):  # fmt: skip
            self.set_word(address, value)
        self.set_limit(layout.LOGICAL_BYTES)

    def set_limit(self, logical: int) -> None:
        """How many logical bytes image, heap and stack may take together."""
        self.set_word(layout.LIMIT, layout.STACK_BASE + logical - len(self.program.image))

    @property
    def used(self) -> int:
        """Logical bytes in use now."""
        return len(self.program.image) + self.word(layout.HEAP_USED) + self.word(layout.SP) - layout.STACK_BASE

    def charge(self, checkpoints: int) -> None:
        """Takes work done for the script outside wasm off its budget, which may so become a debt."""
        budget = self.words[_BUDGET] - checkpoints
        self.words[_BUDGET] = budget if budget > DEEPEST_DEBT else DEEPEST_DEBT

    def forget(self) -> None:
        """The host call is over: its blocks may go."""
        if self._seen:
            self._seen = {}
            self._known = {}

    # --- running

    def run(self, handler: int, arguments: tuple[Value, ...], budget: int) -> int:
        """Starts an event handler. Returns DONE or PAUSED; raises whatever a host function raised."""
        if arguments:
            for index, value in enumerate(arguments):
                self.put(layout.ARGUMENTS + 16 * index, value)
        words, calls = self.words, self.calls
        words[_HANDLER] = handler
        words[_MODE] = layout.RUNNING
        words[_BUDGET] = budget
        # as _call, without its cost: this is where all events pass
        error = raw_call(self.context, self._run, calls.buffer_address, 16, calls.trap_address)
        if error or calls.trap:
            self._failed(error)
        return PAUSED if words[_MODE] == layout.PAUSING else DONE

    def resume(self, budget: int) -> int:
        """Goes on after a pause."""
        words = self.words
        words[layout.SAVED_SP >> 2] = words[layout.SP >> 2]
        words[layout.SP >> 2] = layout.STACK_BASE
        words[_MODE] = layout.RESUMING
        words[_BUDGET] = budget
        self._call(self._run)
        return PAUSED if words[_MODE] == layout.PAUSING else DONE

    def _call(self, function: int) -> None:
        calls = self.calls
        error = raw.call(self.context, function, calls.buffer_address, 16, calls.trap_address)
        if error or calls.trap:
            self._failed(error)

    def _failed(self, error: int | None) -> None:
        """Frees what the call left and raises Trapped; an error is a host function's trap, wrapped by wasmtime."""
        code = -1
        if error:
            raw.free_error(error)
        trap = self.calls.trap
        if trap:
            address, trap.value = trap.value or 0, None
            code = raw.take_trap(address)
        raise Trapped(code)

    # --- values out of the page

    def length(self, pointer: int) -> int:
        """The data bytes of a block, checked to lie in the page."""
        if not 0 <= pointer <= _LAST:
            raise ScriptFailure(layout.FAILURES[layout.BAD_PAGE])
        length = _i32.unpack_from(self.page, pointer + 8)[0]
        if not 0 <= length <= _LAST - pointer:
            raise ScriptFailure(layout.FAILURES[layout.BAD_PAGE])
        return length

    def text(self, pointer: int) -> str:
        start, length = pointer + layout.HEADER, self.length(pointer)
        if length > 256:
            self.charge(length >> BYTES_SHIFT)
        return str(self.page[start : start + length], "utf-8", "replace")

    def items(self, pointer: int) -> list[Item]:
        start = pointer + layout.HEADER
        length = self.length(pointer)
        self.charge(length // 8 * ITEM)
        return [self.item(*pair) for pair in _pair.iter_unpack(self.page[start : start + (length & -8)])]

    def item(self, tag: int, payload: int) -> Item:
        if tag == 1:
            return payload
        if tag == 2:
            return _f32.unpack(_i32.pack(payload))[0]
        found = self._seen.get((tag, payload))
        if found is None:
            found = self._seen[tag, payload] = self._boxed(tag, payload)
            self._known[id(found)] = found, payload
        return found

    def _boxed(self, tag: int, payload: int) -> Item:
        self.charge(READ)
        if tag == 3:
            return self.text(payload)
        if tag == 4:
            return Key(self.text(payload))
        if tag not in (5, 6) or self.length(payload) < (12 if tag == 5 else 16):
            raise ScriptFailure(layout.FAILURES[layout.BAD_PAGE])
        if tag == 5:
            return Vector(*_vector.unpack_from(self.page, payload + layout.HEADER))
        return Rotation(*_rotation.unpack_from(self.page, payload + layout.HEADER))

    def get(self, address: int, kind: str) -> Value:
        """The value of a variable that lies at an address of the page."""
        if kind == "integer":
            return self.word(address)
        if kind == "float":
            return _f32.unpack_from(self.page, address)[0]
        if kind == "vector":
            return Vector(*_vector.unpack_from(self.page, address))
        if kind == "rotation":
            return Rotation(*_rotation.unpack_from(self.page, address))
        pointer = self.word(address)
        if kind == "list":
            found = self.items(pointer)
            self.forget()  # whoever looks from outside is in no call
            return found
        return Key(self.text(pointer)) if kind == "key" else self.text(pointer)

    # --- values into the page

    def block(self, data: bytes) -> int:
        """A new block, owned by whoever gets the pointer. Raises ScriptFailure when memory is full."""
        calls = self.calls
        self.charge(BLOCK + (len(data) >> BYTES_SHIFT))
        calls.buffer[0] = len(data)
        try:
            self._call(self._alloc)
        except Trapped as trap:
            if trap.code < 0:
                raise  # the host's `fail` has said why
            raise ScriptFailure(layout.FAILURES[layout.BAD_PAGE]) from None
        pointer = calls.buffer[0]
        start = pointer + layout.HEADER
        if not 0 <= pointer <= layout.STACK_BASE - layout.HEADER - len(data):
            raise ScriptFailure(layout.FAILURES[layout.BAD_PAGE])
        self.page[start : start + len(data)] = data
        return pointer

    def new_text(self, text: str) -> int:
        return self.block(text.encode("utf-8", "replace").replace(b"\0", b"")) if text else 0

    def new_list(self, items: list[Item]) -> int:
        if not items:
            return 0
        self.charge(len(items) * ITEM)
        if len(items) > MANY:
            needed = 8 * len(items) + sum([layout.HEADER + len(item) for item in items if isinstance(item, str)])
            if needed > layout.LOGICAL_BYTES and not self._known:
                raise ScriptFailure(layout.FAILURES[layout.COLLISION])  # before the first of thousands of blocks
        return self.block(b"".join([self.new_item(item) for item in items]))

    def _again(self, pointer: int) -> int:
        """A block that came out of the page in this call goes back in: one more owner."""
        references = self.words[pointer >> 2]
        if references > 0:
            self.words[pointer >> 2] = references + 1
        return pointer

    def new_item(self, value: Item) -> bytes:
        if isinstance(value, int):
            return _pair.pack(1, value)
        if isinstance(value, float):
            return _i32.pack(2) + _f32.pack(value)
        known = self._known.get(id(value))
        if known is not None:
            tag = 4 if isinstance(value, Key) else 3 if isinstance(value, str) else 5 if len(value) == 3 else 6
            return _pair.pack(tag, self._again(known[1]))
        if isinstance(value, Key):
            return _pair.pack(4, self.new_text(value))
        if isinstance(value, str):
            return _pair.pack(3, self.new_text(value))
        if len(value) == 3:
            return _pair.pack(5, self.block(_vector.pack(*value)))
        return _pair.pack(6, self.block(_rotation.pack(*value)))

    def put(self, address: int, value: Value) -> None:
        """Writes a value where wasm will read it and own it."""
        if isinstance(value, int):
            _i32.pack_into(self.page, address, value)
        elif isinstance(value, float):
            _f32.pack_into(self.page, address, value)
        elif isinstance(value, str):
            _i32.pack_into(self.page, address, self.new_text(value))
        elif isinstance(value, Vector):
            _vector.pack_into(self.page, address, *value)
        elif isinstance(value, Rotation):
            _rotation.pack_into(self.page, address, *value)
        else:
            _i32.pack_into(self.page, address, self.new_list(value))  # type: ignore[arg-type]


class Trapped(Exception):
    """Wasm stopped: `code` is wasmtime's trap code, or -1 when a host function stopped it."""

    def __init__(self, code: int):
        self.code = code
        super().__init__(f"trap {code}")
