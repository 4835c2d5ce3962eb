import { Matrix4, Vector2, Vector3 } from "three";
import type { AboutTold } from "../net/messages";
import { CAN_TOUCH } from "../net/records";
import type { Send } from "../net/socket";
import { Highlight } from "../scene/highlight";
import type { Stage } from "../scene/stage";
import { texts } from "../texts";
import type { Thing, World } from "../world/world";
import { h, name } from "./dom";

const t = texts.pointing;
const GAP = 0.1; // seconds between two looks at what is under the pointer
const MOST_KNOWN = 500;
const SIT = 1; // click actions, as the protocol numbers them

/** What a click on a thing does. */
export type Act = "touch" | "sit" | "none" | "person";

export function actOf(thing: Thing): Act {
  if (thing.figure) return "person";
  if (thing.record?.clickAction === SIT) return "sit";
  return (thing.record?.can ?? 0) & CAN_TOUCH ? "touch" : "none";
}

/** Says what is under the pointer: its name and what a click does, its edges, and a cursor. */
export class Pointing {
  readonly root = h("p", { class: "pointing", hidden: true, "aria-hidden": "true" });
  private highlight: Highlight;
  private at: Vector2 | null = null;
  private where: [number, number] = [0, 0];
  private next = 0;
  private thing: Thing | null = null;
  private known = new Map<number, AboutTold>();
  private asked = new Set<number>();
  private place = new Matrix4();
  private feet = new Vector3();

  constructor(
    private canvas: HTMLCanvasElement,
    stage: Stage,
    private world: World,
    private send: Send,
  ) {
    this.highlight = new Highlight(stage.scene);
    canvas.addEventListener("pointermove", (event) => {
      this.where = [event.clientX, event.clientY];
      this.at = event.buttons || event.pointerType === "touch" ? null : screen(event);
    });
    canvas.addEventListener("pointerleave", () => (this.at = null));
    canvas.addEventListener("pointerdown", () => (this.at = null));
    canvas.addEventListener("pointerup", (event) => (this.at = event.pointerType === "touch" ? null : screen(event)));
  }

  /** What the pointer is on. */
  get on(): Thing | null {
    return this.thing;
  }

  clear(): void {
    this.known.clear();
    this.asked.clear();
  }

  /** A thing's name and owner came. */
  told(about: AboutTold): void {
    if (this.known.size >= MOST_KNOWN) this.known.delete(this.known.keys().next().value!);
    this.known.set(about.n, about);
    this.asked.delete(about.n);
    if (this.thing?.n === about.n) this.write(this.thing);
  }

  gone(n: number): void {
    this.known.delete(n);
    this.asked.delete(n);
  }

  step(now: number): void {
    if (now > this.next) {
      this.next = now + GAP;
      const found = this.at && !this.world.hidden ? this.world.point(this.at) : null;
      if (found !== this.thing) this.change(found);
    }
    if (this.thing && this.world.things.get(this.thing.n) !== this.thing) this.change(null);
    if (this.thing) this.show(this.thing);
    if (!this.root.hidden) this.root.style.translate = `${Math.min(this.where[0] + 14, innerWidth - 240)}px ${Math.min(this.where[1] + 18, innerHeight - 60)}px`;
  }

  private change(thing: Thing | null): void {
    this.thing = thing;
    this.root.hidden = !thing;
    this.highlight.none();
    this.canvas.style.cursor = thing && actOf(thing) !== "none" ? "pointer" : "";
    if (!thing) return;
    if (!thing.figure && !this.known.has(thing.n) && !this.asked.has(thing.n)) {
      this.asked.add(thing.n);
      this.send("about", { n: thing.n });
    }
    this.write(thing);
  }

  private write(thing: Thing): void {
    const about = this.known.get(thing.n);
    const title = thing.figure ? thing.name : about?.name;
    const parts = [title ? h("b", {}, name(title)) : "", about?.owner ? h("span", { class: "quiet" }, name(t.owner(about.owner))) : "", h("span", {}, t.acts[actOf(thing)])];
    this.root.replaceChildren(...parts.filter((part) => part !== ""));
  }

  private show(thing: Thing): void {
    if (thing.figure) {
      const root = thing.figure.root.position;
      this.highlight.person(this.feet.set(root.x, root.y, root.z - (thing.height ?? 1.8) / 2 + 0.04));
    } else if (this.world.placeOf(thing, this.place)) this.highlight.thing(this.place);
  }
}

function screen(event: PointerEvent): Vector2 {
  return new Vector2((event.clientX / innerWidth) * 2 - 1, 1 - (event.clientY / innerHeight) * 2);
}
