"""What the sim host is told of each region, and what it refuses before it forks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from sim.clock import ManualClock
from sim.host import read_config
from sim.physics import engine
from sim.physics.bullet import BulletEngine
from tests.kit.waiting import until
from tests.kit.world import TestSimulator, close_sim

ROOT = Path(__file__).resolve().parent.parent.parent


def write(tmp_path, *regions):
    (tmp_path / "secret").write_text("hush\n")
    plain = {"grid_x": 1000, "grid_y": 1000, "port": 0}
    config = {
        "secret_file": str(tmp_path / "secret"),
        "backbone_url": "http://127.0.0.1:1",
        "assets_url": "http://127.0.0.1:1",
        "regions": [{"region_id": str(uuid4()), "name": f"R{n}", **plain, **more} for n, more in enumerate(regions)],
    }
    (tmp_path / "sims.json").write_text(json.dumps(config))
    return tmp_path / "sims.json"


async def test_each_region_has_its_own_engine_and_scene(tmp_path):
    pytest.importorskip("pybullet", reason="the second engine is an extra")
    fall = tmp_path / "fall.toml"
    fall.write_text("origin = [128, 128, 'ground']\n[[prim]]\nposition = [0, 0, 3]\nphysical = true\n")
    (first, second, third), _ = read_config(
        write(tmp_path, {"scene": str(fall)}, {"scene": str(fall), "physics": "bullet"}, {})
    )
    assert (third.physics, third.scene) == ("numba", "none")
    for settings, bullet in ((first, False), (second, True)):
        sim = TestSimulator(settings, ManualClock())
        assert isinstance(sim.bodies.engine, BulletEngine) == bullet
        (prim,) = sim.world.objects.roots()
        for _ in range(3 * 45):
            sim.frame.step()
        x, y, z = sim.world.objects.row(prim)["position"].tolist()
        assert z == pytest.approx(sim.world.terrain.height(x, y) + 0.25, abs=0.1)
        close_sim(sim)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ({"physics": "havok"}, "no physics engine is called 'havok'; there are numba and bullet"),
        ({"scene": "/nowhere.toml"}, "/nowhere.toml: No such file"),
        ({"port": "many"}, "invalid literal"),
    ],
)
def test_what_a_region_cannot_have_is_said(tmp_path, region, said):
    with pytest.raises(ValueError, match=r"sims\.json: ") as caught:
        read_config(write(tmp_path, region))
    assert said in str(caught.value)


def test_a_machine_without_bullet_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'mainland\[bullet\]'"):
        read_config(write(tmp_path, {"physics": "bullet"}))


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
def test_asked_for_its_stacks_a_region_writes_them_and_goes_on(tmp_path):
    """What people try on a process that hangs must not end it: region and host say where they are, in their own logs."""
    config = write(tmp_path, {})
    told = json.loads(config.read_text()) | {"log_dir": str(tmp_path / "log")}
    config.write_text(json.dumps(told))
    with (tmp_path / "host.log").open("w") as log:
        host = subprocess.Popen([sys.executable, "-m", "sim", "--config", str(config)], stdout=log, stderr=log, cwd=ROOT)
    region_log = tmp_path / "log" / "R0.log"
    try:
        until(lambda: region_log.exists() and "cannot claim" in region_log.read_text(), 120)
        (child,) = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            before = region_log.read_text().count("most recent call first")
            os.kill(int(child), number)
            os.kill(host.pid, number)
            until(lambda: region_log.read_text().count("most recent call first") > before, 20)  # noqa: B023
        assert "in region_main" in region_log.read_text()
        until(lambda: "in run" in (tmp_path / "host.log").read_text(), 20)
        assert host.poll() is None and Path(f"/proc/{child}").exists()
    finally:
        host.terminate()
        host.wait(30)
