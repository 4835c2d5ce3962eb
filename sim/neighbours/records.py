"""What regions and Backbone tell each other about regions: the record of the directory, and who owns one.

A record is read by one strict decoder. What a newer version of it may hold is not guessed at: it is refused with a word. Members
that a decoder does not know are left alone, so that what may be ignored can be added without a new version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.wellknown import NULL, region_handle
from sim.neighbours.reading import check_version, number, uuid_of, whole, words

VERSION = 1
ACCESS_NUMBERS = {"G": 13, "PG": 13, "M": 21, "A": 42}  # as the protocol counts them
ACCESS_LETTERS = {13: "PG", 21: "M", 42: "A"}
MOST_SQUARES = 1 << 24  # grid squares along one side


@dataclass(frozen=True, slots=True)
class Owner:
    """One claim of a region: the region and the claim's epoch. Of two, the one with the higher epoch owns the region."""

    region_id: UUID
    epoch: int

    @classmethod
    def decode(cls, value: Any) -> Owner:
        """From {region_id, epoch}."""
        if not isinstance(value, dict):
            raise ProtocolError("an owner is an object of region_id and epoch")
        return cls(uuid_of(value.get("region_id"), "region_id"), whole(value.get("epoch"), 0, 1 << 62, "epoch"))

    def encode(self) -> dict[str, Any]:
        return {"region_id": str(self.region_id), "epoch": self.epoch}


@dataclass(frozen=True, slots=True)
class RegionRecord:
    """A region as the directory has it (the REGION object of Backbone's API)."""

    region_id: UUID
    name: str
    grid_x: int
    grid_y: int
    ip: str
    port: int
    http_url: str  # where viewers reach it
    epoch: int
    access: int = 13  # 13, 21 or 42
    water_height: float = 20.0
    map_image_id: UUID = NULL
    agents: int = 0
    online: bool = True
    inner_url: str = ""  # where the grid's own services do; "": the same

    @property
    def services_url(self) -> str:
        """Where its services are, for other regions; never told to viewers."""
        return self.inner_url or self.http_url

    @classmethod
    def decode(cls, value: Any) -> RegionRecord:
        """ProtocolError says what is wrong with it."""
        if not isinstance(value, dict):
            raise ProtocolError("a region is an object")
        check_version(value, VERSION, "region record")
        access = value.get("access", "PG")
        if access not in ACCESS_NUMBERS and access not in ACCESS_LETTERS:
            raise ProtocolError(f"access is one of {', '.join(ACCESS_NUMBERS)}")
        image = value.get("map_image_id")
        return cls(
            region_id=uuid_of(value.get("region_id"), "region_id"),
            name=words(value.get("name"), 1, 255, "name"),
            grid_x=whole(value.get("grid_x"), 0, MOST_SQUARES, "grid_x"),
            grid_y=whole(value.get("grid_y"), 0, MOST_SQUARES, "grid_y"),
            ip=words(value.get("ip"), 1, 255, "ip"),
            port=whole(value.get("port"), 1, 65535, "port"),
            http_url=words(value.get("http_url"), 1, 255, "http_url"),
            epoch=whole(value.get("epoch"), 0, 1 << 62, "epoch"),
            access=ACCESS_NUMBERS[access] if isinstance(access, str) else access,
            water_height=number(value.get("water_height", 20.0), 4096.0, "water_height"),
            map_image_id=uuid_of(image, "map_image_id") if image else NULL,
            agents=whole(value.get("agents", 0), 0, 1 << 31, "agents"),
            online=bool(value.get("online", True)),
            inner_url=words(value.get("inner_url") or "", 0, 255, "inner_url"),
        )

    def encode(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "region_id": str(self.region_id),
            "name": self.name,
            "grid_x": self.grid_x,
            "grid_y": self.grid_y,
            "ip": self.ip,
            "port": self.port,
            "http_url": self.http_url,
            "epoch": self.epoch,
            "access": ACCESS_LETTERS[self.access],
            "water_height": self.water_height,
            "map_image_id": str(self.map_image_id),
            "agents": self.agents,
            "online": self.online,
            "inner_url": self.inner_url,
        }

    @property
    def square(self) -> tuple[int, int]:
        return self.grid_x, self.grid_y

    @property
    def handle(self) -> int:
        return region_handle(self.grid_x, self.grid_y)

    @property
    def owner(self) -> Owner:
        return Owner(self.region_id, self.epoch)
