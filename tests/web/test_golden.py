"""The page draws the golden scene as it was agreed on, and the comparison knows a wrong picture when it sees one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.kit import running_grid
from tests.web.golden import BLOCK, SCENE, SHOT, difference, draw, golden, same, window
from viewer.snapshot import TIMES

pytestmark = pytest.mark.timeout(600)

RED_BOX = "[...mainland.world.things.values()].find((t) => t.record?.scale.join() === '3,3,3' && t.record.shape.profile === 1)"
# What may go wrong with a scene, how to bring it about, and how to mend it.
WRONGS = {
    "no land": (
        "mainland.stage.scene.getObjectsByProperty('name', 'terrain').forEach((m) => (m.visible = {}))",
        "false",
        "true",
    ),
    "no prims": ("mainland.stage.scene.traverse((o) => o.isInstancedMesh && (o.visible = {}))", "false", "true"),
    "one thing less": (f"({RED_BOX}).slots.forEach((slot) => (slot.batch.mesh.visible = {{}}))", "false", "true"),
    "no light": ("mainland.stage.scene.traverse((o) => o.isLight && (o.visible = {}))", "false", "true"),
    "another camera": ("mainland.view({}, [129.5, 130, 26.6])", "[114, 121.5, 33]", str(list(SHOT.at))),
    "another way to look": (f"mainland.view({list(SHOT.at)}, {{}})", "[128, 131.5, 26.6]", str(list(SHOT.look))),
    "another sun": ("mainland.sun({})", "'evening'", f"'{TIMES[SHOT.time]}'"),
}


async def test_the_scene_looks_as_it_was_agreed(tmp_path: Path) -> None:
    agreed = golden()
    with running_grid("1x1", str(SCENE)) as grid:
        async with window(grid.web_uri) as tab:
            first = await draw(tab)
            seen = tmp_path / "seen.png"
            Image.fromarray(first.astype(np.uint8)).save(seen)
            found = difference(first, agreed)
            assert same(first, agreed), f"{found}: look at {seen}; if it is right: python -m tests.web.golden"
            for name, (change, wrong, right) in WRONGS.items():
                await tab.see(f"void ({change.format(wrong)})")
                picture = await draw(tab, 0.1)  # nothing new comes, it is only drawn differently
                assert not same(picture, agreed), f"{name} passes for the golden picture: {difference(picture, agreed)}"
                await tab.see(f"void ({change.format(right)})")
            again = await draw(tab)
            assert same(again, agreed), difference(again, agreed)
            assert tab.complaints == []


def test_what_is_no_picture_of_it_at_all_is_told_apart() -> None:
    agreed = golden()
    assert agreed.shape == (*SHOT.size[::-1], 3) and not any(side % BLOCK for side in SHOT.size)
    assert same(agreed, agreed)
    for other in (
        np.zeros_like(agreed), np.full_like(agreed, 255.0), agreed[::-1], agreed[:, ::-1], agreed[..., ::-1],
        np.broadcast_to(agreed.mean((0, 1)), agreed.shape), agreed * 0.9, np.roll(agreed, 2 * BLOCK, 1),
    ):  # fmt: skip
        assert not same(other, agreed)


def test_what_nobody_would_notice_passes() -> None:
    agreed = golden()
    noise = np.random.default_rng(5).normal(0, 6, agreed.shape)
    assert same(np.clip(agreed + noise, 0, 255), agreed)
    assert same(np.roll(agreed, 1, 1), agreed)
    assert same(agreed + 1.0, agreed)
