"""The page: where everything of a script lies in its linear memory. Compiler, runtime module and machine share this.

    0         512        image_end            heap_top           STACK_BASE   PAGE_BYTES
    | control | globals  | literals  | heap -> ... | (untouched) | stack -> ... |

Address 0 holds an immortal empty block, so that a pointer of 0 is the empty string, key and list. Physically a page is
four wasm pages, mostly never touched; logically a script owns LOGICAL_BYTES: image + heap blocks in use + stack.

A block is {i32 references, i32 size, i32 length, data}; references 0: immortal literal, -1: free. Size is the whole
physical block, length the bytes of data. Text is UTF-8. A list item is {i32 type, i32 payload}: the integer, the
float's bits, or a pointer to a text block or to a boxed vector (12 bytes) or rotation (16 bytes). Lists hold no lists,
so nothing is circular.
"""

from __future__ import annotations

VERSION = 2  # of this layout and of the frames the compiler makes: part of every saved state

PAGE_BYTES = 256 * 1024
WASM_PAGES = PAGE_BYTES // 65536
LOGICAL_BYTES = 65536
STACK_BASE = PAGE_BYTES - 65536
STACK_END = PAGE_BYTES

# control words, each an i32
MODE = 12  # RUNNING, PAUSING (unwinding to the host) or RESUMING (rebuilding the native stack)
SP = 16  # end of the innermost frame
BUDGET = 20  # checkpoints left before a pause; host calls and bulk work cost more than one
HEAP_USED = 24  # logical bytes of live blocks
LIMIT = 28  # SP + HEAP_USED must not pass it
HEAP_TOP = 32  # blocks lie below it
SAVED_SP = 36  # SP at the pause: who reaches it while resuming is the innermost frame
HANDLER = 40  # number of the event handler to run or resume
NEXT_STATE = 44  # state asked for by a `state` statement, or -1
LINE = 48  # last source line, from 0, noted before anything that can fail
PEAK = 52  # most logical bytes ever used at once
HEAP_START = 56
OUTBOX = 60  # reserved

ARGUMENTS = 64  # arguments of the event, 16 bytes each
MOST_ARGUMENTS = 8
FREE_LISTS = 192  # heads of the free lists, one a size class
FREE_CLASSES = 57
SCRATCH = 432  # 48 bytes for the digits of a number
GLOBALS = 512

RUNNING, PAUSING, RESUMING = 0, 1, 2

# failures a script can cause
MATH_ERROR, COLLISION, NOT_BUILT, BAD_PAGE = 1, 2, 3, 4
FAILURES = {MATH_ERROR: "Math Error", COLLISION: "Stack-Heap Collision", BAD_PAGE: "Damaged memory page"}

HEADER = 12
TAGS = {"integer": 1, "float": 2, "string": 3, "key": 4, "vector": 5, "rotation": 6}

# how LSL types lie in wasm values
FLAT = {
    "integer": ("i32",), "float": ("f32",), "string": ("i32",), "key": ("i32",), "list": ("i32",),
    "vector": ("f32", "f32", "f32"), "rotation": ("f32", "f32", "f32", "f32"), "void": (),
}  # fmt: skip
COUNTED = ("string", "key", "list")  # types that live in the heap


def align(size: int, to: int = 4) -> int:
    return (size + to - 1) & -to
