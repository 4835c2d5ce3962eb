"""How finely the page draws things: the choice of a level of detail, and what prims are made of at each."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clients.driver import ROOT

WEB = ROOT / "viewer" / "web"
SIZES = [1.01**n for n in range(-100, 700)]  # pixels: a third of one to a thousand

SCRIPT = """
import { chooseLevel, FAR, FINEST, MESH_ENDS, SEGMENTS, UNSEEN } from "./src/scene/levels";
import { isRound, tessellate } from "./src/scene/tessellate";

const sizes = %s;
const levels = SEGMENTS.map((_, level) => level);
const chosen = (round, before) => sizes.map((size) => chooseLevel(size, round, before));
const box = {path: 0x10, profile: 1, pathBegin: 0, pathEnd: 1, scaleX: 1, scaleY: 1, shearX: 0, shearY: 0, twist: 0,
  twistBegin: 0, radiusOffset: 0, taperX: 0, taperY: 0, revolutions: 1, skew: 0, profileBegin: 0, profileEnd: 1, hollow: 0};
const form = (changes) => {
  const shape = {...box, ...changes};
  const faces = SEGMENTS.map((segments) => tessellate(shape, segments));
  return {
    round: isRound(shape),
    faces: faces.map((all) => all.length),
    triangles: faces.map((all) => all.reduce((sum, face) => sum + face.index.length / 3, 0)),
    farthest: Math.max(...faces.flat().flatMap((face) => face.positions).map(Math.abs)),
    whole: faces.flat().every((face) => face.index.every((at) => at < face.positions.length / 3)),
  };
};
const forms = Object.fromEntries(Object.entries(%s).map(([name, changes]) => [name, form(changes)]));
console.log(JSON.stringify({UNSEEN, FAR, FINEST, forms, round: chosen(true), flat: chosen(false),
  kept: [UNSEEN, ...levels].map((before) => chosen(true, before)),
  mesh: sizes.map((size) => chooseLevel(size, true, undefined, MESH_ENDS)),
  keptFlat: [UNSEEN, FAR, FINEST].map((before) => chosen(false, before))}));
"""

FORMS = {
    "box": {},
    "tapered": {"scaleX": 0.3, "shearY": 0.2},
    "cut and hollow": {"hollow": 0.6, "profileBegin": 0.1},
    "prism": {"profile": 3},
    "cylinder": {"profile": 0},
    "sphere": {"path": 0x20, "profile": 5},
    "torus": {"path": 0x20, "profile": 0, "scaleY": 0.25},
    "cut torus": {"path": 0x20, "profile": 0, "scaleY": 0.25, "pathBegin": 0.6, "profileEnd": 0.4, "hollow": 0.5},
    "round hole": {"hollow": 0.7, "profile": 0x11},
    "twisted": {"twist": 1.0, "twistBegin": -1.0},
}


@pytest.fixture(scope="module")
def page() -> Any:
    """What the page's own code says to SCRIPT."""
    bundle = ["node_modules/.bin/esbuild", "--bundle", "--format=esm", "--log-level=error"]
    script = SCRIPT % (json.dumps(SIZES), json.dumps(FORMS))
    made = subprocess.run(bundle, input=script, cwd=WEB, capture_output=True, text=True, check=True, timeout=60)
    argv = ["node", "--input-type=module"]
    return json.loads(subprocess.run(argv, input=made.stdout, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_what_looks_larger_is_drawn_finer(page: Any) -> None:
    assert page["round"] == sorted(page["round"]) and set(page["round"]) == set(range(page["UNSEEN"], page["FINEST"] + 1))
    assert set(page["flat"]) == {page["UNSEEN"], page["FAR"], page["FINEST"]}
    for size, round_one, flat in zip(SIZES, page["round"], page["flat"], strict=True):
        assert (size < 1.5) == (round_one == page["UNSEEN"]) == (flat == page["UNSEEN"])
        assert (round_one > page["FAR"]) == (flat > page["FAR"])  # whatever its form, it is near or far
        assert round_one == page["FINEST"] or size < 30


def test_a_mesh_has_its_levels_for_larger_sizes_than_a_prim(page: Any) -> None:
    assert page["mesh"] == sorted(page["mesh"]) and set(page["mesh"]) == set(page["round"])
    for size, level in zip(SIZES, page["mesh"], strict=True):
        assert (size < 1.5) == (level == page["UNSEEN"]) and (size < 224) == (level < page["FINEST"])


@pytest.mark.parametrize("which", ["kept", "keptFlat"])
def test_a_level_stays_until_another_is_clearly_better(page: Any, which: str) -> None:
    new = page["round" if which == "kept" else "flat"]
    margin = 18  # steps of SIZES: 1.01**18 is just below 1.2
    choices = set(new)
    assert choices == {before for kept in page[which] for before in kept}
    for before, kept in zip(sorted(choices), page[which], strict=True):
        assert kept == sorted(kept)
        for n in range(margin + 1, len(SIZES) - margin - 1):
            around = new[n - margin : n + margin + 1]
            if before in around:
                assert kept[n] == before
            if len(set(new[n - margin - 1 : n + margin + 2])) == 1:
                assert kept[n] == new[n]


def test_round_forms_have_fewer_triangles_far_away(page: Any) -> None:
    for name, form in page["forms"].items():
        triangles = form["triangles"]
        assert form["whole"] and 0 < form["farthest"] < 2, name
        assert len(set(form["faces"])) == 1, name  # or their looks would change places
        assert form["round"] == (len(set(triangles)) > 1), name
        if form["round"]:
            assert triangles == sorted(set(triangles)), name
    assert page["forms"]["box"]["triangles"] == [16] * 4
    assert page["forms"]["torus"]["triangles"] == [32, 72, 288, 1152]
    assert page["forms"]["sphere"]["triangles"] == [16, 36, 144, 576]
