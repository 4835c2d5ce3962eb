import type { Face } from "./tessellate";

/** Linden plants: the protocol gives a species and a size, viewers bring the looks. Ours grow from a few rules. */
type Family = "conifer" | "leafy" | "palm" | "bush" | "blades";
type Rgb = [number, number, number];

interface Plant {
  family: Family;
  leaves: Rgb;
  wood: Rgb;
}

export const GRASS = 95;
const BARK: Rgb = [0.36, 0.27, 0.19];
const plant = (family: Family, leaves: Rgb, wood = BARK): Plant => ({ family, leaves, wood });
const PINE: Rgb = [0.13, 0.27, 0.15];
const SNOW: Rgb = [0.82, 0.86, 0.88];
const SEA: Rgb = [0.2, 0.36, 0.2];

/** By the State of trees: pine, oak, tropical bush, palm, dogwood, ... */
const TREES: Plant[] = [
  plant("conifer", PINE), plant("leafy", [0.25, 0.4, 0.14]), plant("bush", [0.22, 0.44, 0.16]), plant("palm", [0.27, 0.47, 0.16]),
  plant("leafy", [0.72, 0.55, 0.6]), plant("bush", [0.28, 0.48, 0.2]), plant("palm", [0.33, 0.5, 0.18]), plant("conifer", [0.16, 0.33, 0.17]),
  plant("conifer", [0.19, 0.36, 0.18]), plant("conifer", [0.15, 0.3, 0.18]), plant("leafy", [0.4, 0.48, 0.3]), plant("conifer", SNOW),
  plant("leafy", SNOW, [0.6, 0.57, 0.5]), plant("conifer", [0.7, 0.77, 0.78]), plant("leafy", [0.34, 0.45, 0.33], [0.62, 0.56, 0.48]),
  plant("bush", [0.24, 0.46, 0.15]), plant("blades", SEA), plant("blades", [0.25, 0.4, 0.2]), plant("blades", [0.3, 0.34, 0.14]),
  plant("blades", [0.5, 0.53, 0.26]), plant("blades", [0.26, 0.3, 0.12]),
];
const MEADOW: Rgb[] = [[0.3, 0.46, 0.16], [0.36, 0.5, 0.18], [0.28, 0.42, 0.2], [0.42, 0.5, 0.24], [0.5, 0.53, 0.26], [0.34, 0.44, 0.16]];

function plantOf(pcode: number, species: number): Plant {
  return pcode === GRASS ? plant("blades", MEADOW[species % MEADOW.length]) : TREES[species % TREES.length];
}

/** The colours of a plant's faces: wood, leaves. */
export function plantColors(pcode: number, species: number): Rgb[] {
  const { family, leaves, wood } = plantOf(pcode, species);
  return family === "bush" || family === "blades" ? [leaves] : [wood, leaves];
}

/** A plant's faces in the unit cube, its foot at the bottom: wood, leaves; or leaves alone. */
export function plantFaces(pcode: number, species: number): Face[] {
  const chance = dice(species * 7 + pcode);
  const [wood, leaves] = [empty(), empty()];
  switch (plantOf(pcode, species).family) {
    case "conifer":
      cone(wood, [0, 0, -0.5], 0.035, 0.9, 6);
      for (let n = 0; n < 5; n++) cone(leaves, [0, 0, -0.34 + n * 0.16], 0.5 - n * 0.085, 0.3 - n * 0.02, 9, chance() * 6);
      return [wood, leaves];
    case "palm":
      stem(wood, 0.045, 0.85, 0.1);
      for (let n = 0; n < 11; n++) frond(leaves, [0.1, 0, 0.35], (n / 11) * Math.PI * 2 + chance(), 0.42, 0.1 + chance() * 0.1);
      return [wood, leaves];
    case "leafy":
      stem(wood, 0.06, 0.55, 0.02);
      for (let n = 0; n < 9; n++) {
        const [turn, far] = [chance() * 6.28, Math.sqrt(chance()) * 0.27];
        ball(leaves, [Math.cos(turn) * far, Math.sin(turn) * far, 0.02 + chance() * 0.26], 0.15 + chance() * 0.07, chance);
      }
      return [wood, leaves];
    case "bush":
      for (let n = 0; n < 16; n++) frond(leaves, [0, 0, -0.48], (n / 16) * 6.28 + chance(), 0.34 + chance() * 0.14, 0.55 + chance() * 0.35);
      return [leaves];
    default:
      for (let n = 0; n < 60; n++) blade(leaves, (chance() - 0.5) * 0.92, (chance() - 0.5) * 0.92, chance() * 6.28, 0.45 + chance() * 0.5);
      return [leaves];
  }
}

const empty = (): Face => ({ positions: [], uvs: [], index: [] });

/** Numbers 0..1 that look thrown but are the same for everybody. */
function dice(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

type Spot = [number, number, number];

function point(face: Face, [x, y, z]: Spot, u = 0, v = 0): number {
  face.positions.push(x, y, z);
  face.uvs.push(u, v);
  return face.positions.length / 3 - 1;
}

function cone(face: Face, [x, y, z]: Spot, radius: number, height: number, sides: number, turn = 0): void {
  const top = point(face, [x, y, z + height]);
  const rim = Array.from({ length: sides }, (_, n) => {
    const a = turn + (n / sides) * Math.PI * 2;
    return point(face, [x + Math.cos(a) * radius, y + Math.sin(a) * radius, z]);
  });
  const foot = point(face, [x, y, z + height * 0.15]);
  rim.forEach((a, n) => face.index.push(a, rim[(n + 1) % sides], top, rim[(n + 1) % sides], a, foot));
}

/** A trunk from the bottom up, thinner above, leaning along x. */
function stem(face: Face, radius: number, height: number, lean: number): void {
  const [sides, steps] = [7, 4];
  for (let j = 0; j <= steps; j++) {
    const t = j / steps;
    for (let i = 0; i < sides; i++) {
      const a = (i / sides) * Math.PI * 2;
      const r = radius * (1 - 0.5 * t);
      point(face, [Math.cos(a) * r + lean * t * t, Math.sin(a) * r, -0.5 + height * t], i / sides, t);
      if (j === steps) continue;
      const [p, q] = [j * sides + i, j * sides + ((i + 1) % sides)];
      face.index.push(p, q, q + sides, p, q + sides, p + sides);
    }
  }
}

/** A crooked ball of leaves. */
function ball(face: Face, [x, y, z]: Spot, radius: number, chance: () => number): void {
  const [around, up] = [8, 5];
  const first = face.positions.length / 3;
  for (let j = 0; j <= up; j++) {
    const b = (j / up - 0.5) * Math.PI;
    for (let i = 0; i < around; i++) {
      const a = (i / around) * Math.PI * 2;
      const r = radius * (0.8 + chance() * 0.35);
      point(face, [x + Math.cos(a) * Math.cos(b) * r, y + Math.sin(a) * Math.cos(b) * r, z + Math.sin(b) * r]);
      if (j === up) continue;
      const [p, q] = [first + j * around + i, first + j * around + ((i + 1) % around)];
      face.index.push(p, q, q + around, p, q + around, p + around);
    }
  }
}

/** A leaf of a palm or fern: out from a point, up and then bending down; both sides are drawn. */
function frond(face: Face, [x, y, z]: Spot, turn: number, reach: number, rise: number): void {
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  const steps = 5;
  const first = face.positions.length / 3;
  for (let j = 0; j <= steps; j++) {
    const t = j / steps;
    const width = 0.055 * Math.sin(Math.PI * Math.min(1, t * 0.85 + 0.15));
    const height = z + rise * t - (rise + 0.22) * t * t * 0.7;
    for (const side of [-1, 1]) point(face, [x + c * reach * t - s * width * side, y + s * reach * t + c * width * side, height], side, t);
    if (j === steps) continue;
    const p = first + j * 2;
    face.index.push(p, p + 1, p + 3, p, p + 3, p + 2, p, p + 3, p + 1, p, p + 2, p + 3);
  }
}

function blade(face: Face, x: number, y: number, turn: number, height: number): void {
  const [c, s] = [Math.cos(turn) * 0.018, Math.sin(turn) * 0.018];
  const [a, b] = [point(face, [x - c, y - s, -0.5]), point(face, [x + c, y + s, -0.5])];
  const top = point(face, [x + s * 4, y - c * 4, -0.5 + height]);
  face.index.push(a, b, top, a, top, b);
}
