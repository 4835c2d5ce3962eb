"""A scene file as a `Scene`: checked whole, every copy in its place, before anything is put into the world.

TOML for people; JSON of the same structure for programs (tomllib reads a megabyte a second, json fifty).
A scene comes from whoever runs the grid, yet is read as if from a stranger: bounded in size and number, every value in
range, and what is wrong is said with its file, entry and field.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from protocol.errors import ProtocolError
from protocol.wellknown import Permission
from sim.scenes import forms, patterns
from sim.scenes.checking import Entry, SceneError, shown
from sim.scenes.patterns import REACH, Place, turned
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program, compile_script
from sim.world.objects import (
    DESCRIPTION_BYTES,
    MAX_LINKS,
    MAX_SCALE,
    MIN_SCALE,
    NAME_BYTES,
    Material,
    Quaternion,
    Vector,
    multiply,
    rotate,
)

NO_SCENE = "none"
BUILT_IN = Path(__file__).parent  # a scene without a suffix is one of ours: "welcome" is welcome.toml here
MOST_BYTES = 64 << 20
MOST_PRIMS = 100_000
MOST_SCRIPT_BYTES = 65_535
MOST_SCRIPTS = 10_000  # copies and all
LINK_REACH = 64.0  # metres from the root to another prim of its linkset
EVERYONE = {"modify": Permission.MODIFY, "copy": Permission.COPY, "move": Permission.MOVE}

_SCENE_FIELDS = {"name", "origin", "prim", "linkset", "heap"}
_PLACE_FIELDS = {"position", "rotation", "on_ground"}
_PART_FIELDS = (
    {"name", "description", "size", "position", "rotation", "script"}
    | forms.SHAPE_FIELDS | forms.STRAIGHT_FIELDS | forms.ROUND_FIELDS | forms.LOOK_FIELDS | forms.MATERIAL_FIELDS
)  # fmt: skip
_FLAGS = {"physical", "phantom", "temporary", "everyone"}
_PRIM_FIELDS = _PART_FIELDS | _FLAGS | _PLACE_FIELDS | patterns.PATTERNS
_LINKSET_FIELDS = _FLAGS | _PLACE_FIELDS | patterns.PATTERNS | {"name", "prim"}
_HEAP_FIELDS = _FLAGS | _PLACE_FIELDS | patterns.HEAP_FIELDS | {"name", "prim"}


@dataclass(frozen=True, slots=True)
class SceneScript:
    """A script that runs in every copy of a prim."""

    name: str
    source: str
    program: Program


@dataclass(frozen=True, slots=True)
class Part:
    """One prim: what it is, and where in its linkset."""

    name: str
    description: str
    shape: dict[str, int]  # path and profile as on the wire
    size: Vector
    position: Vector
    rotation: Quaternion
    texture_entry: bytes
    text: str
    text_color: bytes
    material: int
    features: Material
    script: SceneScript | None = None


@dataclass(frozen=True, slots=True)
class Thing:
    """A prim or a linkset (root first), and the places of all its copies in the region."""

    parts: tuple[Part, ...]
    places: list[Place]
    on_ground: bool  # the places' z counts from the ground under each
    physical: bool
    phantom: bool
    temporary: bool
    everyone: int  # permission bits


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    from_ground: bool  # all z count from the ground at `origin`
    origin: Vector
    things: list[Thing]

    @property
    def prims(self) -> int:
        return sum(len(thing.parts) * len(thing.places) for thing in self.things)


@lru_cache(maxsize=16)
def load(setting: str) -> Scene | None:
    """The scene of a region's setting: "none", a name of one of ours, or a path. SceneError says what is wrong.

    Kept, so that a host checks it once and its regions (and their restarts) find it read.
    """
    if setting in ("", NO_SCENE):
        return None
    path = path_of(setting)
    try:
        with open(path, "rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        ours = ", ".join(sorted(file.stem for file in BUILT_IN.glob("*.toml")))
        reason = getattr(error, "strerror", None) or error
        raise SceneError(f"{path}: {reason}; a scene is a path to a file, {NO_SCENE}, or one of ours: {ours}") from error
    if len(raw) > MOST_BYTES:
        raise SceneError(f"{path}: larger than {MOST_BYTES >> 20} MB; patterns (grid, ring, heap) say the same in less")
    return parse(raw, path.name, as_json=path.suffix == ".json", folder=path.parent)


def path_of(setting: str) -> Path:
    """The file a setting names."""
    given = Path(setting)
    return BUILT_IN / f"{setting}.toml" if given.name == setting and not given.suffix else given.expanduser()


def parse(raw: bytes, name: str, as_json: bool = False, folder: Path | None = None) -> Scene:
    """A scene from the bytes of a file called `name`, its scripts out of that folder. SceneError says what is wrong."""
    try:
        text = raw.decode("utf-8")
        values = json.loads(text) if as_json else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise SceneError(f"{name}: not {'JSON' if as_json else 'TOML'}: {error}") from error
    except (RecursionError, ValueError) as error:  # nested without end, or a number of a million digits
        raise SceneError(f"{name}: cannot be read: {error}") from error
    top = Entry(name, values, _SCENE_FIELDS)
    origin, from_ground = _origin(top)
    reader = _Reader(name, origin, folder)
    for number, each in enumerate(top.tables("prim"), 1):
        reader.prim(_entry(f"{name}: prim {number}", each, _PRIM_FIELDS))
    for number, each in enumerate(top.tables("linkset"), 1):
        reader.linkset(_entry(f"{name}: linkset {number}", each, _LINKSET_FIELDS))
    for number, each in enumerate(top.tables("heap"), 1):
        reader.heap(_entry(f"{name}: heap {number}", each, _HEAP_FIELDS))
    return Scene(top.text("name", Path(name).stem, 200), from_ground, origin, reader.things)


def _origin(top: Entry) -> tuple[Vector, bool]:
    """Where the scene's 0, 0, 0 is. `[x, y, "ground"]`: as high as the ground there."""
    value = top.values.get("origin", [0.0, 0.0, 0.0])
    from_ground = isinstance(value, list) and len(value) == 3 and value[2] == "ground"
    if from_ground:
        value = [*value[:2], 0.0]
    x, y, z = Entry(top.where, {"origin": value}, {"origin"}).vector("origin", (0.0, 0.0, 0.0), -REACH, REACH)
    if from_ground and not (0 <= x < 256 and 0 <= y < 256):
        raise top.error("origin", 'inside the region (0 to 256 metres) where its height is "ground"')
    return (x, y, z), from_ground


def _entry(where: str, values: Any, known: Collection[str]) -> Entry:
    """An entry whose errors carry its name too, where it has one."""
    name = values.get("name") if isinstance(values, dict) else None
    return Entry(f"{where} ({shown(name)})" if isinstance(name, str) else where, values, known)


class _Reader:
    """Collects the things of one file."""

    def __init__(self, file: str, origin: Vector, folder: Path | None) -> None:
        self.file = file
        self.origin = origin
        self.things: list[Thing] = []
        self._prims = self._scripted = 0
        self._folder = folder
        self._scripts: dict[str, SceneScript] = {}  # by file name

    def prim(self, entry: Entry) -> None:
        part = self._part(entry)
        alone = replace(part, position=(0.0, 0.0, 0.0), rotation=patterns.NO_TURN)
        self._add(entry, (alone,), self._spread(entry))

    def linkset(self, entry: Entry) -> None:
        name = entry.text("name", "Object", NAME_BYTES)
        parts = self._parts(entry, MAX_LINKS)
        for number, part in enumerate(parts, 1):
            if max(abs(a - b) for a, b in zip(part.position, parts[0].position, strict=True)) > LINK_REACH:
                raise SceneError(f"{entry.where}: prim {number} is more than {LINK_REACH:g} m from the first, the root")
        self._add(entry, (replace(parts[0], name=name), *parts[1:]), self._spread(entry))

    def heap(self, entry: Entry) -> None:
        kinds = self._parts(entry, 100)
        (base, turn), flags = self._place(entry), _flags(entry)
        for kind, factor, (position, rotation) in patterns.scatter(entry, len(kinds)):
            part = kinds[kind]
            x, y, z = (min(max(side * factor, MIN_SCALE), MAX_SCALE) for side in part.size)
            part = replace(part, size=(x, y, z), position=(0.0, 0.0, 0.0), rotation=patterns.NO_TURN)
            offset = rotate(turn, position)
            place = (_sum(base, offset), multiply(turn, rotation))
            self._keep(entry, Thing((part,), [place], **flags))

    def _parts(self, entry: Entry, most: int) -> list[Part]:
        tables = entry.tables("prim")
        if not 1 <= len(tables) <= most:
            raise SceneError(f"{entry.where}: needs 1 to {most} prims, each begun with [[...prim]]; it has {len(tables)}")
        parts = (_entry(f"{entry.where}: prim {n}", each, _PART_FIELDS) for n, each in enumerate(tables, 1))
        return [self._part(each) for each in parts]

    def _part(self, entry: Entry) -> Part:
        part = _part(entry, "Primitive")
        return replace(part, script=self._script(entry)) if "script" in entry else part

    def _script(self, entry: Entry) -> SceneScript:
        """The script of that file name, in the scene's own folder and nowhere else; compiled, so that it is known to."""
        file = entry.text("script", "", 200)
        if file in self._scripts:
            return self._scripts[file]
        if self._folder is None or Path(file).name != file or not file.endswith(".lsl"):
            raise entry.error("script", "the name of a .lsl file in the scene's folder")
        try:
            with open(self._folder / file, "rb") as opened:
                raw = opened.read(MOST_SCRIPT_BYTES + 1)
            source = raw.decode("utf-8")
        except (OSError, ValueError) as error:
            raise SceneError(f"{entry.where}: script {file}: {getattr(error, 'strerror', None) or error}") from error
        if len(raw) > MOST_SCRIPT_BYTES:
            raise SceneError(f"{entry.where}: script {file} is longer than {MOST_SCRIPT_BYTES} bytes")
        try:
            made = SceneScript(file.removesuffix(".lsl"), source, compile_script(source))
        except CompileError as error:
            raise SceneError("\n".join([f"{entry.where}: script {file}:{each}" for each in error.findings])) from error
        self._scripts[file] = made
        return made

    def _place(self, entry: Entry) -> Place:
        position = entry.vector("position", (0.0, 0.0, 0.0), -REACH, REACH)
        return _sum(self.origin, position), turned(entry.vector("rotation", (0.0, 0.0, 0.0), -360, 360))

    def _spread(self, entry: Entry) -> list[Place]:
        """The entry's own place, or those of its copies. A pattern lies along the region's axes whatever the entry's
        rotation, which turns each copy."""
        base, turn = self._place(entry)
        return [(_sum(base, offset), multiply(way, turn)) for offset, way in patterns.copies(entry)]

    def _add(self, entry: Entry, parts: tuple[Part, ...], places: list[Place]) -> None:
        self._keep(entry, Thing(parts, places, **_flags(entry)))

    def _keep(self, entry: Entry, thing: Thing) -> None:
        self._prims += len(thing.parts) * len(thing.places)
        if self._prims > MOST_PRIMS:
            raise SceneError(f"{entry.where}: with this the scene has over {MOST_PRIMS} prims, the most there can be")
        self._scripted += sum(part.script is not None for part in thing.parts) * len(thing.places)
        if self._scripted > MOST_SCRIPTS:
            raise SceneError(f"{entry.where}: with this the scene has over {MOST_SCRIPTS} scripts, the most there can be")
        for (x, y, z), _ in thing.places:
            if not (0 <= x < 256 and 0 <= y < 256 and -REACH <= z <= REACH):
                raise SceneError(
                    f"{entry.where}: lies at [{x:g}, {y:g}, {z:g}], outside of the region, which is 256 x 256 metres "
                    f"and up to {REACH:g} high; change position, the pattern or the scene's origin"
                )
        self.things.append(thing)


def _sum(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _flags(entry: Entry) -> dict[str, Any]:
    granted = entry.values.get("everyone", [])
    if not isinstance(granted, list) or any(not isinstance(word, str) or word not in EVERYONE for word in granted):
        raise entry.error("everyone", f"a list of what everybody may do, out of {', '.join(EVERYONE)}")
    bits = 0
    for word in granted:
        bits |= EVERYONE[word]
    flags: dict[str, Any] = {name: entry.flag(name) for name in ("physical", "phantom", "temporary", "on_ground")}
    return {**flags, "everyone": bits}


def _part(entry: Entry, name: str) -> Part:
    try:
        shape = forms.wire_shape(entry)
        texture_entry = forms.look(entry)
    except ProtocolError as error:
        raise SceneError(f"{entry.where}: {error}") from error
    text, text_color = forms.hover_text(entry)
    number, features = forms.material(entry)
    return Part(
        name=entry.text("name", name, NAME_BYTES),
        description=entry.text("description", "", DESCRIPTION_BYTES),
        shape=shape,
        size=entry.vector("size", (0.5, 0.5, 0.5), MIN_SCALE, MAX_SCALE),
        position=entry.vector("position", (0.0, 0.0, 0.0), -REACH, REACH),
        rotation=turned(entry.vector("rotation", (0.0, 0.0, 0.0), -360, 360)),
        texture_entry=texture_entry,
        text=text,
        text_color=text_color,
        material=number,
        features=features,
    )
