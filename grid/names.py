"""Names for regions: short, pronounceable, easy to type in a viewer's map search, none twice."""

import itertools
from collections.abc import Collection, Iterator

# fmt: off
NAMES = (
    "Harbour", "Meadow", "Ridge", "Shore", "Orchard", "Lantern", "Mill", "Heron", "Copper", "Willow", "Summit",
    "Cove", "Juniper", "Quarry", "Linden", "Falcon", "Amber", "Brook", "Cedar", "Dune", "Ember", "Fjord", "Glade",
    "Hollow", "Island", "Jasper", "Kestrel", "Lagoon", "Maple", "Nectar", "Oasis", "Prairie", "Quill", "River",
    "Saffron", "Terrace", "Upland", "Valley", "Wharf", "Yarrow", "Zephyr", "Alder", "Basin", "Canyon", "Delta",
    "Elder", "Fern", "Grove", "Heath", "Iris", "Jetty", "Knoll", "Larch", "Marsh", "North", "Otter", "Pine", "Reed",
    "Stone", "Thistle", "Umber", "Violet", "Warren", "Yew",
)
# fmt: on


def fresh(used: Collection[str]) -> Iterator[str]:
    """Names nobody has, the list first, then "Harbour 2" and so on. Names that differ in case only count as one."""
    taken = {name.casefold() for name in used}
    rounds = itertools.chain([""], (f" {n}" for n in itertools.count(2)))
    return (name + suffix for suffix in rounds for name in NAMES if (name + suffix).casefold() not in taken)
