"""`python -m sim --config FILE`: the sim host. See `sim/host.py`."""

import argparse
import sys
from pathlib import Path

from sim.host import main

parser = argparse.ArgumentParser(prog="python -m sim", description="Run regions, one process each.")
parser.add_argument("--config", type=Path, required=True, help="JSON file naming the regions and services")
sys.exit(main(parser.parse_args().config))
