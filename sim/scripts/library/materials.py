"""glTF materials of faces, and flags of seats, by functions of their own.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.library.declare import ll
from sim.scripts.library.prim_rules import material_name, materials_of, set_material, set_sit_flags, sit_flags
from sim.scripts.library.things import linked, prim_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llSetRenderMaterial(script: Script, material: str, face: int) -> None:
    """Puts a glTF material, a name in the contents or a key, on a face of the prim; empty takes it away. Sleeps 0.2 s."""
    set_material(script, prim_of(script), face, material)


@ll
def llSetLinkRenderMaterial(script: Script, link: int, material: str, face: int) -> None:
    """As llSetRenderMaterial, of a prim of the object or of several by LINK_*. Sleeps 0.2 s."""
    for prim in linked(prim_of(script), link):
        set_material(script, prim, face, material)


@ll
def llGetRenderMaterial(script: Script, face: int) -> str:
    """The glTF material of a face: its name in the contents, else its key where the object has full permissions, else NULL_KEY;
    empty without one."""
    return material_name(script, prim_of(script), max(face, 0))


@ll
def llIsLinkGLTFMaterial(script: Script, link: int, face: int) -> int:
    """TRUE if a face of a prim of the object, or every one of it, has a glTF material."""
    from sim.scripts.library.looks import ALL_SIDES, sides

    prims = linked(prim_of(script), link)
    if not prims:
        return False
    found = materials_of(prims[0])
    return face in found if face != ALL_SIDES else len(found) == sides(prims[0])


@ll(lacks="who sits may always stand up")
def llSetLinkSitFlags(script: Script, link: int, flags: int) -> None:
    """Sets SIT_FLAG_* of a prim of the object, or of several by LINK_*."""
    for prim in linked(prim_of(script), link):
        set_sit_flags(script, prim, flags)


@ll
def llGetLinkSitFlags(script: Script, link: int) -> int:
    """The SIT_FLAG_* of a prim of the object, added together; 0 when there is no such link."""
    found = linked(prim_of(script), link)
    return sit_flags(found[0]) if found else 0
