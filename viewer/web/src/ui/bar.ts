import { texts } from "../texts";
import { h } from "./dom";

const t = texts.bar;

/** What the bar's buttons do. */
export interface Actions {
  fly(on: boolean): void;
  run(on: boolean): void;
  sit(): void;
  map(): void;
  people(): void;
  build(): void;
  figures(): void;
  help(): void;
  leave(): void;
  comeIn(): void;
  /** Where the keys go after a click. */
  back(): void;
}

/** The buttons below: those of somebody who stands here, or a spectator's. */
export class Bar {
  readonly root = h("nav", { class: "bar card", "aria-label": t.label });
  readonly pressed = { fly: false, run: false };
  private toggles: { fly: HTMLButtonElement; run: HTMLButtonElement };
  private sit: HTMLButtonElement;

  constructor(
    private actions: Actions,
    watching: boolean,
    /** Buttons of other parts, among ours. */
    more: HTMLElement[],
  ) {
    this.toggles = {
      fly: this.button(t.fly, () => this.toggle("fly")),
      run: this.button(watching ? t.fast : t.run, () => this.toggle("run")),
    };
    for (const each of Object.values(this.toggles)) each.setAttribute("aria-pressed", "false");
    this.sit = this.button(t.sit, () => actions.sit());
    const figures = this.button(t.figures, () => actions.figures());
    const help = this.button(t.help, () => actions.help());
    const leave = h("button", { type: "button" }, t.leave);
    leave.onclick = () => actions.leave();
    const comeIn = h("button", { type: "button", class: "main" }, t.comeIn);
    comeIn.onclick = () => actions.comeIn();
    const map = this.button(t.map, () => actions.map());
    const people = this.button(texts.people.button, () => actions.people());
    const build = this.button(texts.build.button, () => actions.build());
    const { fly, run } = this.toggles;
    this.root.append(...(watching ? [run, figures, ...more, help, comeIn, leave] : [fly, run, this.sit, build, people, map, figures, ...more, help, leave]));
  }

  toggle(what: "fly" | "run"): void {
    const on = (this.pressed[what] = !this.pressed[what]);
    this.toggles[what].setAttribute("aria-pressed", String(on));
    this.actions[what](on);
  }

  /** Say what the button for sitting does now. */
  seated(sits: boolean): void {
    const label = sits ? t.stand : t.sit;
    if (this.sit.textContent !== label) this.sit.textContent = label;
  }

  private button(label: string, act: () => void): HTMLButtonElement {
    const made = h("button", { type: "button" }, label);
    made.onclick = () => {
      act();
      this.actions.back();
    };
    return made;
  }
}
