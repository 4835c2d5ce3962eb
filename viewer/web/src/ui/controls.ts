import { Vector2 } from "three";
import type { FollowCamera } from "../scene/camera";
import { texts } from "../texts";
import { h } from "./dom";

const AHEAD = 0x1 | 0x400;
const BACK = 0x2 | 0x400;
const LEFT = 0x4 | 0x800;
const RIGHT = 0x8 | 0x800;
const UP = 0x10;
const DOWN = 0x20;
const TURN = 2.3; // radians a second
const GAP = 0.05; // seconds between two changes told

export interface Walker {
  keys(flags: number, yaw: number): void;
  act(what: "fly" | "run" | "map" | "figures" | "help" | "chat" | "people" | "build"): void;
  /** Whether something else has the pointer now. */
  busy(): boolean;
  /** A key that is none of ours; whether somebody took it. */
  key(code: string): boolean;
  click(at: Vector2, shift: boolean): void;
}

/** Keyboard, mouse, touch and gamepad into the protocol's control flags and a heading. */
export class Controls {
  yaw = 0;
  flags = 0;
  readonly stick = h("div", { class: "stick", role: "img", "aria-label": texts.stick }, h("i"));
  private down = new Set<string>();
  private pushed = new Vector2();
  private told = -1;
  private toldYaw = 0;
  private toldAt = 0;

  constructor(
    canvas: HTMLCanvasElement,
    private camera: FollowCamera,
    private walker: Walker,
  ) {
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("keyup", (event) => this.down.delete(event.code));
    addEventListener("blur", () => this.down.clear());
    this.mouse(canvas);
    this.thumb();
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = target.tagName === "BUTTON" || target.closest("dialog") !== null;
    if (onButton && /^(Space|Enter|Tab|Escape)$/.test(event.code)) return;
    const act = ({ KeyF: "fly", KeyR: "run", KeyM: "map", KeyI: "figures", KeyH: "help", KeyP: "people", KeyB: "build", Enter: "chat" } as const)[event.code as "KeyF"];
    if (act) {
      event.preventDefault();
      if (!event.repeat) this.walker.act(act);
    } else if (/^Shift/.test(event.code)) this.down.add(event.code);
    else if (/^(Arrow|Key[WASDEC]$|Space|Page)/.test(event.code)) {
      event.preventDefault();
      this.down.add(event.code);
    } else if (this.walker.key(event.code)) event.preventDefault();
  }

  private mouse(canvas: HTMLCanvasElement): void {
    const fingers = new Map<number, [number, number]>();
    let moved = 0;
    canvas.onpointerdown = (event) => {
      if (this.walker.busy()) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      moved = 0;
      (document.activeElement as HTMLElement | null)?.blur();
      canvas.focus({ preventScroll: true });
    };
    canvas.onpointermove = (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)![1];
        const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
        const after = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
        if (before > 0 && after > 0) this.camera.zoom(Math.log(before / after));
      } else if (event.buttons & 2) {
        this.yaw -= dx * 0.0055;
        this.camera.drag(0, dy);
      } else this.camera.drag(dx, dy);
      moved += Math.abs(dx) + Math.abs(dy);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    };
    canvas.onpointerup = (event) => {
      if (!fingers.delete(event.pointerId)) return;
      if (moved < 5 && event.button === 0) {
        const at = new Vector2((event.clientX / innerWidth) * 2 - 1, 1 - (event.clientY / innerHeight) * 2);
        this.walker.click(at, event.shiftKey);
      }
    };
    canvas.onpointercancel = (event) => fingers.delete(event.pointerId);
    canvas.oncontextmenu = (event) => event.preventDefault();
    canvas.addEventListener("wheel", (event) => this.camera.zoom(Math.sign(event.deltaY) * 0.14), { passive: true });
  }

  /** The thumb stick on touch screens. */
  private thumb(): void {
    const knob = this.stick.firstElementChild as HTMLElement;
    const move = (event: PointerEvent) => {
      const box = this.stick.getBoundingClientRect();
      this.pushed.set(event.clientX - box.x - box.width / 2, box.y + box.height / 2 - event.clientY).divideScalar(box.width / 2);
      if (this.pushed.length() > 1) this.pushed.normalize();
      knob.style.transform = `translate(${this.pushed.x * 34}px, ${-this.pushed.y * 34}px)`;
    };
    const end = () => {
      this.pushed.set(0, 0);
      knob.style.transform = "";
    };
    this.stick.onpointerdown = (event) => {
      this.stick.setPointerCapture(event.pointerId);
      move(event);
    };
    this.stick.onpointermove = (event) => {
      if (event.buttons) move(event);
    };
    this.stick.onpointerup = this.stick.onpointercancel = end;
  }

  private gamepad(): [number, number, number] {
    const pad = navigator.getGamepads?.().find((one) => one?.mapping === "standard");
    if (!pad) return [0, 0, 0];
    const dead = (v: number) => (Math.abs(v) < 0.2 ? 0 : v);
    this.camera.drag(dead(pad.axes[2]) * 6, dead(pad.axes[3]) * 5);
    const up = (pad.buttons[0]?.pressed ? 1 : 0) - (pad.buttons[1]?.pressed ? 1 : 0);
    return [dead(pad.axes[0]), -dead(pad.axes[1]), up];
  }

  /** Read the keys; tell the region when they changed. */
  step(now: number, dt: number): void {
    const held = (...codes: string[]) => codes.some((code) => this.down.has(code));
    const [padX, padY, padUp] = this.gamepad();
    const shift = held("ShiftLeft", "ShiftRight");
    let ahead = (held("KeyW", "ArrowUp") ? 1 : 0) - (held("KeyS", "ArrowDown") ? 1 : 0) + this.pushed.y + padY;
    const side = (held("KeyD", "ArrowRight") ? 1 : 0) - (held("KeyA", "ArrowLeft") ? 1 : 0);
    let step = 0;
    if (shift) step = side;
    else this.yaw -= (side + this.pushed.x * 0.8 + padX * 0.9) * TURN * dt;
    if (Math.abs(ahead) < 0.3) ahead = 0;
    const up = (held("Space", "KeyE", "PageUp") ? 1 : 0) - (held("KeyC", "PageDown") ? 1 : 0) + padUp;
    this.flags =
      (ahead > 0 ? AHEAD : ahead < 0 ? BACK : 0) | (step < 0 ? LEFT : step > 0 ? RIGHT : 0) | (up > 0 ? UP : up < 0 ? DOWN : 0);
    const changed = this.flags !== this.told;
    if (changed || (Math.abs(this.yaw - this.toldYaw) > 0.01 && now - this.toldAt > GAP)) {
      this.told = this.flags;
      this.toldYaw = this.yaw;
      this.toldAt = now;
      this.walker.keys(this.flags, this.yaw);
    }
  }

  /** The gateway forgot what is held (a new connection): tell it again. */
  again(): void {
    this.told = -1;
  }
}
