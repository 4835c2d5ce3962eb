import { Group } from "three";
import type { Land } from "../net/frames";
import type { Here, RegionTold } from "../net/messages";
import type { Stage } from "../scene/stage";
import { Terrain } from "../scene/terrain";
import type { Textures } from "../scene/textures";
import { key, type Region } from "./thing";

/** The regions in view: their land, and where in the scene each stands. */
export class Lands {
  readonly regions = new Map<string, Region>();
  here = "";
  private origin: [number, number] | null = null;

  constructor(
    private stage: Stage,
    private textures: Textures,
  ) {}

  clear(): void {
    for (const region of [...this.regions.values()]) this.gone(region.at);
    this.origin = null;
  }

  region(told: RegionTold): void {
    const region = this.regionAt(told.at);
    region.name = told.name;
    region.water = told.water;
    region.terrain.describe(told.ground, told.heights, told.water);
  }

  private regionAt(at: [number, number]): Region {
    let region = this.regions.get(key(at));
    if (!region) {
      this.origin ??= at;
      const group = new Group();
      group.position.set(at[0] - this.origin[0], at[1] - this.origin[1], 0);
      this.stage.scene.add(group);
      const terrain = new Terrain(group, this.textures);
      region = { at, name: "", water: 20, group, terrain, heights: null, step: 0 };
      this.regions.set(key(at), region);
    }
    return region;
  }

  gone(at: [number, number]): void {
    const region = this.regions.get(key(at));
    if (!region) return;
    region.terrain.dispose();
    region.group.removeFromParent();
    this.regions.delete(key(at));
  }

  land(land: Land): void {
    const region = this.regionAt([land.west, land.south]);
    region.heights = land.heights;
    // Its own mesh, and those to the west and south whose edge it closes.
    for (const [dx, dy] of [[0, 0], [-256, 0], [0, -256], [-256, -256]]) {
      const near = this.regions.get(key([land.west + dx, land.south + dy]));
      if (near?.heights) this.build(near);
    }
  }

  private build(region: Region): void {
    const [x, y] = region.at;
    const beside = (dx: number, dy: number) => this.regions.get(key([x + dx, y + dy]))?.heights ?? undefined;
    region.terrain.ground.fill(region.heights!, beside(256, 0), beside(0, 256), beside(256, 256));
    const home = key(region.at) === this.here;
    region.step = this.stage.software ? (home ? 2 : 4) : home ? 1 : 2;
    region.terrain.build(region.step);
  }

  /** This is the region one stands in from now on; true when everything stands elsewhere in the scene than before. */
  stand(told: Here): boolean {
    const before = this.here;
    this.here = key(told.at);
    const region = this.regionAt(told.at);
    // Far from where we began, numbers get coarse: count from here on.
    const shifts = Math.hypot(told.at[0] - this.origin![0], told.at[1] - this.origin![1]) > 4096;
    if (shifts) {
      this.origin = told.at;
      for (const each of this.regions.values()) {
        each.group.position.set(each.at[0] - this.origin![0], each.at[1] - this.origin![1], 0);
      }
    }
    const left = this.regions.get(before);
    for (const each of [region, left]) if (each?.heights) this.build(each);
    return shifts;
  }

  /** Height of the land (or the water above it) at scene coordinates. */
  ground = (x: number, y: number): number => {
    for (const region of this.regions.values()) {
      const [lx, ly] = [x - region.group.position.x, y - region.group.position.y];
      if (lx >= 0 && ly >= 0 && lx < 256 && ly < 256 && region.terrain.ground.known) {
        return Math.max(region.terrain.ground.at(lx, ly), region.water);
      }
    }
    return this.regions.get(this.here)?.water ?? 20;
  };
}
