import { SUNS, type Sky } from "../scene/sky";
import { texts } from "../texts";
import { h } from "./dom";

/** The sun: the region's own, or where the person wants it. */
export class SunChoice {
  readonly root = h("select", { "aria-label": texts.bar.sun }, ...Object.entries(texts.bar.suns).map(([value, label]) => h("option", { value }, label)));
  private own: [number, number, number] = [0.5, 0, 0.87];

  constructor(private sky: Sky) {
    this.root.onchange = () => this.set();
  }

  /** The region tells where its sun stands. */
  told(towards: [number, number, number]): void {
    this.own = towards;
    this.set();
  }

  private set(): void {
    const angle = SUNS[this.root.value as keyof typeof SUNS];
    const radians = ((angle ?? 0) * Math.PI) / 180;
    this.sky.set(angle === undefined ? this.own : [Math.cos(radians), 0, Math.sin(radians)]);
  }
}
