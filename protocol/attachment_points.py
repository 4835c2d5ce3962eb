"""Where a body can wear things: the 55 attachment points of Second Life, by number.

Each hangs on a joint of the skeleton; `place` is about where that is on a standing avatar of 1.9 m, in metres from the middle
of its body: x ahead, y to its left, z up. Points of the screen (HUD) are seen by their wearer alone and have no place.
Numbers and names are those of `ATTACH_*` of the LSL wiki.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

ADD = 0x80  # bit of AttachmentPt: beside what hangs there already, not in its place
MOST_WORN = 38  # objects one person may wear, as in Second Life
FARTHEST = 3.5  # metres from a point to the root of what hangs on it

Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    number: int
    name: str
    place: Place | None  # None: on the screen

    @property
    def hud(self) -> bool:
        return self.place is None


_BODY: dict[int, tuple[str, Place]] = {
    1: ("Chest", (0.10, 0.0, 0.35)), 2: ("Skull", (0.0, 0.0, 0.88)), 3: ("Left Shoulder", (0.0, 0.17, 0.52)),
    4: ("Right Shoulder", (0.0, -0.17, 0.52)), 5: ("Left Hand", (0.02, 0.42, 0.0)), 6: ("Right Hand", (0.02, -0.42, 0.0)),
    7: ("Left Foot", (0.06, 0.10, -0.90)), 8: ("Right Foot", (0.06, -0.10, -0.90)), 9: ("Spine", (-0.13, 0.0, 0.35)),
    10: ("Pelvis", (0.0, 0.0, 0.0)), 11: ("Mouth", (0.10, 0.0, 0.66)), 12: ("Chin", (0.09, 0.0, 0.60)),
    13: ("Left Ear", (0.0, 0.08, 0.72)), 14: ("Right Ear", (0.0, -0.08, 0.72)), 15: ("Left Eye", (0.09, 0.03, 0.74)),
    16: ("Right Eye", (0.09, -0.03, 0.74)), 17: ("Nose", (0.12, 0.0, 0.70)), 18: ("Right Upper Arm", (0.0, -0.24, 0.38)),
    19: ("Right Forearm", (0.0, -0.34, 0.18)), 20: ("Left Upper Arm", (0.0, 0.24, 0.38)),
    21: ("Left Forearm", (0.0, 0.34, 0.18)), 22: ("Right Hip", (0.0, -0.12, -0.05)),
    23: ("Right Upper Leg", (0.0, -0.11, -0.25)), 24: ("Right Lower Leg", (0.0, -0.10, -0.60)),
    25: ("Left Hip", (0.0, 0.12, -0.05)), 26: ("Left Upper Leg", (0.0, 0.11, -0.25)),
    27: ("Left Lower Leg", (0.0, 0.10, -0.60)), 28: ("Stomach", (0.10, 0.0, 0.08)), 29: ("Left Pec", (0.12, 0.09, 0.36)),
    30: ("Right Pec", (0.12, -0.09, 0.36)), 39: ("Neck", (0.0, 0.0, 0.58)), 40: ("Avatar Center", (0.0, 0.0, 0.0)),
    41: ("Left Ring Finger", (0.02, 0.48, -0.06)), 42: ("Right Ring Finger", (0.02, -0.48, -0.06)),
    43: ("Tail Base", (-0.12, 0.0, -0.02)), 44: ("Tail Tip", (-0.50, 0.0, -0.10)), 45: ("Left Wing", (-0.15, 0.25, 0.45)),
    46: ("Right Wing", (-0.15, -0.25, 0.45)), 47: ("Jaw", (0.07, 0.0, 0.62)), 48: ("Alt Left Ear", (0.0, 0.08, 0.78)),
    49: ("Alt Right Ear", (0.0, -0.08, 0.78)), 50: ("Alt Left Eye", (0.10, 0.03, 0.74)),
    51: ("Alt Right Eye", (0.10, -0.03, 0.74)), 52: ("Tongue", (0.10, 0.0, 0.65)), 53: ("Groin", (0.06, 0.0, -0.08)),
    54: ("Left Hind Foot", (-0.20, 0.10, -0.90)), 55: ("Right Hind Foot", (-0.20, -0.10, -0.90)),
}  # fmt: skip
_SCREEN = {
    31: "HUD Center 2", 32: "HUD Top Right", 33: "HUD Top", 34: "HUD Top Left", 35: "HUD Center",
    36: "HUD Bottom Left", 37: "HUD Bottom", 38: "HUD Bottom Right",
}  # fmt: skip

POINTS = {
    number: Point(number, *_BODY[number]) if number in _BODY else Point(number, _SCREEN[number], None)
    for number in range(1, 56)
}
DEFAULT = 6  # where something hangs that was never worn and names no point
HUD = frozenset(number for number, point in POINTS.items() if point.hud)
ITEM_NAME = "AttachItemID"  # the name-value by which viewers know which item of the inventory is worn


def item_name_value(item_id: UUID) -> str:
    """NameValue of a worn root."""
    return f"{ITEM_NAME} STRING RW SV {item_id}"
