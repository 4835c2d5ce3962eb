import type { Vector3 } from "three";
import type { Stats } from "../net/messages";
import type { Stage } from "../scene/stage";
import { h } from "./dom";
import { Figures } from "./panels";

const EVERY = 0.5; // seconds

/** Where one is and how the world does, in words and numbers: the line below the map, the page's address, the figures. */
export class Readings {
  readonly place = h("p", { class: "place" });
  readonly figures = new Figures();
  stats: Stats | null = null;
  private fps = 0;
  private next = 0;
  private bytes = 0;

  constructor(private stage: Stage) {}

  /** A frame was drawn `dt` seconds after the one before. */
  drawn(dt: number): void {
    this.fps += ((dt > 0 ? 1 / dt : 0) - this.fps) * 0.1;
  }

  /** `local`: where one is, metres in the region; null before one stands. `bytes`: come from the gateway so far. */
  step(time: number, region: string, local: Vector3 | null, roundTrip: number, bytes: number): void {
    if (time < this.next) return;
    const rate = (bytes - this.bytes) / 1024 / EVERY;
    this.bytes = bytes;
    this.next = time + EVERY;
    const written = local ? `${Math.round(local.x)}, ${Math.round(local.y)}, ${Math.round(local.z)}` : "–";
    this.place.textContent = `${region} ${written}`;
    if (local) {
      const address = `#${encodeURIComponent(region)}/${written.split(", ").join("/")}`;
      if (location.hash !== address) history.replaceState(null, "", address);
    }
    const info = this.stage.renderer.info.render;
    const stats: Partial<Stats> = this.stats ?? {};
    const number = (value: number | null | undefined, digits = 0) => (typeof value === "number" ? value.toFixed(digits) : "–");
    this.figures.show({
      fps: number(this.fps),
      draws: String(info.calls),
      triangles: info.triangles.toLocaleString(),
      region,
      position: written,
      dilation: number(stats.dilation, 2),
      frames: number(stats.frames, 1),
      ping: `${number(stats.ping, 1)} ms`,
      gateway: `${number(roundTrip, 1)} ms`,
      loss: `${number(typeof stats.loss === "number" ? stats.loss * 100 : undefined, 1)} %`,
      near: number(stats.near),
      seen: number(stats.seen),
      regions: number(stats.regions),
      rate: `${number(rate, 1)} KiB/s`,
    });
  }
}
