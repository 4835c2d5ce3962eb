import { uuid } from "../net/frames";

/** Reads a prim's TextureEntry: how each face looks. The layout is drawn in protocol/textures.py. */
export interface FaceLook {
  texture: string;
  color: [number, number, number, number];
  repeats: [number, number];
  offset: [number, number];
  rotation: number;
  fullBright: boolean;
  glow: number;
}

const PLYWOOD = "89556747-24cb-43ed-920b-47caed15465f";
export const PLAIN: FaceLook = { texture: PLYWOOD, color: [1, 1, 1, 1], repeats: [1, 1], offset: [0, 0], rotation: 0, fullBright: false, glow: 0 };
const MOST_FACES = 45;

type Section = { size: number; put(face: FaceLook, v: DataView): FaceLook };

const finite = (n: number) => (Number.isFinite(n) ? n : 1);
const SECTIONS: Section[] = [
  { size: 16, put: (f, v) => ({ ...f, texture: uuid(new Uint8Array(v.buffer, v.byteOffset, 16)) }) },
  {
    size: 4,
    put: (f, v) => ({ ...f, color: [0, 1, 2, 3].map((i) => (255 - v.getUint8(i)) / 255) as FaceLook["color"] }),
  },
  { size: 4, put: (f, v) => ({ ...f, repeats: [finite(v.getFloat32(0, true)), f.repeats[1]] }) },
  { size: 4, put: (f, v) => ({ ...f, repeats: [f.repeats[0], finite(v.getFloat32(0, true))] }) },
  { size: 2, put: (f, v) => ({ ...f, offset: [v.getInt16(0, true) / 32767, f.offset[1]] }) },
  { size: 2, put: (f, v) => ({ ...f, offset: [f.offset[0], v.getInt16(0, true) / 32767] }) },
  { size: 2, put: (f, v) => ({ ...f, rotation: (v.getInt16(0, true) / 32768) * Math.PI * 2 }) },
  { size: 1, put: (f, v) => ({ ...f, fullBright: (v.getUint8(0) & 0x20) !== 0 }) },
  { size: 1, put: (f) => f },
  { size: 1, put: (f, v) => ({ ...f, glow: v.getUint8(0) / 255 }) },
];

/** Looks of a prim's faces; bytes that make no sense end the reading, and what was read so far counts. */
export function looks(data: Uint8Array): (face: number) => FaceLook {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const faces = new Map<number, FaceLook>();
  let plain = PLAIN;
  let at = 0;
  try {
    for (const section of SECTIONS) {
      if (at >= data.length) break;
      const value = () => new DataView(data.buffer, data.byteOffset + (at += section.size) - section.size, section.size);
      const common = value();
      plain = section.put(plain, common);
      for (const [n, look] of faces) faces.set(n, section.put(look, common));
      while (at < data.length) {
        let mask = 0n;
        let byte: number;
        do {
          byte = view.getUint8(at++);
          mask = (mask << 7n) | BigInt(byte & 0x7f);
        } while (byte & 0x80 && at < data.length);
        if (mask === 0n) break;
        const special = value();
        for (let n = 0; n < MOST_FACES; n++) {
          if ((mask >> BigInt(n)) & 1n) faces.set(n, section.put(faces.get(n) ?? plain, special));
        }
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return (face) => faces.get(face) ?? plain;
}
