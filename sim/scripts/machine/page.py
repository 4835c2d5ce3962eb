"""A script's page as bytes: the parts in use out of one instance, checked, into another."""

from __future__ import annotations

import struct

from sim.scripts.language import layout
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.instance import Instance


def save_page(instance: Instance) -> bytes:
    """The parts of the page that are in use."""
    top, sp = instance.word(layout.HEAP_TOP), instance.word(layout.SP)
    if not (len(instance.program.image) <= top <= layout.STACK_BASE <= sp <= layout.STACK_END):
        raise BadState("the page is damaged")
    return struct.pack("<II", top, sp - layout.STACK_BASE) + instance.page[:top] + instance.page[layout.STACK_BASE : sp]


def load_page(instance: Instance, data: bytes) -> None:
    """Puts a saved page into a fresh instance of the same program. Raises BadState."""
    if len(data) < 8:
        raise BadState("the page is cut short")
    top, stack = struct.unpack_from("<II", data)
    first = layout.align(len(instance.program.image), 16)
    if not (first <= top <= layout.STACK_BASE and stack <= layout.STACK_END - layout.STACK_BASE):
        raise BadState("the page has impossible sizes")
    if len(data) != 8 + top + stack:
        raise BadState("the page is cut short")
    page, word = instance.page, instance.word
    page[:top] = data[8 : 8 + top]
    page[layout.STACK_BASE : layout.STACK_BASE + stack] = data[8 + top :]
    for address, value in ((layout.HEAP_TOP, top), (layout.HEAP_START, first), (layout.SP, layout.STACK_BASE + stack)):
        instance.set_word(address, value)
    if page[: layout.HEADER] != bytes(layout.HEADER):
        raise BadState("the page's empty block is damaged")
    if not 0 <= word(layout.HEAP_USED) <= layout.LOGICAL_BYTES:
        raise BadState("the page's memory count is damaged")
    if word(layout.NEXT_STATE) >= len(instance.program.states):
        raise BadState("the page asks for an unknown state")


def check_stack(instance: Instance) -> None:
    """The frames of a paused script must be a chain of calls that the compiler made."""
    program, word = instance.program, instance.word
    handler = word(layout.HANDLER)
    if word(layout.MODE) != layout.PAUSING or not 0 <= handler < len(program.events):
        raise BadState("the page is not paused in a handler")
    expected = len(program.functions) - len(program.events) + handler
    at, end = layout.STACK_BASE, word(layout.SP)
    while at < end:
        number, point = word(at) >> 16 & 0xFFFF, word(at) & 0xFFFF
        if number != expected:
            raise BadState("the stack is damaged")
        function = program.functions[number]
        if not function.frame_bytes or not 0 < point < len(function.lines):
            raise BadState("the stack is damaged")
        at += function.frame_bytes
        expected = function.calls[point]
    if at != end or expected != -1:
        raise BadState("the stack is damaged")
