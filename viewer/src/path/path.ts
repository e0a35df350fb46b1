/**
 * Camera paths: key frames and the smooth way between them, as distill3d/viewer/path.py has it too.
 *
 * Between two keys positions follow the cubic Hermite curve with the tangents of a Catmull-Rom spline on unequal
 * knots, m = (h₊ d₋ + h₋ d₊) / (h₋ + h₊), with d the slopes before and after a key and h how long they are; turns
 * take the shorter great circle; fields of view go as positions do, in log tan(fov / 2).
 */

import { Quaternion } from 'three';

export const FORMAT = 'distill3d path 1';

export interface KeyFrame {
  seconds: number;
  /** The eye, in the world. */
  position: [number, number, number];
  /** Turns OpenCV's camera into the world. */
  wxyz: [number, number, number, number];
  fov_y_rad: number;
}

export interface Path {
  format: typeof FORMAT;
  width: number;
  height: number;
  frames_per_second: number;
  keys: KeyFrame[];
}

/** The camera at a time; before the first key and after the last it stands still. */
export function at(keys: readonly KeyFrame[], seconds: number): KeyFrame {
  const first = keys[0];
  if (!first) throw new Error('a path needs a key frame');
  const last = keys.at(-1)!;
  if (seconds <= first.seconds || keys.length === 1) return first;
  if (seconds >= last.seconds) return last;
  const i = keys.findIndex((key, n) => seconds >= key.seconds && seconds < keys[n + 1]!.seconds);
  const [a, b] = [keys[i]!, keys[i + 1]!];
  const u = (seconds - a.seconds) / (b.seconds - a.seconds);
  const [x, y, z, zoom] = spline(keys, i, u) as [number, number, number, number];
  const turn = quaternion(a.wxyz).slerp(quaternion(b.wxyz), u);
  return { seconds, position: [x, y, z], wxyz: [turn.w, turn.x, turn.y, turn.z], fov_y_rad: 2 * Math.atan(Math.exp(zoom)) };
}

/** Reads a path's JSON; fails with a sentence. */
export function parsePath(text: string): Path {
  let path: Partial<Path>;
  try {
    path = JSON.parse(text) as Partial<Path>;
  } catch {
    throw new Error('This is not JSON; expected a camera path as this page saves it.');
  }
  const { keys } = path;
  if (path.format !== FORMAT || !Array.isArray(keys) || keys.length === 0) {
    throw new Error(`This is no camera path; expected a “${FORMAT}” with at least one key.`);
  }
  keys.forEach((key, i) => {
    const numbers = [key.seconds, key.fov_y_rad, ...(key.position ?? []), ...(key.wxyz ?? [])];
    if (numbers.length !== 9 || !numbers.every(Number.isFinite)) throw new Error(`Key ${i + 1} lacks a number; expected seconds, position, wxyz and fov_y_rad.`);
    if (i > 0 && key.seconds <= keys[i - 1]!.seconds) throw new Error(`Key ${i + 1} is not later than the one before.`);
  });
  return path as Path;
}

function spline(keys: readonly KeyFrame[], i: number, u: number): number[] {
  const knot = (n: number): number => keys[n]!.seconds;
  const value = (n: number): number[] => [...keys[n]!.position, Math.log(Math.tan(keys[n]!.fov_y_rad / 2))];
  const slope = (n: number): number[] => value(n + 1).map((next, axis) => (next - value(n)[axis]!) / (knot(n + 1) - knot(n)));
  const tangent = (n: number): number[] => {
    if (n === 0) return slope(0);
    if (n === keys.length - 1) return slope(n - 1);
    const [before, after] = [knot(n) - knot(n - 1), knot(n + 1) - knot(n)];
    const [d, e] = [slope(n - 1), slope(n)];
    return d.map((_, axis) => (after * d[axis]! + before * e[axis]!) / (before + after));
  };
  const h = knot(i + 1) - knot(i);
  const [p, q, m, n] = [value(i), value(i + 1), tangent(i), tangent(i + 1)];
  const [u2, u3] = [u * u, u * u * u];
  return p.map(
    (_, axis) =>
      (2 * u3 - 3 * u2 + 1) * p[axis]! + (u3 - 2 * u2 + u) * h * m[axis]! + (3 * u2 - 2 * u3) * q[axis]! + (u3 - u2) * h * n[axis]!,
  );
}

function quaternion([w, x, y, z]: KeyFrame['wxyz']): Quaternion {
  return new Quaternion(x, y, z, w).normalize();
}
