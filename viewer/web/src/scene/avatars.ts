import {
  CapsuleGeometry,
  CircleGeometry,
  Color,
  Group,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  SphereGeometry,
  type BufferGeometry,
  type Sprite,
} from "three";
import { OCCLUDES } from "./glow";
import { mode, pose, type Mode } from "./animations";
import { drop, tag } from "./tags";

/** Parts of the figure, made once for everybody. Along z, origin at the upper joint for limbs. */
const limb = (radius: number, length: number): BufferGeometry =>
  new CapsuleGeometry(radius, length - radius * 0.6, 4, 10).rotateX(Math.PI / 2).translate(0, 0, -length / 2);
const PARTS = {
  chest: new CapsuleGeometry(0.155, 0.24, 6, 14).rotateX(Math.PI / 2).scale(0.72, 1.12, 1).translate(0, 0, 0.3),
  belly: new CapsuleGeometry(0.135, 0.12, 5, 12).rotateX(Math.PI / 2).scale(0.78, 1.05, 1).translate(0, 0, 0.06),
  hips: new SphereGeometry(0.155, 14, 10).scale(0.8, 1.05, 0.75),
  neck: new CapsuleGeometry(0.05, 0.08, 3, 8).rotateX(Math.PI / 2).translate(0, 0, 0.55),
  head: new SphereGeometry(0.112, 18, 14).scale(1, 0.88, 1.2).translate(0.012, 0, 0.13),
  hair: new SphereGeometry(0.121, 18, 14, 0, Math.PI * 2, 0, Math.PI * 0.62).rotateX(Math.PI / 2).rotateY(-0.55).scale(1, 0.92, 1.16).translate(-0.008, 0, 0.145),
  eye: new SphereGeometry(0.014, 8, 6),
  shoulder: new SphereGeometry(0.066, 12, 10),
  upperArm: limb(0.052, 0.28),
  lowerArm: limb(0.04, 0.26),
  hand: new SphereGeometry(0.047, 10, 8).scale(0.75, 0.9, 1.25),
  upperLeg: limb(0.082, 0.42),
  lowerLeg: limb(0.06, 0.42),
  foot: new CapsuleGeometry(0.048, 0.15, 4, 10).rotateZ(Math.PI / 2).scale(1, 0.95, 0.75).translate(0.06, 0, 0),
};
/** A soft dark spot on the ground, where the machine draws no real shadows. */
const SPOT = new CircleGeometry(0.42, 20);
const DARK = new MeshBasicMaterial({ color: 0x000000, transparent: true, opacity: 0.28, depthWrite: false, polygonOffset: true, polygonOffsetFactor: -2 });
const HIP = 0.9; // metres above the sole, of a figure 1.8 m high
const TALL = 1.8;

const SKINS = [0xf1c9a5, 0xe0ac82, 0xc68a5c, 0x9b6440, 0x6b4229, 0xf6d7bd];
const HAIRS = [0x2b1b12, 0x4a2f1b, 0x8a5a2b, 0xc9a05a, 0x1a1a1f, 0x7a2f1d, 0x8c8c92];

/** A stable number from an id, so that everybody sees the same person in the same clothes. */
function seed(id: string, salt: number): number {
  let h = 2166136261 ^ salt;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 16777619);
  return (h >>> 0) / 2 ** 32;
}

interface Limb {
  root: Group;
  joint: Group;
}

/** One person: a jointed figure that plays what the region says, with a name above. */
export class Figure {
  readonly root = new Group();
  playing = new Set<string>();
  private body = new Group(); // at the hips
  private torso = new Group();
  private head = new Group();
  private arms: Limb[] = [];
  private legs: Limb[] = [];
  label: Sprite | null = null;
  private phase = Math.random() * 6;
  private mode: Mode = "stand";
  private current = structuredClone(pose("stand", 0, 0));
  private materials: MeshStandardMaterial[] = [];
  private name = "";
  private spot: Mesh | null = null;

  constructor(
    readonly id: string,
    shadows: boolean,
  ) {
    const skin = this.paint(SKINS[Math.floor(seed(id, 1) * SKINS.length)]);
    const hair = this.paint(HAIRS[Math.floor(seed(id, 2) * HAIRS.length)]);
    const shirt = this.paint(new Color().setHSL(seed(id, 3), 0.55, 0.45));
    const trousers = this.paint(new Color().setHSL(seed(id, 4), 0.25, 0.24));
    const shoes = this.paint(0x2a2522);
    const dark = this.paint(0x16181c);

    this.add(this.body, "hips", trousers);
    this.body.add(this.torso);
    this.add(this.torso, "belly", shirt);
    this.add(this.torso, "chest", shirt);
    this.add(this.torso, "neck", skin);
    this.head.position.z = 0.59;
    this.torso.add(this.head);
    this.add(this.head, "head", skin);
    this.add(this.head, "hair", hair);
    for (const side of [1, -1]) {
      this.add(this.head, "eye", dark).position.set(0.113, side * 0.04, 0.145);
      const arm = this.limb(this.torso, "upperArm", shirt, "lowerArm", skin, 0.28);
      arm.root.position.set(0, side * 0.19, 0.46);
      this.add(this.torso, "shoulder", shirt).position.set(0, side * 0.165, 0.455);
      this.add(arm.joint, "hand", skin).position.z = -0.29;
      this.arms.push(arm);
      const leg = this.limb(this.body, "upperLeg", trousers, "lowerLeg", trousers, 0.42);
      leg.root.position.set(0, side * 0.09, -0.03);
      this.add(leg.joint, "foot", shoes).position.set(0, 0, -0.42);
      this.legs.push(leg);
    }
    this.root.add(this.body);
    if (!shadows) {
      this.spot = new Mesh(SPOT, DARK);
      this.root.add(this.spot);
    }
  }

  private paint(color: Color | number): MeshStandardMaterial {
    const material = new MeshStandardMaterial({ color, roughness: 0.85 });
    this.materials.push(material);
    return material;
  }

  private add(to: Group, part: keyof typeof PARTS, material: MeshStandardMaterial): Mesh {
    const mesh = new Mesh(PARTS[part], material);
    mesh.castShadow = true;
    mesh.layers.enable(OCCLUDES);
    mesh.receiveShadow = part !== "hair";
    to.add(mesh);
    return mesh;
  }

  private limb(to: Group, upper: keyof typeof PARTS, a: MeshStandardMaterial, lower: keyof typeof PARTS, b: MeshStandardMaterial, length: number): Limb {
    const root = new Group();
    const joint = new Group();
    joint.position.z = -length;
    this.add(root, upper, a);
    this.add(joint, lower, b);
    root.add(joint);
    to.add(root);
    return { root, joint };
  }

  /** Name and height in metres. The own avatar's name stays away: one knows who one is. */
  describe(name: string, height: number, own: boolean): void {
    const scale = Math.min(Math.max(height, 0.5), 4) / TALL;
    this.body.scale.setScalar(scale);
    if (name !== this.name && !own) {
      drop(this.label);
      this.label = tag(name);
      this.label.position.z = height / 2 + 0.22;
      this.root.add(this.label);
    }
    this.name = name;
    this.body.userData.low = HIP * scale - height / 2;
  }

  /** Lay the dark spot on the ground, `height` metres below the middle of the body. */
  ground(height: number): void {
    if (!this.spot) return;
    this.spot.position.z = 0.03 - height;
    this.spot.visible = height < 6;
    this.spot.scale.setScalar(1 + Math.max(0, height - 1) * 0.25);
  }

  /** Move the joints. `speed` in metres a second over ground, `forward` negative when walking backwards. */
  step(time: number, dt: number, speed: number, forward: number, seated: boolean): void {
    let wanted = seated && !this.playing.size ? "sit" : mode(this.playing);
    if (wanted === "walk" && speed > 4.2) wanted = "run";
    this.mode = wanted;
    const stride = this.mode === "run" ? 2.6 : 1.45; // metres of two steps
    this.phase += (Math.max(0.6, speed) / stride) * Math.PI * 2 * dt * (forward < 0 ? -1 : 1);
    const target = pose(this.mode, this.phase, time);
    // Limbs reach a new pose within a tenth of a second; a stride itself is followed closely.
    const k = 1 - Math.exp(-dt * 14);
    const now = this.current;
    const mix = (a: number, b: number) => a + (b - a) * k;
    now.lean = mix(now.lean, target.lean);
    now.down = mix(now.down, target.down);
    now.spread = mix(now.spread, target.spread);
    now.elbows = mix(now.elbows, target.elbows);
    now.head = mix(now.head, target.head);
    for (const side of [0, 1]) {
      now.legs[side] = mix(now.legs[side], target.legs[side]);
      now.knees[side] = mix(now.knees[side], target.knees[side]);
      now.arms[side] = mix(now.arms[side], target.arms[side]);
      this.legs[side].root.rotation.y = -now.legs[side];
      this.legs[side].joint.rotation.y = now.knees[side];
      this.arms[side].root.rotation.set((side ? -1 : 1) * now.spread, -now.arms[side], 0);
      this.arms[side].joint.rotation.y = -now.elbows;
    }
    const sunk = this.mode === "ground" ? HIP * this.body.scale.z * 0.78 : now.down;
    this.body.position.z = (this.body.userData.low ?? 0) - sunk;
    // Flying leans the whole body, everything else the trunk alone.
    this.body.rotation.y = this.mode === "fly" ? now.lean : 0;
    this.torso.rotation.y = this.mode === "fly" ? 0 : now.lean;
    this.head.rotation.y = now.head + Math.sin(time * 0.6 + this.id.charCodeAt(0)) * 0.03;
  }

  dispose(): void {
    drop(this.label);
    for (const material of this.materials) material.dispose();
    this.root.removeFromParent();
  }
}
