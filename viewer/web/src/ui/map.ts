import type { Vector3 } from "three";
import type { Region, World } from "../world/world";
import type { MapBlock } from "../net/messages";
import { texts } from "../texts";
import { h } from "./dom";

const t = texts.map;
const SIZE = 160; // pixels of the mini-map
const SPAN = 256; // metres it shows

/** Ground seen from above: a colour for a height. */
function shade(height: number, water: number, slope: number): [number, number, number] {
  const light = 1 + Math.max(-0.35, Math.min(0.35, slope * 0.22));
  const at = height - water;
  const [r, g, b] = at < -4 ? [34, 84, 116] : at < 0 ? [58, 122, 150] : at < 1.2 ? [196, 178, 130] : at < 12 ? [104, 142, 74] : at < 24 ? [122, 120, 86] : [150, 146, 140];
  return [r * light, g * light, b * light];
}

/** The mini-map: land around, people as dots, north up. */
export class MiniMap {
  readonly root = h("canvas", { class: "minimap card", width: `${SIZE}`, height: `${SIZE}`, role: "img", "aria-label": t.mini });
  private pen = this.root.getContext("2d")!;
  private pictures = new Map<Float32Array, HTMLCanvasElement>();
  private next = 0;

  /** `p` is the middle, in metres of the region whose corner is `home`. */
  draw(world: World, home: Region | undefined, p: Vector3 | undefined, dots: [string, number, number][], yaw: number, now: number): void {
    if (now < this.next || !p || !home) return;
    this.next = now + 0.15;
    const scale = SIZE / SPAN;
    const [x, y] = [home.at[0] + p.x, home.at[1] + p.y];
    const pen = this.pen;
    const place = (gx: number, gy: number): [number, number] => [SIZE / 2 + (gx - x) * scale, SIZE / 2 - (gy - y) * scale];
    pen.fillStyle = "#1d4a66";
    pen.fillRect(0, 0, SIZE, SIZE);
    for (const region of world.regions.values()) {
      if (!region.heights) continue;
      const [px, py] = place(region.at[0], region.at[1] + 256);
      pen.drawImage(this.picture(region.heights, region.water), px, py, 256 * scale, 256 * scale);
    }
    for (const [id, gx, gy] of dots) {
      if (id === world.agent) continue;
      pen.fillStyle = "#7dff8a";
      pen.strokeStyle = "#0b2a12";
      pen.beginPath();
      pen.arc(...place(gx, gy), 3.5, 0, 7);
      pen.fill();
      pen.stroke();
    }
    pen.save();
    pen.translate(SIZE / 2, SIZE / 2);
    pen.rotate(-yaw);
    pen.fillStyle = "#ffd54a";
    pen.strokeStyle = "#3a2c00";
    pen.beginPath();
    pen.moveTo(8, 0);
    pen.lineTo(-5, 5);
    pen.lineTo(-2, 0);
    pen.lineTo(-5, -5);
    pen.closePath();
    pen.fill();
    pen.stroke();
    pen.restore();
  }

  private picture(heights: Float32Array, water: number): HTMLCanvasElement {
    let picture = this.pictures.get(heights);
    if (picture) return picture;
    picture = h("canvas", { width: "128", height: "128" });
    const pen = picture.getContext("2d")!;
    const image = pen.createImageData(128, 128);
    for (let j = 0; j < 128; j++) {
      for (let i = 0; i < 128; i++) {
        const at = j * 2 * 256 + i * 2;
        const slope = heights[at] - heights[Math.max(0, at - 2)];
        image.data.set([...shade(heights[at], water, slope), 255], ((127 - j) * 128 + i) * 4);
      }
    }
    pen.putImageData(image, 0, 0);
    if (this.pictures.size > 64) this.pictures.clear();
    this.pictures.set(heights, picture);
    return picture;
  }
}

/** The world map: every region a button that teleports there. */
export class WorldMap {
  readonly root = h("dialog", { class: "card world", "aria-labelledby": "map-heading" });
  private squares = h("div", { class: "squares" });

  constructor(private go: (region: string) => void) {
    const close = h("button", { type: "button" }, t.close);
    close.onclick = () => this.root.close();
    this.root.append(h("h2", { id: "map-heading" }, t.heading), this.squares, close);
  }

  show(blocks: MapBlock[], here: string): void {
    if (!blocks.length) return;
    const [west, north] = [Math.min(...blocks.map((b) => b.x)), Math.max(...blocks.map((b) => b.y))];
    const buttons = blocks
      .sort((a, b) => b.y - a.y || a.x - b.x)
      .map((block) => {
        const own = block.name === here;
        const button = h(
          "button",
          { type: "button" },
          h("b", {}, block.name, " "),
          h("small", {}, own ? t.here : t.people(block.agents)),
        );
        if (own) button.className = "own";
        button.style.gridArea = `${north - block.y + 1} / ${block.x - west + 1}`;
        button.onclick = () => {
          this.root.close();
          this.go(block.name);
        };
        return button;
      });
    this.squares.replaceChildren(...buttons);
    if (!this.root.open) this.root.showModal();
  }
}
