"""The default body and clothes, as the text assets that viewers read and write ("LLWearable version 22").

    LLWearable version 22
    <name>
    <description>
    \tpermissions 0
    \t{ ... masks in hex, creator, owner, last owner, group ... }
    \tsale_info\t0
    \t{ sale_type not, sale_price 10 }
    type <wearable type>
    parameters <n>
    <id> <value>            n lines, values as viewers write them: .42, -1, 0
    textures <n>
    <face> <uuid>           n lines, faces as in protocol.appearance.AvatarFace

Which parameters a wearable holds, and what a person's are, is in protocol/visual_params.txt.
"""

from __future__ import annotations

from uuid import UUID

from protocol.appearance import VISUAL_PARAMS, AvatarFace
from protocol.wellknown import LIBRARY_OWNER, NULL, AssetType, Permission, Texture, Wearable

NAMES: dict[Wearable, str] = {
    Wearable.SHAPE: "Default Shape",
    Wearable.SKIN: "Default Skin",
    Wearable.HAIR: "Default Hair",
    Wearable.EYES: "Default Eyes",
    Wearable.SHIRT: "Default Shirt",
    Wearable.PANTS: "Default Pants",
}

# Body paint stays the default avatar texture, by which viewers know that nothing is painted over the skin they make.
TEXTURES: dict[Wearable, dict[AvatarFace, UUID]] = {
    Wearable.SHAPE: {},
    Wearable.SKIN: {
        AvatarFace.HEAD_BODYPAINT: Texture.DEFAULT_AVATAR,
        AvatarFace.UPPER_BODYPAINT: Texture.DEFAULT_AVATAR,
        AvatarFace.LOWER_BODYPAINT: Texture.DEFAULT_AVATAR,
    },
    Wearable.HAIR: {AvatarFace.HAIR: Texture.HAIR},
    Wearable.EYES: {AvatarFace.EYES_IRIS: Texture.IRIS},
    Wearable.SHIRT: {AvatarFace.UPPER_SHIRT: Texture.FABRIC_SHIRT},
    Wearable.PANTS: {AvatarFace.LOWER_PANTS: Texture.FABRIC_PANTS},
}


def asset_type(kind: Wearable) -> AssetType:
    """Shape, skin, hair and eyes are body parts, the rest clothing."""
    return AssetType.BODY_PART if kind <= Wearable.EYES else AssetType.CLOTHING


def default_wearable(kind: Wearable) -> bytes:
    """The asset of a new person's shape, skin, hair, eyes, shirt or pants."""
    params = {param.id: param.person for param in VISUAL_PARAMS if param.wearable == kind}
    return format_wearable(NAMES[kind], kind, params, TEXTURES[kind])


def format_wearable(name: str, kind: int, params: dict[int, float], faces: dict[AvatarFace, UUID]) -> bytes:
    """A wearable asset owned by the library, free to copy, change and pass on. ``params``: id -> value."""
    lines = [
        "LLWearable version 22",
        name,
        "",
        "\tpermissions 0",
        "\t{",
        f"\t\tbase_mask\t{Permission.ALL:08x}",
        f"\t\towner_mask\t{Permission.ALL:08x}",
        "\t\tgroup_mask\t00000000",
        f"\t\teveryone_mask\t{Permission.COPY:08x}",
        f"\t\tnext_owner_mask\t{Permission.ALL:08x}",
        f"\t\tcreator_id\t{LIBRARY_OWNER}",
        f"\t\towner_id\t{LIBRARY_OWNER}",
        f"\t\tlast_owner_id\t{NULL}",
        f"\t\tgroup_id\t{NULL}",
        "\t}",
        "\tsale_info\t0",
        "\t{",
        "\t\tsale_type\tnot",
        "\t\tsale_price\t10",
        "\t}",
        f"type {int(kind)}",
        f"parameters {len(params)}",
        *(f"{number} {_short(value)}" for number, value in sorted(params.items())),
        f"textures {len(faces)}",
        *(f"{int(face)} {texture}" for face, texture in sorted(faces.items())),
    ]
    return ("\n".join(lines) + "\n").encode()


def _short(value: float) -> str:
    """A number as viewers write it: at most three decimals, no zero before the point."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "0") else text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
