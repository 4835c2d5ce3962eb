import { Vector3, type PerspectiveCamera } from "three";

/** Follows the own avatar from behind, orbits by dragging, keeps above the ground. */
export class FollowCamera {
  readonly focus = new Vector3();
  distance = 4.2;
  /** Angles away from behind the avatar, and up. */
  around = 0;
  pitch = 0.22;
  private shownYaw = 0;
  private first = true;
  private shownDistance = 4.2;

  constructor(private camera: PerspectiveCamera) {}

  drag(dx: number, dy: number): void {
    this.around -= dx * 0.0055;
    this.pitch = Math.min(1.45, Math.max(-1.0, this.pitch + dy * 0.0045));
  }

  zoom(amount: number): void {
    this.distance = Math.min(60, Math.max(0.6, this.distance * Math.exp(amount)));
  }

  /** Be there at once at the next step, instead of easing. */
  arrive(): void {
    this.first = true;
    this.shownDistance = this.distance;
  }

  /** `yaw` is where the avatar faces; `ground` tells the land's height at scene coordinates. */
  step(target: Vector3, yaw: number, walking: boolean, ground: (x: number, y: number) => number, dt: number): void {
    if (walking) this.around *= Math.exp(-2.5 * dt); // back behind the walker
    const turn = Math.atan2(Math.sin(yaw - this.shownYaw), Math.cos(yaw - this.shownYaw));
    this.shownYaw = this.first ? yaw : this.shownYaw + turn * (1 - Math.exp(-9 * dt));
    this.shownDistance += (this.distance - this.shownDistance) * (1 - Math.exp(-10 * dt));
    const eyes = target.clone();
    eyes.z += 0.72;
    const far = this.focus.distanceTo(eyes) > 20;
    if (this.first || far) this.focus.copy(eyes);
    else this.focus.lerp(eyes, 1 - Math.exp(-16 * dt));
    this.first = false;
    const angle = this.shownYaw + Math.PI + this.around;
    const flat = Math.cos(this.pitch) * this.shownDistance;
    const at = this.camera.position;
    at.set(
      this.focus.x + Math.cos(angle) * flat,
      this.focus.y + Math.sin(angle) * flat,
      this.focus.z + Math.sin(this.pitch) * this.shownDistance,
    );
    at.z = Math.max(at.z, ground(at.x, at.y) + 0.35);
    this.camera.lookAt(this.focus);
  }
}
