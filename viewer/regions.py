"""One simulator as the client sees it: who it is, its circuit, capabilities, land, and what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import numpy as np

from protocol import terrain
from protocol.errors import ProtocolError
from protocol.message import Message

from .caps import Caps, EventQueue
from .circuit import Circuit
from .habits import Address, Habits
from .model import Entity

NULL = UUID(int=0)
_PATCHES = 16 * 16


class Region:
    """A simulator we have a circuit with: the one we stand in (root) or a neighbour we look into (child)."""

    def __init__(self, circuit: Circuit, handle: int, habits: Habits, clock: Callable[[], float]) -> None:
        self.circuit = circuit
        self.clock = clock
        self.habits = habits
        self.handle = handle  # (metres west << 32) | metres south; 0 until told
        self.id = NULL
        self.cache_id = NULL  # of this generation of its objects
        self.name = ""
        self.water_height = 20.0
        self.ground: tuple[UUID, ...] = ()  # textures of the land from low to high, four
        self.ground_heights: tuple[float, ...] = ()  # where the second begins, south-west, south-east, ...; then spans
        self.sun = (0.5, 0.0, 0.87)  # towards the sun; unit vector, z up
        self.flags = 0
        self.access = 0
        self.dilation = 1.0  # world time / real time, as the region says in every update
        self.stats: dict[int, float] = {}  # SimStats by StatID
        self.handshaken = False  # RegionHandshake came and was answered
        self.is_root = False
        self.caps: Caps | None = None
        self.queue: EventQueue | None = None
        # what is there
        self.entities: dict[int, Entity] = {}  # by local id
        self.avatars: dict[UUID, Entity] = {}
        self.animations: dict[UUID, frozenset[UUID]] = {}
        self.coarse: dict[UUID, tuple[int, int, int]] = {}  # CoarseLocationUpdate: metres, z in steps of 4
        self.departed: dict[int, UUID] = {}  # local ids of things that another region has shown since
        self.missing_ids: dict[int, float] = {}  # local ids moved but never described, and when we asked about them
        # our own avatar, for measuring crossings
        self.motions = 0  # motions received, of anything
        self.own_updated = 0.0  # monotonic time of its last update from here, 0 = none
        self.own_carrier = 0  # local id of what carries it, if it sits
        # land
        self._heights = np.zeros((256, 256), np.float32)
        self._land = np.zeros((16, 16), bool)
        self._undecoded: list[bytes] = []
        self.malformed_land = 0
        self.malformed_motions = 0

    def __repr__(self) -> str:
        return f"<{'root' if self.is_root else 'child'} region {self.name!r} at {self.grid_x},{self.grid_y}>"

    @property
    def address(self) -> Address:
        """Where its simulator hears datagrams."""
        return self.circuit.address

    @property
    def west(self) -> int:
        """Metres from the grid's western edge to ours."""
        return self.handle >> 32

    @property
    def south(self) -> int:
        """Metres from the grid's southern edge to ours."""
        return self.handle & 0xFFFFFFFF

    @property
    def grid_x(self) -> int:
        """Position in the grid, in regions."""
        return self.west // 256

    @property
    def grid_y(self) -> int:
        """Position in the grid, in regions."""
        return self.south // 256

    def send(self, message: Message, reliable: bool = True, tries: int | None = None) -> int:
        """Send a message to this simulator; its sequence number."""
        return self.circuit.send(message, self.clock(), reliable, tries)

    # -- land -----------------------------------------------------------------------------------------------------

    def add_land(self, data: bytes) -> None:
        """Keep a LayerData payload; it is decoded when somebody looks at the land."""
        if len(self._undecoded) >= self.habits.max_pending_land:
            self._decode_land()
        self._undecoded.append(data)

    def _decode_land(self) -> None:
        undecoded, self._undecoded = self._undecoded, []
        for data in undecoded:
            try:
                patches = terrain.decode_patches(data)
            except ProtocolError:
                self.malformed_land += 1
                continue
            for px, py, heights in patches:
                if 0 <= px < 16 and 0 <= py < 16:
                    self._heights[py * 16 : py * 16 + 16, px * 16 : px * 16 + 16] = heights
                    self._land[py, px] = True

    @property
    def terrain(self) -> np.ndarray:
        """Heights in metres, float32 [y, x], 256 x 256; zero where no patch came yet (see ``land_received``)."""
        self._decode_land()
        return self._heights

    @property
    def land_received(self) -> float:
        """How much of the land is known, 0.0 to 1.0."""
        self._decode_land()
        return float(self._land.sum()) / _PATCHES

    def height_at(self, x: float, y: float) -> float:
        """Ground height at region-local ``x``, ``y`` (metres), between the grid's points by the nearest four."""
        heights = self.terrain
        x, y = min(max(x, 0.0), 255.0), min(max(y, 0.0), 255.0)
        ix, iy = min(int(x), 254), min(int(y), 254)
        fx, fy = x - ix, y - iy
        low = heights[iy, ix] * (1 - fx) + heights[iy, ix + 1] * fx
        high = heights[iy + 1, ix] * (1 - fx) + heights[iy + 1, ix + 1] * fx
        return float(low * (1 - fy) + high * fy)
