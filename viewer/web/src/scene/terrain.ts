import {
  BufferAttribute,
  BufferGeometry,
  Group,
  Mesh,
  MeshLambertMaterial,
  Sphere,
  Texture,
  Vector3,
  Vector4,
  type WebGLProgramParametersWithUniforms,
} from "three";
import { NOISE } from "./noise";
import { OCCLUDES } from "./glow";
import type { Textures } from "./textures";

const SIDE = 257; // points along an edge: the region's own 256 and the first of the neighbour
const SKIRT = 3; // metres the edge hangs down, to hide what differs between neighbours

/** Heights of one region with what lies beyond its northern and eastern edge. */
export class Ground {
  readonly heights = new Float32Array(SIDE * SIDE);
  known = false;

  /** Height at region-local metres, between the four nearest points. */
  at(x: number, y: number): number {
    const cx = Math.min(Math.max(x, 0), 255.999);
    const cy = Math.min(Math.max(y, 0), 255.999);
    const [ix, iy] = [Math.floor(cx), Math.floor(cy)];
    const [fx, fy] = [cx - ix, cy - iy];
    const h = this.heights;
    const i = iy * SIDE + ix;
    return (h[i] * (1 - fx) + h[i + 1] * fx) * (1 - fy) + (h[i + SIDE] * (1 - fx) + h[i + SIDE + 1] * fx) * fy;
  }

  /** Take a region's 256 x 256 heights; neighbours' edges (if known) close the gap to the north and east. */
  fill(own: Float32Array, east?: Float32Array, north?: Float32Array, corner?: Float32Array): void {
    for (let y = 0; y < 256; y++) {
      this.heights.set(own.subarray(y * 256, y * 256 + 256), y * SIDE);
      this.heights[y * SIDE + 256] = east ? east[y * 256] : own[y * 256 + 255];
    }
    for (let x = 0; x < 256; x++) this.heights[256 * SIDE + x] = north ? north[x] : own[255 * 256 + x];
    this.heights[256 * SIDE + 256] = corner ? corner[0] : this.heights[255 * SIDE + 256];
    this.known = true;
  }
}

/** The land of one region: a mesh that blends four ground textures by height. */
export class Terrain {
  readonly ground = new Ground();
  private mesh: Mesh<BufferGeometry, MeshLambertMaterial> | null = null;
  private uniforms = {
    layers: { value: [] as Texture[] },
    starts: { value: new Vector4(18, 18, 18, 18) },
    spans: { value: new Vector4(30, 30, 30, 30) },
    water: { value: 20 },
    have: { value: new Vector4() },
  };

  constructor(
    private parent: Group,
    private textures: Textures,
  ) {}

  /** What the region said of its ground: texture ids from low to high, start heights and spans of four corners. */
  describe(ids: string[], heights: number[], water: number): void {
    this.uniforms.layers.value = ids.slice(0, 4).map((id, n) =>
      this.textures.get(id, 256, () => this.uniforms.have.value.setComponent(n, 1)),
    );
    if (heights.length === 8) {
      this.uniforms.starts.value.fromArray(heights);
      this.uniforms.spans.value.fromArray(heights, 4);
    }
    this.uniforms.water.value = water;
  }

  /** Build the mesh with a point every `step` metres. */
  build(step: number): void {
    const mesh = this.mesh ?? this.makeMesh();
    mesh.geometry.dispose();
    mesh.geometry = geometry(this.ground.heights, step);
  }

  private makeMesh(): Mesh<BufferGeometry, MeshLambertMaterial> {
    const material = new MeshLambertMaterial({ color: 0xffffff });
    material.onBeforeCompile = (shader) => this.patch(shader);
    const mesh = (this.mesh = new Mesh(new BufferGeometry(), material));
    mesh.layers.enable(OCCLUDES);
    mesh.receiveShadow = true;
    mesh.name = "terrain";
    this.parent.add(mesh);
    return mesh;
  }

  private patch(shader: WebGLProgramParametersWithUniforms): void {
    Object.assign(shader.uniforms, this.uniforms);
    shader.vertexShader = shader.vertexShader
      .replace("#include <common>", "#include <common>\nvarying vec3 spot;\nvarying float steep;")
      .replace("#include <begin_vertex>", "#include <begin_vertex>\nspot = position;\nsteep = 1.0 - normal.z;");
    shader.fragmentShader = shader.fragmentShader
      .replace("#include <common>", `#include <common>\n${BLEND}`)
      .replace("#include <map_fragment>", "diffuseColor.rgb = groundColor();");
  }

  dispose(): void {
    this.mesh?.geometry.dispose();
    this.mesh?.material.dispose();
    this.mesh?.removeFromParent();
  }
}

function geometry(heights: Float32Array, step: number): BufferGeometry {
  const side = 256 / step + 1;
  const edge = side * 4;
  const points = new Float32Array((side * side + edge) * 3);
  const normals = new Float32Array(points.length);
  const index = new Uint32Array(((side - 1) * (side - 1) + edge) * 6);
  const at = (x: number, y: number) => heights[Math.min(Math.max(y, 0), 256) * SIDE + Math.min(Math.max(x, 0), 256)];
  const normal = new Vector3();
  let low = Infinity;
  let high = -Infinity;
  let p = 0;
  for (let j = 0; j < side; j++) {
    for (let i = 0; i < side; i++, p += 3) {
      const [x, y] = [i * step, j * step];
      const z = at(x, y);
      low = Math.min(low, z);
      high = Math.max(high, z);
      points.set([x, y, z], p);
      normal.set(at(x - 1, y) - at(x + 1, y), at(x, y - 1) - at(x, y + 1), 2).normalize();
      normal.toArray(normals, p);
    }
  }
  let k = 0;
  for (let j = 0; j < side - 1; j++) {
    for (let i = 0; i < side - 1; i++, k += 6) {
      const a = j * side + i;
      // The diagonal the protocol's other viewers use: from south-west to north-east.
      index.set([a, a + 1, a + side + 1, a, a + side + 1, a + side], k);
    }
  }
  // A skirt: the edge once more, a little lower.
  const rim: number[] = [];
  for (let i = 0; i < side; i++) rim.push(i);
  for (let j = 0; j < side; j++) rim.push(j * side + side - 1);
  for (let i = side - 1; i >= 0; i--) rim.push((side - 1) * side + i);
  for (let j = side - 1; j >= 0; j--) rim.push(j * side);
  const first = p / 3;
  rim.forEach((from, n) => {
    points.set([points[from * 3], points[from * 3 + 1], points[from * 3 + 2] - SKIRT], p);
    normals.set(normals.subarray(from * 3, from * 3 + 3), p);
    p += 3;
    if (n + 1 < rim.length) {
      index.set([from, first + n, rim[n + 1], rim[n + 1], first + n, first + n + 1], k);
      k += 6;
    }
  });
  const made = new BufferGeometry();
  made.setAttribute("position", new BufferAttribute(points, 3));
  made.setAttribute("normal", new BufferAttribute(normals, 3));
  made.setIndex(new BufferAttribute(index, 1));
  made.boundingSphere = new Sphere(new Vector3(128, 128, (low + high) / 2), 182 + (high - low) / 2);
  return made;
}

const BLEND = /* glsl */ `
  uniform sampler2D layers[4];
  uniform vec4 starts, spans, have;
  uniform float water;
  varying vec3 spot;
  varying float steep;

  ${NOISE}
  float corners(vec4 c) {
    vec2 f = clamp(spot.xy / 256.0, 0.0, 1.0);
    return mix(mix(c.x, c.z, f.x), mix(c.y, c.w, f.x), f.y);
  }
  // Each layer at two sizes, so that no pattern shows from afar.
  vec3 layer(sampler2D map, float have, vec3 plain) {
    vec3 near = texture2D(map, spot.xy / 7.0).rgb;
    vec3 wide = texture2D(map, spot.yx / 43.0 + 0.37).rgb;
    return mix(plain, mix(near, wide, 0.4), have);
  }

  vec3 groundColor() {
    float rough = noise2(spot.xy / 9.0) * 0.6 + noise2(spot.xy / 31.0) * 0.9 - 0.75;
    float at = clamp((spot.z - corners(starts)) / max(corners(spans), 1.0) * 4.0 + rough * 0.55, 0.0, 3.0);
    vec3 sand = layer(layers[0], have.x, vec3(0.42, 0.34, 0.22));
    vec3 grass = layer(layers[1], have.y, vec3(0.16, 0.26, 0.07));
    vec3 mountain = layer(layers[2], have.z, vec3(0.24, 0.22, 0.16));
    vec3 rock = layer(layers[3], have.w, vec3(0.30, 0.29, 0.28));
    vec3 color = mix(sand, grass, smoothstep(0.15, 0.85, at));
    color = mix(color, mountain, smoothstep(1.15, 1.85, at));
    color = mix(color, rock, smoothstep(2.15, 2.85, at));
    color = mix(color, rock, smoothstep(0.16, 0.34, steep + rough * 0.05));
    // Broad patches of lighter and darker ground.
    color *= 0.86 + 0.28 * noise2(spot.xy / 67.0 + 11.0);
    // Wet where the waves reach, and ever bluer below.
    float depth = water - spot.z;
    color *= mix(1.0, 0.62, smoothstep(-0.7, 0.1, depth + rough * 0.3));
    return mix(color, color * vec3(0.35, 0.72, 0.8), smoothstep(0.0, 6.0, depth));
  }`;
