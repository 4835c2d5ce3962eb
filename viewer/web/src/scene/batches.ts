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
  type Matrix4,
  type Scene,
  type WebGLProgramParametersWithUniforms,
} from "three";
import type { Form } from "./forms";
import { FAR } from "./levels";
import type { FaceLook } from "./look";
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

  constructor(
    readonly key: string,
    private scene: Scene,
    private geometry: BufferGeometry,
    private material: Material,
  ) {
    this.mesh = this.make();
  }

  private make(): InstancedMesh {
    const geometry = this.geometry.clone();
    const place = new InstancedBufferAttribute(new Float32Array(this.capacity * 4), 4);
    const turn = new InstancedBufferAttribute(new Float32Array(this.capacity), 1);
    const tint = new InstancedBufferAttribute(new Float32Array(this.capacity * 4), 4);
    geometry.setAttribute("place", place);
    geometry.setAttribute("turn", turn);
    geometry.setAttribute("tint", tint);
    const mesh = new InstancedMesh(geometry, this.material, this.capacity);
    mesh.instanceMatrix.setUsage(DynamicDrawUsage);
    mesh.count = 0;
    mesh.boundingSphere = this.sphere; // kept by move: asking three for it would look at every instance, at each move
    mesh.castShadow = mesh.receiveShadow = true;
    mesh.userData.batch = this;
    this.scene.add(mesh);
    return mesh;
  }

  add(slot: Slot): void {
    if (this.slots.length === this.capacity) this.grow();
    slot.batch = this;
    slot.at = this.slots.length;
    this.slots.push(slot);
    this.mesh.count = this.slots.length;
    const tint = this.mesh.geometry.attributes.tint;
    (tint.array as Float32Array).set(slot.look.color, slot.at * 4);
    tint.needsUpdate = true;
    this.touch(slot, slot.look);
  }

  /** Where the texture lies on the face. */
  touch(slot: Slot, look: Pick<FaceLook, "repeats" | "offset" | "rotation">): void {
    const { place, turn } = this.mesh.geometry.attributes;
    (place.array as Float32Array).set([...look.repeats, ...look.offset], slot.at * 4);
    (turn.array as Float32Array)[slot.at] = look.rotation;
    place.needsUpdate = turn.needsUpdate = true;
  }

  private grow(): void {
    const old = this.mesh;
    this.capacity *= 4;
    this.mesh = this.make();
    for (const name of ["place", "turn", "tint"]) {
      (this.mesh.geometry.attributes[name].array as Float32Array).set(old.geometry.attributes[name].array as Float32Array);
    }
    (this.mesh.instanceMatrix.array as Float32Array).set(old.instanceMatrix.array as Float32Array);
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
    const e = matrix.elements;
    const size = Math.sqrt(e[0] ** 2 + e[1] ** 2 + e[2] ** 2 + e[4] ** 2 + e[5] ** 2 + e[6] ** 2 + e[8] ** 2 + e[9] ** 2 + e[10] ** 2);
    this.spot.set(e[12], e[13], e[14]);
    if (this.bounds.containsPoint(this.spot) && size <= this.widest) return;
    this.widest = Math.max(this.widest, size);
    this.bounds.expandByPoint(this.spot).getBoundingSphere(this.sphere);
    this.sphere.radius += this.widest;
  }

  /** Take a slot out; the last one takes its place. True when the batch is empty now. */
  remove(slot: Slot): boolean {
    const last = this.slots.pop()!;
    if (last !== slot) {
      const own = this.mesh.geometry.attributes;
      for (const attribute of [own.place, own.turn, own.tint, this.mesh.instanceMatrix] as BufferAttribute[]) {
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

  constructor(
    private scene: Scene,
    private textures: Textures,
  ) {}

  get meshes(): InstancedMesh[] {
    return [...this.batches.values()].map((batch) => batch.mesh);
  }

  /** Faces of a form to be drawn as soon as `move` says where. */
  add(form: Form, faces: number[], look: FaceLook, level: number, owner: number): Slot {
    const clear = look.color[3] < 0.99;
    const kind = `${look.texture}|${look.fullBright || look.glow > 0 ? "b" : "l"}${clear ? "t" : "o"}`;
    const size = level > FAR ? NEAR_CELL : FAR_CELL;
    return { owner, look, faces, form: form.piece(faces), cell: size, key: `${form.key}|${faces}|${kind}`, batch: null, at: 0 };
  }

  move(slot: Slot, matrix: Matrix4): void {
    const key = `${slot.key}|${cell(matrix.elements[12], slot.cell)}|${cell(matrix.elements[13], slot.cell)}`;
    if (slot.batch?.key !== key) {
      this.remove(slot);
      let batch = this.batches.get(key);
      if (!batch) {
        batch = new Batch(key, this.scene, slot.form, this.material(slot.look));
        this.batches.set(key, batch);
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
    batch.dispose();
  }

  private material(look: FaceLook): Material {
    const clear = look.color[3] < 0.99;
    const bright = look.fullBright || look.glow > 0;
    const kind = `${look.texture}|${bright}|${clear}`;
    let material = this.materials.get(kind);
    if (material) return material;
    const map = look.texture === BLANK ? null : this.textures.get(look.texture, 256, () => (made.needsUpdate = true));
    const made = bright ? new MeshBasicMaterial({ map }) : new MeshLambertMaterial({ map });
    made.transparent = clear;
    made.depthWrite = !clear;
    if (!clear) made.alphaTest = 0.5; // pictures with holes in them
    made.onBeforeCompile = patch;
    this.materials.set(kind, (material = made));
    return material;
  }
}

/** Repeats, offset, turn and colour come with each instance, so that they cost no draw call of their own. */
function patch(shader: WebGLProgramParametersWithUniforms): void {
  shader.vertexShader = shader.vertexShader
    .replace("#include <common>", "#include <common>\nattribute vec4 place, tint;\nattribute float turn;\nvarying vec4 tinted;")
    .replace(
      "#include <uv_vertex>",
      /* glsl */ `#include <uv_vertex>
      tinted = tint;
      #ifdef USE_MAP
        vec2 middle = uv - 0.5;
        middle = vec2(middle.x * cos(turn) + middle.y * sin(turn), middle.y * cos(turn) - middle.x * sin(turn));
        vMapUv = middle * place.xy + place.zw + 0.5;
      #endif`,
    );
  shader.fragmentShader = shader.fragmentShader
    .replace("#include <common>", "#include <common>\nvarying vec4 tinted;")
    .replace("#include <map_fragment>", "#include <map_fragment>\ndiffuseColor *= vec4(pow(tinted.rgb, vec3(2.2)), tinted.a);");
}
