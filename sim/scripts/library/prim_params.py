"""Prim parameters by list: many at once, of any link, written and read by the rules of one table; details of any object.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.objects import unpack_text_color
from sim.scripts.language.values import NULL_KEY, ZERO_VECTOR, Item, Key, Rotation, Vector
from sim.scripts.library import looks, places
from sim.scripts.library.common import spend
from sim.scripts.library.declare import ll
from sim.scripts.library.prim_rules import LINK_TARGET, RULES, Rule
from sim.scripts.library.things import THIS, avatar, key_of, link_number, linked, place, prim_of, region_of, thing

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

KINDS = {"i": int, "f": (float, int), "s": str, "v": Vector, "r": Rotation}
WORDS = {"i": "integer", "f": "float", "s": "string", "v": "vector", "r": "rotation"}
WEIGHT = 20  # turns that one rule on one prim is worth
LACKS = f"knows {', '.join(sorted([rule.name[5:] for rule in RULES.values()]))} and LINK_TARGET"


class BadRule(ValueError):
    """A list that breaks the rules: what is wrong, for the owner."""


def _values(rule: Rule, number: int, params: list[Item], at: int) -> list[Item]:
    """The values of a rule that begin at a place of the list, each of its kind."""
    takes = rule.kinds(params[at] if at < len(params) else None)
    found = params[at : at + len(takes)]
    if rule.more is not None and found and found[0] not in rule.more:
        raise BadRule(f"error running rule #{number}: unknown kind of {rule.name}")
    if len(found) < len(takes):
        raise BadRule(f"error running rule #{number}: missing parameters for {rule.name}")
    for index, (kind, value) in enumerate(zip(takes, found, strict=True), 1):
        if not isinstance(value, KINDS[kind]):  # type: ignore[arg-type]
            raise BadRule(f"error running rule #{number}: arg #{index} of {rule.name} must be a {WORDS[kind]}")
    return found


def write(script: Script, function: str, link: int, params: list[Item]) -> None:
    """Does what a list says, rule after rule, up to the first that is wrong."""
    prims = linked(prim_of(script), link)
    at = number = 0
    try:
        while at < len(params):
            number += 1
            what = params[at]
            at += 1
            if isinstance(what, int) and what == LINK_TARGET:
                target = params[at] if at < len(params) else None
                if not isinstance(target, int):
                    raise BadRule(f"error running rule #{number}: arg #1 of PRIM_LINK_TARGET must be an integer")
                prims = linked(prim_of(script), target)
                at += 1
                continue
            rule = RULES.get(what) if isinstance(what, int) else None
            if rule is None or rule.write is None:
                raise BadRule(f"error running rule #{number}: unknown rule {str(what)[:20]}")
            values = _values(rule, number, params, at)
            at += len(values)
            spend(script, WEIGHT * len(prims))
            for prim in prims:
                rule.write(script, prim, *values)
    except BadRule as wrong:
        script.complain(f"{function} {wrong}")


def read(script: Script, function: str, link: int, params: list[Item]) -> list[Item]:
    """The values that a list of parameters asks for, of each prim that a link means, in turn."""
    prims = linked(prim_of(script), link)
    out: list[Item] = []
    at = number = 0
    while at < len(params):
        number += 1
        what = params[at]
        at += 1
        if isinstance(what, int) and what == LINK_TARGET and at < len(params) and isinstance(params[at], int):
            prims = linked(prim_of(script), params[at])  # type: ignore[arg-type]
            at += 1
            continue
        rule = RULES.get(what) if isinstance(what, int) else None
        if rule is None or rule.read is None:
            script.complain(f"{function} error running rule #{number}: unknown rule {str(what)[:20]}")
            break
        face: Item = 0
        if rule.faces:
            face = params[at] if at < len(params) else ""
            at += 1
            if not isinstance(face, int):
                script.complain(f"{function} error running rule #{number}: arg #1 of {rule.name} must be an integer")
                break
        spend(script, WEIGHT * len(prims))
        for prim in prims:
            if rule.faces:
                assert isinstance(face, int)
                for one in looks.numbers_read(prim, face) if rule.numbered else looks.faces_read(prim, face):
                    out += rule.read(script, prim, one)
            else:
                out += rule.read(script, prim)
    return out


@ll(lacks=LACKS)
def llSetPrimitiveParams(script: Script, rules: list[Item]) -> None:
    """Sets many parameters of the prim at once: [PRIM_SIZE, <1, 1, 1>, PRIM_TEXT, "hi", <1, 1, 1>, 1.0]. Sleeps 0.2 s.

    A list that is wrong is followed up to there, and the owner is told the number of the rule.
    """
    write(script, "llSetPrimitiveParams", THIS, rules)


@ll(lacks=LACKS)
def llSetLinkPrimitiveParams(script: Script, link: int, rules: list[Item]) -> None:
    """As llSetPrimitiveParams, of a prim of the object or of several by LINK_*. Sleeps 0.2 s."""
    write(script, "llSetLinkPrimitiveParams", link, rules)


@ll(lacks=LACKS)
def llSetLinkPrimitiveParamsFast(script: Script, link: int, rules: list[Item]) -> None:
    """As llSetLinkPrimitiveParams, without a sleep."""
    write(script, "llSetLinkPrimitiveParamsFast", link, rules)


@ll(lacks=LACKS)
def llGetPrimitiveParams(script: Script, params: list[Item]) -> list[Item]:
    """The values of parameters of the prim, in the order asked: [PRIM_SIZE, PRIM_COLOR, 0]. Sleeps 0.2 s.

    A parameter of faces takes the face, ALL_SIDES for each in turn.
    """
    return read(script, "llGetPrimitiveParams", THIS, params)


@ll(lacks=LACKS)
def llGetLinkPrimitiveParams(script: Script, link: int, params: list[Item]) -> list[Item]:
    """As llGetPrimitiveParams, of a prim of the object; of several, one after the other. Without a sleep."""
    return read(script, "llGetLinkPrimitiveParams", link, params)


# --- llGetObjectDetails

(NAME, DESC, POS, ROT, VELOCITY, OWNER, GROUP, CREATOR, RUNNING, SCRIPTS, MEMORY, TIME, EQUIVALENCE, SERVER_COST, STREAMING,
 PHYSICS_COST) = range(1, 17)  # fmt: skip
DETAIL_ROOT, ATTACHED, PHYSICS, PHANTOM, TEMPORARY, RENDER_WEIGHT, HOVER = 18, 19, 21, 22, 23, 24, 25
TEMP_ATTACHED = 34
LAST_OWNER, CLICK, OMEGA, PRIM_COUNT, INVENTORY_COUNT, CREATED, SIT_COUNT = 27, 28, 29, 30, 31, 36, 38
MATERIAL, MASS, TEXT, LINK_NUMBER, SCALE, TEXT_COLOR, TEXT_ALPHA = 42, 43, 44, 46, 47, 48, 49
UNKNOWN = -1


def _of_prim(script: Script, prim: Prim) -> dict[int, Item]:
    position, rotation = place(script, prim)
    root = prim.linkset_root
    red, green, blue, alpha = unpack_text_color(prim.text_color)
    seats = region_of(script).world.seats
    return {
        NAME: prim.name, DESC: prim.description, POS: position, ROT: rotation, VELOCITY: places.column(script, root, "velocity"),
        OWNER: key_of(prim.owner_id), GROUP: key_of(prim.group_id), CREATOR: key_of(prim.creator_id), RUNNING: int(prim.scripted),
        SCRIPTS: int(prim.scripted), MEMORY: 65536 * prim.scripted, TIME: 0.0, EQUIVALENCE: 1 + len(root.children),
        SERVER_COST: 0.0, STREAMING: 0.0, PHYSICS_COST: 0.0, DETAIL_ROOT: key_of(root.full_id),
        ATTACHED: root.attach_point if root.worn is not None else 0,
        TEMP_ATTACHED: int(root.worn is not None and not root.worn.item_id.int),
        PHYSICS: int(root.physical), PHANTOM: int(root.phantom), TEMPORARY: int(root.temporary), RENDER_WEIGHT: 0, HOVER: 0.0,
        LAST_OWNER: key_of(prim.last_owner_id), CLICK: prim.click_action, OMEGA: places.column(script, root, "angular_velocity"),
        PRIM_COUNT: 1 + len(root.children), INVENTORY_COUNT: len(prim.contents), SIT_COUNT: sum(len(seats.on(one)) for one in root.linkset()),
        MATERIAL: prim.material, MASS: places.mass(script, prim), TEXT: prim.text, LINK_NUMBER: link_number(prim),
        SCALE: places.column(script, prim, "scale"), TEXT_COLOR: Vector(red, green, blue), TEXT_ALPHA: alpha,
        CREATED: str(prim.created // 1_000_000),
    }  # fmt: skip


def _of_person(script: Script, key: Key) -> dict[int, Item]:
    agent = avatar(script, key)
    assert agent is not None
    row = region_of(script).world.row(agent)
    me = key_of(agent.agent_id)
    seat = region_of(script).world.seats.of.get(agent)
    nothing: dict[int, Item] = dict.fromkeys(
        (RUNNING, SCRIPTS, MEMORY, ATTACHED, TEMP_ATTACHED, PHANTOM, TEMPORARY, RENDER_WEIGHT, CLICK, PRIM_COUNT, INVENTORY_COUNT, SIT_COUNT, EQUIVALENCE,
         MATERIAL, LINK_NUMBER), 0
    )  # fmt: skip
    return {
        **nothing, NAME: agent.name, DESC: "", POS: Vector(*row["position"].tolist()), ROT: Rotation(*row["rotation"].tolist()),
        VELOCITY: Vector(*row["velocity"].tolist()), OWNER: me, GROUP: NULL_KEY, CREATOR: NULL_KEY, TIME: 0.0, SERVER_COST: 0.0,
        STREAMING: 0.0, PHYSICS_COST: 0.0, DETAIL_ROOT: key_of(seat.prim.linkset_root.full_id) if seat is not None else me, PHYSICS: 1,
        HOVER: agent.appearance.hover, LAST_OWNER: NULL_KEY, OMEGA: ZERO_VECTOR, CREATED: "", MASS: places.llGetObjectMass(script, key),
        TEXT: "", SCALE: Vector(*agent.appearance.size), TEXT_COLOR: ZERO_VECTOR, TEXT_ALPHA: 0.0,
    }  # fmt: skip


@ll(lacks="costs, script time and render weight are 0; a prim's scripts count as one")
def llGetObjectDetails(script: Script, id: Key, params: list[Item]) -> list[Item]:
    """What is asked, OBJECT_*, of an object or avatar in the region; empty when there is none of that key.

    What it does not know gives OBJECT_UNKNOWN_DETAIL (-1); items that are no integers are passed over.
    """
    prim = thing(script, id)
    if prim is None and avatar(script, id) is None:
        return []
    facts = _of_prim(script, prim) if prim is not None else _of_person(script, id)
    spend(script, 2 * len(params) + WEIGHT)
    return [facts.get(one, UNKNOWN) for one in params if isinstance(one, int)]


