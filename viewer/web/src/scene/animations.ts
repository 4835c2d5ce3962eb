/** Poses of the simple figure, by what the region says an avatar plays. */
export type Mode = "stand" | "walk" | "run" | "fly" | "hover" | "sit" | "ground" | "jump" | "fall" | "crouch";

const NAMED: [string, Mode][] = [
  ["1a2bd58e-87ff-0df8-0b4c-53e047b0bb6e", "ground"],
  ["1a5fe8ac-a804-8a5d-7cbd-56bd83184568", "sit"],
  ["aec4610c-757f-bc4e-c092-c6e9caf18daf", "fly"],
  ["4ae8016b-31b9-03bb-c401-b1ea941db41d", "hover"],
  ["62c5de58-cb33-5743-3d07-9e4cd4352864", "hover"],
  ["20f063ea-8306-2562-0b07-5c853b37b31e", "hover"],
  ["666307d9-a860-572d-6fd4-c3ab8865c094", "fall"],
  ["2305bd75-1ca9-b03b-1faa-b176b8a8c49e", "jump"],
  ["7a4e87fe-de39-6fcb-6223-024b00893244", "crouch"],
  ["201f3fdf-cb1f-dbec-201f-7333e328ae7c", "crouch"],
  ["47f5f6fb-22e5-ae44-f871-73aaaf4a6022", "crouch"],
  ["05ddbff8-aaa9-92a1-2b74-8fe77a29b445", "run"],
  ["6ed24bd8-91aa-4b12-ccc7-c97c857ab4e0", "walk"],
];

export function mode(playing: Set<string>): Mode {
  return NAMED.find(([id]) => playing.has(id))?.[1] ?? "stand";
}

/** Angles in radians: positive swings a limb forward; knees and elbows bend. `down` lowers the body, in metres. */
export interface Pose {
  lean: number;
  down: number;
  legs: [number, number];
  knees: [number, number];
  arms: [number, number];
  spread: number;
  elbows: number;
  head: number;
}

const BASE: Pose = { lean: 0, down: 0, legs: [0, 0], knees: [0, 0], arms: [0, 0], spread: 0.12, elbows: 0.12, head: 0 };

/** The pose at `phase` (radians of a stride) and `time` (seconds). */
export function pose(mode: Mode, phase: number, time: number): Pose {
  const swing = Math.sin(phase);
  const breath = Math.sin(time * 1.7);
  switch (mode) {
    case "walk":
    case "run": {
      const reach = mode === "run" ? 0.85 : 0.5;
      const bend = mode === "run" ? 1.3 : 0.7;
      return {
        lean: mode === "run" ? 0.22 : 0.05,
        down: 0.03 * (1 - Math.abs(Math.cos(phase))) * (mode === "run" ? 2 : 1),
        legs: [swing * reach, -swing * reach],
        knees: [bend * Math.max(0, -Math.cos(phase)) + 0.08, bend * Math.max(0, Math.cos(phase)) + 0.08],
        arms: [-swing * reach * 0.9, swing * reach * 0.9],
        spread: 0.1,
        elbows: mode === "run" ? 1.3 : 0.35,
        head: 0,
      };
    }
    case "fly":
      return { ...BASE, lean: 1.15, legs: [-0.1 + breath * 0.04, -0.02 - breath * 0.04], knees: [0.15, 0.1], arms: [-0.35, -0.35], spread: 0.3, head: -0.8 };
    case "hover":
      return { ...BASE, lean: 0.08, legs: [0.18 + breath * 0.05, -0.1], knees: [0.5, 0.25], arms: [0.1, -0.05], spread: 0.45 + breath * 0.05, elbows: 0.4 };
    case "sit":
      return { ...BASE, legs: [1.5, 1.5], knees: [1.5, 1.5], arms: [0.5, 0.5], elbows: 0.5 };
    case "ground":
      return { ...BASE, lean: -0.12, legs: [1.45, 1.3], knees: [0.5, 1.1], arms: [-0.35, 0.5], elbows: 0.3, spread: 0.2 };
    case "jump":
      return { ...BASE, lean: 0.1, legs: [0.6, -0.3], knees: [0.9, 0.6], arms: [1.4, 0.8], spread: 0.3, elbows: 0.5 };
    case "fall":
      return { ...BASE, lean: 0.15, legs: [0.4, -0.3], knees: [0.5, 0.7], arms: [1.2 + breath * 0.3, 1.2 - breath * 0.3], spread: 0.9, elbows: 0.4 };
    case "crouch":
      return { ...BASE, lean: 0.35, down: 0.42, legs: [1.35, 1.1], knees: [2.1, 2.0], arms: [0.5, 0.3], elbows: 0.9, head: -0.3 };
    default:
      return { ...BASE, down: 0.004 * breath, arms: [0.03 * breath, -0.03 * breath], lean: 0.01 * breath };
  }
}
