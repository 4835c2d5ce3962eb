/**
 * The page's handle for programs (`window.mainland`): where the camera is, what is shown, and when all of it has come.
 * The same by the page's address, which people can use too:
 *
 *     ?at=128,120,30&look=128,140,24    a camera that stays, in metres of the region stood in; nothing moves it
 *     ?bare                             no interface, and the own avatar is not drawn
 *     ?sun=morning|noon|evening|night   instead of the region's own
 *     ?fine                             shadows and the finest land, even where the processor has to draw them
 *     ?clock=100                        waves, clouds and breath as they are in that second, for pictures that compare
 */
import { Vector3 } from "three";
import { GridClock } from "./net/clock";
import type { Bubbles } from "./scene/bubbles";
import { SUNS, type Sky } from "./scene/sky";
import type { Stage } from "./scene/stage";
import type { World } from "./world/world";

export type Spot = [number, number, number];

declare global {
  interface Window {
    mainland?: Handle;
  }
}

export class Handle {
  /** Milliseconds from entering to the first frame that shows where one stands. */
  standing: number | null = null;
  /** Frames drawn. */
  frames = 0;
  /** When something new to draw was told last (milliseconds as performance.now()). */
  news = performance.now();
  /** The camera's own place, in region metres, or null: behind the avatar. */
  fixed: { at: Spot; look: Spot } | null = null;
  /** The second everything that moves by itself is shown in, or null: it goes on. */
  stopped: number | null = null;
  /** The grid's time. */
  grid = new GridClock();
  /** Turn the avatar and place the camera behind it: radians and metres. */
  look: (yaw: number, around: number, pitch: number, distance: number) => void = () => {};
  /** Log out. */
  leave: () => void = () => {};
  /** Choose a thing to build with. */
  choose: (n: number) => void = () => {};
  /** What people say, above their heads. */
  bubbles: Bubbles | null = null;
  private framesAtNews = 0;
  private eye = new Vector3();
  private goal = new Vector3();

  constructor(
    private app: HTMLElement,
    readonly world: World,
    readonly stage: Stage,
    private sky: Sky,
  ) {
    const asked = new URLSearchParams(location.search);
    const at = spot(asked.get("at"));
    if (at) this.view(at, spot(asked.get("look")) ?? [at[0], at[1] + 10, at[2]]);
    if (asked.has("bare")) this.bare(true);
    const clock = Number(asked.get("clock") ?? NaN);
    if (Number.isFinite(clock)) this.clock(clock);
  }

  /** Hold the camera at `at`, looking at `look`; `view(null)` gives it back to the avatar. */
  view(at: Spot | null, look?: Spot): void {
    this.fixed = at && { at, look: look ?? [at[0], at[1] + 10, at[2]] };
    this.touched();
  }

  /** Hide (or show) everything but the world, and the own avatar; the picture keeps its size in pixels. */
  bare(on: boolean): void {
    this.app.classList.toggle("bare", on);
    this.world.hidden = on;
    this.stage.steady = on;
  }

  /** Stop waves, clouds and breath in a second of theirs; null lets them go on. */
  clock(second: number | null): void {
    this.stopped = second;
  }

  /** The sun of the page's choice, at once; any other word gives the region's. */
  sun(name: string): void {
    const choice = this.app.querySelector<HTMLSelectElement>(".bar select");
    if (!choice) return;
    choice.value = name in SUNS ? name : "region";
    choice.dispatchEvent(new Event("change"));
    this.sky.arrive();
    this.touched();
  }

  /** Something to draw came. */
  touched(): void {
    this.news = performance.now();
    this.framesAtNews = this.frames;
  }

  /** Whether all that was told of is loaded and drawn, and nothing new came for `quiet` seconds. */
  settled(quiet = 1.5): boolean {
    const lands = [...this.world.regions.values()];
    return (
      this.standing !== null &&
      lands.every((region) => region.heights) &&
      this.world.textures.busy + this.world.dresser.forms.busy === 0 &&
      performance.now() - Math.max(this.news, this.world.textures.changed) > quiet * 1000 &&
      this.frames > this.framesAtNews + 2
    );
  }

  /** Place the camera if it is held; false when it is the avatar's. */
  place(): boolean {
    const home = this.world.regions.get(this.world.here);
    if (!this.fixed || !home) return false;
    const origin = home.group.position;
    this.eye.set(...this.fixed.at).add(origin);
    this.goal.set(...this.fixed.look).add(origin);
    this.stage.camera.position.copy(this.eye);
    this.stage.camera.lookAt(this.goal);
    return true;
  }
}

function spot(text: string | null): Spot | null {
  const parts = (text ?? "").split(",").map(Number);
  return text && parts.length === 3 && parts.every(Number.isFinite) ? (parts as Spot) : null;
}
