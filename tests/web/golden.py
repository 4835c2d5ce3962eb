"""The golden picture: a scene, a sun and a camera that never change, as the page drew them when somebody looked and agreed.

`test_golden` draws the scene again and compares. After a change that is meant to be seen, look at the new picture and renew
the golden one:

    python -m tests.web.golden               draws tests/web/golden.webp anew
    python -m tests.web.golden --to new.png  only to look at it
"""

from __future__ import annotations

import argparse
import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from bench.kit import running_grid
from viewer.chromium import Tab, chromium
from viewer.snapshot import Shot, enter, leave

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.webp"
SCENE = HERE / "golden.toml"
SHOT = Shot("Harbour", (117.5, 118, 33), (129.5, 130, 26.6), size=(480, 270), time="noon", clock=100, fine=False)
BLOCK = 10  # pixels a side of what is compared: edges that fall a pixel aside do not count

# A picture is the golden one when both hold. The same scene drawn again is at (0.4, 0), which is what WebP leaves out; one
# pixel aside (1.2, 0); without its land, the least of the wrong ones in test_golden, (11.7, 0.14).
MEAN = 3.0  # of 255, over all blocks and colours
WRONG = 0.02  # share of blocks that are more than...
FAR = 24.0  # ...this far off in a colour


def blocks(picture: np.ndarray) -> np.ndarray:
    """Mean colour of each block, [y, x, rgb], of a picture [y, x, rgb] 0..255."""
    height, width, _ = picture.shape
    return picture.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).mean((1, 3))


def difference(picture: np.ndarray, golden: np.ndarray) -> tuple[float, float]:
    """(mean distance of the blocks' colours, share of blocks that are far off)."""
    off = np.abs(blocks(picture) - blocks(golden))
    return float(off.mean()), float((off.max(-1) > FAR).mean())


def same(picture: np.ndarray, golden: np.ndarray) -> bool:
    mean, wrong = difference(picture, golden)
    return mean < MEAN and wrong < WRONG


def golden() -> np.ndarray:
    with Image.open(GOLDEN) as opened:
        return np.asarray(opened.convert("RGB")).astype(float)


async def draw(tab: Tab, quiet: float = 1.5) -> np.ndarray:
    """What the window shows once everything in it is drawn and nothing came for so many seconds, [y, x, rgb]."""
    drawn = await tab.see("mainland.frames")
    await tab.until(f"mainland.settled({quiet}) && mainland.frames > {drawn} + 2", "the whole scene", 120.0)
    with Image.open(io.BytesIO(await tab.picture())) as opened:
        return np.asarray(opened.convert("RGB")).astype(float)


@asynccontextmanager
async def window(page: str) -> AsyncIterator[Tab]:
    """A browser window that shows the scene; `page`: of a grid that runs it."""
    async with chromium() as browser:
        tab = await browser.tab(*SHOT.size)
        await enter(tab, SHOT.address(page), None, 120.0)
        yield tab
        await leave(tab)


async def renew(page: str, to: Path) -> None:
    async with window(page) as tab:
        picture = Image.fromarray((await draw(tab)).astype(np.uint8))
    picture.save(to, quality=90, method=6) if to.suffix == ".webp" else picture.save(to)
    print(f"{to}: {to.stat().st_size} bytes; look at it before you commit it")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the golden picture anew.")
    parser.add_argument("--to", type=Path, default=GOLDEN)
    asked = parser.parse_args()
    with running_grid("1x1", str(SCENE)) as grid:
        asyncio.run(renew(grid.web_uri, asked.to))


if __name__ == "__main__":
    main()
