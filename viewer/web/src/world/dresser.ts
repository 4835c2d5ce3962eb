import { Matrix4, Vector3, type InstancedMesh } from "three";
import type { ObjectRecord } from "../net/frames";
import { Batches } from "../scene/batches";
import { bend, flexibility, MOST_BENT, Spine } from "../scene/flexi";
import { Form, Forms, smooth } from "../scene/forms";
import { chooseLevel, FAR, SEGMENTS, UNSEEN } from "../scene/levels";
import { looks, PLAIN, type FaceLook } from "../scene/look";
import { loops, moved, textureMotion } from "../scene/moving";
import { plantColors } from "../scene/plants";
import type { Stage } from "../scene/stage";
import { isLine, tessellate } from "../scene/tessellate";
import { BLANK, type Textures, TRANSPARENT } from "../scene/textures";
import { PRIM, type Region, type Thing } from "./thing";

const REFINED = 400; // things a frame whose level of detail is chosen again

/** Gives prims their faces: as fine as they look large, bent as they hang, with textures that move. */
export class Dresser {
  readonly batches: Batches;
  readonly forms = new Forms();
  readonly bending = new Set<Thing>();
  private textured = new Set<Thing>();
  private round: Iterator<Thing>;
  private scale = new Matrix4();
  private place = new Matrix4();
  private spot = new Vector3();
  private size = new Vector3();

  constructor(
    private stage: Stage,
    textures: Textures,
    private things: Map<number, Thing>,
    private regions: Map<string, Region>,
  ) {
    this.batches = new Batches(stage.scene, textures);
    this.round = things.values();
  }

  /** Of every frame: levels chosen again, what bends swings, textures move; `water` is its height where one stands. */
  step(now: number, shown: number, dt: number, phase: number, water: number): void {
    this.refine();
    this.bend(shown, dt);
    this.batches.sort(this.stage.camera.position, water);
    for (const { texture } of this.textured) {
      const seconds = texture!.since === null ? phase : now - texture!.since;
      for (const slot of texture!.slots) slot.batch?.touch(slot, moved(slot.look, texture!.motion, seconds));
    }
  }

  /** What is drawn with a halo. */
  glows(): Iterable<InstancedMesh> {
    return this.batches.glows();
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

  /** Take its faces away. */
  undress(thing: Thing): void {
    this.textured.delete(thing);
    this.bending.delete(thing);
    for (const slot of thing.slots ?? []) this.batches.remove(slot);
    thing.slots = thing.texture = thing.level = undefined;
  }

  /** Show a prim where it is, at the level of detail it should have or at the given one. */
  put(thing: Thing, record: ObjectRecord, region: Region, level = this.level(thing, record, region, thing.level)): void {
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
}

/** Plants have colours of ours instead of faces of somebody's. */
function plantLook(pcode: number, species: number): (face: number) => FaceLook {
  const colors = plantColors(pcode, species);
  return (face) => ({ ...PLAIN, texture: BLANK, color: [...colors[face % colors.length], 1] });
}
