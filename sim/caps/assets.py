"""Assets: viewers fetch them straight from the asset store, never through a region; baked textures come in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from assets.client import AssetError
from protocol.wellknown import AssetType
from sim.caps import Capability, CapRequest, capability, elsewhere

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

BAKE_LIMIT = 2 << 20  # bytes; 1024 x 1024 with alpha stays under one megabyte
JPEG2000 = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")  # how a codestream and a file begin


@elsewhere("GetTexture")
@elsewhere("GetMesh")
@elsewhere("GetMesh2")
@elsewhere("ViewerAsset")
def asset_store(sim: Parts) -> str:
    return (sim.settings.public_assets_url or sim.settings.assets_url).rstrip("/") + "/viewer"


@capability("UploadBakedTexture", per_second=0.5, burst=30)
async def upload_baked_texture(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """First step: where to put the bytes of a baked texture."""
    return {"state": "upload", "uploader": sim.cap_server.once(agent, _BAKE_UPLOADER)}


async def _store_bake(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Second step. The body is raw whatever its Content-Type says."""
    if not request.body.startswith(JPEG2000):
        return _error("This is not a JPEG 2000 image.", "NotAnImage")
    asset_id = uuid4()
    try:
        await sim.assets.put(asset_id, request.body, AssetType.TEXTURE, agent.agent_id)
    except AssetError as error:
        sim.metrics.count("service_errors", label="assets")
        return _error(error.for_people(), "QuotaUsedUp" if error.status == 429 else "StoreUnreachable")
    return {"state": "complete", "new_asset": asset_id, "new_inventory_item": None}


def _error(message: str, identifier: str) -> dict[str, Any]:
    return {"state": "error", "error": {"message": message, "identifier": identifier}}


_BAKE_UPLOADER = Capability("UploadBakedTexture uploader", ("POST",), _store_bake, 1.0, 1.0, BAKE_LIMIT)
