"""The script's own affairs: reset, running, memory, name, start parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language import layout
from sim.scripts.library.declare import ll
from sim.scripts.machine.failures import Reset

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llResetScript(script: Script) -> None:
    """Starts the script over: globals, state, queue, listens and timer are as at the beginning. Nothing after it
    runs."""
    raise Reset


@ll
def llGetScriptName(script: Script) -> str:
    """The name of this script in its object's contents."""
    return script.name


@ll
def llGetStartParameter(script: Script) -> int:
    """The number given by llRezObject or llRemoteLoadScriptPin, else 0."""
    return script.start_parameter


@ll
def llGetUsedMemory(script: Script) -> int:
    """Bytes of memory in use: constants, globals, live values and the call stack."""
    return script.instance.used


@ll
def llGetFreeMemory(script: Script) -> int:
    """Bytes of memory left before a Stack-Heap Collision."""
    return script.limit - script.instance.used


@ll
def llGetMemoryLimit(script: Script) -> int:
    """Bytes of memory the script may use: 65536 unless llSetMemoryLimit said less."""
    return script.limit


@ll
def llSetMemoryLimit(script: Script, limit: int) -> int:
    """Sets the limit in bytes, from what is in use now up to 65536; TRUE when done."""
    if not script.instance.used <= limit <= layout.LOGICAL_BYTES:
        return False
    script.limit = limit
    script.instance.set_limit(limit)
    return True
