"""Linking and unlinking, and stretching a whole linkset.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, finite, linked, prim_of, region_of, thing

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llCreateLink(script: Script, target: Key, parent: int) -> None:
    """Links an object of the same owner with this one; parent TRUE: this object's root stays the root. Sleeps 0.1 s.

    Needs PERMISSION_CHANGE_LINKS. The owner must be allowed to modify both.
    """
    from sim.actions.link import link
    from sim.actions.may import Actor
    from sim.actions.outcome import Refused

    own, other = prim_of(script).linkset_root, thing(script, target)
    if other is None or other.linkset_root is own:
        return
    prims = [own, other.linkset_root] if parent else [other.linkset_root, own]
    done = link(region_of(script), Actor(own.owner_id), prims)
    if isinstance(done, Refused):
        script.complain(f"llCreateLink: {done.words or 'these objects cannot be linked'}")


@ll
def llBreakLink(script: Script, link: int) -> None:
    """Takes the prim of a link number out of the object. Without the root (1) the next prim becomes the root.

    Needs PERMISSION_CHANGE_LINKS.
    """
    prims = linked(prim_of(script), link)
    if len(prims) == 1:
        _unlink(script, [prims[0]])


@ll
def llBreakAllLinks(script: Script) -> None:
    """Takes the object apart: every prim stands alone. Needs PERMISSION_CHANGE_LINKS."""
    root = prim_of(script).linkset_root
    _unlink(script, list(root.linkset()))


def _unlink(script: Script, prims: list) -> None:  # type: ignore[type-arg]
    from sim.actions.link import unlink
    from sim.actions.outcome import Refused

    done = unlink(region_of(script), actor_of(script), prims)
    if isinstance(done, Refused) and done.words:
        script.complain(done.words)


# --- stretching


@ll
def llGetMinScaleFactor(script: Script) -> float:
    """The least factor that llScaleByFactor takes: no prim may become smaller than a prim can be."""
    from sim.actions.place import factors

    return factors(region_of(script), prim_of(script).linkset_root)[0]


@ll
def llGetMaxScaleFactor(script: Script) -> float:
    """The largest factor that llScaleByFactor takes: no prim may become larger, or farther from its root, than it can be."""
    from sim.actions.place import factors

    return factors(region_of(script), prim_of(script).linkset_root)[1]


@ll
def llScaleByFactor(script: Script, scaling_factor: float) -> int:
    """Stretches the whole linkset by a factor, sizes and places alike; TRUE when done.

    FALSE, and nothing, for a factor beyond what llGetMinScaleFactor and llGetMaxScaleFactor say, and for objects that are
    physical or move by keyframes.
    """
    from protocol.objects import Edit
    from sim.actions.place import factors, place
    from sim.physics.driving import moves_by_keyframes

    region, root = region_of(script), prim_of(script).linkset_root
    least, most = factors(region, root)
    factor = finite(scaling_factor)
    if root.physical or moves_by_keyframes(root.drives) or not least <= factor <= most or factor <= 0:
        return False
    x, y, z = (part * factor for part in region.world.objects.row(root)["scale"].tolist())
    return place(region, actor_of(script), root, Edit(None, None, (x, y, z), True, False)) is None
