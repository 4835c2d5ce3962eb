"""Moving the own avatar: the state of the keys, and walks built on it.

AgentUpdate carries which keys are down *now*; the simulator moves the avatar for as long as the last one says so. So
pressing and releasing are separate messages (``updates`` sends them).
"""

from __future__ import annotations

import asyncio
import math
from typing import Any
from uuid import UUID

from protocol.message import Message
from protocol.wellknown import Animation

from .circuits import Circuits, Heard, hears
from .errors import SitRefused, WaitTimeout, WalkBlocked
from .events import answered, answered_unless_alerted
from .model import Quaternion, Vector
from .neighbours import Neighbours
from .regions import Region
from .sight import Sight
from .updates import AgentUpdates, camera, seen_from

AT_POS, AT_NEG, LEFT_POS, LEFT_NEG, UP_POS, UP_NEG = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
FAST_AT, FAST_LEFT, FAST_UP = 0x400, 0x800, 0x1000
FLY, STOP, FINISH_ANIM, STAND_UP, SIT_ON_GROUND = 0x2000, 0x4000, 0x8000, 0x10000, 0x20000
AWAY = 0x8000000
_ONE_SHOT = STAND_UP | SIT_ON_GROUND | FINISH_ANIM
FORWARD = AT_POS | FAST_AT  # what the arrow key sends

_SITTING = {Animation.SIT, Animation.SIT_GROUND}
_TURN = 0.03  # radians of heading error worth a new AgentUpdate


class Movement:
    """Keys, walks, flying, sitting."""

    def __init__(self, circuits: Circuits, neighbours: Neighbours, sight: Sight) -> None:
        self._circuits = circuits
        self._sight = sight
        look = self._circuits.session.look_at
        self.yaw = math.atan2(look[1], look[0])  # radians, 0 = east, counter-clockwise
        self.keys = 0  # control flags that are held
        self.keys_sent_at = -1e9  # when the keys held now were first told to the region
        self._keys_sent = 0
        self._shots = 0  # control flags that go out once
        self._updates = AgentUpdates(circuits, neighbours, self._told)
        self._updates.moves = self._camera_moves
        self._updates.on_sent = self._sent
        circuits.join(self)

    # -- keys -------------------------------------------------------------------------------------------------------

    @property
    def body_rotation(self) -> Quaternion:
        """Where the body faces, as told to regions."""
        return (0.0, 0.0, math.sin(self.yaw / 2), math.cos(self.yaw / 2))

    @property
    def flying(self) -> bool:
        """Whether the fly key is held; the server decides whether we really fly."""
        return bool(self.keys & FLY)

    def press(self, flags: int) -> None:
        """Hold these control flags until ``release``. Goes out at once, at most ten changes a second."""
        self.hold(self.keys | flags)

    def release(self, flags: int) -> None:
        """Let go of these control flags."""
        self.hold(self.keys & ~flags)

    def hold(self, flags: int) -> None:
        """Hold exactly these control flags."""
        if flags != self.keys:
            self.keys = flags
            # Told at once even if something else was told just now: a key that waits is felt.
            self._updates.change(self.keys_sent_at)

    def face(self, yaw: float) -> None:
        """Turn the body to ``yaw`` (radians, 0 = east, counter-clockwise)."""
        if yaw != self.yaw:
            self.yaw = yaw
            self._updates.change()

    def face_towards(self, x: float, y: float) -> None:
        """Turn to a point of this region (metres)."""
        here = self._sight.position
        self.face(math.atan2(y - here[1], x - here[0]))

    def _shoot(self, flags: int) -> None:
        """Send flags that mean an act rather than a held key; reliably, because they are not repeated."""
        self._shots = flags
        self._updates.send(self._circuits.clock(), reliable=True)
        self._shots = 0

    def _camera_moves(self) -> bool:
        """The camera follows the avatar, so all the way of a walk something changes: ten updates a second."""
        vx, vy, vz = self._sight.velocity
        return vx * vx + vy * vy + vz * vz > 0.01

    def _sent(self, now: float) -> None:
        if self.keys != self._keys_sent:
            self._keys_sent, self.keys_sent_at = self.keys, now

    def _told(self, region: Region) -> dict[str, Any]:
        here, turned = self._circuits.region, self.body_rotation
        x, y, z = seen_from(here, region, self._sight.position) if here is not None else self._sight.position
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        eye = camera((x - 3.0 * cos, y - 3.0 * sin, z + 1.0), (cos, sin, 0.0))
        return {"BodyRotation": turned, "HeadRotation": turned, "ControlFlags": self.keys | self._shots, **eye}

    # -- walking ----------------------------------------------------------------------------------------------------

    async def walk_to(self, point: tuple[float, ...], tolerance: float = 1.0, timeout: float | None = None) -> Vector:
        """Walk (or fly, when flying) straight to ``(x, y)`` or ``(x, y, z)``, metres in the region we stand in now.

        Points outside 0..256 lie in neighbours: the walk goes on over the border. ``z`` counts only when flying.
        Returns the position reached, within ``tolerance`` metres (0.5 at least is sensible), in the region then stood
        in. Raises ``WalkBlocked`` when the avatar gets no nearer for six seconds, ``WaitTimeout`` after ``timeout``
        (default: four times what the walk should take), ``ConnectionLost``.
        """
        goal = (
            point[0] + self._circuits.root.west,
            point[1] + self._circuits.root.south,
            point[2] if len(point) > 2 else 0.0,
        )
        far = math.dist(self._sight.global_position[:2], goal[:2])
        end = self._circuits.clock() + (timeout if timeout is not None else 20.0 + 4.0 * far / 3.2)
        while True:
            try:
                await self._approach(goal, self.flying and len(point) > 2, tolerance, end)
            finally:
                self.release(FORWARD | UP_POS | UP_NEG)
            await self._stand_still(2.0)
            # Over a bad line the released key may arrive late, and the avatar walk past: then go back.
            if math.dist(self._sight.global_position[:2], goal[:2]) <= tolerance + 1.0:
                return self._sight.position

    async def _approach(self, goal: Vector, climbing: bool, tolerance: float, end: float) -> None:
        """Steer until within ``tolerance`` of a global goal, at ``end`` (clock) at the latest."""
        best, nearer_at = math.inf, self._circuits.clock()
        while True:
            x, y, z = self._sight.global_position
            distance = math.hypot(goal[0] - x, goal[1] - y)
            climb = goal[2] - z if climbing else 0.0
            if distance <= tolerance and abs(climb) <= max(tolerance, 0.5):
                return
            now = self._circuits.clock()
            if now > end:
                raise WaitTimeout(f"still {distance:.1f} m away")
            if distance + abs(climb) < best - 0.2 or self._circuits.destination is not None:
                best, nearer_at = distance + abs(climb), now
            elif now - nearer_at > self._circuits.habits.stuck_after:
                raise WalkBlocked(
                    self._sight.position, (goal[0] - self._circuits.root.west, goal[1] - self._circuits.root.south)
                )
            self._steer(goal[0] - x, goal[1] - y, distance > tolerance, climb)
            await asyncio.sleep(self._circuits.habits.agent_update_gap)

    def _steer(self, dx: float, dy: float, ahead: bool, climb: float) -> None:
        """Press what leads along (dx, dy) and up or down; one change at most."""
        keys = self.keys & ~(FORWARD | UP_POS | UP_NEG)
        if ahead:
            keys |= FORWARD
            heading = math.atan2(dy, dx)
            if abs(math.remainder(heading - self.yaw, math.tau)) > _TURN:
                self.yaw = heading
                self._updates.later()
        if abs(climb) > 0.5:
            keys |= UP_POS if climb > 0 else UP_NEG
        if keys != self.keys:
            self.hold(keys)
        elif self._updates.changed:
            self._updates.change()

    async def _stand_still(self, patience: float) -> None:
        """Until the region shows us at rest; not for ever: a slope may slide us on."""
        until = self._circuits.clock() + patience
        while not self._circuits.closed and self._circuits.clock() < until and math.hypot(*self._sight.velocity) > 0.1:
            await asyncio.sleep(0.05)

    async def jump(self, hold: float = 0.5) -> None:
        """Press up for ``hold`` seconds and let go."""
        self.press(UP_POS)
        try:
            await asyncio.sleep(hold)
        finally:
            self.release(UP_POS)

    def fly(self, on: bool = True) -> None:
        """Start or stop flying."""
        if on:
            self.press(FLY)
        else:
            self.release(FLY | UP_POS | UP_NEG)

    def run(self, on: bool = True) -> None:
        """Run instead of walk from now on (SetAlwaysRun)."""
        block = {**self._circuits.agent_block, "AlwaysRun": on}
        self._circuits.send(Message("SetAlwaysRun", AgentData=block))

    # -- sitting ----------------------------------------------------------------------------------------------------

    async def sit_ground(self, timeout: float = 10.0) -> None:
        """Sit down where we are; returns when our avatar plays the animation. ``WaitTimeout`` otherwise."""
        if Animation.SIT_GROUND not in self._sight.animations:
            await self._until_playing(lambda playing: Animation.SIT_GROUND in playing, SIT_ON_GROUND, timeout)

    async def stand(self, timeout: float = 10.0) -> None:
        """Stand up from ground or seat; returns when our avatar no longer sits. ``WaitTimeout`` otherwise."""
        if self._sight.seat is not None or (self._sight.avatar is not None and self._sight.avatar.parent_id):
            afoot = self._circuits.events.expect("described", lambda entity: entity.own and not entity.parent_id)
            self._shoot(STAND_UP)
            await answered(afoot, timeout, "our avatar on its feet")
        elif self._sight.animations & _SITTING:
            await self._until_playing(lambda playing: not playing & _SITTING, STAND_UP, timeout)
        else:
            self._shoot(STAND_UP)

    async def _until_playing(self, accept: Any, flags: int, timeout: float) -> None:
        shown = self._circuits.events.expect("animations", lambda a: a[0] == self._circuits.agent_id and accept(a[1]))
        self._shoot(flags)
        await answered(shown, timeout, "animation of our avatar")

    async def sit_on(self, object_id: UUID, offset: Vector = (0.0, 0.0, 0.0), timeout: float = 10.0) -> None:
        """Sit on an object (full id), at ``offset`` metres from its middle along its axes if it leaves us the choice.

        Returns when our avatar is shown seated: ``seat`` is then the prim, perhaps another one of the same linkset.
        ``SitRefused`` with the region's words, ``WaitTimeout`` without any.
        """
        seated = self._circuits.events.expect("described", lambda entity: entity.own and entity.parent_id != 0)
        target = {"TargetID": object_id, "Offset": offset}
        self._circuits.send(Message("AgentRequestSit", AgentData=self._circuits.agent_block, TargetObject=target))
        await answered_unless_alerted(self._circuits.events, seated, timeout, "our avatar seated", SitRefused)

    @hears("AvatarSitResponse")
    def _sit_accepted(self, heard: Heard) -> None:
        if heard.region is self._circuits.region:
            self._circuits.send(Message("AgentSit", AgentData=self._circuits.agent_block))

    # -- animations -------------------------------------------------------------------------------------------------

    def play(self, *animations: UUID) -> None:
        """Start animations on our avatar, for everybody to see."""
        self._animate(animations, True)

    def stop_playing(self, *animations: UUID) -> None:
        """End animations we started."""
        self._animate(animations, False)

    def _animate(self, animations: tuple[UUID, ...], start: bool) -> None:
        blocks = [{"AnimID": animation, "StartAnim": start} for animation in animations]
        self._circuits.send(Message("AgentAnimation", AgentData=self._circuits.agent_block, AnimationList=blocks))
