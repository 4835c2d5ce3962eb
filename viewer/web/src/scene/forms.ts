import { BufferAttribute, BufferGeometry } from "three";
import { mergeGeometries } from "three/examples/jsm/utils/BufferGeometryUtils.js";
import type { ObjectRecord } from "../net/frames";
import { readFaceHead, readMeshHead, readSculptHead } from "../net/records";
import { Reader } from "../net/reader";
import { ENDS, FINEST, MESH_ENDS, SEGMENTS } from "./levels";
import { plantFaces } from "./plants";
import { sculptFace, type Picture } from "./sculpt";
import { isRound, tessellate, type Face } from "./tessellate";
import { fetchAgain } from "./textures";

const PRIM = 9;
const MESH = 5; // of the kinds of a sculpt; the others are kinds of stitching
const MESH_LEVELS = ["lowest", "low", "medium", "high"]; // by our levels
const AT_ONCE = 4;

type Faces = (BufferGeometry | null)[]; // null: one without triangles

/** What things are made of, at one level of detail. */
export class Form {
  private pieces = new Map<string, BufferGeometry>();

  constructor(
    readonly key: string,
    readonly faces: Faces,
  ) {}

  /** Some of its faces (that have triangles) as one geometry. */
  piece(faces: number[]): BufferGeometry {
    if (faces.length === 1) return this.faces[faces[0]]!;
    const key = faces.join();
    let piece = this.pieces.get(key);
    if (!piece) this.pieces.set(key, (piece = mergeGeometries(faces.map((face) => this.faces[face]!))));
    return piece;
  }
}

/** The forms of prims, sculpts, meshes and plants, each made once for each level. */
export class Forms {
  private known = new Map<string, Form>();
  private makers = new Map<string, (segments: number) => Faces>();
  private asked = new Map<string, (() => void)[]>();
  private waiting: (() => Promise<void>)[] = [];
  private running = 0;

  /** How many forms are still to come. */
  get busy(): number {
    return this.waiting.length + this.running;
  }

  /** Whether a thing's form differs by level. */
  isRound(record: ObjectRecord): boolean {
    return record.pcode === PRIM && (!!record.form || isRound(record.shape));
  }

  /** The sizes in pixels at which a level of a thing ends. */
  ends(record: ObjectRecord): number[] {
    return record.pcode === PRIM && isMesh(record) ? MESH_ENDS : ENDS;
  }

  /** The form of a thing at a level, or null until it came; then `ready` is called. */
  of(record: ObjectRecord, level: number, ready: () => void): Form | null {
    if (record.pcode === PRIM && isMesh(record)) return this.mesh(record, level, ready);
    const key = `${record.shapeKey}|${level}`;
    const found = this.known.get(key);
    if (found) return found;
    const make = this.maker(record);
    if (make) {
      const form = new Form(key, make(SEGMENTS[level]));
      this.known.set(key, form);
      return form;
    }
    this.ask(record.shapeKey, ready, () => this.sculpt(record));
    return null;
  }

  /** A mesh at a level: each is fetched when it is first wanted. Until it has come another one stands in. */
  private mesh(record: ObjectRecord, level: number, ready: () => void): Form | null {
    const key = (at: number) => `${record.shapeKey}|${at}`;
    const found = this.known.get(key(level));
    if (found) return found;
    this.ask(key(level), ready, async () => {
      const reply = await fetchAgain(`form/${record.form!.id}/mesh-${MESH_LEVELS[level]}`);
      const [real, faces] = reply?.ok ? meshFaces(await reply.arrayBuffer()) : [level, []];
      // Where the asset has no such level, it is the same form as that of the level it has.
      const form = this.known.get(key(real)) ?? new Form(key(real), faces);
      this.known.set(key(real), form).set(key(level), form);
    });
    const others = SEGMENTS.map((_, at) => at).sort((a, b) => Math.abs(a - level) - Math.abs(b - level));
    return others.map((at) => this.known.get(key(at))).find((form) => form?.faces.length) ?? null;
  }

  /** Do something once for all who are to hear when it is done. */
  private ask(key: string, ready: () => void, task: () => Promise<void>): void {
    const others = this.asked.get(key);
    if (others) {
      others.push(ready);
      return;
    }
    this.asked.set(key, [ready]);
    this.waiting.push(async () => {
      await task();
      const waited = this.asked.get(key) ?? [];
      this.asked.delete(key);
      for (const one of waited) one();
    });
    this.next();
  }

  private maker(record: ObjectRecord): ((segments: number) => Faces) | undefined {
    if (record.pcode !== PRIM) return () => plantFaces(record.pcode, record.species).map(smooth);
    if (!record.form) return (segments) => tessellate(record.shape, segments).map(smooth);
    return this.makers.get(record.shapeKey);
  }

  private next(): void {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running++;
      void this.waiting.shift()!().finally(() => {
        this.running--;
        this.next();
      });
    }
  }

  private async sculpt(record: ObjectRecord): Promise<void> {
    const { id, kind } = record.form!;
    const reply = await fetchAgain(`form/${id}/sculpt`);
    let make = (segments: number): Faces => tessellate(record.shape, segments).map(smooth); // without its map
    if (reply?.ok) {
      const map = picture(await reply.arrayBuffer());
      make = (segments) => [smooth(sculptFace(map, kind, Math.ceil((segments * 4) / 3)))];
    }
    this.makers.set(record.shapeKey, make);
  }
}

const isMesh = (record: ObjectRecord) => !!record.form && (record.form.kind & 7) === MESH;

function picture(data: ArrayBuffer): Picture {
  const r = new Reader(data);
  return { ...readSculptHead(r), rgb: new Uint8Array(data, r.place) };
}

/** Reads what viewer/gateway/records.py draws: the level it is of, as ours count, and its faces. */
function meshFaces(data: ArrayBuffer): [number, Faces] {
  const r = new Reader(data);
  const head = readMeshHead(r);
  const faces: Faces = [];
  for (let n = head.faces; n > 0; n--) {
    const { corners, triangles } = readFaceHead(r);
    if (!corners) {
      faces.push(null);
      continue;
    }
    const floats = (width: number) => new BufferAttribute(new Float32Array(data, r.skip(corners * width * 4), corners * width), width);
    const made = new BufferGeometry();
    made.setAttribute("position", floats(3));
    made.setAttribute("normal", floats(3));
    made.setAttribute("uv", floats(2));
    made.setIndex(new BufferAttribute(new Uint16Array(data, r.skip(triangles * 6 + ((triangles * 6) % 4 ? 2 : 0)), triangles * 3), 1));
    const normals = made.attributes.normal.array as Float32Array;
    if (normals.every((v) => v === 0)) made.computeVertexNormals();
    faces.push(made);
  }
  return [Math.max(FINEST - head.level, 0), faces];
}

/** Triangles of a face, with normals smooth within it: points at the same place share theirs. */
export function smooth(face: Face): BufferGeometry {
  const made = new BufferGeometry();
  made.setAttribute("position", new BufferAttribute(new Float32Array(face.positions), 3));
  made.setAttribute("uv", new BufferAttribute(new Float32Array(face.uvs), 2));
  made.setIndex(face.index);
  made.computeVertexNormals();
  const normals = made.attributes.normal.array as Float32Array;
  const sums = new Map<string, [number, number, number]>();
  const keys: string[] = [];
  for (let i = 0; i < normals.length; i += 3) {
    const key = face.positions.slice(i, i + 3).map((v) => Math.round(v * 1000)).join();
    keys.push(key);
    const sum = sums.get(key) ?? [0, 0, 0];
    for (let c = 0; c < 3; c++) sum[c] += normals[i + c];
    sums.set(key, sum);
  }
  keys.forEach((key, n) => {
    const [x, y, z] = sums.get(key)!;
    const length = Math.hypot(x, y, z) || 1;
    normals.set([x / length, y / length, z / length], n * 3);
  });
  return made;
}
