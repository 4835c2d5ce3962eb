import {
  Box3,
  BufferAttribute,
  BufferGeometry,
  DynamicDrawUsage,
  InstancedBufferAttribute,
  InstancedMesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  Sphere,
  Vector3,
  type Material,
  type Texture,
  type Matrix4,
  type Scene,
  type WebGLProgramParametersWithUniforms,
} from "three";
import type { Form } from "./forms";
import { OCCLUDES } from "./glow";
import { FAR } from "./levels";
import type { FaceLook } from "./look";
import { WATER_ORDER } from "./water";
import { BLANK, type Textures } from "./textures";

/** Faces of one thing that look the same, and their place in a batch once it is known where it stands. */
export interface Slot {
  owner: number;
  look: FaceLook;
  faces: number[];
  form: BufferGeometry;
  cell: number; // metres
  key: string; // of form and way of drawing
  batch: Batch | null;
  at: number;
}

// What is near is drawn by cells, each of them only when it is in sight; what is far is a region's, to be few calls.
const [NEAR_CELL, FAR_CELL] = [128, 256]; // metres
/**
 * What one sees through must be drawn from the back to the front. Within a batch its instances are put in that order
 * whenever the camera has moved enough to change it, and batches are drawn by the distance of their middles. So that this
 * is nearly the same as sorting every face, cells of what is see-through and near are small. What remains: two panes of
 * different form or texture, nearer to each other than half a cell, may be drawn in the wrong order.
 */
const CLEAR_CELL = 8;
const [BEYOND_WATER, BEFORE_WATER] = [WATER_ORDER - 1, WATER_ORDER + 1];
const CAMERA_MOVED = 0.02; // share of its distance to a batch
// A region's middle, where most is built, is the middle of a cell.
const cell = (metres: number, size: number) => Math.floor((metres - 128) / size + 0.5);

/** All that shares form, texture and way of drawing in one cell of the world: one draw call, none if it is out of sight. */
class Batch {
  mesh: InstancedMesh;
  slots: Slot[] = [];
  private capacity = 8;
  private bounds = new Box3(); // of the places its instances have been at, within the cell
  private sphere = new Sphere();
  private widest = 0;
  private spot = new Vector3();
  private eye = new Vector3(); // what it is sorted for
  private sorted = false;

  constructor(
    readonly key: string,
    private scene: Scene,
    private geometry: BufferGeometry,
    private material: Material,
    private glow: Material | null,
  ) {
    this.mesh = this.make();
  }

  private make(): InstancedMesh {
    const geometry = this.geometry.clone();
    const place = new InstancedBufferAttribute(new Float32Array(this.capacity * 4), 4);
    const turn = new InstancedBufferAttribute(new Float32Array(this.capacity * 2), 2); // and how much it glows
    const tint = new InstancedBufferAttribute(new Float32Array(this.capacity * 4), 4);
    geometry.setAttribute("place", place);
    geometry.setAttribute("turn", turn);
    geometry.setAttribute("tint", tint);
    const mesh = new InstancedMesh(geometry, this.material, this.capacity);
    mesh.instanceMatrix.setUsage(DynamicDrawUsage);
    mesh.count = 0;
    mesh.boundingSphere = this.sphere; // kept by move: asking three for it would look at every instance, at each move
    mesh.castShadow = mesh.receiveShadow = true;
    mesh.userData = { batch: this, glow: this.glow };
    if (!this.material.transparent) mesh.layers.enable(OCCLUDES);
    this.scene.add(mesh);
    return mesh;
  }

  /** What comes with each instance. */
  private get columns(): BufferAttribute[] {
    const { place, turn, tint } = this.mesh.geometry.attributes;
    return [place, turn, tint, this.mesh.instanceMatrix] as BufferAttribute[];
  }

  add(slot: Slot): void {
    this.sorted = false;
    if (this.slots.length === this.capacity) this.grow();
    slot.batch = this;
    slot.at = this.slots.length;
    this.slots.push(slot);
    this.mesh.count = this.slots.length;
    const { tint, turn } = this.mesh.geometry.attributes;
    (tint.array as Float32Array).set(slot.look.color, slot.at * 4);
    (turn.array as Float32Array)[slot.at * 2 + 1] = slot.look.glow;
    tint.needsUpdate = true;
    this.touch(slot, slot.look);
  }

  /** Where the texture lies on the face. */
  touch(slot: Slot, look: Pick<FaceLook, "repeats" | "offset" | "rotation">): void {
    const { place, turn } = this.mesh.geometry.attributes;
    (place.array as Float32Array).set([...look.repeats, ...look.offset], slot.at * 4);
    (turn.array as Float32Array)[slot.at * 2] = look.rotation;
    place.needsUpdate = turn.needsUpdate = true;
  }

  private grow(): void {
    const [old, before] = [this.mesh, this.columns];
    this.capacity *= 4;
    this.mesh = this.make();
    before.forEach((column, n) => (this.columns[n].array as Float32Array).set(column.array as Float32Array));
    this.mesh.count = old.count;
    this.free(old);
  }

  private free(mesh: InstancedMesh): void {
    mesh.removeFromParent();
    mesh.geometry.dispose();
    mesh.dispose();
  }

  move(slot: Slot, matrix: Matrix4): void {
    this.mesh.setMatrixAt(slot.at, matrix);
    this.mesh.instanceMatrix.needsUpdate = true;
    this.sorted = false;
    const e = matrix.elements;
    const size = Math.sqrt(e[0] ** 2 + e[1] ** 2 + e[2] ** 2 + e[4] ** 2 + e[5] ** 2 + e[6] ** 2 + e[8] ** 2 + e[9] ** 2 + e[10] ** 2);
    this.spot.set(e[12], e[13], e[14]);
    if (this.bounds.containsPoint(this.spot) && size <= this.widest) return;
    this.widest = Math.max(this.widest, size);
    this.bounds.expandByPoint(this.spot).getBoundingSphere(this.sphere);
    this.sphere.radius += this.widest;
  }

  /** Put the instances in order, the farthest first; and all of them on the eye's side of the sea's surface, or beyond. */
  sort(eye: Vector3, water: number): void {
    const beyond = this.sphere.center.z > water !== eye.z > water;
    this.mesh.renderOrder = beyond ? BEYOND_WATER : BEFORE_WATER;
    if (this.slots.length < 2) return;
    if (this.sorted && this.eye.distanceTo(eye) < CAMERA_MOVED * this.sphere.center.distanceTo(eye)) return;
    this.sorted = true;
    this.eye.copy(eye);
    const places = this.mesh.instanceMatrix.array;
    const far = this.slots.map((_, n) => this.spot.fromArray(places, n * 16 + 12).distanceToSquared(eye));
    if (far.every((distance, n) => n === 0 || far[n - 1] >= distance)) return;
    const order = far.map((_, n) => n).sort((a, b) => far[b] - far[a]);
    for (const column of this.columns) {
      const [array, size] = [column.array as Float32Array, column.itemSize];
      const before = array.slice(0, order.length * size);
      order.forEach((from, to) => array.set(before.subarray(from * size, from * size + size), to * size));
      column.needsUpdate = true;
    }
    this.slots = order.map((from) => this.slots[from]);
    this.slots.forEach((slot, n) => (slot.at = n));
  }

  /** Take a slot out; the last one takes its place. True when the batch is empty now. */
  remove(slot: Slot): boolean {
    this.sorted = false;
    const last = this.slots.pop()!;
    if (last !== slot) {
      for (const attribute of this.columns) {
        const n = attribute.itemSize;
        const array = attribute.array as Float32Array;
        array.copyWithin(slot.at * n, last.at * n, last.at * n + n);
        attribute.needsUpdate = true;
      }
      last.at = slot.at;
      this.slots[slot.at] = last;
    }
    this.mesh.count = this.slots.length;
    return this.slots.length === 0;
  }

  dispose(): void {
    this.free(this.mesh);
  }
}

/** The batches of the whole scene. */
export class Batches {
  private materials = new Map<string, Material>();
  private batches = new Map<string, Batch>();
  private clear = new Set<Batch>(); // those one sees through
  private glowing = new Set<Batch>();

  constructor(
    private scene: Scene,
    private textures: Textures,
  ) {}

  get meshes(): InstancedMesh[] {
    return [...this.batches.values()].map((batch) => batch.mesh);
  }

  /** What has faces that glow. */
  *glows(): Iterable<InstancedMesh> {
    for (const batch of this.glowing) yield batch.mesh;
  }

  /** Faces of a form to be drawn as soon as `move` says where. */
  add(form: Form, faces: number[], look: FaceLook, level: number, owner: number): Slot {
    const kind = `${look.texture}|${look.fullBright ? "b" : "l"}${isClear(look) ? "t" : "o"}${look.glow > 0 ? "g" : ""}`;
    const size = level <= FAR ? FAR_CELL : isClear(look) ? CLEAR_CELL : NEAR_CELL;
    return { owner, look, faces, form: form.piece(faces), cell: size, key: `${form.key}|${faces}|${kind}`, batch: null, at: 0 };
  }

  move(slot: Slot, matrix: Matrix4): void {
    const key = `${slot.key}|${cell(matrix.elements[12], slot.cell)}|${cell(matrix.elements[13], slot.cell)}`;
    if (slot.batch?.key !== key) {
      this.remove(slot);
      let batch = this.batches.get(key);
      if (!batch) {
        const glows = slot.look.glow > 0;
        batch = new Batch(key, this.scene, slot.form, this.material(slot.look), glows ? this.glow(slot.look) : null);
        this.batches.set(key, batch);
        if (isClear(slot.look)) this.clear.add(batch);
        if (glows) this.glowing.add(batch);
      }
      batch.add(slot);
    }
    slot.batch!.move(slot, matrix);
  }

  remove(slot: Slot): void {
    const batch = slot.batch;
    slot.batch = null;
    if (!batch?.remove(slot)) return;
    this.batches.delete(batch.key);
    this.clear.delete(batch);
    this.glowing.delete(batch);
    batch.dispose();
  }

  /** Have what one sees through drawn in the right order from there; `water`: height of the sea. */
  sort(eye: Vector3, water: number): void {
    for (const batch of this.clear) batch.sort(eye, water);
  }

  private material(look: FaceLook): Material {
    const clear = isClear(look);
    return this.made(`${look.texture}|${look.fullBright}|${clear}`, look, (map) => {
      const made = look.fullBright ? new MeshBasicMaterial({ map }) : new MeshLambertMaterial({ map });
      made.transparent = clear;
      made.depthWrite = !clear;
      if (!clear) made.alphaTest = 0.5; // pictures with holes in them
      made.onBeforeCompile = patch;
      return made;
    });
  }

  /** What a face adds to the picture around it. */
  private glow(look: FaceLook): Material {
    return this.made(`glow|${look.texture}`, look, (map) => {
      const made = new MeshBasicMaterial({ map, alphaTest: 0.01, fog: false });
      made.onBeforeCompile = patchGlow;
      return made;
    });
  }

  private made(kind: string, look: FaceLook, make: (map: Texture | null) => Material): Material {
    let material = this.materials.get(kind);
    if (material) return material;
    const map = look.texture === BLANK ? null : this.textures.get(look.texture, 256, () => (made.needsUpdate = true));
    const made = make(map);
    this.materials.set(kind, (material = made));
    return material;
  }
}

const isClear = (look: FaceLook) => look.color[3] < 0.99;

/** Repeats, offset, turn and colour come with each instance, so that they cost no draw call of their own. */
function patch(shader: WebGLProgramParametersWithUniforms): void {
  shader.vertexShader = shader.vertexShader
    .replace("#include <common>", "#include <common>\nattribute vec4 place, tint;\nattribute vec2 turn;\nvarying vec4 tinted;\nvarying float glowing;")
    .replace(
      "#include <uv_vertex>",
      /* glsl */ `#include <uv_vertex>
      tinted = tint;
      glowing = turn.y;
      #ifdef USE_MAP
        vec2 middle = uv - 0.5;
        middle = vec2(middle.x * cos(turn.x) + middle.y * sin(turn.x), middle.y * cos(turn.x) - middle.x * sin(turn.x));
        vMapUv = middle * place.xy + place.zw + 0.5;
      #endif`,
    );
  shader.fragmentShader = shader.fragmentShader
    .replace("#include <common>", "#include <common>\nvarying vec4 tinted;\nvarying float glowing;")
    .replace("#include <map_fragment>", "#include <map_fragment>\ndiffuseColor *= vec4(pow(tinted.rgb, vec3(2.2)), tinted.a);");
}

function patchGlow(shader: WebGLProgramParametersWithUniforms): void {
  patch(shader);
  shader.fragmentShader = shader.fragmentShader.replace(
    "#include <opaque_fragment>",
    "gl_FragColor = vec4(pow(diffuseColor.rgb, vec3(1.0 / 2.2)) * diffuseColor.a * glowing, 1.0);",
  );
}
