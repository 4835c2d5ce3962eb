"""Ids and numbers that every part of a grid and every viewer must agree on.

Textures, animations and type numbers are the published ones of the Second Life protocol; ids under
``mainland`` are ours, derived by UUIDv5 so that anyone can recompute them.
"""

from __future__ import annotations

from enum import IntEnum
from uuid import NAMESPACE_URL, UUID, uuid5

NULL = UUID(int=0)
OPERATOR = UUID("6f706572-6174-6f72-8000-6d61696e6c61")  # stands for whoever runs the grid, in histories
REGION_SIZE = 256  # metres along one side
FIRST_GRID_X = FIRST_GRID_Y = 1000  # where a new grid starts, in regions
WATER_HEIGHT = 20.0  # metres


def mainland_id(name: str) -> UUID:
    """The id of one of our own well-known things, by its name."""
    return uuid5(NAMESPACE_URL, f"mainland:{name}")


class Texture:
    PLYWOOD = UUID("89556747-24cb-43ed-920b-47caed15465f")
    BLANK = UUID("5748decc-f629-461c-9a36-a35a221fe21f")
    TRANSPARENT = UUID("8dcd4a48-2d37-4909-9f78-f7a9eb4ef903")
    DEFAULT_AVATAR = UUID("c228d1cf-4b5d-4ba8-84f4-899a0796aa97")
    MISSING = UUID("38b86f85-2575-52a9-a531-23108d8da837")
    TERRAIN_DIRT = UUID("b8d3965a-ad78-bf43-699b-bff8eca6c975")
    TERRAIN_GRASS = UUID("abb783e6-3e93-26c0-248a-247666855da3")
    TERRAIN_MOUNTAIN = UUID("179cdabd-398a-9b6b-1391-4dc333ba321f")
    TERRAIN_ROCK = UUID("beb169c7-11ea-fff2-efe5-0f24dc881df2")
    SUN = mainland_id("texture/sun")
    MOON = mainland_id("texture/moon")
    CLOUD = mainland_id("texture/cloud")
    SKIN_HEAD = mainland_id("texture/skin-head")
    SKIN_UPPER = mainland_id("texture/skin-upper")
    SKIN_LOWER = mainland_id("texture/skin-lower")
    IRIS = mainland_id("texture/iris")
    HAIR = mainland_id("texture/hair")
    FABRIC_SHIRT = mainland_id("texture/fabric-shirt")
    FABRIC_PANTS = mainland_id("texture/fabric-pants")


class Animation:
    STAND = UUID("2408fe9e-df1d-1d7d-f4ff-1384fa7b350f")
    WALK = UUID("6ed24bd8-91aa-4b12-ccc7-c97c857ab4e0")
    RUN = UUID("05ddbff8-aaa9-92a1-2b74-8fe77a29b445")
    FLY = UUID("aec4610c-757f-bc4e-c092-c6e9caf18daf")
    HOVER = UUID("4ae8016b-31b9-03bb-c401-b1ea941db41d")
    HOVER_UP = UUID("62c5de58-cb33-5743-3d07-9e4cd4352864")
    HOVER_DOWN = UUID("20f063ea-8306-2562-0b07-5c853b37b31e")
    SIT = UUID("1a5fe8ac-a804-8a5d-7cbd-56bd83184568")
    SIT_GROUND = UUID("1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e")
    STAND_UP = UUID("3da1d753-028a-5446-24f3-9c9b856d9422")
    FALLING = UUID("666307d9-a860-572d-6fd4-c3ab8865c094")
    JUMP = UUID("2305bd75-1ca9-b03b-1faa-b176b8a8c49e")
    PRE_JUMP = UUID("7a4e87fe-de39-6fcb-6223-024b00893244")
    LAND = UUID("7a17b059-12b2-41b1-570a-186368b6aa6f")
    CROUCH = UUID("201f3fdf-cb1f-dbec-201f-7333e328ae7c")
    CROUCH_WALK = UUID("47f5f6fb-22e5-ae44-f871-73aaaf4a6022")
    TURN_LEFT = UUID("56e0ba0d-4a9f-7f27-6117-32f2ebbf6135")
    TURN_RIGHT = UUID("2d6daa51-3192-6794-8e2e-a15f8338ec30")
    TYPING = UUID("c541c47f-e0c0-058b-ad1a-d6ae3a4584d9")


class Folder(IntEnum):
    """``type_default`` of the system folders every account has."""

    TEXTURES = 0
    SOUNDS = 1
    CALLING_CARDS = 2
    LANDMARKS = 3
    CLOTHING = 5
    OBJECTS = 6
    NOTECARDS = 7
    ROOT = 8
    SCRIPTS = 10
    BODY_PARTS = 13
    TRASH = 14
    PHOTO_ALBUM = 15
    LOST_AND_FOUND = 16
    ANIMATIONS = 20
    GESTURES = 21
    FAVORITES = 23
    CURRENT_OUTFIT = 46
    MY_OUTFITS = 48
    MESHES = 49
    SETTINGS = 56
    MATERIALS = 57
    USER = -1


FOLDER_NAMES: dict[Folder, str] = {
    Folder.TEXTURES: "Textures",
    Folder.SOUNDS: "Sounds",
    Folder.CALLING_CARDS: "Calling Cards",
    Folder.LANDMARKS: "Landmarks",
    Folder.CLOTHING: "Clothing",
    Folder.OBJECTS: "Objects",
    Folder.NOTECARDS: "Notecards",
    Folder.ROOT: "My Inventory",
    Folder.SCRIPTS: "Scripts",
    Folder.BODY_PARTS: "Body Parts",
    Folder.TRASH: "Trash",
    Folder.PHOTO_ALBUM: "Photo Album",
    Folder.LOST_AND_FOUND: "Lost And Found",
    Folder.ANIMATIONS: "Animations",
    Folder.GESTURES: "Gestures",
    Folder.FAVORITES: "Favorites",
    Folder.CURRENT_OUTFIT: "Current Outfit",
    Folder.MY_OUTFITS: "My Outfits",
    Folder.MESHES: "Meshes",
    Folder.SETTINGS: "Settings",
    Folder.MATERIALS: "Materials",
}


class AssetType(IntEnum):
    TEXTURE = 0
    SOUND = 1
    CALLING_CARD = 2
    LANDMARK = 3
    CLOTHING = 5
    OBJECT = 6
    NOTECARD = 7
    FOLDER = 8
    LSL_TEXT = 10
    LSL_BYTECODE = 11
    BODY_PART = 13
    ANIMATION = 20
    GESTURE = 21
    SIMSTATE = 22
    LINK = 24
    FOLDER_LINK = 25
    MESH = 49
    SETTINGS = 56
    MATERIAL = 57


class InventoryType(IntEnum):
    TEXTURE = 0
    SOUND = 1
    CALLING_CARD = 2
    LANDMARK = 3
    OBJECT = 6
    NOTECARD = 7
    FOLDER = 8
    LSL = 10
    SNAPSHOT = 15
    ATTACHMENT = 17
    WEARABLE = 18
    ANIMATION = 19
    GESTURE = 20
    MESH = 22
    SETTINGS = 25
    MATERIAL = 26


class Wearable(IntEnum):
    SHAPE = 0
    SKIN = 1
    HAIR = 2
    EYES = 3
    SHIRT = 4
    PANTS = 5


# What every new avatar wears, so that nobody arrives as a cloud. The assets are drawn by assets/library.
DEFAULT_WEARABLES: dict[Wearable, UUID] = {kind: mainland_id(f"wearable/{kind.name.lower()}") for kind in Wearable}

LIBRARY_OWNER = mainland_id("library/owner")
LIBRARY_ROOT = mainland_id("library/root")


class Permission:
    TRANSFER = 0x2000
    MODIFY = 0x4000
    COPY = 0x8000
    MOVE = 0x80000
    ALL = 0x7FFFFFFF


def region_handle(grid_x: int, grid_y: int) -> int:
    """The U64 region handle: south-west corner in metres, x in the high half."""
    return (grid_x * REGION_SIZE) << 32 | (grid_y * REGION_SIZE)


def grid_of_handle(handle: int) -> tuple[int, int]:
    """Grid coordinates (in regions) of a region handle."""
    return (handle >> 32) // REGION_SIZE, (handle & 0xFFFFFFFF) // REGION_SIZE
