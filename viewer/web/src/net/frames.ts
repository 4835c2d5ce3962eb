/** The gateway's binary frames as the page uses them; `records.ts` reads their layouts. */
import { type MotionRecord, readLandHead, readMotionRecord, readShapeRecord, readThingRecord, type ShapeRecord } from "./records";
import { Reader, within } from "./reader";

export { LAND, MOTIONS, OBJECTS, type MotionRecord } from "./records";

export type Vec3 = [number, number, number];
export type Quat = [number, number, number, number];

/** Path and profile in shares, turns and lengths, made of what protocol/shapes.py has on the wire. */
export interface Shape {
  path: number;
  profile: number;
  pathBegin: number;
  pathEnd: number;
  scaleX: number;
  scaleY: number;
  shearX: number;
  shearY: number;
  twist: number;
  twistBegin: number;
  radiusOffset: number;
  taperX: number;
  taperY: number;
  revolutions: number;
  skew: number;
  profileBegin: number;
  profileEnd: number;
  hollow: number;
}

export interface ObjectRecord {
  n: number;
  west: number;
  south: number;
  pcode: number;
  clickAction: number;
  /** Bits of what one may do with it. */
  can: number;
  scale: Vec3;
  shape: Shape;
  shapeKey: string;
  text: string;
  textColor: [number, number, number, number];
  look: Uint8Array;
  species: number;
  /** How its texture moves; empty if it does not. */
  moving: Uint8Array;
  /** The sculpt map or mesh that gives it its form. */
  form: { id: string; kind: number } | null;
  /** How it bends (ExtraParams 0x10, as on the wire); null if it does not. */
  flexi: Uint8Array | null;
}

/** How it comes on the wire is no turn yet: shares of 32767. */
export function motions(data: ArrayBuffer): MotionRecord[] {
  const r = new Reader(data, 1);
  const found: MotionRecord[] = [];
  while (r.more) {
    const record = readMotionRecord(r);
    record.rotation = record.rotation.map((part) => part / 32767) as Quat;
    found.push(record);
  }
  return found;
}

const decoder = new TextDecoder();

/** Of its first 16 bytes. */
export function uuid(data: Uint8Array): string {
  const hex = Array.from(data.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export function objects(data: ArrayBuffer): ObjectRecord[] {
  const r = new Reader(data, 1);
  const found: ObjectRecord[] = [];
  while (r.more) {
    const { shape: raw, textColor, text, form: named, bends, ...plain } = readThingRecord(r);
    const [red, green, blue, alpha] = textColor;
    const form = named.length === 17 ? { id: uuid(named), kind: named[16] } : null;
    const isPrim = plain.pcode === 9;
    found.push({
      ...plain,
      form,
      flexi: bends.length ? bends : null,
      shape: shapeOf(readShapeRecord(within(raw))),
      shapeKey: !isPrim ? `plant ${plain.pcode} ${plain.species}` : form ? `form ${form.id} ${form.kind}` : raw.join(","),
      text: decoder.decode(text),
      textColor: [red, green, blue, 255 - alpha], // only alpha is inverted on the wire
    });
  }
  return found;
}

function shapeOf(wire: ShapeRecord): Shape {
  const share = (n: number) => n / 50000;
  const signed = (n: number) => n / 100;
  return {
    path: wire.PathCurve,
    profile: wire.ProfileCurve,
    pathBegin: share(wire.PathBegin),
    pathEnd: 1 - share(wire.PathEnd),
    scaleX: (200 - wire.PathScaleX) / 100,
    scaleY: (200 - wire.PathScaleY) / 100,
    shearX: signed((wire.PathShearX << 24) >> 24),
    shearY: signed((wire.PathShearY << 24) >> 24),
    twist: signed(wire.PathTwist),
    twistBegin: signed(wire.PathTwistBegin),
    radiusOffset: signed(wire.PathRadiusOffset),
    taperX: signed(wire.PathTaperX),
    taperY: signed(wire.PathTaperY),
    revolutions: 1 + wire.PathRevolutions * 0.015,
    skew: signed(wire.PathSkew),
    profileBegin: share(wire.ProfileBegin),
    profileEnd: 1 - share(wire.ProfileEnd),
    hollow: share(wire.ProfileHollow),
  };
}

export interface Land {
  west: number;
  south: number;
  heights: Float32Array; // 256 x 256 metres, row by row from the south
}

export async function land(data: ArrayBuffer): Promise<Land> {
  const r = new Reader(data, 1);
  const head = readLandHead(r);
  const packed = new Blob([data.slice(r.place)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const deltas = new Uint16Array(await new Response(packed).arrayBuffer());
  const heights = new Float32Array(65536);
  let sum = 0;
  for (let i = 0; i < 65536; i++) {
    sum = (sum + deltas[i]) & 0xffff;
    heights[i] = (sum - 32768) / 100;
  }
  return { ...head, heights };
}
