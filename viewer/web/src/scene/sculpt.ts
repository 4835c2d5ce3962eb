import type { Face } from "./tessellate";

/** A sculpt map: its colours are places, from the top row. */
export interface Picture {
  width: number;
  height: number;
  rgb: Uint8Array;
}

const [SPHERE, TORUS, CYLINDER] = [1, 2, 4]; // 3 is a plane
const INVERT = 0x40;
const MIRROR = 0x80;

/**
 * A sculpted prim: a grid of `steps` by `steps` over the map, each point's place in the unit cube by its red, green and
 * blue. The kind says what is stitched: the left edge to the right one (all but a plane), the bottom to the top (torus),
 * each of them to a point (sphere).
 */
export function sculptFace(map: Picture, kind: number, steps: number): Face {
  const stitch = kind & 7;
  const round = stitch === SPHERE || stitch === TORUS || stitch === CYLINDER || stitch === 0;
  const ball = stitch === SPHERE || stitch === 0;
  const turned = ((kind & INVERT) !== 0) !== ((kind & MIRROR) !== 0);
  const face: Face = { positions: [], uvs: [], index: [] };
  const { width, height, rgb } = map;
  for (let j = 0; j <= steps; j++) {
    const t = stitch === TORUS ? (j % steps) / steps : j / steps;
    const row = height - 1 - Math.min(height - 1, Math.round(t * (stitch === TORUS ? height : height - 1)));
    for (let i = 0; i <= steps; i++) {
      const s = round ? (i % steps) / steps : i / steps;
      let column = Math.min(width - 1, Math.round(s * (round ? width : width - 1)));
      if (ball && (j === 0 || j === steps)) column = width >> 1;
      const at = (row * width + column) * 3;
      const x = rgb[at] / 255 - 0.5;
      face.positions.push(kind & MIRROR ? -x : x, rgb[at + 1] / 255 - 0.5, rgb[at + 2] / 255 - 0.5);
      face.uvs.push(i / steps, j / steps);
    }
  }
  const n = steps + 1;
  for (let j = 0; j < steps; j++) {
    for (let i = 0; i < steps; i++) {
      const a = j * n + i;
      if (turned) face.index.push(a, a + n + 1, a + 1, a, a + n, a + n + 1);
      else face.index.push(a, a + 1, a + n + 1, a, a + n + 1, a + n);
    }
  }
  return face;
}
