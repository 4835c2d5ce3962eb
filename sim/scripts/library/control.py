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
    """Starts the script over: globals, state, queue, listens and timer are as at the beginning.

    Nothing after it runs.
    """
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


PROFILE_SCRIPT_MEMORY = 1


@ll(lacks="measuring goes on after PROFILE_NONE")
def llScriptProfiler(script: Script, flags: int) -> None:
    """Starts measuring the most memory used (PROFILE_SCRIPT_MEMORY), for llGetSPMaxMemory. It costs no speed here."""
    if flags & PROFILE_SCRIPT_MEMORY:
        script.instance.set_word(layout.PEAK, 0)


@ll(lacks="the call stack counts only as it is when asked")
def llGetSPMaxMemory(script: Script) -> int:
    """The most bytes of memory used at once since llScriptProfiler started to measure, or since the script started."""
    # The page's own count is of what it allocates; the image is always there.
    return max(script.instance.used, len(script.program.image) + script.instance.word(layout.PEAK))


@ll
def llGetScriptState(script: Script, name: str) -> int:
    """TRUE if the script of that name in the same prim is running. Without such a script: FALSE, and a complaint."""
    running = script.world.script_running(script, name)
    if running is None:
        script.complain(f"llGetScriptState: Could not find script '{name[:64]}'")
    return bool(running)


@ll
def llSetScriptState(script: Script, name: str, running: int) -> None:
    """Starts or stops the script of that name in the same prim. A stopped one keeps its state for when it goes on."""
    if not script.world.set_script_running(script, name, bool(running)):
        script.complain(f"llSetScriptState: Could not find script '{name[:64]}'")


@ll
def llResetOtherScript(script: Script, name: str) -> None:
    """Resets the script of that name in the same prim; on itself it does what llResetScript does."""
    if name == script.name:
        raise Reset
    if not script.world.script_reset_other(script, name):
        script.complain(f"llResetOtherScript: Could not find script '{name[:64]}'")
