"""`python -m sim --config FILE`: the sim host. See `sim/host.py`."""

import argparse
import sys
from pathlib import Path

from sim.host import main, warm
from sim.scenes import SceneError, load

parser = argparse.ArgumentParser(prog="python -m sim", description="Run regions, one process each.")
what = parser.add_mutually_exclusive_group(required=True)
what.add_argument("--config", type=Path, help="JSON file naming the regions and services")
what.add_argument("--warm", action="store_true", help="only compile every kernel into numba's cache, and end")
what.add_argument("--check-scene", metavar="SCENE", help="only read a scene, and say what is wrong with it")
given = parser.parse_args()
if given.warm:
    warm()
    sys.exit(0)
if given.check_scene is not None:
    try:
        load(given.check_scene)
    except SceneError as error:
        sys.exit(f"sim: {error}")
    sys.exit(0)
sys.exit(main(given.config))
