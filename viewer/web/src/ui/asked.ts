import type { Ask } from "../net/messages";
import type { Send } from "../net/socket";
import { texts } from "../texts";
import { h, name } from "./dom";

const t = texts.asked;
const MONEY = 0x2;
const SOON = 5; // seconds after a click in which an answer to it may take the keys' attention

/**
 * What scripts ask: a card for each, with the thing's and its owner's name. A card never takes the focus from what
 * somebody types or walks with, lest a script choose the moment in which Enter is pressed; only a card that answers
 * one's own click gets it, and then the card itself, not one of its buttons.
 */
export class Asked {
  readonly root = h("section", { class: "asked", "aria-label": t.list, "aria-live": "polite" });
  private cards = new Map<number, HTMLElement>();
  private clicked = -Infinity;

  constructor(
    private send: Send,
    private back: () => void,
  ) {}

  /** The person touched something at `now`: what comes soon is an answer to that. */
  expect(now: number): void {
    this.clicked = now;
  }

  clear(): void {
    for (const q of [...this.cards.keys()]) this.gone(q);
  }

  gone(q: number): void {
    const card = this.cards.get(q);
    if (!card) return;
    const held = card.contains(document.activeElement);
    card.remove();
    this.cards.delete(q);
    if (held) this.back();
  }

  told(ask: Ask, now: number): void {
    this.gone(ask.q);
    const heading = h("h2", { id: `ask-${ask.q}` }, name(this.heading(ask)));
    const card = h("section", { class: "ask card", role: "dialog", tabindex: "-1", "aria-labelledby": heading.id }, heading);
    if (ask.owner) card.append(h("span", { class: "quiet" }, name(t.from(ask.owner))));
    if (ask.text) card.append(h("p", {}, h("bdi", {}, ask.text)));
    card.append(...this.body(ask), this.footer(ask));
    card.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.reply(ask.q, {});
    };
    this.cards.set(ask.q, card);
    this.root.prepend(card);
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (now - this.clicked < SOON && !typing) (card.querySelector("textarea") ?? card).focus();
    this.clicked = -Infinity;
  }

  private reply(q: number, fields: { button?: number; text?: string; grant?: boolean }): void {
    this.send("answer", { q, ...fields });
    this.gone(q);
  }

  private button(label: string, act: () => void, kind = ""): HTMLButtonElement {
    const made = h("button", { type: "button", class: kind }, h("bdi", {}, label));
    made.onclick = act;
    return made;
  }

  private heading(ask: Ask): string {
    if (ask.kind === "friend") return texts.people.offers(ask.object);
    return ask.kind === "permissions" ? t.wants(ask.object) : ask.object;
  }

  private body(ask: Ask): HTMLElement[] {
    if (ask.kind === "dialog") return [this.choices(ask)];
    if (ask.kind === "text") return [this.textBox(ask)];
    if (ask.kind === "friend") return [this.yesOrNo(ask)];
    if (ask.kind === "permissions") return this.permissions(ask);
    return this.page(ask);
  }

  /** Buttons in the protocol's order: rows of three, the first row at the bottom. */
  private choices(ask: Ask): HTMLElement {
    const buttons = (ask.buttons ?? []).map((label, n) => this.button(label, () => this.reply(ask.q, { button: n })));
    const rows: HTMLElement[][] = [];
    while (buttons.length) rows.unshift(buttons.splice(0, 3));
    return h("div", { class: "choices" }, ...rows.flatMap((row) => [...row, ...Array.from({ length: 3 - row.length }, () => h("span"))]));
  }

  private textBox(ask: Ask): HTMLElement {
    const input = h("textarea", { "aria-label": t.answer, rows: "2", maxlength: "250" });
    const form = h("form", {}, input, h("button", { type: "submit", class: "main" }, t.send));
    form.onsubmit = (event) => {
      event.preventDefault();
      this.reply(ask.q, { text: input.value.toWellFormed() });
    };
    return form;
  }

  private permissions(ask: Ask): HTMLElement[] {
    let rest = ask.asked ?? 0;
    const rows: HTMLElement[] = [];
    for (const [bit, words] of Object.entries(t.permissions)) {
      if (!(rest & Number(bit))) continue;
      rest &= ~Number(bit);
      rows.push(h("li", { class: Number(bit) === MONEY ? "costs" : "" }, words));
    }
    if (rest) rows.push(h("li", {}, t.other));
    return [
      h("ul", {}, ...rows),
      this.yesOrNo(ask),
    ];
  }

  private yesOrNo(ask: Ask): HTMLElement {
    const [yes, no] = ask.kind === "friend" ? [t.accept, t.decline] : [t.yes, t.no];
    return h("div", { class: "choices" }, this.button(yes, () => this.reply(ask.q, { grant: true })), this.button(no, () => this.reply(ask.q, { grant: false }), "main"));
  }

  private page(ask: Ask): HTMLElement[] {
    let url: URL | null = null;
    try {
      url = new URL(ask.url ?? "");
    } catch {
      // said below
    }
    if (!url || !/^https?:$/.test(url.protocol)) return [h("span", { class: "quiet" }, t.noPage)];
    // The address as the browser understands it: look-alike letters of other alphabets come out as what they are.
    const open = h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, t.open);
    open.onclick = () => this.reply(ask.q, {});
    return [h("span", { class: "quiet" }, t.page), h("span", { class: "address" }, url.href), open];
  }

  private footer(ask: Ask): HTMLElement {
    const block = this.button(t.block, () => {
      this.send("block", { q: ask.q });
      this.gone(ask.q);
    });
    block.setAttribute("aria-label", t.blockHint(ask.object));
    return h("footer", {}, block, this.button(t.ignore, () => this.reply(ask.q, {})));
  }
}
