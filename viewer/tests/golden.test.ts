import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type KeyFrame, at, parsePath } from '../src/path/path';

interface Golden {
  path: unknown;
  samples: KeyFrame[];
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden/path.json'), 'utf8')) as Golden;
const { keys } = parsePath(JSON.stringify(golden.path));

describe('a path here and in Python', () => {
  it.each(golden.samples)('is the same at $seconds s', (right) => {
    const key = at(keys, right.seconds);
    const sign = Math.sign(key.wxyz.reduce((sum, value, i) => sum + value * right.wxyz[i]!, 0));
    key.position.forEach((value, i) => expect(value).toBeCloseTo(right.position[i]!, 6));
    key.wxyz.forEach((value, i) => expect(sign * value).toBeCloseTo(right.wxyz[i]!, 6));
    expect(key.fov_y_rad).toBeCloseTo(right.fov_y_rad, 6);
  });
});
