import { Vector3 } from "three";

const SPEED = 8; // metres a second
const FAST = 28;
const FARTHEST = 330; // metres from the middle of the region: into the neighbours, not beyond what is seen

/** Where a spectator looks from: a point that the keys move, over the land, through everything. */
export class Ghost {
  /** Metres in the region looked into. */
  readonly position = new Vector3(128, 128, 40);
  private placed = false;

  /** Begin there; the place stays when the connection comes back. */
  begin(at: [number, number, number]): void {
    if (!this.placed) this.position.set(...at);
    this.placed = true;
  }

  /** Move by control flags for `dt` seconds; `floor` is the height of the ground below. */
  step(flags: number, yaw: number, fast: boolean, floor: number, dt: number): void {
    const [ahead, aside, up] = [(flags & 1) - ((flags >> 1) & 1), ((flags >> 2) & 1) - ((flags >> 3) & 1), ((flags >> 4) & 1) - ((flags >> 5) & 1)];
    const way = (fast ? FAST : SPEED) * dt;
    const p = this.position;
    p.x += (ahead * Math.cos(yaw) - aside * Math.sin(yaw)) * way;
    p.y += (ahead * Math.sin(yaw) + aside * Math.cos(yaw)) * way;
    p.z = Math.min(Math.max(p.z + up * way, floor + 1), 4000);
    const far = Math.hypot(p.x - 128, p.y - 128);
    if (far > FARTHEST) {
      p.x = 128 + ((p.x - 128) * FARTHEST) / far;
      p.y = 128 + ((p.y - 128) * FARTHEST) / far;
    }
  }
}
