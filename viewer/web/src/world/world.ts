import { Matrix3, Matrix4, Quaternion, Raycaster, Vector3, type InstancedMesh, type Intersection, type Vector2 } from "three";
import type { Land, MotionRecord, ObjectRecord } from "../net/frames";
import type { Animations, AvatarTold, Here, RegionTold } from "../net/messages";
import { Figure } from "../scene/avatars";
import type { Slot } from "../scene/batches";
import type { Stage } from "../scene/stage";
import { drop, fit, tag } from "../scene/tags";
import { Textures } from "../scene/textures";
import { Dresser } from "./dresser";
import { Lands } from "./lands";
import { Motion } from "./motion";
import { key, type Region, type Thing } from "./thing";

export type { Region, Thing } from "./thing";

/** A spot on something, in a region. */
export interface Surface {
  region: Region;
  position: Vector3;
  normal: Vector3;
}

/** Everything the gateway has told of, as it stands in the scene. */
export class World {
  readonly things = new Map<number, Thing>();
  readonly textures: Textures;
  readonly lands: Lands;
  readonly dresser: Dresser;
  agent = "";
  me: Thing | null = null;
  /** Where the own avatar faces by its keys, which are ahead of the region's news. */
  yaw = 0;
  /** Whether the own avatar is left out of the picture. */
  hidden = false;
  private stood: { place: Vector3; turn: Quaternion } | null = null; // where the own figure was drawn last; null: on a seat
  private early = new Map<number, MotionRecord>();
  private animations = new Map<string, Set<string>>();
  private spot = new Vector3();
  private quaternion = new Quaternion();
  private one = new Vector3(1, 1, 1);
  private away = new Vector3();

  constructor(private stage: Stage) {
    this.textures = new Textures(stage.software ? 1 : Math.min(4, stage.renderer.capabilities.getMaxAnisotropy()));
    this.lands = new Lands(stage, this.textures);
    this.dresser = new Dresser(stage, this.textures, this.things, this.lands.regions);
  }

  /** The regions in view, by their corners. */
  get regions(): Map<string, Region> {
    return this.lands.regions;
  }

  /** The region one stands in, by its corner. */
  get here(): string {
    return this.lands.here;
  }

  /** Forget all: the gateway is about to tell it again. */
  clear(): void {
    for (const n of [...this.things.keys()]) this.gone(n);
    this.lands.clear();
    this.early.clear();
    this.animations.clear();
    this.me = this.stood = null;
  }

  // -- regions --------------------------------------------------------------------------------------------------

  region(told: RegionTold): void {
    this.lands.region(told);
  }

  regionGone(at: [number, number]): void {
    this.lands.gone(at);
  }

  land(land: Land): void {
    this.lands.land(land);
  }

  hereIs(told: Here): void {
    const before = this.here;
    if (this.lands.stand(told)) for (const thing of this.things.values()) thing.moving = true;
    if (before !== this.here) this.chooseMe();
  }

  /** Height of the land (or the water above it) at scene coordinates. */
  ground = (x: number, y: number): number => this.lands.ground(x, y);

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

  private undress(thing: Thing): void {
    this.dresser.undress(thing);
    drop(thing.words ?? null);
    thing.words = null;
  }

  avatar(told: AvatarTold): void {
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

  animate(told: Animations): void {
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
    this.dresser.step(now, shown, dt, phase, this.regions.get(this.here)?.water ?? 20);
  }

  /** What is drawn with a halo. */
  glows(): Iterable<InstancedMesh> {
    return this.dresser.glows();
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
    if (thing.record) this.dresser.put(thing, thing.record, region);
    // Links hang on their root; the depth is bounded whatever was sent.
    if (depth < 4) {
      for (const n of thing.children) {
        const child = this.things.get(n);
        if (child) this.stepThing(child, now, dt, depth + 1);
      }
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

  /** Somebody's figure, if it is in view. */
  figureOf(id: string): Figure | null {
    for (const thing of this.things.values()) if (thing.id === id && thing.figure?.root.visible) return thing.figure;
    return null;
  }

  /** How the unit cube of a prim stands in the scene, into `place`; false for what has no place yet. */
  placeOf(thing: Thing, place: Matrix4): boolean {
    const region = this.regions.get(thing.region);
    if (!region || !thing.record) return false;
    const [x, y, z] = thing.record.scale;
    place.copy(thing.frame).scale(this.away.set(x, y, z));
    place.elements[12] += region.group.position.x;
    place.elements[13] += region.group.position.y;
    return true;
  }

  // -- picking --------------------------------------------------------------------------------------------------

  private ray = new Raycaster();

  /** The prim under a point of the screen (-1..1), within `reach` metres; null when land is before it. */
  pick(point: Vector2, reach = 100): Thing | null {
    return this.owner(this.cast(point, reach));
  }

  private owner(hit: Intersection | undefined): Thing | null {
    const slot = hit?.object.userData.batch?.slots[hit.instanceId ?? -1] as Slot | undefined;
    return slot ? (this.things.get(slot.owner) ?? null) : null;
  }

  /** The person or prim under a point of the screen; the own figure is looked through. */
  point(point: Vector2, reach = 100): Thing | null {
    const first = this.cast(point, reach);
    let [found, nearest] = [this.owner(first), first?.distance ?? reach];
    for (const each of this.things.values()) {
      if (!each.figure || each === this.me || !each.figure.root.visible) continue;
      const hit = this.ray.intersectObject(each.figure.root, true)[0];
      if (hit && hit.distance < nearest) [found, nearest] = [each, hit.distance];
    }
    return found;
  }

  /** Where a point of the screen meets a prim or the land: metres in that region, and which way the surface faces. */
  surface(point: Vector2, reach = 64): Surface | null {
    const hit = this.cast(point, reach);
    const region = hit && [...this.regions.values()].find(({ group: { position: corner } }) => {
      const [x, y] = [hit.point.x - corner.x, hit.point.y - corner.y];
      return x >= 0 && y >= 0 && x < 256 && y < 256;
    });
    if (!hit?.face || !region) return null;
    const place = new Matrix4().copy(hit.object.matrixWorld);
    const instance = hit.object as InstancedMesh;
    if (instance.isInstancedMesh) instance.getMatrixAt(hit.instanceId!, place);
    const normal = hit.face.normal.clone().applyNormalMatrix(new Matrix3().getNormalMatrix(place));
    return { region, position: hit.point.clone().sub(region.group.position), normal };
  }

  /** What is hit first of prims and lands. */
  private cast(point: Vector2, reach: number): Intersection | undefined {
    this.ray.setFromCamera(point, this.stage.camera);
    this.ray.far = reach;
    const lands = [...this.regions.values()].flatMap((region) => region.group.children);
    return this.ray.intersectObjects([...this.dresser.batches.meshes, ...lands], false)[0];
  }
}
