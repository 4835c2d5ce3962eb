/** Every frame: what moves is moved, the camera placed, the picture drawn. */
import { Vector3 } from "three";
import type { Handle } from "./handle";
import type { Send } from "./net/socket";
import type { FollowCamera } from "./scene/camera";
import type { Sky } from "./scene/sky";
import type { Stage } from "./scene/stage";
import type { Water } from "./scene/water";
import type { Controls } from "./ui/controls";
import type { Ghost } from "./world/ghost";
import type { Region, World } from "./world/world";

const LOOK_GAP = 0.25; // seconds between two cameras of a spectator told

export class View {
  /** Where one is, metres in the region. */
  readonly local = new Vector3();
  /** Called once, when one stands (or looks) for the first time. */
  onStanding: () => void = () => {};
  private began = performance.now();
  private last = performance.now() / 1000;
  private nextLook = 0;
  private lastCamera = "";
  private spot = new Vector3();
  private towards = new Vector3();

  constructor(
    private stage: Stage,
    private sky: Sky,
    private water: Water,
    private world: World,
    private camera: FollowCamera,
    private controls: Controls,
    private state: Handle,
    private ghost: Ghost | null,
    private fast: () => boolean,
    private send: Send,
  ) {}

  /** The gateway forgot where a spectator looks (a new connection). */
  again(): void {
    this.lastCamera = "";
  }

  /** One frame, at `time` seconds; how long ago the last one was. */
  step(time: number): number {
    const { controls, ghost, stage, state, world } = this;
    const passed = time - this.last;
    const dt = Math.min(passed, 0.2);
    this.last = time;
    controls.step(time, dt);
    world.yaw = controls.yaw;
    const shown = state.stopped ?? time;
    world.step(time, shown, dt, state.stopped ?? state.grid.at(time));
    const home = world.regions.get(world.here);
    const me = this.whereabouts(home, dt);
    if (!state.place() && me) this.camera.step(me, controls.yaw, (controls.flags & 0xf) !== 0, world.ground, dt);
    this.water.step(stage.camera.position, home?.water ?? 20, shown);
    this.sky.step(stage.camera.position, state.fixed ? stage.camera.position : (me ?? stage.camera.position), shown, dt);
    if (me && home?.heights) {
      stage.draw(dt, world.glows());
      state.frames++;
      if (state.standing === null) {
        state.standing = performance.now() - this.began;
        this.onStanding();
      }
    }
    if (ghost && time > this.nextLook) {
      this.nextLook = time + LOOK_GAP;
      this.tellCamera(home);
    }
    if (me && home) this.local.copy(me).sub(home.group.position);
    return passed;
  }

  /** Where one is, in the scene: the own figure, or what a spectator's camera turns around. */
  private whereabouts(home: Region | undefined, dt: number): Vector3 | undefined {
    const { controls, ghost, spot, world } = this;
    if (!ghost) return world.me?.figure?.root.position;
    if (!home?.heights) return undefined;
    spot.copy(ghost.position).add(home.group.position);
    ghost.step(controls.flags, controls.yaw, this.fast(), world.ground(spot.x, spot.y), dt);
    return spot.copy(ghost.position).add(home.group.position);
  }

  /** A region chooses by the camera what to show first. */
  private tellCamera(home: Region | undefined): void {
    if (!home || this.state.standing === null) return;
    const { camera } = this.stage;
    camera.getWorldDirection(this.towards);
    const at = camera.position.clone().sub(home.group.position);
    const round = (v: Vector3) => v.toArray().map((part) => Math.round(part * 20) / 20) as [number, number, number];
    const told = { at: round(at), towards: round(this.towards) };
    const written = JSON.stringify(told);
    if (written === this.lastCamera) return;
    this.lastCamera = written;
    this.send("look", told);
  }
}
