"""What viewers' menus say for the prim.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.library.declare import ll
from sim.scripts.library.objects import printable
from sim.scripts.library.things import actor_of, prim_of, region_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llSetSitText(script: Script, text: str) -> None:
    """What the menu says for sitting on the prim; empty is the viewer's own word."""
    from sim.actions import edit

    edit.menu_texts(region_of(script), actor_of(script), prim_of(script), sit=printable(text))


@ll
def llSetTouchText(script: Script, text: str) -> None:
    """What the menu says for touching the prim; empty is the viewer's own word."""
    from sim.actions import edit

    edit.menu_texts(region_of(script), actor_of(script), prim_of(script), touch=printable(text))
