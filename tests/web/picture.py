"""Takes a picture of a running grid through its browser viewer, as a guest, drawn by SwiftShader:

    python -m tests.web.picture http://127.0.0.1:9002/ --place Harbour/128/128/30 --yaw 90 --sun evening -o world.png
"""

from __future__ import annotations

import argparse
import math
import shutil
import time

from playwright.sync_api import sync_playwright

from .conftest import CHROMIUM, Visitor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of the gateway")
    parser.add_argument("--name", default="Rosa", help="the guest's")
    parser.add_argument("--place", default="", metavar="REGION/X/Y/Z")
    parser.add_argument("--yaw", type=float, default=0.0, help="degrees, 0 = east, counter-clockwise")
    parser.add_argument("--around", type=float, default=0.0, help="degrees the camera stands beside the back")
    parser.add_argument("--pitch", type=float, default=12.0, help="degrees the camera looks down")
    parser.add_argument("--distance", type=float, default=4.2, help="metres from the camera to the avatar")
    parser.add_argument("--sun", default="region", choices=("region", "morning", "noon", "evening", "night"))
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--wait", type=float, default=4.0, help="seconds for everything to arrive")
    parser.add_argument("-o", "--output", default="world.png")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page(viewport={"width": width, "height": height})
        begun = time.monotonic()
        visitor = Visitor(page, asked.address).enter(asked.name, asked.place)
        print(f"standing after {time.monotonic() - begun:.1f} s")
        page.select_option(".bar select", asked.sun)
        turn = [math.radians(value) for value in (asked.yaw, asked.around, asked.pitch)]
        visitor.see(f"mainland.look({turn[0]}, {turn[1]}, {turn[2]}, {asked.distance})")
        page.wait_for_timeout(asked.wait * 1000)
        page.screenshot(path=asked.output)
        info = visitor.see("mainland.stage.renderer.info.render")
        print(f"{asked.output}: {info['calls']} draw calls, {info['triangles']} triangles; {visitor.complaints or 'no errors'}")
        browser.close()


if __name__ == "__main__":
    main()
