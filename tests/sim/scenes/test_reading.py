"""Scene files: what is read, what is refused and how it is said, and that nothing else comes of any bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.shapes import from_wire
from protocol.textures import decode_texture_entry
from protocol.wellknown import Permission, Texture
from sim.physics.prims import prim_shape
from sim.scenes import reading
from sim.scenes.checking import SceneError
from sim.scenes.patterns import turned
from sim.scenes.reading import Scene, load, parse
from sim.world.objects import rotate

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted([*(ROOT / "bench/scenes").glob("*.toml"), *(ROOT / "sim/scenes").glob("*.toml")])


def read(text: str) -> Scene:
    return parse(text.encode(), "plaza.toml")


def problem(text: str) -> str:
    with pytest.raises(SceneError) as caught:
        read(text)
    return str(caught.value)


def only(text: str) -> reading.Part:
    (thing,) = read(f"origin = [1, 1, 0]\n[[prim]]\n{text}").things
    return thing.parts[0]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_scenes_we_ship_can_be_read(path):
    scene = load(str(path))
    assert scene is not None and scene.prims > 0


def test_the_benchmarks_scenes_are_as_large_as_they_are_called():
    counts = {path.stem: scene.prims for path in SHIPPED if (scene := load(str(path)))}
    assert counts["still_world"] == 10_000 and counts["prims_30000"] == 30_000 and counts["prims_100000"] == 100_000
    assert counts["heap_2000"] == 2_001 and 60 <= counts["welcome"] <= 200


def test_a_prim_without_anything_is_a_plywood_box():
    part = only("")
    assert part.shape["PathCurve"] == 0x10 and part.shape["ProfileCurve"] == 1
    assert part.size == (0.5, 0.5, 0.5) and part.name == "Primitive"
    assert decode_texture_entry(part.texture_entry).default.texture == Texture.PLYWOOD


@pytest.mark.parametrize("name", ["box", "cylinder", "prism", "sphere", "torus", "tube", "ring"])
def test_every_form_has_a_solid(name):
    assert prim_shape(from_wire(only(f"shape = '{name}'").shape), (1, 1, 1)) is not None


def test_the_build_tool_s_words_become_the_fields_that_travel():
    straight = "cut = [0.1, 0.6]\nslice = [0.2, 0.9]\nhollow = 40\nhole = 'circle'\ntwist = [-90, 90]\ntaper = [1, -0.5]\n"
    box = from_wire(only(straight + "shear = [0.5, -0.25]").shape)
    assert (box.profile_begin, box.profile_end, box.path_begin, box.path_end) == pytest.approx((0.1, 0.6, 0.2, 0.9))
    assert box.profile_hollow == pytest.approx(0.4) and box.hole == 0x10
    assert (box.path_twist_begin, box.path_twist) == pytest.approx((-0.5, 0.5))
    assert (box.path_scale_x, box.path_scale_y) == pytest.approx((0.0, 1.5))
    assert (box.path_shear_x, box.path_shear_y) == pytest.approx((0.5, -0.25))
    bent = "shape = 'torus'\ncut = [0.1, 0.6]\nprofile_cut = [0.2, 0.9]\nhole_size = [0.5, 0.2]\nrevolutions = 2.5\nskew = 0.5\n"
    torus = from_wire(only(bent + "radius_offset = -0.5\ntaper = [0.25, 0]\ntwist = [0, 180]").shape)
    assert (torus.path_begin, torus.path_end, torus.profile_begin, torus.profile_end) == pytest.approx((0.1, 0.6, 0.2, 0.9))
    assert (torus.path_scale_x, torus.path_scale_y, torus.path_revolutions) == pytest.approx((0.5, 0.2, 2.5))
    assert (torus.path_skew, torus.path_radius_offset, torus.path_taper_x) == pytest.approx((0.5, -0.5, 0.25))
    assert torus.path_twist == pytest.approx(0.5)
    ball = from_wire(only("shape = 'sphere'\ndimple = [0.25, 0.75]").shape)
    assert (ball.profile_begin, ball.profile_end) == pytest.approx((0.25, 0.75))


def test_looks_by_face():
    faces = "faces = { 4 = { texture = 'rock', color = '#11223344', repeats = [2, 3] } }"
    entry = decode_texture_entry(only(f"color = '#f00'\nglow = 0.5\nfullbright = true\n{faces}").texture_entry)
    assert entry.default.texture == Texture.BLANK and entry.default.color == (255, 0, 0, 255)
    assert entry.default.glow == pytest.approx(0.5, abs=0.01) and entry.default.material == 0x20
    assert entry.face(4).texture == Texture.TERRAIN_ROCK and entry.face(4).color == (0x11, 0x22, 0x33, 0x44)
    assert entry.face(4).repeats == (2.0, 3.0) and entry.face(4).material == 0x20


def test_texts_materials_and_flags():
    flags = "physical = true\ntemporary = true\neveryone = ['move', 'copy']"
    scene = read(f"[[prim]]\ntext = 'Hello'\ntext_color = '#ffffff80'\nmaterial = 'glass'\ndensity = 50\n{flags}")
    (thing,) = scene.things
    part = thing.parts[0]
    assert part.text == "Hello" and part.text_color == bytes([255, 255, 255, 127])
    assert part.material == 2 and part.features.friction == 0.2 and part.features.density == 50
    assert thing.physical and thing.temporary and not thing.phantom
    assert thing.everyone == Permission.MOVE | Permission.COPY


def test_turns_go_about_x_then_y_then_z():
    assert rotate(turned((90, 0, 0)), (0, 1, 0)) == pytest.approx((0, 0, 1), abs=1e-9)
    assert rotate(turned((90, 0, 90)), (0, 1, 0)) == pytest.approx((0, 0, 1), abs=1e-9)
    assert rotate(turned((0, 90, 90)), (1, 0, 0)) == pytest.approx((0, 0, -1), abs=1e-9)
    assert rotate(turned((0, 0, 90)), (1, 0, 0)) == pytest.approx((0, 1, 0), abs=1e-9)


def test_a_grid_is_centred_and_grows_upwards():
    (thing,) = read("origin = [100, 100, 20]\n[[prim]]\ngrid = { count = [3, 2, 2], step = [2, 4, 1], turn = 90 }").things
    assert len(thing.places) == 12
    xs, ys, zs = zip(*(position for position, _ in thing.places), strict=True)
    assert (min(xs), max(xs), min(ys), max(ys), min(zs), max(zs)) == (98, 102, 98, 102, 20, 21)
    assert rotate(thing.places[-1][1], (1, 0, 0)) == pytest.approx((0, 1, 0), abs=1e-9)


def test_a_ring_faces_outwards_and_may_rise():
    (thing,) = read("origin = [100, 100, 20]\n[[prim]]\nring = { count = 4, radius = 5, rise = 3 }").things
    for n, (position, rotation) in enumerate(thing.places):
        x, y, _ = rotate(rotation, (5, 0, 0))
        assert position == pytest.approx((100 + x, 100 + y, 20 + n))
    (arc,) = read("origin = [100, 100, 20]\n[[prim]]\nring = { count = 3, radius = 1, begin = 0, end = 180 }").things
    assert arc.places[2][0][:2] == pytest.approx((99, 100))


def test_a_heap_is_the_same_heap_every_time():
    text = "origin = [100, 100, 20]\n[[heap]]\ncount = 50\nseed = {}\nsizes = [0.5, 2]\n[[heap.prim]]\n[[heap.prim]]\nshape = 'sphere'"
    first, again, other = (read(text.format(seed)) for seed in (7, 7, 8))
    assert first == again != other
    assert first.prims == 50 and {part.shape["PathCurve"] for thing in first.things for part in thing.parts} == {0x10, 0x20}
    assert all(0.25 <= side <= 1 for thing in first.things for side in thing.parts[0].size)


def test_json_says_the_same():
    as_json = json.dumps({"origin": [10, 10, "ground"], "prim": [{"shape": "sphere", "grid": {"count": [2, 2], "step": [1, 1, 1]}}]})
    as_toml = "origin = [10, 10, 'ground']\n[[prim]]\nshape = 'sphere'\ngrid = { count = [2, 2], step = [1, 1, 1] }"
    assert parse(as_json.encode(), "a.json", as_json=True).things == read(as_toml).things
    assert read(as_toml).from_ground


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[prim]]\n[[prim]]\nname = 'Gate'\nhollow = 120", "plaza.toml: prim 2 ('Gate'): hollow must be a number from 0 to 95, not 120"),
        ("[[prim]]\nholow = 1", "prim 1: there is no field 'holow'; did you mean 'hollow'?"),
        ("[[prims]]", "there is no field 'prims'; did you mean 'prim'?"),
        ("[[prim]]\nsize = [1, 2]", "size must be 3 numbers from 0.01 to 64 in brackets, not [1, 2]"),
        ("[[prim]]\nsize = [1, 2, nan]", "size must be 3 numbers"),
        ("[[prim]]\nposition = [0, 0, inf]", "position must be 3 numbers"),
        ("[[prim]]\nposition = [300, 0, 0]", "outside of the region"),
        ("[[prim]]\ngrid = { count = [100, 100], step = [3, 3, 1] }", "outside of the region"),
        ("[[prim]]\ngrid = { count = [1000, 1000], step = [0.1, 0.1, 1] }", "at most 100000 in all"),
        ("origin = [128, 128, 0]\n[[prim]]\ngrid = { count = [100, 100, 10], step = [1, 1, 1] }\n[[prim]]", "over 100000 prims"),
        ("[[prim]]\nring = { count = 0 }", "count must be a whole number from 1"),
        ("[[prim]]\nring = { count = 2 }\ngrid = { count = [1, 1] }", "both a grid and a ring"),
        ("[[prim]]\nshape = 'teapot'", "shape must be one of box, cylinder"),
        ("[[prim]]\nskew = 0.1", "skew must be left out: a box has none"),
        ("[[prim]]\nshape = 'torus'\nslice = [0, 1]", "slice must be left out: a torus has none"),
        ("[[prim]]\ncut = [0.5, 0.5]", "cut must be [begin, end]"),
        ("[[prim]]\ncolor = 'red'", "color must be a colour like"),
        ("[[prim]]\ntexture = 'velvet'", "texture must be a texture's UUID or one of plywood"),
        ("[[prim]]\nfaces = { 9 = {} }", "a face is a number from 0 to 8"),
        ("[[prim]]\nfaces = { 1 = { color = 1 } }", "prim 1, face 1: color must be"),
        ("[[prim]]\nphysical = 1", "physical must be true or false, not 1"),
        ("[[prim]]\neveryone = ['delete']", "everyone must be a list of what everybody may do"),
        ("[[prim]]\ntext = 7", "text must be text in quotes"),
        (f"[[prim]]\nname = '{'x' * 64}'", "name is 64 bytes long; 63 at most"),
        ("[[linkset]]", "needs 1 to 256 prims"),
        ("[[linkset]]\n[[linkset.prim]]\n[[linkset.prim]]\nposition = [65, 0, 0]", "prim 2 is more than 64 m from the first"),
        ("[[linkset]]\n[[linkset.prim]]\nphysical = true", "linkset 1: prim 1: there is no field 'physical'"),
        ("[[heap]]\ncount = 3", "heap 1: needs 1 to 100 prims"),
        ("prim = 3", "prim must be a list of tables, each begun with [[prim]]"),
        ("prim = [3]", "prim 1: must be a table"),
        ("origin = [500, 0, 'ground']", "origin must be inside the region"),
        ("origin = 5", "origin must be 3 numbers"),
        ("what is this", "plaza.toml: not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text, said):
    assert said in problem(text)


def test_files_that_are_none(tmp_path):
    with pytest.raises(SceneError, match=r"No such file.*one of ours: welcome"):
        load("castle")
    with pytest.raises(SceneError, match="Is a directory"):
        load(str(tmp_path))
    with pytest.raises(SceneError, match="null"):
        load("/a\0b")
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as file:
        file.truncate(reading.MOST_BYTES + 1)
    with pytest.raises(SceneError, match="larger than 64 MB"):
        load(str(huge))
    assert load("none") is None and load("") is None


def test_bottomless_json_is_refused():
    with pytest.raises(SceneError):
        parse(b"[" * 100_000, "deep.json", as_json=True)
    with pytest.raises(SceneError):
        parse(b'{"prim": [{"density": ' + b"9" * 10_000 + b"}]}", "long.json", as_json=True)


_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["ground", "torus", "#123"])
_names = st.sampled_from(
    sorted(reading._PRIM_FIELDS | reading._LINKSET_FIELDS | reading._HEAP_FIELDS | {"origin", "linkset", "heap", "count", "step", "radius", "0"})
) | st.text(max_size=4)  # fmt: skip
_values = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4), max_leaves=25
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["prim", "linkset", "heap", "origin", "name"]), st.lists(_values, max_size=3) | _values))
def test_any_structure_is_a_scene_or_an_explanation(values):
    try:
        scene = parse(json.dumps(values).encode(), "x.json", as_json=True)
    except SceneError as error:
        assert str(error).startswith("x.json")
        return
    for thing in scene.things:
        assert all(math.isfinite(part) for place in thing.places for vector in place for part in vector)
        assert all(0.01 <= side <= 64 for part in thing.parts for side in part.size)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_scene_or_an_explanation(data, as_json):
    try:
        parse(data, "x", as_json)
    except SceneError as error:
        assert str(error).startswith("x")
