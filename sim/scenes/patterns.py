"""The same thing many times: a line of a file for ten thousand boxes.

    grid    count along x, y and z, and the step between two
    ring    so many on a circle (or an arc of it), each turned to face the way out
    heap    see `scatter`: many things at random places in layers, sized and turned at random, the same every time

A place is (position, rotation); a pattern gives the places of its copies about the place of the entry it is in.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from sim.scenes.checking import Entry, SceneError
from sim.world.objects import Quaternion, Vector

MOST_COPIES = 100_000
REACH = 4096.0  # metres
PATTERNS = {"grid", "ring"}
NO_TURN: Quaternion = (0.0, 0.0, 0.0, 1.0)
Place = tuple[Vector, Quaternion]


def turned(degrees: Vector) -> Quaternion:
    """The rotation that turns about x, then y, then z, as the three numbers of a viewer's build tool."""
    half = [math.radians(part) / 2 for part in degrees]
    (sx, sy, sz), (cx, cy, cz) = (math.sin(part) for part in half), (math.cos(part) for part in half)
    return (
        sx * cy * cz - cx * sy * sz,
        cx * sy * cz + sx * cy * sz,
        cx * cy * sz - sx * sy * cz,
        cx * cy * cz + sx * sy * sz,
    )


def copies(entry: Entry) -> list[Place]:
    """Where the copies of an entry stand, about its own place; one, there, without a pattern."""
    if "grid" in entry and "ring" in entry:
        raise SceneError(f"{entry.where}: has both a grid and a ring; leave one away")
    if "grid" in entry:
        return list(_grid(Entry(f"{entry.where}, grid", entry.values["grid"], {"count", "step", "turn"})))
    if "ring" in entry:
        known = {"count", "radius", "begin", "end", "rise"}
        return list(_ring(Entry(f"{entry.where}, ring", entry.values["ring"], known)))
    return [((0.0, 0.0, 0.0), NO_TURN)]


def _grid(entry: Entry) -> Iterator[Place]:
    """`turn`: degrees about z that each layer is turned against the one below."""
    counts = entry.values.get("count")
    if not isinstance(counts, list) or len(counts) not in (2, 3):
        raise entry.error("count", "how many along x and y, or x, y and z, such as [10, 10]")
    if any(isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_COPIES for n in counts):
        raise entry.error("count", f"whole numbers from 1 to {MOST_COPIES}")
    across, deep, high = counts[0], counts[1], counts[2] if len(counts) == 3 else 1
    if across * deep * high > MOST_COPIES:
        raise entry.error("count", f"at most {MOST_COPIES} in all")
    dx, dy, dz = entry.vector("step", (1.0, 1.0, 1.0), -REACH, REACH)
    turn = entry.number("turn", 0.0, -360, 360)
    x0, y0 = dx * (across - 1) / 2, dy * (deep - 1) / 2  # centred about the entry's place, growing upwards from it
    for layer in range(high):
        rotation = turned((0.0, 0.0, turn * layer))
        for row in range(deep):
            for column in range(across):
                yield (column * dx - x0, row * dy - y0, layer * dz), rotation


def _ring(entry: Entry) -> Iterator[Place]:
    """The x axis of each copy points away from the middle. `rise`: metres from the first copy up to the last."""
    count = entry.whole("count", 0, 1, MOST_COPIES)
    radius = entry.number("radius", 1.0, 0, REACH)
    begin, end = entry.number("begin", 0.0, -360, 360), entry.number("end", 360.0, -360, 720)
    rise = entry.number("rise", 0.0, -REACH, REACH)
    closed = abs(end - begin - 360) < 1e-6
    for n in range(count):
        angle = begin + (end - begin) * n / (count if closed else max(count - 1, 1))
        x, y = radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
        yield (x, y, rise * n / max(count - 1, 1)), turned((0.0, 0.0, angle))


HEAP_FIELDS = {"count", "seed", "spacing", "across", "sizes", "turned"}


def scatter(entry: Entry, kinds: int) -> Iterator[tuple[int, float, Place]]:
    """The things of a heap: (which kind, size factor, place), in layers of `across` x `across` upwards.

    Drawn from `seed` alone: the same file is the same heap on every machine.
    """
    count = entry.whole("count", 0, 1, MOST_COPIES)
    across = entry.whole("across", max(math.ceil(count ** (1 / 3)), 1), 1, 1000)
    spacing = entry.number("spacing", 1.0, 0.01, 64)
    least, most = entry.numbers("sizes", (1.0, 1.0), 0.01, 64)
    if most < least:
        raise entry.error("sizes", "[least, most], factors of the prims' own sizes")
    upright = "turned" in entry and not entry.flag("turned")
    draw = random.Random(entry.whole("seed", 1, 0, 2**32))
    middle = (across - 1) / 2
    for n in range(count):
        layer, rest = divmod(n, across * across)
        row, column = divmod(rest, across)
        jitter = [spacing * draw.uniform(-0.2, 0.2) for _ in range(2)]
        place = ((column - middle) * spacing + jitter[0], (row - middle) * spacing + jitter[1], layer * spacing)
        angles = (draw.uniform(0, 360), draw.uniform(0, 360), draw.uniform(0, 360))
        kind, factor = draw.randrange(kinds), draw.uniform(least, most)
        yield kind, factor, (place, NO_TURN if upright else turned(angles))
