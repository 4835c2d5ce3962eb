import type { Shape } from "../net/frames";

/** One face of a prim: triangles in the unit cube around the origin. */
export interface Face {
  positions: number[];
  uvs: number[];
  index: number[];
}

type Point = { x: number; y: number; u: number };
const LINE = 0x10;
const HOLES: Record<number, number> = { 0x10: 0, 0x20: 1, 0x30: 3 }; // their curve; any other is the profile's own

/** Whether a prim's path is straight (and may bend). */
export const isLine = (shape: Shape) => (shape.path & 0xf0) === LINE || (shape.path & 0xf0) === 0x80;
const isCurved = (kind: number) => kind === 0 || kind >= 5;

/** Whether anything of a prim is round (or twisted), so that it gets smoother with more segments. */
export function isRound(shape: Shape): boolean {
  const round = isCurved(shape.profile & 15) || (shape.hollow > 0 && HOLES[shape.profile & 0xf0] === 0);
  return round || !isLine(shape) || shape.twist !== shape.twistBegin;
}

/**
 * A prim's faces in the protocol's order: top, sides, hollow, bottom, then the two cut ends. A prim is a profile (a
 * square, a circle, ...) swept along a path (a line, a circle); `segments` is how many make a circle, at least 4. Numbers
 * out of range are held to it: what is drawn is never more than some thousand triangles. `least`: steps of a straight path,
 * for one that will be bent.
 */
export function tessellate(shape: Shape, segments: number, least = 1): Face[] {
  const line = isLine(shape);
  const outer = profile(shape, segments);
  const closed = shape.profileBegin <= 0 && shape.profileEnd >= 1;
  const hollow = Math.min(Math.max(shape.hollow, 0), 0.99);
  const inner = hollow > 0 ? hole(shape, outer, hollow, segments) : null;
  const rings = path(shape, line, segments, least);
  const faces: Face[] = [];
  const half = (shape.profile & 15) === 5;
  const pathOpen = line || shape.pathBegin > 0 || shape.pathEnd < 1 || shape.skew !== 0 || shape.radiusOffset !== 0 || shape.taperX !== 0 || shape.taperY !== 0 || shape.twist !== shape.twistBegin || shape.revolutions > 1;
  if (pathOpen) faces.push(cap(outer, inner, rings[rings.length - 1], closed, false, half));
  for (const side of outer) faces.push(sweep(side, rings));
  if (inner) faces.push(sweep(inner, rings));
  if (pathOpen) faces.push(cap(outer, inner, rings[0], closed, true, half));
  if (!closed) {
    const first = outer[0][0];
    const last = outer[outer.length - 1].at(-1)!;
    const centre = { x: 0, y: 0, u: 0 };
    faces.push(sweep([{ ...(inner?.[inner.length - 1] ?? centre), u: 0 }, { ...first, u: 1 }], rings));
    faces.push(sweep([{ ...last, u: 0 }, { ...(inner?.[0] ?? centre), u: 1 }], rings));
  }
  return faces.filter((face) => face.index.length);
}

/** Corners of the profile's curve, counter-clockwise, with the share of the way around at which each lies. */
function curve(kind: number, segments: number): Point[] {
  const ring = (n: number, turn: number, from = 0, radius = 0.5) =>
    Array.from({ length: n + 1 }, (_, i) => {
      const a = from + (turn * i) / n;
      return { x: Math.cos(a) * radius, y: Math.sin(a) * radius, u: i / n };
    });
  switch (kind) {
    case 1:
      return [
        { x: -0.5, y: -0.5, u: 0 },
        { x: 0.5, y: -0.5, u: 0.25 },
        { x: 0.5, y: 0.5, u: 0.5 },
        { x: -0.5, y: 0.5, u: 0.75 },
        { x: -0.5, y: -0.5, u: 1 },
      ];
    case 2:
    case 3:
    case 4:
      return ring(3, Math.PI * 2);
    case 5:
      return ring(segments / 2, Math.PI);
    default:
      return ring(segments, Math.PI * 2);
  }
}

/** The cut profile as sides: a flat-sided curve gives one a side, a round one gives one. */
function profile(shape: Shape, segments: number): Point[][] {
  const kind = shape.profile & 15;
  const all = curve(kind, segments);
  const begin = Math.min(Math.max(shape.profileBegin, 0), 0.98);
  const end = Math.max(Math.min(shape.profileEnd, 1), begin + 0.02);
  const kept: Point[] = [];
  for (let i = 0; i < all.length - 1; i++) {
    const [a, b] = [all[i], all[i + 1]];
    const from = Math.max(a.u, begin);
    const to = Math.min(b.u, end);
    if (to <= from) continue;
    const at = (u: number) => {
      const s = (u - a.u) / (b.u - a.u);
      return { x: a.x + (b.x - a.x) * s, y: a.y + (b.y - a.y) * s, u };
    };
    if (!kept.length) kept.push(at(from));
    kept.push(at(to));
  }
  const round = kind === 0 || kind === 5;
  const unit = (side: Point[]) => {
    const [low, high] = [side[0].u, side.at(-1)!.u];
    return side.map((p) => ({ ...p, u: (p.u - low) / (high - low) }));
  };
  return round ? [unit(kept)] : kept.slice(1).map((p, i) => unit([kept[i], p]));
}

/** The hollow's outline, running the other way round. */
function hole(shape: Shape, outer: Point[][], hollow: number, segments: number): Point[] {
  const kind = HOLES[shape.profile & 0xf0];
  const own = shape.profile & 15;
  // A square hole in something round reaches its corners no farther than the rim.
  const fit = kind === 1 && own !== 1 ? Math.SQRT1_2 : kind === 0 && own > 1 && own < 5 ? 0.5 : 1;
  const half = own === 5;
  const sides = kind === undefined || half ? outer : profile({ ...shape, profile: kind }, segments);
  const points = sides.flatMap((side, n) => (n ? side.slice(1) : side));
  return points
    .map((p) => ({ x: p.x * hollow * fit, y: p.y * hollow * fit, u: 0 }))
    .reverse()
    .map((p, i, all) => ({ ...p, u: i / (all.length - 1) }));
}

interface Ring {
  t: number;
  place(p: Point): [number, number, number];
}

/** Where the profile goes: a function of the profile's points for each step of the path. */
function path(shape: Shape, line: boolean, segments: number, least: number): Ring[] {
  const begin = Math.min(Math.max(shape.pathBegin, 0), 0.98);
  const end = Math.max(Math.min(shape.pathEnd, 1), begin + 0.02);
  const twists = Math.abs(shape.twist - shape.twistBegin);
  const mix = (a: number, b: number, t: number) => a + (b - a) * t;
  const rings: Ring[] = [];
  if (line) {
    const steps = Math.max(least, Math.ceil((twists * segments * 2) / 3));
    for (let i = 0; i <= steps; i++) {
      const t = mix(begin, end, i / steps);
      const angle = mix(shape.twistBegin, shape.twist, t) * Math.PI;
      const sx = mix(Math.min(1, 2 - shape.scaleX), Math.min(1, shape.scaleX), t);
      const sy = mix(Math.min(1, 2 - shape.scaleY), Math.min(1, shape.scaleY), t);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      rings.push({
        t,
        place: (p) => {
          const [x, y] = [p.x * sx, p.y * sy];
          return [x * c - y * s + shape.shearX * (t - 0.5), x * s + y * c + shape.shearY * (t - 0.5), t - 0.5];
        },
      });
    }
    return rings;
  }
  const turns = Math.min(Math.max(shape.revolutions, 1), 4);
  const steps = Math.ceil(segments * turns * Math.max(0.1, end - begin) * (1 + twists * 0.5));
  const holeX = Math.min(Math.max(shape.scaleX, 0.01), 1);
  const holeY = Math.min(Math.max(shape.scaleY, 0.01), 1);
  const sphere = (shape.profile & 15) === 5;
  const radius = sphere ? 0 : 0.5 * (1 - holeY);
  for (let i = 0; i <= steps; i++) {
    const t = mix(begin, end, i / steps);
    const angle = t * turns * Math.PI * 2;
    const twist = mix(shape.twistBegin, shape.twist, t) * Math.PI * 2;
    const taper = (amount: number) => (amount > 0 ? 1 - amount * t : 1 + amount * (1 - t));
    const sx = holeX * taper(shape.taperX);
    const sy = holeY * taper(shape.taperY);
    const offset = shape.radiusOffset > 0 ? 1 - shape.radiusOffset * (1 - t) : 1 + shape.radiusOffset * t;
    // Shear moves the ring along x and y by how high it is.
    const height = radius * offset * Math.sin(angle);
    const aside = shape.skew * (t - 0.5) + shape.shearX * height;
    const [ct, st, ca, sa] = [Math.cos(twist), Math.sin(twist), Math.cos(angle), Math.sin(angle)];
    const slim = Math.max(0.05, 1 - Math.abs(shape.skew));
    rings.push({
      t,
      place: (p) => {
        const [x, y] = [p.x * sx * slim, p.y * sy];
        const out = radius * offset + x * st + y * ct;
        return [x * ct - y * st + aside, out * ca + shape.shearY * height, out * sa];
      },
    });
  }
  return rings;
}

function sweep(points: Point[], rings: Ring[]): Face {
  const face: Face = { positions: [], uvs: [], index: [] };
  const [from, to] = [rings[0].t, rings[rings.length - 1].t];
  for (const ring of rings) {
    for (const p of points) {
      face.positions.push(...ring.place(p));
      face.uvs.push(p.u, (ring.t - from) / (to - from));
    }
  }
  const n = points.length;
  for (let j = 0; j < rings.length - 1; j++) {
    for (let i = 0; i < n - 1; i++) {
      const a = j * n + i;
      face.index.push(a, a + 1, a + n + 1, a, a + n + 1, a + n);
    }
  }
  return face;
}

/** An end of the path: the profile's area, less the hollow. */
function cap(outer: Point[][], inner: Point[] | null, ring: Ring, closed: boolean, bottom: boolean, half: boolean): Face {
  const face: Face = { positions: [], uvs: [], index: [] };
  const rim = outer.flatMap((side, n) => (n ? side.slice(1) : side));
  const add = (p: Point) => {
    face.positions.push(...ring.place(p));
    face.uvs.push(p.x + 0.5, bottom ? 0.5 - p.y : p.y + 0.5);
    return face.positions.length / 3 - 1;
  };
  const triangle = (a: number, b: number, c: number) => (bottom ? face.index.push(a, c, b) : face.index.push(a, b, c));
  if (!inner) {
    const middle = add({ x: 0, y: 0, u: 0 });
    const ids = rim.map(add);
    for (let i = 0; i < ids.length - 1; i++) triangle(middle, ids[i], ids[i + 1]);
    if (closed && half) triangle(middle, ids[ids.length - 1], ids[0]);
    return face;
  }
  // Two outlines with different numbers of points: walk both, always advancing the one that lags behind.
  const back = [...inner].reverse();
  const [a, b] = [rim.map(add), back.map(add)];
  let [i, j] = [0, 0];
  while (i < a.length - 1 || j < b.length - 1) {
    const ahead = j === b.length - 1 || (i < a.length - 1 && (i + 1) / (a.length - 1) <= (j + 1) / (b.length - 1));
    if (ahead) triangle(a[i], a[++i], b[j]);
    else triangle(a[i], b[j + 1], b[j++]);
  }
  return face;
}
