/** Reads the gateway's binary frames; their layout is drawn in viewer/gateway/frames.py. */
export const LAND = 1;
export const MOTIONS = 2;
export const OBJECTS = 3;

export type Vec3 = [number, number, number];
export type Quat = [number, number, number, number];

export interface MotionRecord {
  n: number;
  parent: number;
  position: Vec3;
  rotation: Quat;
  velocity: Vec3;
  acceleration: Vec3;
  spin: Vec3;
}

/** Path and profile in wire values, as protocol/shapes.py names them. */
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

class Reader {
  private view: DataView;
  private at = 1; // behind the kind
  constructor(private data: ArrayBuffer) {
    this.view = new DataView(data);
  }
  get more(): boolean {
    return this.at < this.view.byteLength;
  }
  u8 = () => this.view.getUint8(this.at++);
  i8 = () => this.view.getInt8(this.at++);
  u16 = () => this.view.getUint16((this.at += 2) - 2, true);
  i16 = () => this.view.getInt16((this.at += 2) - 2, true);
  u32 = () => this.view.getUint32((this.at += 4) - 4, true);
  i32 = () => this.view.getInt32((this.at += 4) - 4, true);
  f32 = () => this.view.getFloat32((this.at += 4) - 4, true);
  vec = (): Vec3 => [this.f32(), this.f32(), this.f32()];
  bytes(n: number): Uint8Array {
    return new Uint8Array(this.data, (this.at += n) - n, n);
  }
}

export function motions(data: ArrayBuffer): MotionRecord[] {
  const r = new Reader(data);
  const found: MotionRecord[] = [];
  while (r.more) {
    const n = r.u32();
    const parent = r.u32();
    const flags = r.u8();
    const position = r.vec();
    const rotation = [r.i16() / 32767, r.i16() / 32767, r.i16() / 32767, r.i16() / 32767] as Quat;
    const zero: Vec3 = [0, 0, 0];
    found.push({
      n,
      parent,
      position,
      rotation,
      velocity: flags & 1 ? r.vec() : zero,
      acceleration: flags & 2 ? r.vec() : zero,
      spin: flags & 4 ? r.vec() : zero,
    });
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
  const r = new Reader(data);
  const found: ObjectRecord[] = [];
  while (r.more) {
    const head = { n: r.u32(), west: r.i32(), south: r.i32(), pcode: r.u8(), clickAction: r.u8(), scale: r.vec() };
    const raw = r.bytes(23);
    const shape = readShape(new DataView(raw.buffer, raw.byteOffset, 23));
    const species = r.u8();
    const [red, green, blue, alpha] = r.bytes(4);
    const text = decoder.decode(r.bytes(r.u16()));
    const look = r.bytes(r.u16());
    const moving = r.bytes(r.u8());
    const named = r.bytes(r.u8());
    const form = named.length === 17 ? { id: uuid(named), kind: named[16] } : null;
    const bends = r.bytes(r.u8());
    const isPrim = head.pcode === 9;
    found.push({
      ...head,
      species,
      moving,
      form,
      flexi: bends.length ? bends : null,
      shape,
      shapeKey: !isPrim ? `plant ${head.pcode} ${species}` : form ? `form ${form.id} ${form.kind}` : raw.join(","),
      text,
      textColor: [red, green, blue, 255 - alpha], // only alpha is inverted on the wire
      look,
    });
  }
  return found;
}

function readShape(v: DataView): Shape {
  const share = (n: number) => n / 50000;
  const signed = (n: number) => n / 100;
  return {
    path: v.getUint8(0),
    profile: v.getUint8(1),
    pathBegin: share(v.getUint16(2, true)),
    pathEnd: 1 - share(v.getUint16(4, true)),
    scaleX: (200 - v.getUint8(6)) / 100,
    scaleY: (200 - v.getUint8(7)) / 100,
    shearX: signed(v.getInt8(8)),
    shearY: signed(v.getInt8(9)),
    twist: signed(v.getInt8(10)),
    twistBegin: signed(v.getInt8(11)),
    radiusOffset: signed(v.getInt8(12)),
    taperX: signed(v.getInt8(13)),
    taperY: signed(v.getInt8(14)),
    revolutions: 1 + v.getUint8(15) * 0.015,
    skew: signed(v.getInt8(16)),
    profileBegin: share(v.getUint16(17, true)),
    profileEnd: 1 - share(v.getUint16(19, true)),
    hollow: share(v.getUint16(21, true)),
  };
}

export interface Land {
  west: number;
  south: number;
  heights: Float32Array; // 256 x 256 metres, row by row from the south
}

export async function land(data: ArrayBuffer): Promise<Land> {
  const view = new DataView(data);
  const packed = new Blob([data.slice(9)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const deltas = new Uint16Array(await new Response(packed).arrayBuffer());
  const heights = new Float32Array(65536);
  let sum = 0;
  for (let i = 0; i < 65536; i++) {
    sum = (sum + deltas[i]) & 0xffff;
    heights[i] = (sum - 32768) / 100;
  }
  return { west: view.getInt32(1, true), south: view.getInt32(5, true), heights };
}
