import { texts } from "../texts";
import { h } from "./dom";

type Row = keyof typeof texts.figures.rows;

/** What the world is doing, in numbers. */
export class Figures {
  readonly root: HTMLElement;
  private cells = new Map<Row, HTMLElement>();

  constructor() {
    const rows = (Object.entries(texts.figures.rows) as [Row, string][]).map(([key, label]) => {
      const cell = h("td", {}, "–");
      this.cells.set(key, cell);
      return h("tr", {}, h("th", { scope: "row" }, label), cell);
    });
    this.root = h("section", { class: "figures card", "aria-label": texts.figures.heading, hidden: true },
      h("h2", {}, texts.figures.heading), h("table", {}, h("tbody", {}, ...rows)));
  }

  toggle(): void {
    this.root.hidden = !this.root.hidden;
  }

  show(values: Partial<Record<Row, string>>): void {
    if (this.root.hidden) return;
    for (const [key, value] of Object.entries(values)) this.cells.get(key as Row)!.textContent = value ?? "–";
  }
}

/** The list of keys. */
export function helpPanel(): HTMLDialogElement {
  const rows = texts.help.rows.map(([keys, what]) => h("tr", {}, h("th", { scope: "row" }, keys), h("td", {}, what)));
  const close = h("button", { type: "button" }, texts.map.close);
  const dialog = h("dialog", { class: "card help", "aria-labelledby": "help-heading" },
    h("h2", { id: "help-heading" }, texts.help.heading), h("table", {}, h("tbody", {}, ...rows)), close);
  close.onclick = () => dialog.close();
  return dialog;
}

/** A line in the middle of the screen that says what is going on. */
export class Banner {
  readonly root = h("p", { class: "banner", role: "status" });
  private timer = 0;

  say(text: string, seconds = 0): void {
    clearTimeout(this.timer);
    this.root.textContent = text;
    if (seconds) this.timer = window.setTimeout(() => (this.root.textContent = ""), seconds * 1000);
  }
}
