// Made by `python -m viewer.gateway.typescript` from viewer/gateway/records.py: change that.

import type { Reader } from "./reader";

export const LAND = 1;
export const MOTIONS = 2;
export const OBJECTS = 3;
export const CAN_TOUCH = 1;
export const CAN_CHANGE = 2;
export const CAN_MOVE = 4;
export const IS_PHYSICAL = 8;
export const IS_PHANTOM = 16;

/** The corner of the region whose land follows. */
export interface LandHead {
  west: number;
  south: number;
}

export function readLandHead(r: Reader): LandHead {
  const west: number = r.i32();
  const south: number = r.i32();
  return { west, south };
}

/** Where a thing is, and how it moves on from there. Rotation in shares of 32767. */
export interface MotionRecord {
  n: number;
  parent: number;
  flags: number;
  position: [number, number, number];
  rotation: [number, number, number, number];
  velocity: [number, number, number];
  acceleration: [number, number, number];
  spin: [number, number, number];
}

export function readMotionRecord(r: Reader): MotionRecord {
  const n: number = r.u32();
  const parent: number = r.u32();
  const flags: number = r.u8();
  const position: [number, number, number] = [r.f32(), r.f32(), r.f32()];
  const rotation: [number, number, number, number] = [r.i16(), r.i16(), r.i16(), r.i16()];
  const velocity: [number, number, number] = flags & 1 ? [r.f32(), r.f32(), r.f32()] : [0, 0, 0];
  const acceleration: [number, number, number] = flags & 2 ? [r.f32(), r.f32(), r.f32()] : [0, 0, 0];
  const spin: [number, number, number] = flags & 4 ? [r.f32(), r.f32(), r.f32()] : [0, 0, 0];
  return { n, parent, flags, position, rotation, velocity, acceleration, spin };
}

/** What a thing looks like. `can`: bits of what one may do with it, 1 touch, 2 change, 4 move, and of how it is, 8 physical, 16 phantom. `look`: texture entry as on the wire; `moving`: 16 bytes of texture animation or none; `form`: 17 bytes, id and kind of a sculpt map or mesh, or none; `bends`: 16 bytes as in ExtraParams, or none. */
export interface ThingRecord {
  n: number;
  west: number;
  south: number;
  pcode: number;
  clickAction: number;
  can: number;
  scale: [number, number, number];
  shape: Uint8Array;
  species: number;
  textColor: Uint8Array;
  text: Uint8Array;
  look: Uint8Array;
  moving: Uint8Array;
  form: Uint8Array;
  bends: Uint8Array;
}

export function readThingRecord(r: Reader): ThingRecord {
  const n: number = r.u32();
  const west: number = r.i32();
  const south: number = r.i32();
  const pcode: number = r.u8();
  const clickAction: number = r.u8();
  const can: number = r.u8();
  const scale: [number, number, number] = [r.f32(), r.f32(), r.f32()];
  const shape: Uint8Array = r.bytes(23);
  const species: number = r.u8();
  const textColor: Uint8Array = r.bytes(4);
  const text: Uint8Array = r.bytes(r.u16());
  const look: Uint8Array = r.bytes(r.u16());
  const moving: Uint8Array = r.bytes(r.u8());
  const form: Uint8Array = r.bytes(r.u8());
  const bends: Uint8Array = r.bytes(r.u8());
  return { n, west, south, pcode, clickAction, can, scale, shape, species, textColor, text, look, moving, form, bends };
}

/** Path and profile in wire values, as protocol/shapes.py names them. */
export interface ShapeRecord {
  PathCurve: number;
  ProfileCurve: number;
  PathBegin: number;
  PathEnd: number;
  PathScaleX: number;
  PathScaleY: number;
  PathShearX: number;
  PathShearY: number;
  PathTwist: number;
  PathTwistBegin: number;
  PathRadiusOffset: number;
  PathTaperX: number;
  PathTaperY: number;
  PathRevolutions: number;
  PathSkew: number;
  ProfileBegin: number;
  ProfileEnd: number;
  ProfileHollow: number;
}

export function readShapeRecord(r: Reader): ShapeRecord {
  const PathCurve: number = r.u8();
  const ProfileCurve: number = r.u8();
  const PathBegin: number = r.u16();
  const PathEnd: number = r.u16();
  const PathScaleX: number = r.u8();
  const PathScaleY: number = r.u8();
  const PathShearX: number = r.u8();
  const PathShearY: number = r.u8();
  const PathTwist: number = r.i8();
  const PathTwistBegin: number = r.i8();
  const PathRadiusOffset: number = r.i8();
  const PathTaperX: number = r.i8();
  const PathTaperY: number = r.i8();
  const PathRevolutions: number = r.u8();
  const PathSkew: number = r.i8();
  const ProfileBegin: number = r.u16();
  const ProfileEnd: number = r.u16();
  const ProfileHollow: number = r.u16();
  return { PathCurve, ProfileCurve, PathBegin, PathEnd, PathScaleX, PathScaleY, PathShearX, PathShearY, PathTwist, PathTwistBegin, PathRadiusOffset, PathTaperX, PathTaperY, PathRevolutions, PathSkew, ProfileBegin, ProfileEnd, ProfileHollow };
}

/** A mesh: how many faces follow, and its level, 0 the finest. */
export interface MeshHead {
  faces: number;
  level: number;
}

export function readMeshHead(r: Reader): MeshHead {
  const faces: number = r.u16();
  const level: number = r.u16();
  return { faces, level };
}

/** A face: corners n (0: no geometry) and triangles m; then n x 3 f32 position, n x 3 f32 normal, n x 2 f32 uv, m x 3 u16, filled up to a multiple of 4 bytes. */
export interface FaceHead {
  corners: number;
  triangles: number;
}

export function readFaceHead(r: Reader): FaceHead {
  const corners: number = r.u32();
  const triangles: number = r.u32();
  return { corners, triangles };
}

/** A sculpt map: then width x height x 3 u8 from its top row, at most 64 x 64. */
export interface SculptHead {
  width: number;
  height: number;
}

export function readSculptHead(r: Reader): SculptHead {
  const width: number = r.u16();
  const height: number = r.u16();
  return { width, height };
}
