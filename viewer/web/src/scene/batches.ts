import {
  BufferAttribute,
  BufferGeometry,
  DynamicDrawUsage,
  InstancedBufferAttribute,
  InstancedMesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  type Material,
  type Matrix4,
  type Scene,
  type WebGLProgramParametersWithUniforms,
} from "three";
import type { Shape } from "../net/frames";
import type { FaceLook } from "./look";
import { tessellate } from "./tessellate";
import { BLANK, type Textures } from "./textures";

/** A place in a batch: one face of one prim. */
export interface Slot {
  batch: Batch;
  at: number;
  owner: number;
}

/** All faces in the world that share form, texture and way of drawing: one draw call. */
class Batch {
  mesh: InstancedMesh;
  slots: Slot[] = [];
  private capacity = 8;

  constructor(
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
    mesh.frustumCulled = false; // its instances are everywhere
    mesh.castShadow = mesh.receiveShadow = true;
    mesh.userData.batch = this;
    this.scene.add(mesh);
    return mesh;
  }

  add(owner: number, look: FaceLook): Slot {
    if (this.slots.length === this.capacity) this.grow();
    const slot: Slot = { batch: this, at: this.slots.length, owner };
    this.slots.push(slot);
    this.mesh.count = this.slots.length;
    const attributes = this.mesh.geometry.attributes;
    (attributes.place.array as Float32Array).set([...look.repeats, ...look.offset], slot.at * 4);
    (attributes.turn.array as Float32Array)[slot.at] = look.rotation;
    (attributes.tint.array as Float32Array).set(look.color, slot.at * 4);
    for (const name of ["place", "turn", "tint"]) attributes[name].needsUpdate = true;
    return slot;
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
    this.mesh.boundingSphere = null; // for picking
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

/** The batches of the whole scene, and the forms they draw. */
export class Batches {
  private forms = new Map<string, BufferGeometry[]>();
  private materials = new Map<string, Material>();
  private batches = new Map<string, Batch>();
  private keys = new Map<Batch, string>();

  constructor(
    private scene: Scene,
    private textures: Textures,
  ) {}

  get meshes(): InstancedMesh[] {
    return [...this.batches.values()].map((batch) => batch.mesh);
  }

  faces(key: string, shape: Shape): BufferGeometry[] {
    let form = this.forms.get(key);
    if (!form) this.forms.set(key, (form = tessellate(shape).map(geometry)));
    return form;
  }

  add(shapeKey: string, face: number, form: BufferGeometry, look: FaceLook, owner: number): Slot {
    const clear = look.color[3] < 0.99;
    const kind = `${look.texture}|${look.fullBright || look.glow > 0 ? "b" : "l"}${clear ? "t" : "o"}`;
    const key = `${shapeKey}|${face}|${kind}`;
    let batch = this.batches.get(key);
    if (!batch) {
      batch = new Batch(this.scene, form, this.material(kind, look, clear));
      this.batches.set(key, batch);
      this.keys.set(batch, key);
    }
    return batch.add(owner, look);
  }

  remove(slot: Slot): void {
    if (!slot.batch.remove(slot)) return;
    this.batches.delete(this.keys.get(slot.batch)!);
    this.keys.delete(slot.batch);
    slot.batch.dispose();
  }

  private material(kind: string, look: FaceLook, clear: boolean): Material {
    let material = this.materials.get(kind);
    if (material) return material;
    const bright = look.fullBright || look.glow > 0;
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

/** Triangles of a face, with normals smooth within it: points at the same place share theirs. */
function geometry(face: { positions: number[]; uvs: number[]; index: number[] }): BufferGeometry {
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
