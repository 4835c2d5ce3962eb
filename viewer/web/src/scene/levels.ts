/**
 * How finely things are drawn: by how large they look, in pixels across. What is round has a polygon's corners for its
 * circle; a level serves as long as that polygon is less than half a pixel off the circle.
 */

/** Segments of a circle, from the coarsest level to the finest. */
export const SEGMENTS = [4, 6, 12, 24];
export const FINEST = SEGMENTS.length - 1;
/** Up to this level things are far: so small that leaving out those behind the camera saves less than draw calls cost. */
export const FAR = 1;
/** The level of what is too small to be seen. */
export const UNSEEN = -1;

const LEAST = 1.5; // pixels
export const ENDS = SEGMENTS.slice(0, FINEST).map((n) => 1 / (1 - Math.cos(Math.PI / n))); // 3.4, 7.5 and 29 pixels
/** Meshes bring their levels. Who makes them counts on 0.03, 0.06 and 0.24 of the distance for half their size, as in
 * Second Life, and on viewers that are set to twice as fine; in a window of a thousand pixels that is so much. */
export const MESH_ENDS = [28, 56, 224];
const STAY = 1.2;

function level(pixels: number, ends: number[]): number {
  if (pixels < LEAST) return UNSEEN;
  const found = ends.findIndex((end) => pixels < end);
  return found < 0 ? FINEST : found;
}

/**
 * The level of a thing that is `pixels` large. One that had a level `before` keeps it until another is better by a
 * margin, lest it flicker between two. What has no `round` parts is only near, far or unseen. `ends`: the sizes at which
 * a level ends, the coarsest first.
 */
export function chooseLevel(pixels: number, round: boolean, before?: number, ends = ENDS): number {
  let found = level(pixels, ends);
  if (before !== undefined) found = Math.min(Math.max(before, level(pixels / STAY, ends)), level(pixels * STAY, ends));
  if (round || found === UNSEEN) return found;
  return found > FAR ? FINEST : FAR;
}
