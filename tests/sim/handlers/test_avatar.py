"""Animations, clothes, appearance, effects."""

from __future__ import annotations

from uuid import UUID, uuid4

from protocol.message import Message
from protocol.wellknown import Animation
from sim.actions.animate import ANIMATION_LIMIT
from sim.world.animations import MOTION_ANIMATIONS, motion_animation, playing
from sim.world.avatars import Motion
from sim.world.changes import What
from tests.kit.world import TestSimulator, Viewer, add_child, add_root, settle


def animate(viewer: Viewer, *started: UUID, stop: tuple[UUID, ...] = ()) -> None:
    blocks = [{"AnimID": one, "StartAnim": True} for one in started] + [{"AnimID": one} for one in stop]
    viewer.sends(Message("AgentAnimation", AnimationList=blocks))


def test_every_motion_has_its_animation() -> None:
    assert set(MOTION_ANIMATIONS) == set(Motion)
    assert motion_animation(Motion.WALKING) == Animation.WALK


async def test_starting_and_stopping(sim: TestSimulator) -> None:
    anna = add_root(sim)
    changes = sim.world.changes.agents.reader()
    animate(anna, Animation.TYPING)
    assert changes.take() == {anna.agent: What.MOTION}
    both = playing(anna.agent, int(sim.world.row(anna.agent)["motion"]))
    assert [animation for animation, _ in both] == [Animation.STAND, Animation.TYPING]
    numbers = [number for _, number in both]
    assert len(set(numbers)) == 2
    animate(anna, Animation.TYPING)  # plays already: nobody has to hear of it
    assert not changes.take()
    animate(anna, stop=(Animation.TYPING,))
    assert changes.take() == {anna.agent: What.MOTION}
    assert playing(anna.agent, int(sim.world.row(anna.agent)["motion"])) == both[:1]


async def test_the_default_animation_follows_the_motion(sim: TestSimulator) -> None:
    anna = add_root(sim)
    (standing,) = playing(anna.agent, int(sim.world.row(anna.agent)["motion"]))
    assert playing(anna.agent, int(sim.world.row(anna.agent)["motion"])) == [standing]
    sim.world.row(anna.agent)["motion"] = Motion.WALKING
    ((animation, number),) = playing(anna.agent, int(sim.world.row(anna.agent)["motion"]))
    assert animation == Animation.WALK and number > standing[1]


async def test_animations_are_limited(sim: TestSimulator) -> None:
    anna = add_root(sim)
    animate(anna, *(uuid4() for _ in range(60)))
    animate(anna, UUID(int=0))
    assert len(anna.agent.animations) == ANIMATION_LIMIT
    assert sim.metrics.value("messages_dropped", "too many animations") == 60 - ANIMATION_LIMIT


def appearance(serial: int = 1, texture: bytes = b"t" * 20, params: int = 218, height: float = 1.9) -> Message:
    return Message(
        "AgentSetAppearance",
        AgentData={"SerialNum": serial, "Size": (0.45, 0.6, height)},
        ObjectData={"TextureEntry": texture},
        VisualParam=[{"ParamValue": n % 256} for n in range(params)],
    )


async def test_appearance_is_kept_as_sent(sim: TestSimulator) -> None:
    anna = add_root(sim)
    changes = sim.world.changes.agents.reader()
    anna.sends(appearance())
    look = anna.agent.appearance
    assert look.texture_entry == b"t" * 20
    assert look.visual_params == bytes(range(218))
    assert look.serial == 1
    assert What.SURFACE in changes.take()[anna.agent]
    anna.sends(appearance(0, b"old"))
    assert look.texture_entry == b"t" * 20
    anna.sends(appearance(2, b"", 0))
    assert look.texture_entry == b"t" * 20 and look.visual_params == bytes(range(218))


async def test_a_giant_keeps_its_feet_on_the_ground(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    row = sim.world.row(anna.agent)
    feet = float(row["position"][2]) - float(row["height"]) / 2
    changes = sim.world.changes.agents.reader()
    anna.sends(appearance(height=1e20))
    assert anna.agent.appearance.size[2] == 4.0
    assert abs(float(row["position"][2]) - float(row["height"]) / 2 - feet) < 1e-5
    assert changes.take() == {anna.agent: What.SCALE | What.SURFACE}


async def test_an_oversized_appearance_is_refused(sim: TestSimulator) -> None:
    anna = add_root(sim)
    before = anna.agent.appearance.texture_entry
    anna.sends(appearance(texture=b"t" * 3000))
    assert anna.agent.appearance.texture_entry == before
    assert sim.metrics.value("messages_dropped", "oversized appearance") == 1


async def test_the_largest_serial_number_still_goes_out(sim: TestSimulator) -> None:
    """The viewer's is unsigned, the one in AvatarAppearance is not."""
    anna, bert = add_root(sim), add_root(sim)
    bert.agent.updates_seen = 1
    sim.frame.once(sim.clock.now())
    anna.sends(appearance(2**32 - 1))
    sim.frame.once(sim.clock.now())
    assert bert.heard("AvatarAppearance")
    assert not sim.metrics.labelled["stage_errors"]


async def test_no_bake_is_cached(sim: TestSimulator) -> None:
    anna = add_root(sim)
    asked = [{"ID": uuid4(), "TextureIndex": n} for n in (8, 9)]
    anna.sends(Message("AgentCachedTexture", AgentData={"SerialNum": 5}, WearableData=asked))
    (answer,) = anna.heard("AgentCachedTextureResponse")
    assert answer["AgentData"]["SerialNum"] == 5
    assert [(b["TextureID"].int, b["TextureIndex"]) for b in answer["WearableData"]] == [(0, 8), (0, 9)]


async def test_clothes_put_on_are_the_agents_own(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    folder = str(uuid4())
    shirt = sim.backbone.add_item(anna.id, folder, type=5, asset_id=str(uuid4()), flags=4)
    worn = [{"ItemID": UUID(shirt["item_id"]), "WearableType": 4}, {"ItemID": uuid4(), "WearableType": 5}]
    anna.sends(Message("AgentIsNowWearing", WearableData=worn))
    await settle(sim)
    assert anna.agent.wearables == [(UUID(shirt["item_id"]), UUID(shirt["asset_id"]), 4)]


async def test_effects_go_to_those_near_in_the_senders_name(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    near = add_root(sim, position=(120, 100, 25))
    far = add_root(sim, position=(200, 100, 25))
    child = add_child(sim)
    effect = {
        "ID": uuid4(),
        "AgentID": near.id,
        "Type": 14,
        "Duration": 1.0,
        "Color": b"\1\2\3\4",
        "TypeData": b"x" * 56,
    }
    anna.sends(Message("ViewerEffect", Effect=[effect]))
    (relayed,) = near.heard("ViewerEffect")
    assert relayed["Effect"][0] == {**effect, "AgentID": anna.id, "Duration": 1.0}
    assert relayed["AgentData"]["SessionID"].int == 0
    assert not far.heard("ViewerEffect") and not anna.heard("ViewerEffect") and not child.heard("ViewerEffect")


async def test_somebody_who_never_says_how_it_looks_is_a_person_to_others(sim: TestSimulator) -> None:
    add_root(sim, "Silent Bot")
    ben = add_root(sim, "Ben Looker")
    sim.clock.advance(1)
    sim.frame.once(sim.clock.now())
    looks = {message["Sender"]["ID"]: message for message in ben.heard("AvatarAppearance")}
    (silent,) = [looks[agent_id] for agent_id in looks if agent_id != ben.id]
    assert len(silent["VisualParam"]) >= 218
    assert silent["ObjectData"]["TextureEntry"]
