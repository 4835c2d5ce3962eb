import { Quaternion, Vector3 } from "three";
import type { MotionRecord } from "../net/frames";

const BELIEF = 3; // seconds a motion is carried on without news, as viewers do
const EASE = 9; // a correction is smoothed away with this rate, per second
const FAR = 8; // metres: what is farther off was no correction but a teleport

/**
 * Where a thing is between two updates: last position + velocity + half the acceleration, spin likewise. When news
 * differ from what was shown, the difference fades instead of jumping.
 */
export class Motion {
  readonly position = new Vector3();
  readonly rotation = new Quaternion();
  readonly velocity = new Vector3();
  private base = new Vector3();
  private baseRotation = new Quaternion();
  private acceleration = new Vector3();
  private spin = new Vector3();
  private spinRate = 0;
  private offset = new Vector3();
  private at = 0;
  private known = false;
  private settled = false;
  private turn = new Quaternion();

  take(record: MotionRecord, now: number, smooth: boolean): void {
    const shown = this.known ? this.position.clone() : null;
    this.base.set(...record.position);
    this.velocity.set(...record.velocity);
    this.acceleration.set(...record.acceleration);
    this.baseRotation.set(...record.rotation).normalize();
    this.spin.set(...record.spin);
    this.spinRate = this.spin.length();
    if (this.spinRate > 0) this.spin.divideScalar(this.spinRate);
    this.at = now;
    this.offset.set(0, 0, 0);
    if (shown && smooth) {
      this.offset.subVectors(shown, this.base);
      if (this.offset.length() > FAR) this.offset.set(0, 0, 0);
    }
    this.settled = false;
    this.known = true;
    if (!shown) this.rotation.copy(this.baseRotation);
  }

  /** Go on from where something else was shown, which this is from now on; the difference fades as any correction. */
  follow(place: Vector3, turn: Quaternion, now: number): void {
    if (this.known) {
      this.settled = false;
      this.step(now, 0);
      this.offset.add(place).sub(this.position);
      if (this.offset.length() > FAR) {
        this.offset.set(0, 0, 0);
        return;
      }
    } else {
      this.base.copy(place);
      this.baseRotation.copy(turn);
      this.known = true;
    }
    this.position.copy(place);
    this.rotation.copy(turn);
  }

  /** Bring position and rotation to `now` (seconds); false when nothing moves any more. */
  step(now: number, dt: number): boolean {
    if (this.settled) return false;
    const t = Math.min(Math.max(now - this.at, 0), BELIEF);
    this.offset.multiplyScalar(Math.exp(-EASE * dt));
    this.position
      .copy(this.base)
      .addScaledVector(this.velocity, t)
      .addScaledVector(this.acceleration, 0.5 * t * t)
      .add(this.offset);
    this.turn.copy(this.baseRotation);
    if (this.spinRate > 0) {
      this.turn.setFromAxisAngle(this.spin, this.spinRate * t).multiply(this.baseRotation);
      this.rotation.copy(this.turn);
    } else {
      this.rotation.slerp(this.turn, 1 - Math.exp(-14 * dt));
    }
    const still = this.velocity.lengthSq() === 0 && this.acceleration.lengthSq() === 0 && this.spinRate === 0;
    if (still && this.offset.lengthSq() < 1e-6 && Math.abs(this.rotation.dot(this.turn)) > 0.999999) {
      this.position.copy(this.base);
      this.rotation.copy(this.turn);
      this.settled = true;
    }
    return true;
  }
}
