import type { FaceLook } from "./look";

/** A texture that moves on its face (TextureAnim): the bytes are drawn in protocol/textures.py. */
export interface TextureMotion {
  mode: number;
  face: number; // -1: all
  columns: number;
  rows: number;
  start: number;
  length: number;
  rate: number; // frames (turns and sizes: units) a second
}

const [ON, LOOP, REVERSE, PING_PONG, SMOOTH, ROTATE, SCALE] = [1, 2, 4, 8, 16, 32, 64];

export function textureMotion(data: Uint8Array): TextureMotion | null {
  if (data.length !== 16) return null;
  const view = new DataView(data.buffer, data.byteOffset, 16);
  const [start, length, rate] = [4, 8, 12].map((at) => view.getFloat32(at, true));
  if (!(view.getUint8(0) & ON) || ![start, length, rate].every((value) => Number.isFinite(value) && Math.abs(value) < 1e6)) return null;
  return { mode: view.getUint8(0), face: view.getInt8(1), columns: view.getUint8(2), rows: view.getUint8(3), start, length, rate };
}

/** Whether it goes on for ever. */
export const loops = (motion: TextureMotion) => (motion.mode & LOOP) !== 0;

/** How a face looks `seconds` after its motion began. */
export function moved(look: FaceLook, motion: TextureMotion, seconds: number): Pick<FaceLook, "repeats" | "offset" | "rotation"> {
  const { mode, columns, rows, start } = motion;
  const turns = (mode & (ROTATE | SCALE)) !== 0;
  const smooth = turns || (mode & SMOOTH) !== 0;
  const length = motion.length || (turns ? 1 : Math.max(1, columns) * Math.max(1, rows));
  const last = smooth ? length : Math.max(0, length - 1);
  let at = Math.abs(seconds * motion.rate);
  if (mode & PING_PONG) {
    const way = Math.max(last, 1e-6);
    at = mode & LOOP || at < 2 * way ? at % (2 * way) : 0;
    if (at > way) at = 2 * way - at;
  } else at = mode & LOOP ? at % Math.max(length, 1e-6) : Math.min(at, last);
  if (!smooth) at = Math.floor(at + 1e-6);
  if ((mode & REVERSE) !== 0 !== motion.rate < 0) at = last - at;
  at += start;
  if (mode & ROTATE) return { repeats: look.repeats, offset: look.offset, rotation: at };
  if (mode & SCALE) return { repeats: [at, at], offset: look.offset, rotation: look.rotation };
  const [across, down] = [Math.max(1, columns), Math.max(1, rows)];
  const column = at - across * Math.floor(at / across);
  return {
    repeats: columns ? [1 / across, 1 / down] : look.repeats,
    offset: [(column + 0.5) / across - 0.5, 0.5 - (Math.floor(at / across) + 0.5) / down],
    rotation: look.rotation,
  };
}
