import type { FriendTold, ProfileTold } from "../net/messages";
import type { Send } from "../net/socket";
import { texts } from "../texts";
import type { Thing, World } from "../world/world";
import { h, name } from "./dom";

const t = texts.people;
const GAP = 1; // seconds between two lists

export interface Person {
  id: string;
  name: string;
}

/** Who is here and which friends are in the world; a click on one opens what one can do with them. */
export class People {
  readonly root = h("section", { class: "people card", "aria-label": t.heading, hidden: true });
  private list = h("ul", {});
  private friends: FriendTold[] = [];
  private next = 0;
  private written = "";

  constructor(
    private world: World,
    private open: (who: Person) => void,
    back: () => void,
  ) {
    const close = h("button", { type: "button" }, texts.map.close);
    close.onclick = () => {
      this.root.hidden = true;
      back();
    };
    this.root.append(h("h2", {}, t.heading), this.list, close);
    this.root.onkeydown = (event) => {
      if (event.key === "Escape") close.click();
    };
  }

  toggle(): void {
    this.root.hidden = !this.root.hidden;
    this.next = 0;
  }

  told(friends: FriendTold[]): void {
    this.friends = friends;
    this.next = 0;
  }

  isFriend(id: string): boolean {
    return this.friends.some((friend) => friend.id === id);
  }

  step(now: number): void {
    if (this.root.hidden || now < this.next) return;
    this.next = now + GAP;
    const me = this.world.me?.figure?.root.position;
    const seen = new Map<string, { who: Person; far: number }>();
    for (const thing of this.world.things.values()) {
      if (!thing.figure || thing.own || !thing.id) continue;
      const far = me ? thing.figure.root.position.distanceTo(me) : 0;
      if (!((seen.get(thing.id)?.far ?? Infinity) <= far)) seen.set(thing.id, { who: { id: thing.id, name: thing.name ?? "" }, far });
    }
    const here = [...seen.values()].sort((a, b) => a.far - b.far).map(({ who, far }) => ({ who, note: t.metres(Math.round(far)) }));
    const away = this.friends.filter((friend) => !seen.has(friend.id)).map((friend) => ({ who: friend as Person, note: friend.online ? t.online : t.offline }));
    const written = JSON.stringify([here, away]);
    if (written === this.written) return;
    this.written = written;
    const held = this.list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.id : undefined;
    const row = ({ who, note }: { who: Person; note: string }) => {
      const button = h("button", { type: "button", "data-id": who.id }, name(who.name), h("small", { class: "quiet" }, note));
      button.onclick = () => this.open(who);
      return h("li", {}, button);
    };
    this.list.replaceChildren(...here.map(row), ...(here.length ? [] : [h("li", { class: "quiet" }, t.nobody)]), ...away.map(row));
    if (held) this.list.querySelector<HTMLElement>(`[data-id="${CSS.escape(held)}"]`)?.focus();
  }
}

/** One person: who they say they are, and what one can do with them. */
export class PersonCard {
  readonly root = h("section", { class: "person card", role: "dialog", tabindex: "-1", "aria-labelledby": "person-name", hidden: true });
  private who: Person | null = null;
  private about = h("p", { class: "quiet" });
  private muted = new Set<string>();

  constructor(
    private send: Send,
    private world: World,
    private people: People,
    private message: (who: Person) => void,
    private say: (text: string) => void,
    private back: () => void,
  ) {
    this.root.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    };
  }

  open(who: Person): void {
    this.who = who;
    this.about.textContent = t.asking;
    this.send("profile", { id: who.id });
    this.write();
    this.root.hidden = false;
    this.root.focus();
  }

  close(): void {
    this.root.hidden = true;
    this.who = null;
    this.back();
  }

  /** Their profile came. */
  told(profile: ProfileTold): void {
    if (profile.id !== this.who?.id) return;
    this.about.replaceChildren(h("bdi", {}, profile.about || t.silent), h("br"), profile.born ? t.born(profile.born) : "");
  }

  /** Whether what they say is hidden. */
  isMuted(id: string): boolean {
    return this.muted.has(id);
  }

  private write(): void {
    const who = this.who!;
    const button = (label: string, act: () => void) => {
      const made = h("button", { type: "button" }, label);
      made.onclick = act;
      return made;
    };
    const muted = this.muted.has(who.id);
    const acts = [
      button(t.message, () => {
        this.root.hidden = true;
        this.message(who);
      }),
      button(t.goTo, () => this.goTo(who)),
      button(muted ? t.unmute : t.mute, () => {
        if (muted) this.muted.delete(who.id);
        else this.muted.add(who.id);
        this.send("mute", { id: who.id, on: !muted });
        this.write();
        this.root.focus();
      }),
      button(texts.map.close, () => this.close()),
    ];
    if (!this.people.isFriend(who.id)) {
      const befriend = button(t.befriend, () => {
        this.send("befriend", { id: who.id });
        this.say(t.asked(who.name));
        befriend.disabled = true;
        this.root.focus(); // a disabled button holds no keys
      });
      acts.splice(1, 0, befriend);
    }
    this.root.replaceChildren(h("h2", { id: "person-name" }, name(who.name)), this.about, h("div", { class: "acts" }, ...acts));
  }

  /** To their side, if they are in view. */
  private goTo(who: Person): void {
    const thing: Thing | undefined = [...this.world.things.values()].find((each) => each.id === who.id && each.figure);
    const region = thing && this.world.regions.get(thing.region);
    if (!thing || !region) {
      this.say(t.notHere(who.name));
      return;
    }
    const at = thing.figure!.root.position.clone().sub(region.group.position);
    const spot = [Math.min(Math.max(at.x - 1.5, 1), 255), at.y, at.z + 0.5].map((part) => Math.round(part * 10) / 10);
    this.send("teleport", { region: region.name, position: spot as [number, number, number] });
    this.close();
  }
}
