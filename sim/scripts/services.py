"""The grid's services as scripts' questions need them (`answers.py`): Backbone, the asset store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from protocol.errors import ProtocolError
from protocol.wellknown import REGION_SIZE
from sim.neighbours.records import RegionRecord
from sim.scripts.answers import Elsewhere, Name, Unanswered

if TYPE_CHECKING:
    from sim.names import Names


class GridServices:
    def __init__(self, backbone: BackboneClient, assets: AssetClient, names: Names) -> None:
        self._backbone = backbone
        self._assets = assets
        self._names = names

    async def asset(self, asset_id: UUID) -> bytes | None:
        try:
            return await self._assets.get(asset_id)
        except AssetError as error:
            raise Unanswered(str(error)) from error

    async def name(self, agent_id: UUID) -> Name | None:
        found = await self._names.look_up([agent_id])
        if agent_id not in found:
            raise Unanswered("backbone does not answer")
        return found[agent_id]

    async def born(self, agent_id: UUID) -> float | None:
        try:
            found = await self._backbone.get_users([agent_id])
        except BackboneError as error:
            raise Unanswered(str(error)) from error
        return float(found[0]["created"]) if found else None

    async def find_person(self, name: str) -> UUID | None:
        try:
            found = await self._backbone.find_user(name)
        except BackboneError as error:
            raise Unanswered(str(error)) from error
        return UUID(str(found["agent_id"])) if found else None

    async def online(self, agent_id: UUID, asker: UUID) -> bool:
        try:
            return bool((await self._backbone.get_presence(agent_id, asker))["online"])
        except BackboneError as error:
            raise Unanswered(str(error)) from error

    async def region_named(self, name: str) -> Elsewhere | None:
        try:
            found = await self._backbone.find_region(name)
            return _elsewhere(RegionRecord.decode(found)) if found is not None else None
        except (BackboneError, ProtocolError) as error:
            raise Unanswered(str(error)) from error

    async def region(self, region_id: UUID) -> Elsewhere | None:
        try:
            return _elsewhere(RegionRecord.decode(await self._backbone.get_region(region_id)))
        except BackboneError as error:
            if error.status == 404:
                return None
            raise Unanswered(str(error)) from error
        except ProtocolError as error:
            raise Unanswered(str(error)) from error


def _elsewhere(record: RegionRecord) -> Elsewhere:
    corner = record.grid_x * REGION_SIZE, record.grid_y * REGION_SIZE
    return Elsewhere(record.name, corner, record.access, record.online)
