/**
 * A camera's way through key frames, as `distill3d render --path` walks it too.
 *
 * Between keys i and i+1 eyes follow the cubic Hermite curve whose velocity at a key is that between its neighbours,
 * (pᵢ₊₁ − pᵢ₋₁) / (tᵢ₊₁ − tᵢ₋₁), one-sided at the ends (Catmull and Rom 1974, for keys at unequal times);
 * orientations turn evenly the short way (Shoemake 1985), and the vertical field of view changes linearly.
 */

import { Matrix4, Quaternion, Vector3 } from 'three';

export interface KeyFrame {
  /** Seconds. */
  t: number;
  /** OpenCV, row by row. */
  camera_to_world: number[];
  fov_y_rad: number;
}

export interface Path {
  version: 1;
  fps: number;
  keyframes: KeyFrame[];
}

export interface Pose {
  camera_to_world: number[];
  fov_y_rad: number;
}

export function duration(path: Path): number {
  return (path.keyframes.at(-1)?.t ?? 0) - (path.keyframes[0]?.t ?? 0);
}

/** Where the camera is at a time; before the first key and after the last it stands still. */
export function poseAt(keys: readonly KeyFrame[], t: number): Pose {
  const first = keys[0];
  if (!first) throw new Error('a path needs a key frame');
  const last = keys.at(-1)!;
  if (t <= first.t || keys.length === 1) return first;
  if (t >= last.t) return last;
  const i = keys.findIndex((key, n) => t < keys[n + 1]!.t && t >= key.t);
  const [a, b] = [keys[i]!, keys[i + 1]!];
  const span = b.t - a.t;
  const u = (t - a.t) / span;
  const [from, to] = [split(a), split(b)];
  const eye = hermite(from.eye, velocity(keys, i).multiplyScalar(span), to.eye, velocity(keys, i + 1).multiplyScalar(span), u);
  const turn = from.turn.slerp(to.turn, u);
  const pose = new Matrix4().compose(eye, turn, new Vector3(1, 1, 1));
  return { camera_to_world: pose.transpose().toArray(), fov_y_rad: a.fov_y_rad + u * (b.fov_y_rad - a.fov_y_rad) };
}

/** Reads a path's JSON; fails with a sentence. */
export function parsePath(text: string): Path {
  let path: Partial<Path>;
  try {
    path = JSON.parse(text) as Partial<Path>;
  } catch {
    throw new Error('This is not JSON; expected a camera path as this page saves it.');
  }
  const keys = path.keyframes;
  if (path.version !== 1 || !Array.isArray(keys) || keys.length === 0 || !(Number(path.fps) > 0)) {
    throw new Error('This is not a camera path; expected version 1, fps, and at least one key frame.');
  }
  keys.forEach((key, i) => {
    const finite = [key.t, key.fov_y_rad, ...(key.camera_to_world ?? [])].every((value) => Number.isFinite(value));
    if (!finite || key.camera_to_world?.length !== 16) throw new Error(`Key frame ${i + 1} has no camera of 16 numbers.`);
    if (i > 0 && key.t <= keys[i - 1]!.t) throw new Error(`Key frame ${i + 1} is not later than the one before.`);
  });
  return { version: 1, fps: Number(path.fps), keyframes: keys };
}

function velocity(keys: readonly KeyFrame[], i: number): Vector3 {
  const before = keys[Math.max(0, i - 1)]!;
  const after = keys[Math.min(keys.length - 1, i + 1)]!;
  return split(after).eye.sub(split(before).eye).divideScalar(after.t - before.t);
}

function hermite(p: Vector3, m: Vector3, q: Vector3, n: Vector3, u: number): Vector3 {
  const [u2, u3] = [u * u, u * u * u];
  return p
    .clone()
    .multiplyScalar(2 * u3 - 3 * u2 + 1)
    .addScaledVector(m, u3 - 2 * u2 + u)
    .addScaledVector(q, 3 * u2 - 2 * u3)
    .addScaledVector(n, u3 - u2);
}

function split(key: Pose): { eye: Vector3; turn: Quaternion } {
  const eye = new Vector3();
  const turn = new Quaternion();
  new Matrix4().fromArray(key.camera_to_world).transpose().decompose(eye, turn, new Vector3());
  return { eye, turn };
}
