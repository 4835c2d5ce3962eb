"""Scripts in scenes: they run when the region opens, out of files beside the scene and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.message import Message, text
from sim.scenes import SceneError, load, place
from sim.scenes.reading import parse
from tests.kit.world import add_root, region
from tests.sim.handlers.test_building import frame

ROOT = Path(__file__).resolve().parents[3]
COUNTS = 'default { state_entry() { llOwnerSay("here"); } }'


def test_a_script_that_is_not_there_or_does_not_compile_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.lsl").write_text("default { state_entry() { integer x = ; } }")
    (tmp_path / "edge.lsl").write_text('// a border\nvector edge = <1, 2, "north">;\n' + COUNTS)
    for file, said in (
        ("bad.lsl", "script bad.lsl:1:39: "),
        ("edge.lsl", "script edge.lsl:2:22: Type mismatch"),
        ("none.lsl", "script none.lsl: No such file"),
        ("../bad.lsl", "must be the name of a .lsl file in the scene's folder"),
        ("/etc/passwd", "must be the name of a .lsl file"),
    ):
        with pytest.raises(SceneError, match="prim 1") as caught:
            parse(f"[[prim]]\nposition = [1, 1, 1]\nscript = '{file}'".encode(), "s.toml", folder=tmp_path)
        assert said in str(caught.value) and "s.toml" in str(caught.value)
    with pytest.raises(SceneError, match="scene's folder"):
        parse(b"[[prim]]\nposition = [1, 1, 1]\nscript = 'bad.lsl'", "s.toml")


async def test_every_copy_and_part_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "one.lsl").write_text(COUNTS)
    scene = parse(
        b"""
        origin = [100, 100, 30]
        [[prim]]
        script = "one.lsl"
        grid = { count = [3, 1, 1], step = [2, 0, 0] }
        [[linkset]]
        position = [0, 9, 0]
          [[linkset.prim]]
          [[linkset.prim]]
          position = [1, 0, 0]
          script = "one.lsl"
        """,
        "s.toml",
        folder=tmp_path,
    )
    with region() as sim:
        place(sim.region, sim.scripts, scene)
        frame(sim, 0.2)
        prims = list(sim.world.objects.by_local_id.values())
        assert sum(len(sim.scripts.of(prim)) for prim in prims) == 4 == sum(prim.scripted for prim in prims)
        assert {script.name for prim in prims for script in sim.scripts.of(prim)} == {"one"}


async def test_the_greeter_asks_and_the_chair_is_taken() -> None:
    with region() as sim:
        scene = load(str(ROOT / "bench/scenes/greeter.toml"))
        assert scene is not None
        place(sim.region, sim.scripts, scene)
        x, y = 130.0, 128.0
        anna = add_root(sim, "Anna Guest", (x, y, sim.world.terrain.height(x, y) + 1))
        frame(sim, 0.5)
        greeter, chair = (next(p for p in sim.world.objects.roots() if p.name == name) for name in ("Greeter", "Chair"))
        anna.sends(Message("ObjectGrab", ObjectData={"LocalID": greeter.local_id}))
        frame(sim, 0.2)
        (asked,) = anna.heard("ScriptDialog")
        answer = {"ObjectID": greeter.full_id, "ChatChannel": asked["Data"]["ChatChannel"], "ButtonLabel": "Hello"}
        anna.sends(Message("ScriptDialogReply", Data=answer))
        anna.sends(Message("AgentRequestSit", TargetObject={"TargetID": chair.full_id}))
        anna.sends(Message("AgentSit"))
        frame(sim, 1.5)  # llDialog lets a script sleep for a second
        said = {text(one["ChatData"]["Message"]) for one in anna.heard("ChatFromSimulator")}
        assert said == {"Hello, Anna Guest!", "Taken."}
