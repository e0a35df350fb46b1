/** Framing by percentiles: one stray splat a kilometre away must not make the scene a dot. */

import { Vector3 } from 'three';
import type { Ball } from './drawing';

const LOW = 0.02;
const HIGH = 0.98;
const MOST_SAMPLES = 20000;

/** The ball around the points that lie between the 2nd and the 98th percentile of each axis. */
export function ballAround(positions: ArrayLike<number>): Ball {
  const count = Math.floor(positions.length / 3);
  if (count === 0) return { centre: new Vector3(), radius: 1 };
  const stride = Math.max(1, Math.ceil(count / MOST_SAMPLES));
  const low = new Vector3();
  const high = new Vector3();
  for (let axis = 0; axis < 3; axis++) {
    const values: number[] = [];
    for (let i = 0; i < count; i += stride) {
      const value = positions[3 * i + axis]!;
      if (Number.isFinite(value)) values.push(value);
    }
    values.sort((a, b) => a - b);
    const at = (fraction: number): number => values[Math.round(fraction * (values.length - 1))] ?? 0;
    low.setComponent(axis, at(LOW));
    high.setComponent(axis, at(HIGH));
  }
  const centre = low.clone().add(high).multiplyScalar(0.5);
  return { centre, radius: Math.max(1e-3, high.distanceTo(low) / 2) };
}
