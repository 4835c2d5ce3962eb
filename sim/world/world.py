"""The world of one region: what there is, and nothing about how it is shown or where it is heard.

One thread owns it. Whoever changes it *notes* what changed (`changes.py`); `interest` reads that once a frame and decides who
must hear. Where bodies and avatars move by themselves, their rows are marked (`dirty`). Nothing here sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from protocol.wellknown import NULL, REGION_SIZE, WATER_HEIGHT, Texture, region_handle
from sim.world.agent import Agent, Vector
from sim.world.avatars import Avatars
from sim.world.changes import Changes, What
from sim.world.objects import Objects
from sim.world.seats import Seats
from sim.world.terrain import Terrain

# What a full viewer expects of new land.
DEFAULT_PARCEL_FLAGS = 0x1E00044B


@dataclass(slots=True, eq=False)
class RegionFacts:
    """What the region is called and where it lies; constant while the process lives."""

    region_id: UUID
    name: str
    grid_x: int
    grid_y: int
    owner_id: UUID = NULL
    access: int = 13  # 13 general, 21 moderate, 42 adult
    flags: int = 0
    water_height: float = WATER_HEIGHT
    max_agents: int = 1000
    max_prims: int = 30_000  # what the region holds, and what viewers are told it holds
    cache_id: UUID = NULL  # changes with the terrain and objects' generation; viewers key their object cache by it
    map_image_id: UUID = NULL

    @property
    def handle(self) -> int:
        return region_handle(self.grid_x, self.grid_y)

    @property
    def corner(self) -> tuple[int, int]:
        """South-west corner in global metres."""
        return self.grid_x * REGION_SIZE, self.grid_y * REGION_SIZE


@dataclass(slots=True, eq=False)
class Parcel:
    """A piece of land. `cells` marks its 4 m squares, (64, 64) bool [y, x]."""

    local_id: int
    parcel_id: UUID
    name: str
    owner_id: UUID
    claimed: int  # unix time
    cells: np.ndarray
    description: str = ""
    flags: int = DEFAULT_PARCEL_FLAGS
    music_url: str = ""
    media_url: str = ""
    media_type: str = "none/none"
    snapshot_id: UUID = NULL
    landing_type: int = 2
    landing_position: Vector = (0.0, 0.0, 0.0)
    landing_look_at: Vector = (0.0, 0.0, 0.0)
    category: int = 0
    sale_price: int = 0  # where it is for sale (a flag)
    buyer_id: UUID = NULL  # who alone may buy it; null: anybody
    media_id: UUID = NULL  # the texture in whose place its media are seen
    media_description: str = ""
    media_width: int = 0  # pixels; 0: the media's own
    media_height: int = 0
    media_auto_scale: int = 0
    media_loop: int = 0

    @property
    def area(self) -> int:
        """Square metres."""
        return int(self.cells.sum()) * 16


@dataclass(slots=True, frozen=True, eq=False)
class Chat:
    """Something said in the region, or so near to it that it is heard here (`actions/speak.py`)."""

    text: str
    kind: int  # ChatType: 0 whisper, 1 say, 2 shout, 4 and 5 typing, 8 to the owner
    source_type: int  # 0 system, 1 agent, 2 object
    source_id: UUID
    owner_id: UUID
    name: str
    position: Vector  # region-local; outside 0..256 when it comes from a neighbour
    from_neighbour: bool = False
    channel: int = 0  # 0: what people read
    reach: float = 20.0  # metres
    to: UUID | None = None  # this agent or object alone hears it, wherever it is
    by: object = None  # the script that says it, and does not hear it


class World:
    def __init__(self, facts: RegionFacts, terrain: Terrain) -> None:
        self.facts = facts
        self.terrain = terrain
        self.agents: dict[UUID, Agent] = {}
        self.avatars = Avatars()
        self.changes = Changes(terrain.changes)
        self.objects = Objects(self.changes.prims, avatars=self.avatars)
        self.seats = Seats()
        self.agent_of_row: dict[int, Agent] = {}
        self.parcels: list[Parcel] = []
        self.parcel_map = np.zeros((64, 64), np.int32)  # local id of the parcel that owns each 4 m cell, [y, x]
        self.outside: dict[int, None] = {}  # rows of objects that a step moved out of the region
        self.time = 0.0  # world seconds since the region opened
        self.dilation = 1.0
        # Whether a region lies beyond each side, [dy + 1, dx + 1]; avatars may leave only over such a side.
        self.open_sides = np.zeros((3, 3), np.uint8)
        self._next_local_id = 1

    @property
    def next_local_id(self) -> int:
        """No local id from here on has been used."""
        return self._next_local_id

    def begin_local_ids(self, first: int) -> None:
        """Use none below this: what the region kept has them, and viewers remember them."""
        self._next_local_id = max(self._next_local_id, first)

    def new_local_id(self) -> int:
        """A U32 never 0 and not reused while the process lives."""
        local_id = self._next_local_id
        self._next_local_id += 1
        return local_id

    # --- agents

    def roots(self) -> Iterator[Agent]:
        return (agent for agent in self.agents.values() if not agent.child)

    def children(self) -> Iterator[Agent]:
        return (agent for agent in self.agents.values() if agent.child)

    def embody(self, agent: Agent, position: Vector) -> None:
        """Make a child agent root: it gets an avatar at `position`."""
        if not agent.child:
            return
        agent.child = False
        agent.local_id = self.new_local_id()
        agent.row = self.avatars.add(agent.local_id, position, agent.appearance.size[2])
        self.agent_of_row[agent.row] = agent
        self.changes.agents.note(agent, What.MADE)

    def disembody(self, agent: Agent) -> None:
        """Take the avatar away; the agent stays as a child until it is removed."""
        if agent.child:
            return
        for root in list(agent.worn):
            self.objects.remove(root)
        self.changes.agents.note(agent, What.GONE)  # while it still has the local id that viewers know it by
        self.seats.leave(agent)
        self.agent_of_row.pop(agent.row, None)
        self.avatars.remove(agent.row)
        agent.child = True
        agent.row = -1
        agent.local_id = 0

    def remove(self, agent: Agent) -> None:
        self.disembody(agent)
        if self.agents.get(agent.agent_id) is agent:  # not the same person's next session
            del self.agents[agent.agent_id]

    def row(self, agent: Agent) -> np.void:
        """The avatar's row, a view: assigning to its fields changes the world. Only for root agents."""
        return self.avatars.rows[agent.row]

    def position(self, agent: Agent) -> Vector:
        """Where the avatar is, or for a child agent where its camera was last."""
        if agent.child:
            return agent.camera.center
        x, y, z = self.avatars.rows[agent.row]["position"].tolist()
        return x, y, z

    # --- land

    def parcel_at(self, x: float, y: float) -> Parcel:
        cell_x = min(max(int(x) // 4, 0), 63)
        cell_y = min(max(int(y) // 4, 0), 63)
        local_id = int(self.parcel_map[cell_y, cell_x])
        return next(parcel for parcel in self.parcels if parcel.local_id == local_id)

    def add_parcel(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        self.parcel_map[parcel.cells] = parcel.local_id
        self.changes.parcels.note(parcel, What.MADE | What.LAND)

    def belongs_to(self, owner_id: UUID) -> None:
        """Whose land the region is. Parcels that are nobody's, or the owner's of before, are the owner's now."""
        before, self.facts.owner_id = self.facts.owner_id, owner_id
        if before != owner_id:
            self.changes.region.note(self.facts, What.OWNER)
        for parcel in self.parcels:
            if parcel.owner_id in (NULL, before) and parcel.owner_id != owner_id:
                parcel.owner_id = owner_id
                self.changes.parcels.note(parcel, What.OWNER)

    @property
    def texture_layers(self) -> tuple[UUID, UUID, UUID, UUID]:
        """Ground textures from low to high (RegionHandshake.TerrainDetail0-3)."""
        return Texture.TERRAIN_DIRT, Texture.TERRAIN_GRASS, Texture.TERRAIN_MOUNTAIN, Texture.TERRAIN_ROCK
