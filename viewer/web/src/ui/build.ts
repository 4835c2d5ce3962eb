import { Euler, Matrix4, Quaternion, Vector3, type Vector2 } from "three";
import type { AboutTold, Make } from "../net/messages";
import { CAN_CHANGE, CAN_MOVE } from "../net/records";
import type { Send } from "../net/socket";
import { Handles } from "../scene/handles";
import { Highlight } from "../scene/highlight";
import type { Stage } from "../scene/stage";
import { texts } from "../texts";
import type { Thing, World } from "../world/world";
import { h } from "./dom";
import { type Changes, Sheet } from "./sheet";

const t = texts.build;
type Form = Make["form"];
type Three = [number, number, number];
const FORMS = Object.keys(t.forms) as Form[];
const NEW: Three = [0.5, 0.5, 0.5]; // metres
const GAP = 0.1; // seconds between two edits told while something is dragged
const MOST_UNDONE = 50;
const [LEAST, MOST] = [0.01, 64]; // metres of a prim

/** How a thing stands: metres in its region, x y z w, metres. */
interface Pose {
  position: Three;
  rotation: [number, number, number, number];
  size: Three;
}

/** Building: a palette, the things chosen, handles on them and a sheet of their numbers. */
export class Build {
  readonly root = h("section", { class: "build card", "aria-label": t.heading, hidden: true });
  private handles: Handles;
  private palette = new Map<Form, HTMLButtonElement>();
  private form: Form | null = null;
  private chosen: Thing[] = [];
  private marks: Highlight[] = [];
  private sheet: Sheet;
  private before: Pose | null = null;
  private toldAt = 0;
  private made: number | null = null; // a thing of ours that is not shown yet
  private done: { n: number; before: Pose; after: Pose }[] = [];
  private undone: { n: number; before: Pose; after: Pose }[] = [];
  private place = new Matrix4();
  private spot = new Vector3();
  private turn = new Quaternion();
  private away = new Vector3();

  constructor(
    canvas: HTMLCanvasElement,
    private stage: Stage,
    private world: World,
    private send: Send,
    private say: (words: string) => void,
    private back: () => void,
  ) {
    this.handles = new Handles(stage.scene, stage.camera, canvas, () => (this.before = this.poseOf(this.chosen[0])), (done) => this.dragged(done));
    const forms = FORMS.map((form) => {
      const button = h("button", { type: "button", "aria-pressed": "false" }, t.forms[form]);
      button.onclick = () => this.arm(this.form === form ? null : form);
      this.palette.set(form, button);
      return button;
    });
    this.sheet = new Sheet((changes) => this.change(changes), {
      use: (way) => this.handles.use(way),
      snap: (on) => this.handles.snap(on),
      copy: () => this.copy(),
      join: () => this.send("join", { ns: this.numbers() }),
      part: () => this.send("part", { n: this.chosen[0].n }),
      discard: () => this.discard(),
      undo: () => this.again(this.done, this.undone, "before"),
      redo: () => this.again(this.undone, this.done, "after"),
    });
    const close = h("button", { type: "button" }, texts.map.close);
    close.onclick = () => this.toggle();
    this.root.append(h("h2", {}, t.heading), h("div", { class: "forms", role: "group", "aria-label": t.palette }, ...forms), this.sheet.root, close);
    this.root.onkeydown = (event) => {
      if (event.key === "Escape") this.toggle();
    };
  }

  get on(): boolean {
    return !this.root.hidden;
  }

  /** Whether the pointer is on a handle, so that nothing else heeds it. */
  get held(): boolean {
    return this.on && this.handles.held;
  }

  toggle(): void {
    this.root.hidden = !this.root.hidden;
    if (this.root.hidden) {
      this.arm(null);
      this.choose([]);
      this.back();
    } else this.write();
  }

  clear(): void {
    this.choose([]);
    this.done = [];
    this.undone = [];
    this.made = null;
  }

  /** A click into the world; false when it is not for building. */
  click(at: Vector2, shift: boolean): boolean {
    if (!this.on || this.held) return this.on;
    if (this.form) this.make(this.form, at);
    else this.pick(this.world.pick(at), shift);
    return true;
  }

  /** Choose a thing, or none; with `more` beside those chosen already. */
  pick(found: Thing | null, more: boolean): void {
    const root = found && this.rootOf(found);
    if (!root) this.choose([]);
    else if (!more) this.choose([root]);
    else this.choose(this.chosen.includes(root) ? this.chosen.filter((each) => each !== root) : [...this.chosen, root]);
  }

  /** Keys that mean something while one builds; false for all others. */
  key(code: string): boolean {
    if (!this.on || !/^(Delete|Escape)$/.test(code)) return false;
    if (code === "Escape") {
      if (this.form) this.arm(null);
      else this.choose([]);
    } else this.discard();
    return true;
  }

  /** A thing of ours was made. */
  madeIs(n: number): void {
    this.made = n;
  }

  /** A thing's name came. */
  told(about: AboutTold): void {
    if (about.n === this.chosen[0]?.n) this.sheet.named(about);
  }

  step(now: number): void {
    if (!this.on) return;
    const mine = this.made === null ? undefined : this.world.things.get(this.made);
    if (mine?.record && mine.slots) {
      this.made = null;
      this.choose([mine]);
    }
    const left = this.chosen.filter((thing) => this.world.things.get(thing.n) === thing && !thing.parent);
    if (left.length !== this.chosen.length) this.choose(left);
    this.chosen.forEach((thing, k) => this.world.placeOf(thing, this.place) && this.marks[k].thing(this.place));
    const first = this.chosen[0];
    if (!first || !this.world.placeOf(first, this.place)) {
      this.handles.hide();
      return;
    }
    this.place.decompose(this.spot, this.turn, this.away);
    if (this.handles.dragging) this.tellDrag(now);
    else if (this.may(first, this.handles.way === "stretch" ? CAN_CHANGE : CAN_MOVE)) this.handles.show(this.spot, this.turn);
    else this.handles.hide();
    this.sheet.pose(this.numbersOf(this.handles.dragging ? this.gripped() : this.poseOf(first)!));
  }

  // -- making and choosing

  private arm(form: Form | null): void {
    this.form = form;
    for (const [each, button] of this.palette) button.setAttribute("aria-pressed", String(each === form));
    if (form) this.choose([]);
    this.write();
  }

  /** Put a new prim on what is under the pointer: on a floor it stands, on a wall it leans against it. */
  private make(form: Form, at: Vector2): void {
    const found = this.world.surface(at);
    if (!found) {
      this.say(t.nowhere);
      return;
    }
    const { normal, position, region } = found;
    const foot = position.clone();
    if (Math.abs(normal.z) < 0.7) foot.addScaledVector(normal, NEW[0] / 2).setZ(foot.z - NEW[2] / 2);
    else if (normal.z < 0) foot.z -= NEW[2];
    this.send("make", { form, corner: region.at, position: rounded(foot.toArray() as Three), size: NEW });
    this.arm(null);
  }

  private rootOf(thing: Thing): Thing | null {
    const root = thing.parent ? this.world.things.get(thing.parent) : thing;
    return root?.record ? root : null; // what somebody wears is not built with
  }

  private choose(things: Thing[]): void {
    const first = things[0] !== this.chosen[0];
    this.chosen = things;
    while (this.marks.length < things.length) this.marks.push(new Highlight(this.stage.scene));
    this.marks.forEach((mark, k) => k >= things.length && mark.none());
    if (first) {
      this.handles.hide();
      if (things[0]) this.send("about", { n: things[0].n });
    }
    this.write();
  }

  private write(): void {
    const first = this.chosen[0];
    this.sheet.write(first ?? null, this.chosen.length, !!first && this.may(first, CAN_CHANGE), this.form ? t.armed : t.nothing);
  }

  private may(thing: Thing, what: number): boolean {
    return ((thing.record?.can ?? 0) & what) !== 0;
  }

  private numbers(): number[] {
    return this.chosen.map((thing) => thing.n);
  }

  // -- changing

  private poseOf(thing: Thing): Pose | null {
    if (!thing.record) return null;
    const { position, rotation } = thing.motion;
    return { position: position.toArray() as Three, rotation: rotation.toArray() as Pose["rotation"], size: [...thing.record.scale] as Three };
  }

  /** How the chosen thing would stand as the handles are now. */
  private gripped(): Pose {
    const { grip } = this.handles;
    const corner = this.world.regions.get(this.chosen[0].region)?.group.position ?? new Vector3();
    const size = this.before!.size.map((part, k) => Math.min(Math.max(part * Math.abs(grip.scale.getComponent(k)), LEAST), MOST)) as Three;
    return { position: grip.position.clone().sub(corner).toArray() as Three, rotation: grip.quaternion.toArray() as Pose["rotation"], size };
  }

  private tellDrag(now: number): void {
    if (now - this.toldAt < GAP) return;
    this.toldAt = now;
    this.shape(this.chosen[0].n, this.gripped());
  }

  private dragged(done: boolean): void {
    if (!done || !this.before || !this.chosen[0]) return;
    const after = this.gripped();
    this.shape(this.chosen[0].n, after);
    this.remember(this.chosen[0].n, this.before, after);
  }

  /** Of a pose the handles changed: a place for those that move or turn, a size as well for those that stretch. */
  private shape(n: number, { position, rotation, size }: Pose, all = false): void {
    const stretched = all || this.handles.way === "stretch";
    this.send("shape", { n, position: rounded(position), rotation, ...(stretched ? { size: rounded(size) } : {}) });
  }

  private remember(n: number, before: Pose, after: Pose): void {
    this.done.push({ n, before, after });
    if (this.done.length > MOST_UNDONE) this.done.shift();
    this.undone = [];
    this.write();
  }

  private again(from: typeof this.done, to: typeof this.done, which: "before" | "after"): void {
    const step = from.pop();
    if (!step) {
      this.say(t.noMore);
      return;
    }
    to.push(step);
    if (this.world.things.has(step.n)) this.shape(step.n, step[which], true);
  }

  /** What was written into the sheet. */
  private change(changes: Changes): void {
    const first = this.chosen[0];
    const before = first && this.poseOf(first);
    if (!first || !before) return;
    const { n } = first;
    const { position, degrees, size, name, description, physical, phantom, ...look } = changes;
    if (position || degrees || size) {
      const turned = degrees && new Quaternion().setFromEuler(new Euler(...(degrees.map((part) => (part * Math.PI) / 180) as Three), "ZYX"));
      const after: Pose = { position: position ?? before.position, rotation: turned ? (turned.toArray() as Pose["rotation"]) : before.rotation, size: size ?? before.size };
      this.shape(n, after, !!size);
      this.remember(n, before, after);
    }
    if (name !== undefined || description !== undefined) this.send("describe", { n, name, description });
    if (physical !== undefined || phantom !== undefined) this.send("behave", { n, physical: physical ?? false, phantom: phantom ?? false });
    if (Object.keys(look).length) {
      for (const part of [n, ...[...first.children].filter((child) => this.world.things.get(child)?.record)]) this.send("paint", { n: part, ...look });
    }
  }

  private numbersOf(pose: Pose): { position: Three; degrees: Three; size: Three } {
    const angles = new Euler().setFromQuaternion(this.turn.set(...pose.rotation), "ZYX");
    return { position: pose.position, degrees: [angles.x, angles.y, angles.z].map((part) => (part * 180) / Math.PI) as Three, size: pose.size };
  }

  private copy(): void {
    const width = this.chosen[0].record!.scale[0];
    this.send("duplicate", { ns: this.numbers(), offset: [Math.max(width, 0.25), 0, 0] });
  }

  private discard(): void {
    if (this.chosen.length) this.send("discard", { ns: this.numbers() });
  }
}

const rounded = (numbers: Three): Three => numbers.map((part) => Math.round(part * 1e4) / 1e4) as Three;
