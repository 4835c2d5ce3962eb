import type { ChatTold, ImTold, Say } from "../net/messages";
import { texts } from "../texts";
import { h, name } from "./dom";

const MOST_LINES = 400;
const t = texts.chat;

export interface Talker {
  say(text: string, type: Say["type"]): void;
  im(to: string, text: string): void;
  typing(on: boolean): void;
}

/** The chat window: history, ranges, and messages to one person. */
export class Chat {
  readonly root: HTMLElement;
  readonly input = h("input", { type: "text", "aria-label": t.label, placeholder: t.placeholder, autocomplete: "off", maxlength: "1000", enterkeyhint: "send" });
  private log = h("div", { class: "log", role: "log", "aria-label": t.log, tabindex: "0" });
  private range = h(
    "select",
    { "aria-label": t.range },
    h("option", { value: "0" }, t.whisper),
    h("option", { value: "1", selected: true }, t.say),
    h("option", { value: "2" }, t.shout),
  );
  private aside = h("p", { class: "aside", "aria-live": "off" });
  private typers = new Map<string, string>();
  private isTyping = false;
  private to: { id: string; name: string } | null = null;
  private seen = new Set<string>();

  constructor(
    private talker: Talker,
    private me: () => string,
  ) {
    const form = h("form", { class: "say" }, this.range, this.input, h("button", { type: "submit", class: "main" }, t.send));
    this.root = h("section", { class: "chat card", "aria-label": t.label }, this.log, this.aside, form);
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = this.input.value.trim().toWellFormed();
      if (text && this.to) {
        talker.im(this.to.id, text);
        this.line("im", t.youTo(this.to.name), text);
      } else if (text) talker.say(text, Number(this.range.value) as Say["type"]);
      this.input.value = "";
      this.type(false);
      if (!text) this.input.blur();
    };
    this.input.oninput = () => this.type(this.input.value !== "" && !this.to);
    this.input.onblur = () => this.type(false);
    this.input.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      this.answer(null);
      this.input.blur();
    };
  }

  clear(): void {
    this.log.replaceChildren();
    this.seen.clear();
  }

  told(told: ChatTold): void {
    if (told.type === 4 || told.type === 5) {
      if (told.id === this.me()) return;
      if (told.type === 4) this.typers.set(told.id, told.name);
      else this.typers.delete(told.id);
      this.aside.textContent = [...this.typers.values()].slice(0, 3).map(t.typing).join(" ");
      return;
    }
    this.typers.delete(told.id);
    const who = told.type === 0 ? t.whispers(told.name) : told.type === 2 ? t.shouts(told.name) : told.name;
    this.line(told.id === this.me() ? "own" : told.source === 2 ? "thing" : "", who, told.text);
  }

  im(told: ImTold): void {
    this.line("im", t.toYou(told.name), told.text, () => this.answer({ id: told.id, name: told.name }));
  }

  notice(text: string): void {
    this.line("notice", "", text);
  }

  /** Write to one person from now on; null: aloud again. */
  answer(to: { id: string; name: string } | null): void {
    this.to = to;
    this.input.placeholder = to ? t.answerTo(to.name) : t.placeholder;
    this.range.disabled = to !== null;
    if (to) this.input.focus();
  }

  private type(on: boolean): void {
    if (on !== this.isTyping) this.talker.typing((this.isTyping = on));
  }

  private line(kind: string, who: string, text: string, onclick?: () => void): void {
    const atEnd = this.log.scrollTop + this.log.clientHeight > this.log.scrollHeight - 30;
    const said = h("bdi", {}, text);
    const line = h("p", { class: kind });
    if (who) {
      const speaker = onclick ? h("button", { type: "button", class: "link" }, name(who)) : h("b", {}, name(who));
      speaker.onclick = onclick ?? null;
      line.append(speaker, " ");
    }
    line.append(said);
    this.log.append(line);
    while (this.log.childElementCount > MOST_LINES) this.log.firstChild!.remove();
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}
