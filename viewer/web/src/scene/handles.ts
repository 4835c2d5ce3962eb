import { Object3D, type Camera, type Quaternion, type Scene, type Vector3 } from "three";
import { TransformControls } from "three/examples/jsm/controls/TransformControls.js";

/** What the handles do. */
export type Way = "move" | "turn" | "stretch";
const MODES = { move: "translate", turn: "rotate", stretch: "scale" } as const;
const [STEP, ANGLE, SHARE] = [0.25, Math.PI / 12, 0.1]; // of a grid: metres, radians, of the size

/** Arrows, rings and cubes on a thing that is built, for mouse and finger. */
export class Handles {
  /** What is dragged; its scale is a factor of the thing's size. */
  readonly grip = new Object3D();
  way: Way = "move";
  dragging = false;
  private controls: TransformControls;

  /** `dragged` is called while it goes on (`done` false) and at its end; `begun` before it. */
  constructor(scene: Scene, camera: Camera, canvas: HTMLCanvasElement, begun: () => void, dragged: (done: boolean) => void) {
    this.controls = new TransformControls(camera, canvas);
    this.controls.setSize(0.8);
    scene.add(this.grip, this.controls.getHelper());
    this.controls.addEventListener("dragging-changed", ({ value }) => {
      this.dragging = value === true;
      if (this.dragging) begun();
      else dragged(true);
    });
    this.controls.addEventListener("objectChange", () => dragged(false));
    this.controls.enabled = false;
  }

  /** Whether the pointer is on a handle: what it does now is for the handle alone. */
  get held(): boolean {
    return this.dragging || (this.controls.enabled && this.controls.axis !== null);
  }

  /** Be on a thing that stands so in the scene. */
  show(position: Vector3, rotation: Quaternion): void {
    if (this.dragging) return;
    this.grip.position.copy(position);
    this.grip.quaternion.copy(rotation);
    this.grip.scale.set(1, 1, 1);
    if (!this.controls.enabled) {
      this.controls.enabled = true;
      this.controls.attach(this.grip);
      this.controls.getHelper().updateMatrixWorld(true); // where they were before, nothing is to be grasped
    }
  }

  hide(): void {
    if (!this.controls.enabled) return;
    this.controls.enabled = this.dragging = false;
    this.controls.detach();
  }

  use(way: Way): void {
    this.way = way;
    this.controls.setMode(MODES[way]);
    this.controls.setSpace(way === "move" ? "world" : "local");
  }

  snap(on: boolean): void {
    this.controls.setTranslationSnap(on ? STEP : null);
    this.controls.setRotationSnap(on ? ANGLE : null);
    this.controls.setScaleSnap(on ? SHARE : null);
  }
}
