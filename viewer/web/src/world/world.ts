import { Group, type InstancedMesh, Matrix4, Quaternion, Raycaster, Vector2, Vector3, type Sprite } from "three";
import type { MotionRecord, ObjectRecord, Land } from "../net/frames";
import type { Told } from "../net/socket";
import { Figure } from "../scene/avatars";
import { Batches, type Slot } from "../scene/batches";
import { bend, flexibility, MOST_BENT, Spine } from "../scene/flexi";
import { Form, Forms, smooth } from "../scene/forms";
import { chooseLevel, FAR, SEGMENTS, UNSEEN } from "../scene/levels";
import { looks, PLAIN, type FaceLook } from "../scene/look";
import { loops, moved, textureMotion, type TextureMotion } from "../scene/moving";
import { plantColors } from "../scene/plants";
import type { Stage } from "../scene/stage";
import { drop, fit, tag } from "../scene/tags";
import { Terrain } from "../scene/terrain";
import { isLine, tessellate } from "../scene/tessellate";
import { BLANK, Textures, TRANSPARENT } from "../scene/textures";
import { Motion } from "./motion";

const key = (at: [number, number]) => `${at[0]},${at[1]}`;
const PRIM = 9;
const REFINED = 400; // things a frame whose level of detail is chosen again

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

/** Everything the gateway has told of, as it stands in the scene. */
export class World {
  readonly regions = new Map<string, Region>();
  readonly things = new Map<number, Thing>();
  readonly textures: Textures;
  readonly forms = new Forms();
  here = "";
  agent = "";
  me: Thing | null = null;
  /** Where the own avatar faces by its keys, which are ahead of the region's news. */
  yaw = 0;
  /** Whether the own avatar is left out of the picture. */
  hidden = false;
  private stood: { place: Vector3; turn: Quaternion } | null = null; // where the own figure was drawn last; null: on a seat
  private origin: [number, number] | null = null;
  private textured = new Set<Thing>();
  private bending = new Set<Thing>();
  private round = this.things.values();
  private early = new Map<number, MotionRecord>();
  private animations = new Map<string, Set<string>>();
  private batches: Batches;
  private scale = new Matrix4();
  private place = new Matrix4();
  private spot = new Vector3();
  private size = new Vector3();
  private quaternion = new Quaternion();
  private one = new Vector3(1, 1, 1);
  private away = new Vector3();

  constructor(private stage: Stage) {
    this.textures = new Textures(stage.software ? 1 : Math.min(4, stage.renderer.capabilities.getMaxAnisotropy()));
    this.batches = new Batches(stage.scene, this.textures);
  }

  /** Forget all: the gateway is about to tell it again. */
  clear(): void {
    for (const n of [...this.things.keys()]) this.gone(n);
    for (const region of [...this.regions.values()]) this.regionGone(region.at);
    this.early.clear();
    this.animations.clear();
    this.me = this.stood = null;
    this.origin = null;
  }

  // -- regions --------------------------------------------------------------------------------------------------

  region(told: Told): void {
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

  regionGone(at: [number, number]): void {
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

  hereIs(told: Told): void {
    const before = this.here;
    this.here = key(told.at);
    const region = this.regionAt(told.at);
    // Far from where we began, numbers get coarse: count from here on.
    const [dx, dy] = [told.at[0] - this.origin![0], told.at[1] - this.origin![1]];
    if (Math.hypot(dx, dy) > 4096) {
      this.origin = told.at;
      for (const each of this.regions.values()) {
        each.group.position.set(each.at[0] - this.origin![0], each.at[1] - this.origin![1], 0);
      }
      for (const thing of this.things.values()) thing.moving = true;
    }
    const left = this.regions.get(before);
    for (const each of [region, left]) if (each?.heights) this.build(each);
    if (before !== this.here) this.chooseMe();
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

  // -- things ---------------------------------------------------------------------------------------------------

  private thing(n: number, region: string): Thing {
    let thing = this.things.get(n);
    if (!thing) {
      thing = { n, region, parent: 0, children: new Set(), motion: new Motion(), moving: true, frame: new Matrix4() };
      this.things.set(n, thing);
      const early = this.early.get(n);
      if (early) {
        this.early.delete(n);
        this.moved(early, performance.now() / 1000);
      }
    }
    return thing;
  }

  /** A thing is described, at `now` (seconds). */
  object(record: ObjectRecord, now = performance.now() / 1000): void {
    const thing = this.thing(record.n, key([record.west, record.south]));
    this.undress(thing);
    if (record.flexi?.join() !== thing.record?.flexi?.join() || record.scale[2] !== thing.record?.scale[2]) thing.spine = undefined;
    thing.record = record;
    const moving = record.moving?.join() ?? "";
    if (thing.told?.moving !== moving) thing.told = { moving, at: now }; // told again it goes on
    thing.moving = true; // dressed as it is placed
    if (record.text.trim()) {
      const [r, g, b, a] = record.textColor;
      thing.words = tag(record.text, `rgba(${r}, ${g}, ${b}, ${a / 255})`, false);
      this.stage.scene.add(thing.words);
    }
  }

  /** Give a thing the faces of its level, now or when its form has come; those that look the same are one piece. */
  private dress(thing: Thing, record: ObjectRecord, level: number): void {
    thing.level = level;
    for (const slot of thing.slots ?? []) this.batches.remove(slot);
    thing.slots = undefined;
    if (thing.texture) thing.texture.slots = [];
    this.bending.delete(thing);
    if (level === UNSEEN) {
      thing.slots = [];
      return;
    }
    const form = this.bendable(thing, record, level) ?? this.forms.of(record, level, () => {
      if (thing.record !== record || this.things.get(record.n) !== thing) return;
      thing.level = undefined;
      thing.moving = true;
    });
    if (!form) return;
    const look = record.pcode === PRIM ? looks(record.look) : plantLook(record.pcode, record.species);
    const motion = record.moving ? textureMotion(record.moving) : null;
    const pieces = new Map<string, { skin: FaceLook; moves: boolean; faces: number[] }>();
    form.faces.forEach((made, face) => {
      const skin = look(face);
      if (!made || skin.color[3] < 0.01 || skin.texture === TRANSPARENT) return;
      const moves = !!motion && (motion.face < 0 || motion.face === face);
      const kind = JSON.stringify([moves, skin]);
      const piece = pieces.get(kind) ?? { skin, moves, faces: [] };
      piece.faces.push(face);
      pieces.set(kind, piece);
    });
    const found = [...pieces.values()];
    const slots = (thing.slots = found.map(({ skin, faces }) => this.batches.add(form, faces, skin, level, record.n)));
    if (!motion) return;
    thing.texture = { motion, since: loops(motion) ? null : thing.told!.at, slots: slots.filter((_, n) => found[n].moves) };
    this.textured.add(thing);
  }

  /** A form of its own for a prim that bends, if it is near enough for that to be seen. */
  private bendable(thing: Thing, record: ObjectRecord, level: number): Form | null {
    const how = record.form || !isLine(record.shape) || level <= FAR ? null : flexibility(record.flexi);
    if (record.pcode !== PRIM || !how || this.bending.size >= MOST_BENT) return null;
    this.bending.add(thing);
    thing.spine ??= new Spine(how);
    return new Form(`bent ${record.n} ${level}`, tessellate(record.shape, SEGMENTS[level], how.sections * 3).map(smooth));
  }

  /** Let what bends hang and swing. */
  private bend(now: number, dt: number): void {
    for (const thing of this.bending) {
      const slots = thing.slots ?? [];
      const meshes = slots.flatMap((slot) => slot.batch?.mesh ?? []);
      const same = meshes.length === thing.bent?.length && meshes.every((mesh, n) => mesh === thing.bent![n]);
      const scale = this.size.set(...thing.record!.scale);
      if (!thing.spine!.step(thing.frame, scale.z, dt, now) && same) continue;
      const joints = thing.spine!.local();
      for (const slot of slots) if (slot.batch) bend(slot.form, slot.batch.mesh.geometry, joints, scale);
      thing.bent = meshes;
    }
  }

  private undress(thing: Thing): void {
    this.textured.delete(thing);
    this.bending.delete(thing);
    for (const slot of thing.slots ?? []) this.batches.remove(slot);
    thing.slots = thing.texture = thing.level = undefined;
    drop(thing.words ?? null);
    thing.words = null;
  }

  avatar(told: Told): void {
    const thing = this.thing(told.n, key(told.at));
    if (!thing.figure) {
      thing.figure = new Figure(told.id, !this.stage.software);
      thing.figure.playing = this.animations.get(told.id) ?? new Set();
      this.stage.scene.add(thing.figure.root);
    }
    Object.assign(thing, { id: told.id, name: told.name, own: told.own, height: told.size[2] });
    thing.figure.describe(told.name, told.size[2], told.own);
    this.chooseMe();
  }

  /** At a border two regions may show us; the one we stand in counts. */
  private chooseMe(): void {
    const mine = [...this.things.values()].filter((thing) => thing.own);
    const before = this.me;
    this.me = mine.find((thing) => thing.region === this.here) ?? this.me ?? mine[0] ?? null;
    if (this.me && !this.things.has(this.me.n)) this.me = mine[0] ?? null;
    for (const thing of mine) thing.figure!.root.visible = thing === this.me;
    if (this.me && this.me !== before && !this.me.parent && this.stood) {
      // Another region shows us from now on: nobody shall see where the one ends and the other begins.
      const corner = this.regions.get(this.me.region)!.group.position;
      this.me.motion.follow(this.stood.place.clone().sub(corner), this.stood.turn, performance.now() / 1000);
      this.me.moving = true;
    }
  }

  animate(told: Told): void {
    const playing = new Set<string>(told.playing);
    this.animations.set(told.id, playing);
    for (const thing of this.things.values()) if (thing.figure && thing.id === told.id) thing.figure.playing = playing;
  }

  moved(record: MotionRecord, now: number): void {
    const thing = this.things.get(record.n);
    if (!thing) {
      this.early.set(record.n, record);
      return;
    }
    const parted = thing.parent !== record.parent;
    if (parted) {
      this.things.get(thing.parent)?.children.delete(thing.n);
      this.things.get(record.parent)?.children.add(thing.n);
      thing.parent = record.parent;
    }
    thing.motion.take(record, now, !parted);
    thing.moving = true;
  }

  gone(n: number): void {
    const thing = this.things.get(n);
    this.early.delete(n);
    if (!thing) return;
    this.undress(thing);
    thing.figure?.dispose();
    this.things.get(thing.parent)?.children.delete(n);
    this.things.delete(n);
    if (thing === this.me) this.chooseMe();
  }

  // -- every frame ----------------------------------------------------------------------------------------------

  /**
   * Bring everything to `now`; what figures do by themselves (breathing) is shown as of `shown`. Textures that move in a
   * loop are shown as of `phase`, a clock that all pages of a grid share: no message says when a loop began, so by this they
   * are in step in all windows, whenever each of them came to see it. What moves once begins when it is told of.
   */
  step(now: number, shown: number, dt: number, phase = shown): void {
    for (const thing of this.things.values()) {
      if (thing.moving) this.stepThing(thing, now, dt, 0);
      if (thing.figure) this.stepFigure(thing, shown, dt);
      const words = thing.words ?? thing.figure?.label;
      if (words) fit(words, this.stage.camera.position);
    }
    this.refine();
    this.bend(shown, dt);
    this.batches.sort(this.stage.camera.position, this.regions.get(this.here)?.water ?? 20);
    for (const { texture } of this.textured) {
      const seconds = texture!.since === null ? phase : now - texture!.since;
      for (const slot of texture!.slots) slot.batch?.touch(slot, moved(slot.look, texture!.motion, seconds));
    }
  }

  /** What is drawn with a halo. */
  glows(): Iterable<InstancedMesh> {
    return this.batches.glows();
  }

  private stepThing(thing: Thing, now: number, dt: number, depth: number): void {
    const moving = thing.motion.step(now, dt);
    thing.moving = moving;
    const { position, rotation } = thing.motion;
    thing.frame.compose(position, rotation, this.one);
    const parent = thing.parent ? this.things.get(thing.parent) : undefined;
    if (parent) thing.frame.premultiply(parent.frame);
    const region = this.regions.get(thing.region);
    if (!region) return;
    if (thing.record) this.put(thing, thing.record, region, this.level(thing, thing.record, region, thing.level));
    // Links hang on their root; the depth is bounded whatever was sent.
    if (depth < 4) {
      for (const n of thing.children) {
        const child = this.things.get(n);
        if (child) this.stepThing(child, now, dt, depth + 1);
      }
    }
  }

  /** Show a prim where it is, at a level of detail. */
  private put(thing: Thing, record: ObjectRecord, region: Region, level: number): void {
    if (level !== thing.level) this.dress(thing, record, level);
    this.place.copy(thing.frame);
    this.place.elements[12] += region.group.position.x;
    this.place.elements[13] += region.group.position.y;
    if (thing.words) {
      thing.words.position.setFromMatrixPosition(this.place);
      thing.words.position.z += record.scale[2] / 2 + 0.15;
    }
    this.place.multiply(this.scale.makeScale(...record.scale));
    for (const slot of thing.slots ?? []) this.batches.move(slot, this.place);
  }

  /** The level of detail for how large a prim looks; `before`: the one it has, if it may keep it. */
  private level(thing: Thing, record: ObjectRecord, region: Region, before: number | undefined): number {
    this.spot.setFromMatrixPosition(thing.frame).add(region.group.position);
    const distance = Math.max(this.spot.distanceTo(this.stage.camera.position), 0.01);
    const pixels = (Math.max(...record.scale) / distance) * this.stage.pixels;
    return chooseLevel(pixels, this.forms.isRound(record), before, this.forms.ends(record));
  }

  /** Choose levels again: of some things each frame, or of all, whatever they had, for pictures that compare. */
  private refine(): void {
    const { steady } = this.stage;
    if (steady) this.round = this.things.values();
    for (let n = steady ? this.things.size : REFINED; n > 0; n--) {
      const { value: thing, done } = this.round.next();
      if (done) {
        this.round = this.things.values();
        return;
      }
      const region = this.regions.get(thing.region);
      if (!thing.record || thing.level === undefined || !region) continue;
      const level = this.level(thing, thing.record, region, steady ? undefined : thing.level);
      if (level !== thing.level) this.put(thing, thing.record, region, level);
    }
  }

  private stepFigure(thing: Thing, shown: number, dt: number): void {
    const region = this.regions.get(thing.region);
    if (!region) return;
    const root = thing.figure!.root;
    thing.frame.decompose(this.spot, this.quaternion, this.away);
    root.position.set(this.spot.x + region.group.position.x, this.spot.y + region.group.position.y, this.spot.z);
    const velocity = thing.motion.velocity;
    if (thing === this.me && !thing.parent) {
      // The own figure turns with the keys at once.
      const swing = this.yaw - root.rotation.z;
      root.rotation.set(0, 0, root.rotation.z + Math.atan2(Math.sin(swing), Math.cos(swing)) * (1 - Math.exp(-18 * dt)));
    } else root.quaternion.copy(this.quaternion);
    thing.figure!.ground(root.position.z - this.ground(root.position.x, root.position.y));
    if (thing === this.me) this.stood = thing.parent ? null : { place: root.position.clone(), turn: this.quaternion.clone() };
    const facing = this.away.set(1, 0, 0).applyQuaternion(root.quaternion);
    const forward = velocity.x * facing.x + velocity.y * facing.y;
    if (thing.own) root.visible = thing === this.me && !this.hidden;
    thing.figure!.step(shown, dt, Math.hypot(velocity.x, velocity.y), forward, thing.parent !== 0);
  }

  // -- picking --------------------------------------------------------------------------------------------------

  private ray = new Raycaster();

  /** The prim under a point of the screen (-1..1), within `reach` metres; null when land is before it. */
  pick(point: Vector2, reach = 100): Thing | null {
    this.ray.setFromCamera(point, this.stage.camera);
    this.ray.far = reach;
    const lands = [...this.regions.values()].flatMap((region) => region.group.children);
    const hit = this.ray.intersectObjects([...this.batches.meshes, ...lands], false)[0];
    const slot = hit?.object.userData.batch?.slots[hit.instanceId ?? -1] as Slot | undefined;
    return slot ? (this.things.get(slot.owner) ?? null) : null;
  }
}

/** Plants have colours of ours instead of faces of somebody's. */
function plantLook(pcode: number, species: number): (face: number) => FaceLook {
  const colors = plantColors(pcode, species);
  return (face) => ({ ...PLAIN, texture: BLANK, color: [...colors[face % colors.length], 1] });
}
