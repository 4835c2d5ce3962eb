import type { AboutTold } from "../net/messages";
import { IS_PHANTOM, IS_PHYSICAL } from "../net/records";
import type { Way } from "../scene/handles";
import { looks } from "../scene/look";
import { texts } from "../texts";
import type { Thing } from "../world/thing";
import { h } from "./dom";

const t = texts.build;
type Three = [number, number, number];
const WAYS: Way[] = ["move", "turn", "stretch"];
const AXES = ["X", "Y", "Z"];

/** What somebody changed in the sheet; what is not there stays. */
export interface Changes {
  position?: Three;
  degrees?: Three;
  size?: Three;
  name?: string;
  description?: string;
  physical?: boolean;
  phantom?: boolean;
  color?: Three;
  opacity?: number;
  glow?: number;
  bright?: boolean;
}

/** What the sheet's buttons do. */
export interface Acts {
  use(way: Way): void;
  snap(on: boolean): void;
  copy(): void;
  join(): void;
  part(): void;
  discard(): void;
  undo(): void;
  redo(): void;
}

/** The numbers, names and looks of the thing that is chosen, to read and to change. */
export class Sheet {
  readonly root = h("div", { class: "sheet" });
  private hint = h("p", { class: "quiet" });
  private form = h("form", {});
  private title = this.text(t.name, 63, (name) => ({ name }));
  private words = this.text(t.description, 127, (description) => ({ description }));
  private position = this.three(t.position, 0.1, -512, 4096, (position) => ({ position }));
  private degrees = this.three(t.rotation, 5, -360, 360, (degrees) => ({ degrees }));
  private size = this.three(t.size, 0.1, 0.01, 64, (size) => ({ size }));
  private color = this.input("color", t.color, {}, (input) => ({ color: [1, 3, 5].map((at) => parseInt(input.value.slice(at, at + 2), 16) / 255) as Three }));
  private opacity = this.share(t.opacity, (opacity) => ({ opacity }));
  private glow = this.share(t.glow, (glow) => ({ glow }));
  private bright = this.check(t.bright, (bright) => ({ bright }));
  private physical = this.check(t.physical, (physical) => ({ physical, phantom: this.phantom.checked }));
  private phantom = this.check(t.phantom, (phantom) => ({ phantom, physical: this.physical.checked }));
  private ways = new Map<Way, HTMLButtonElement>();
  private buttons: Record<"copy" | "join" | "part" | "discard", HTMLButtonElement>;

  constructor(
    private change: (changes: Changes) => void,
    acts: Acts,
  ) {
    const button = (label: string, act: () => void) => {
      const made = h("button", { type: "button" }, label);
      made.onclick = act;
      return made;
    };
    for (const way of WAYS) {
      this.ways.set(
        way,
        button(t.ways[way], () => {
          acts.use(way);
          for (const [each, made] of this.ways) made.setAttribute("aria-pressed", String(each === way));
        }),
      );
      this.ways.get(way)!.setAttribute("aria-pressed", String(way === "move"));
    }
    const snap = h("input", { type: "checkbox" });
    snap.onchange = () => acts.snap(snap.checked);
    this.buttons = { copy: button(t.copy, acts.copy), join: button(t.join, acts.join), part: button(t.part, acts.part), discard: button(t.discard, acts.discard) };
    this.form.onsubmit = (event) => event.preventDefault();
    this.form.append(
      h("div", { class: "row", role: "group", "aria-label": t.handles }, ...this.ways.values(), label(t.snap, snap, true)),
      label(t.name, this.title), label(t.description, this.words),
      ...[this.position, this.degrees, this.size].map((group) => group.root),
      h("div", { class: "row" }, label(t.color, this.color), label(t.opacity, this.opacity), label(t.glow, this.glow)),
      h("div", { class: "row" }, label(t.bright, this.bright, true), label(t.physical, this.physical, true), label(t.phantom, this.phantom, true)),
      h("div", { class: "row" }, ...Object.values(this.buttons), button(t.undo, acts.undo), button(t.redo, acts.redo)),
    );
    this.root.append(this.hint, this.form);
  }

  /** Show a thing, one of `count` chosen; `hint` is said while there is none. */
  write(thing: Thing | null, count: number, may: boolean, hint: string): void {
    this.form.hidden = !thing;
    this.form.dataset.n = String(thing?.n ?? "");
    this.hint.textContent = !thing ? hint : !may ? t.mayNot : count > 1 ? t.several(count) : "";
    this.hint.hidden = !this.hint.textContent;
    if (!thing?.record) return;
    for (const input of this.form.querySelectorAll("input")) if (input.closest(".row")?.role !== "group") input.disabled = !may;
    const look = looks(thing.record.look)(0);
    set(this.color, `#${look.color.slice(0, 3).map((part) => Math.round(part * 255).toString(16).padStart(2, "0")).join("")}`);
    set(this.opacity, String(look.color[3]));
    set(this.glow, String(look.glow));
    this.bright.checked = look.fullBright;
    this.physical.checked = (thing.record.can & IS_PHYSICAL) !== 0;
    this.phantom.checked = (thing.record.can & IS_PHANTOM) !== 0;
    this.buttons.join.disabled = count < 2 || !may;
    this.buttons.part.disabled = !thing.children.size || !may;
    this.buttons.discard.disabled = !may;
  }

  named(about: AboutTold): void {
    set(this.title, about.name);
    set(this.words, about.description);
  }

  /** Where it is now. What somebody writes into is left alone. */
  pose(now: { position: Three; degrees: Three; size: Three }): void {
    for (const name of ["position", "degrees", "size"] as const) {
      this[name].inputs.forEach((input, k) => set(input, String(Math.round(now[name][k] * 1000) / 1000)));
    }
  }

  // -- fields

  private input(type: string, about: string, attributes: Record<string, string>, read: (input: HTMLInputElement) => Changes): HTMLInputElement {
    const made = h("input", { type, "aria-label": about, ...attributes });
    made.onchange = () => {
      if (made.validity.valid) this.change(read(made));
    };
    return made;
  }

  private text(about: string, most: number, read: (words: string) => Changes): HTMLInputElement {
    return this.input("text", about, { maxlength: String(most), autocomplete: "off" }, (input) => read(input.value));
  }

  private share(about: string, read: (share: number) => Changes): HTMLInputElement {
    return this.input("range", about, { min: "0", max: "1", step: "0.05" }, (input) => read(Number(input.value)));
  }

  private check(about: string, read: (on: boolean) => Changes): HTMLInputElement {
    return this.input("checkbox", about, {}, (input) => read(input.checked));
  }

  private three(about: string, step: number, least: number, most: number, read: (numbers: Three) => Changes): { root: HTMLElement; inputs: HTMLInputElement[] } {
    const inputs: HTMLInputElement[] = AXES.map((axis) =>
      this.input("number", `${about} ${axis}`, { step: "any", min: String(least), max: String(most), "data-step": String(step) }, () =>
        inputs.every((each) => each.value !== "" && each.validity.valid) ? read(inputs.map((each) => Number(each.value)) as Three) : {},
      ),
    );
    for (const input of inputs) {
      input.onkeydown = (event) => {
        const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (!way) return;
        event.preventDefault();
        input.value = String(Math.round((Number(input.value) + way * step) * 1000) / 1000);
        input.dispatchEvent(new Event("change"));
      };
    }
    return { root: h("div", { class: "three", role: "group", "aria-label": about }, h("span", { "aria-hidden": "true" }, about), ...inputs), inputs };
  }
}

function label(words: string, input: HTMLInputElement, beside = false): HTMLElement {
  return h("label", beside ? { class: "beside" } : {}, ...(beside ? [input, words] : [words, input]));
}

/** Write a value, unless somebody is writing there. */
function set(input: HTMLInputElement, value: string): void {
  if (document.activeElement !== input && input.value !== value) input.value = value;
}
