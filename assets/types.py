"""Asset types as the store's faces see them: content types, names in viewer URLs, and who may read them."""

from __future__ import annotations

from protocol.wellknown import AssetType

CONTENT_TYPES: dict[int, str] = {
    AssetType.TEXTURE: "image/x-j2c",
    AssetType.SOUND: "application/ogg",
    AssetType.CALLING_CARD: "application/vnd.ll.callingcard",
    AssetType.LANDMARK: "application/vnd.ll.landmark",
    AssetType.CLOTHING: "application/vnd.ll.clothing",
    AssetType.OBJECT: "application/vnd.ll.primitive",
    AssetType.NOTECARD: "application/vnd.ll.notecard",
    AssetType.LSL_TEXT: "application/vnd.ll.lsltext",
    AssetType.LSL_BYTECODE: "application/vnd.ll.lslbyte",
    AssetType.BODY_PART: "application/vnd.ll.bodypart",
    AssetType.ANIMATION: "application/vnd.ll.animation",
    AssetType.GESTURE: "application/vnd.ll.gesture",
    AssetType.MESH: "application/vnd.ll.mesh",
    AssetType.SETTINGS: "application/llsd+xml",
    AssetType.MATERIAL: "application/llsd+xml",
}

# What people write or build is read only through the sim, which knows their permissions.
PRIVATE = frozenset(
    {
        AssetType.OBJECT,
        AssetType.NOTECARD,
        AssetType.LSL_TEXT,
        AssetType.LSL_BYTECODE,
        AssetType.SIMSTATE,
        AssetType.CALLING_CARD,
    }
)

# ViewerAsset, GetTexture and GetMesh ask with ?<name>_id=<uuid>.
VIEWER_NAMES: dict[str, int] = {
    "texture_id": AssetType.TEXTURE,
    "sound_id": AssetType.SOUND,
    "callcard_id": AssetType.CALLING_CARD,
    "landmark_id": AssetType.LANDMARK,
    "clothing_id": AssetType.CLOTHING,
    "object_id": AssetType.OBJECT,
    "notecard_id": AssetType.NOTECARD,
    "lsltext_id": AssetType.LSL_TEXT,
    "lslbyte_id": AssetType.LSL_BYTECODE,
    "bodypart_id": AssetType.BODY_PART,
    "animatn_id": AssetType.ANIMATION,
    "gesture_id": AssetType.GESTURE,
    "mesh_id": AssetType.MESH,
    "settings_id": AssetType.SETTINGS,
    "material_id": AssetType.MATERIAL,
}

HIGHEST_TYPE = 127  # asset types travel as S8


def content_type(asset_type: int) -> str:
    return CONTENT_TYPES.get(asset_type, "application/octet-stream")
