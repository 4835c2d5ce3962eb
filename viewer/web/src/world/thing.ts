import type { Group, InstancedMesh, Matrix4, Sprite } from "three";
import type { ObjectRecord } from "../net/frames";
import type { Figure } from "../scene/avatars";
import type { Slot } from "../scene/batches";
import type { Spine } from "../scene/flexi";
import type { TextureMotion } from "../scene/moving";
import type { Terrain } from "../scene/terrain";
import type { Motion } from "./motion";

export const PRIM = 9;

/** What a region is called by: its corner in the grid. */
export const key = (at: [number, number]) => `${at[0]},${at[1]}`;

/** A region in view: its land, and the corner that everything in it counts from. */
export interface Region {
  at: [number, number];
  name: string;
  water: number;
  group: Group;
  terrain: Terrain;
  heights: Float32Array | null;
  step: number;
}

/** A prim or a person. */
export interface Thing {
  n: number;
  region: string;
  parent: number;
  children: Set<number>;
  motion: Motion;
  moving: boolean;
  frame: Matrix4; // where it is and how it is turned, in its region
  // a prim
  record?: ObjectRecord;
  level?: number; // of detail; none chosen yet: it has no faces either
  slots?: Slot[];
  texture?: { motion: TextureMotion; since: number | null; slots: Slot[] };
  told?: { moving: string; at: number }; // how its texture moves, and since when
  words?: Sprite | null;
  spine?: Spine; // of one that bends
  bent?: InstancedMesh[]; // what is drawn of it as it is bent now
  // a person
  figure?: Figure;
  id?: string;
  name?: string;
  own?: boolean;
  height?: number;
}
