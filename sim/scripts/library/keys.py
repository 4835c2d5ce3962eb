"""Keys and mouse buttons of people who let a script take them.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

TAKE_CONTROLS = 0x4  # PERMISSION_*


@ll
def llTakeControls(script: Script, controls: int, accept: int, pass_on: int) -> None:
    """Takes keys, CONTROL_* added together, of whoever granted PERMISSION_TAKE_CONTROLS, in the place of what was taken before.

    With accept they raise control events while they are down and when they change. With pass_on they do what they always do as
    well. With neither, all keys but these do nothing.
    """
    script.world.controls.take(script, controls, bool(accept), bool(pass_on))


@ll
def llReleaseControls(script: Script) -> None:
    """Gives back all keys that the script has taken, and the permission to take any."""
    if script.granted & TAKE_CONTROLS:
        script.world.controls.release(script)
        script.granted &= ~TAKE_CONTROLS
