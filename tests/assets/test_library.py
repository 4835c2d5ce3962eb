"""The library: pictures a viewer can decode, ground without seams, wearables a viewer can wear."""

from __future__ import annotations

import io
import os
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from assets import seeding
from assets.library import ground, people, surfaces
from assets.library.catalog import ENTRIES, Entry
from assets.library.wearables import TEXTURES, default_wearable
from assets.store import Store, check
from protocol.appearance import BY_ID, VISUAL_PARAMS, AvatarFace
from protocol.wellknown import DEFAULT_WEARABLES, AssetType, Texture, Wearable

BY_NAME = {entry.name: entry for entry in ENTRIES}
PICTURES = [entry for entry in ENTRIES if entry.type == AssetType.TEXTURE]


@pytest.fixture(scope="module")
def made() -> dict[UUID, bytes]:
    return {asset_id: data for asset_id, (_, data) in seeding.draw().items()}


def test_every_well_known_id_is_in_the_catalog() -> None:
    named = {value for name, value in vars(Texture).items() if isinstance(value, UUID)}
    assert {entry.id for entry in PICTURES} == named
    assert {entry.id for entry in ENTRIES} - named == set(DEFAULT_WEARABLES.values())
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", PICTURES, ids=lambda entry: entry.name)
def test_pictures_are_bare_codestreams_with_smaller_versions_inside(entry: Entry, made: dict[UUID, bytes]) -> None:
    data = made[entry.id]
    assert data.startswith(b"\xff\x4f\xff\x51"), "a codestream, not a jp2 file"
    picture = Image.open(io.BytesIO(data))
    assert picture.mode in ("RGB", "RGBA") and picture.size[0] == picture.size[1]
    assert picture.size[0] & (picture.size[0] - 1) == 0, "a power of two"
    size = picture.size[0]
    setattr(picture, "reduce", 2)  # noqa: B010 - two resolutions less, as a viewer far away asks; not in the stubs
    picture.load()
    assert picture.size == (size // 4, size // 4)
    assert len(data) < 120_000


@pytest.mark.parametrize("name", ["Dirt", "Grass", "Mountain", "Rock", "Plywood", "Clouds", "Cotton, blue", "Denim"])
def test_repeated_side_by_side_there_is_no_seam(name: str, made: dict[UUID, bytes]) -> None:
    picture = np.asarray(Image.open(io.BytesIO(made[BY_NAME[name].id])).convert("RGB"), dtype=float)
    for turned in (picture, picture.swapaxes(0, 1)):
        steps = np.abs(np.diff(turned, axis=0)).mean(axis=(1, 2))
        seam = np.abs(turned[0] - turned[-1]).mean()
        assert seam < steps.max() * 1.05 and seam < steps.mean() * 1.6


@pytest.mark.parametrize("draw", [ground.grass, people.iris, surfaces.plywood])
def test_drawn_twice_is_the_same(draw: object) -> None:
    assert callable(draw) and np.array_equal(draw(), draw())


def test_transparent_is_and_blank_is_white(made: dict[UUID, bytes]) -> None:
    clear = np.asarray(Image.open(io.BytesIO(made[Texture.TRANSPARENT])))
    assert clear.shape[2] == 4 and clear[..., 3].max() <= 1
    assert np.asarray(Image.open(io.BytesIO(made[Texture.BLANK]))).min() >= 254


@pytest.mark.parametrize("kind", list(Wearable))
def test_wearables_read_back(kind: Wearable) -> None:
    lines = default_wearable(kind).decode("ascii").split("\n")
    assert lines[0] == "LLWearable version 22" and lines[1] and lines[2] == "" and lines[-1] == ""
    assert lines[3:5] == ["\tpermissions 0", "\t{"] and "\tsale_info\t0" in lines
    at = lines.index(f"type {int(kind)}") + 1
    word, count = lines[at].split()
    assert word == "parameters"
    params = dict(line.split() for line in lines[at + 1 : at + 1 + int(count)])
    assert {int(number) for number in params} == {param.id for param in VISUAL_PARAMS if param.wearable == kind}
    for number, value in params.items():
        assert BY_ID[int(number)].low <= float(value) <= BY_ID[int(number)].high
        assert float(value) == pytest.approx(BY_ID[int(number)].person, abs=0.0006)
    at += 1 + int(count)
    assert lines[at] == f"textures {len(TEXTURES[kind])}"
    faces = {int(face): UUID(texture) for face, texture in (line.split() for line in lines[at + 1 : -1])}
    assert faces == TEXTURES[kind]


def test_a_body_has_skin_hair_eyes_and_clothes() -> None:
    faces = {face for kind in Wearable for face in TEXTURES[kind]}
    assert {AvatarFace.EYES_IRIS, AvatarFace.HAIR, AvatarFace.UPPER_SHIRT, AvatarFace.LOWER_PANTS} <= faces
    in_library = {entry.id for entry in ENTRIES}
    assert all(texture in in_library for kind in Wearable for texture in TEXTURES[kind].values())


# -- seeding -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A library of two assets, and how often it was drawn."""
    drawn = [0]

    def draw() -> dict[UUID, tuple[int, bytes]]:
        drawn[0] += 1
        return {Texture.BLANK: (0, b"white"), Texture.PLYWOOD: (0, b"wood")}

    monkeypatch.setattr(seeding, "draw", draw)
    return drawn


def test_seeded_once_drawn_once_a_machine(tmp_path: Path, quick: list[int]) -> None:
    for name in ("one", "two"):
        with Store(tmp_path / name) as store:
            assert seeding.seed(store, tmp_path / "cache") == 2
            assert seeding.seed(store, tmp_path / "cache") == 0
            assert (store.get(Texture.BLANK) or pytest.fail("lost"))[1] == b"white"
        assert check(tmp_path / name).ok
    assert quick == [1]


def test_an_update_adds_what_is_missing_and_changes_nothing(
    tmp_path: Path, quick: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "store") as store:
        store.put(Texture.BLANK, b"an older white", 0)
        assert seeding.seed(store, tmp_path / "cache") == 1
        assert (store.get(Texture.BLANK) or pytest.fail("lost"))[1] == b"an older white"
        monkeypatch.setattr(seeding, "library_version", lambda: "next")
        monkeypatch.setattr(seeding, "draw", lambda: {Texture.MOON: (0, b"moon"), Texture.PLYWOOD: (0, b"wood")})
        assert seeding.seed(store, tmp_path / "cache") == 1
        assert store.find(Texture.MOON) is not None


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_a_cache_that_cannot_be_used_costs_time_only(tmp_path: Path, quick: list[int], damage: bytes | None) -> None:
    cache = tmp_path / "cache"
    if damage is None:
        cache.write_bytes(b"a file where a directory should be")
    else:
        cache.mkdir()
        (cache / f"library-{seeding.library_version()}.zip").write_bytes(damage)
    with Store(tmp_path / "store") as store:
        assert seeding.seed(store, cache) == 2
    assert quick == [1]


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert seeding.cache_directory() == tmp_path / "mainland"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert seeding.cache_directory() == Path(os.path.expanduser("~")) / ".cache" / "mainland"
