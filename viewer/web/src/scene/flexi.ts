/**
 * Prims that bend: a spine of a few joints from the bottom of the prim to its top, simulated here and in every viewer for
 * itself; the region tells only how soft it is. The bottom stays where the prim is; each section is drawn towards the
 * direction of the one below it (tension), falls (gravity, metres a second squared, down), is pushed (force, and a breeze as
 * strong as wind says) and slowed by the air (drag). So it hangs, and trails behind when the prim moves.
 *
 *     byte 0: softness bit 1 | tension x 10     byte 1: softness bit 0 | drag x 10     byte 2: (gravity + 10) x 10
 *     byte 3: wind x 10                         bytes 4 to 15: force, 3 f32            (ExtraParams 0x10)
 */
import { Quaternion, Vector3, type BufferAttribute, type BufferGeometry, type Matrix4 } from "three";

export interface Flexibility {
  sections: number; // 1, 2, 4 or 8
  tension: number;
  drag: number;
  gravity: number;
  wind: number;
  force: Vector3;
}

/** Prims bent at a time; further ones are drawn straight. */
export const MOST_BENT = 100;
const STEP = 1 / 60; // seconds
const MOST_STEPS = 12; // a frame
const AT_FIRST = 480; // steps before it is shown: it has hung there for a while
const STIFFNESS = 4; // per second squared, for each of tension
const SHARPEST = Math.cos(Math.PI / 3); // no section turns farther from the one below it
const RECOIL = 0.9;
const FAR = 8; // metres the prim may move at once; more is a jump, with which the spine goes
const STILL = 1e-4; // metres a step...
const QUIET = 20; // ...for so many of them: a swing stands still for a moment where it turns

/** What is said of a prim that bends; null for one that does not. */
export function flexibility(data: Uint8Array | null | undefined): Flexibility | null {
  if (data?.length !== 16) return null;
  const view = new DataView(data.buffer, data.byteOffset, 16);
  const [first, second] = [view.getUint8(0), view.getUint8(1)];
  const part = (at: number) => Math.min(Math.max(view.getFloat32(at, true) || 0, -10), 10);
  return {
    sections: 2 ** (((first & 0x80) >> 6) | (second >> 7)),
    tension: (first & 0x7f) / 10,
    drag: (second & 0x7f) / 10,
    gravity: Math.min(view.getUint8(2) / 10 - 10, 10),
    wind: Math.min(view.getUint8(3) / 10, 10),
    force: new Vector3(part(4), part(8), part(12)),
  };
}

const UP = new Vector3(0, 0, 1);

/** The joints of one prim, in metres of its region. */
export class Spine {
  readonly joints: Vector3[] = [];
  private before: Vector3[] = [];
  private place = new Vector3();
  private turn = new Quaternion();
  private turnBefore = new Quaternion();
  private size = new Vector3();
  private base = new Vector3();
  private goal = new Vector3(); // where the base is at the end of this frame
  private goalAxis = new Vector3();
  private axis = new Vector3();
  private push = new Vector3();
  private aim = new Vector3();
  private along = new Vector3();
  private moved = new Vector3();
  private left = 0; // seconds not simulated yet
  private quiet = 0; // steps

  constructor(private how: Flexibility) {}

  /** Go on by `dt` seconds, the prim of that length being where `frame` says; whether anything moved. `time` for the breeze. */
  step(frame: Matrix4, length: number, dt: number, time: number): boolean {
    this.turnBefore.copy(this.turn);
    frame.decompose(this.place, this.turn, this.size);
    const { how, joints, before, base, axis } = this;
    const section = length / how.sections;
    this.goalAxis.copy(UP).applyQuaternion(this.turn);
    this.goal.copy(this.place).addScaledVector(this.goalAxis, -length / 2);
    let steps: number;
    if (!joints.length) {
      base.copy(this.goal);
      axis.copy(this.goalAxis);
      for (let n = 0; n <= how.sections; n++) joints.push(base.clone().addScaledVector(axis, n * section));
      before.push(...joints.map((joint) => joint.clone()));
      steps = AT_FIRST;
    } else {
      const way = this.moved.subVectors(this.goal, base);
      if (way.length() > FAR) for (const joint of [...joints, ...before, base]) joint.add(way);
      this.left += dt;
      steps = Math.min(Math.floor(this.left / STEP), MOST_STEPS);
      this.left = Math.min(this.left - steps * STEP, STEP);
      if (this.resting && how.wind === 0 && base.equals(this.goal) && this.turn.equals(this.turnBefore)) return false;
    }
    const keep = Math.exp(-(0.5 + how.drag) * STEP);
    for (; steps > 0; steps--) {
      this.breeze(time);
      // On the way there, not there at once: however rare frames are, nothing is flung.
      base.lerp(this.goal, 1 / steps);
      axis.lerp(this.goalAxis, 1 / steps).normalize();
      joints[0].copy(base);
      let fastest = 0;
      for (let n = 1; n <= how.sections; n++) {
        const [below, joint, old] = [joints[n - 1], joints[n], before[n]];
        if (n === 1) this.along.copy(axis);
        else this.along.subVectors(below, joints[n - 2]).normalize();
        this.moved.subVectors(joint, old).multiplyScalar(keep).addScaledVector(this.push, STEP * STEP);
        this.aim.copy(below).addScaledVector(this.along, section).sub(joint);
        old.copy(joint);
        joint.add(this.moved).addScaledVector(this.aim, how.tension * STIFFNESS * STEP * STEP);
        this.aim.copy(joint);
        this.straighten(joint, below, section);
        // What holds a joint pulls back the one below it, or the end would go on cracking like a whip.
        if (n > 1) before[n - 1].addScaledVector(this.aim.subVectors(joint, this.aim), RECOIL);
        fastest = Math.max(fastest, joint.distanceToSquared(old));
      }
      this.quiet = fastest < STILL * STILL ? this.quiet + 1 : 0;
    }
    return true;
  }

  /** Whether it moves no more, as long as the prim does not. */
  get resting(): boolean {
    return this.quiet >= QUIET;
  }

  private breeze(time: number): void {
    const { how, push } = this;
    push.copy(how.force);
    push.z -= how.gravity;
    push.x += how.wind * 0.4 * (Math.sin(time * 0.9) + 0.5 * Math.sin(time * 2.3));
    push.y += how.wind * 0.4 * (Math.cos(time * 0.7) + 0.5 * Math.sin(time * 3.1));
  }

  /** Keep a joint at its section's length from the one below, and within reach of a bend. */
  private straighten(joint: Vector3, below: Vector3, section: number): void {
    const way = this.moved.subVectors(joint, below);
    const length = way.length();
    if (length < 1e-9) way.copy(this.along);
    else way.divideScalar(length);
    const straight = way.dot(this.along);
    if (straight < SHARPEST) {
      way.addScaledVector(this.along, -straight); // what leads aside
      if (way.lengthSq() < 1e-12) way.set(this.along.y + 0.1, this.along.z, this.along.x).addScaledVector(this.along, -way.dot(this.along));
      way.setLength(Math.sqrt(1 - SHARPEST * SHARPEST)).addScaledVector(this.along, SHARPEST);
    }
    joint.copy(below).addScaledVector(way, section);
  }

  /** The joints as seen from the prim: metres from its middle, turned as it is. The bottom is where it is drawn. */
  local(): Vector3[] {
    const back = this.turn.clone().invert();
    return this.joints.map((joint, n) => (n ? joint.clone() : this.goal.clone()).sub(this.place).applyQuaternion(back));
  }
}

/** Bend what was swept along a straight path (`rest`, in the unit cube) along joints in metres; written into `shown`. */
export function bend(rest: BufferGeometry, shown: BufferGeometry, joints: Vector3[], scale: Vector3): void {
  const sections = joints.length - 1;
  const section = scale.z / sections;
  const way = joints.slice(1).map((joint, n) => joint.clone().sub(joints[n]).normalize());
  const slopes = joints.map((_, n) => (n === 0 ? UP.clone() : n === sections ? way[n - 1].clone() : way[n - 1].clone().add(way[n]).normalize()));
  const turns = [new Quaternion()];
  for (let n = 1; n <= sections; n++) {
    turns.push(new Quaternion().setFromUnitVectors(slopes[n - 1], slopes[n]).multiply(turns[n - 1]));
  }
  const [from, fromNormal] = [rest.attributes.position, rest.attributes.normal] as BufferAttribute[];
  const [to, toNormal] = [shown.attributes.position, shown.attributes.normal] as BufferAttribute[];
  const [spot, normal, middle, turn] = [new Vector3(), new Vector3(), new Vector3(), new Quaternion()];
  for (let i = 0; i < from.count; i++) {
    spot.fromBufferAttribute(from, i);
    const at = Math.min(Math.max((spot.z + 0.5) * sections, 0), sections);
    const n = Math.min(Math.floor(at), sections - 1);
    const t = at - n;
    const [t2, t3] = [t * t, t * t * t];
    middle.set(0, 0, 0);
    middle.addScaledVector(joints[n], 2 * t3 - 3 * t2 + 1).addScaledVector(joints[n + 1], 3 * t2 - 2 * t3);
    middle.addScaledVector(slopes[n], (t3 - 2 * t2 + t) * section).addScaledVector(slopes[n + 1], (t3 - t2) * section);
    turn.slerpQuaternions(turns[n], turns[n + 1], t);
    spot.set(spot.x * scale.x, spot.y * scale.y, 0).applyQuaternion(turn).add(middle).divide(scale);
    // Instances turn normals by the inverse of their scale.
    normal.fromBufferAttribute(fromNormal, i).divide(scale).normalize().applyQuaternion(turn).multiply(scale);
    to.setXYZ(i, spot.x, spot.y, spot.z);
    toNormal.setXYZ(i, normal.x, normal.y, normal.z);
  }
  to.needsUpdate = toNormal.needsUpdate = true;
}
