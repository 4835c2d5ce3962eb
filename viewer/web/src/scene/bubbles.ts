import type { Sprite } from "three";
import type { Figure } from "./avatars";
import { drop, fit, tag } from "./tags";
import type { Vector3 } from "three";

const LASTS = [3, 12] as const; // seconds, at least and at most
const A_LETTER = 0.06; // seconds it lasts longer for each
const LINE = 30; // letters
const MOST_LINES = 5;

/** What people say, above their heads for as long as it takes to read. */
export class Bubbles {
  private shown = new Map<Figure, { sprite: Sprite; until: number }>();

  say(figure: Figure, text: string, now: number): void {
    this.end(figure);
    const sprite = tag(wrapped(text), "#ffffff");
    sprite.position.z = (figure.label?.position.z ?? 1.15) + 0.3;
    sprite.renderOrder = 6;
    figure.root.add(sprite);
    const lasts = Math.min(Math.max(LASTS[0], text.length * A_LETTER), LASTS[1]);
    this.shown.set(figure, { sprite, until: now + lasts });
  }

  /** How many are to be seen. */
  get size(): number {
    return this.shown.size;
  }

  step(now: number, eye: Vector3): void {
    for (const [figure, { sprite, until }] of this.shown) {
      if (now > until || !figure.root.parent) this.end(figure);
      else fit(sprite, eye);
    }
  }

  private end(figure: Figure): void {
    drop(this.shown.get(figure)?.sprite ?? null);
    this.shown.delete(figure);
  }
}

/** In lines of a length that can be read at a glance; what is too long for that ends in dots: the chat has it whole. */
export function wrapped(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.replace(/\s+/g, " ").trim().split(" ")) {
    for (let rest = word; rest; rest = rest.slice(LINE)) {
      const part = rest.slice(0, LINE);
      if (line && line.length + 1 + part.length > LINE) {
        lines.push(line);
        line = "";
      }
      line += (line ? " " : "") + part;
    }
  }
  lines.push(line);
  return lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES - 1), `${lines[MOST_LINES - 1].slice(0, LINE - 1)}…`].join("\n") : lines.join("\n");
}
