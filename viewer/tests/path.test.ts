import { describe, expect, it } from 'vitest';
import { FORMAT, type KeyFrame, at, parsePath } from '../src/path/path';

const turn = (angle: number): [number, number, number, number] => [Math.cos(angle / 2), 0, 0, Math.sin(angle / 2)];
const line: KeyFrame[] = [0, 1, 4].map((seconds) => ({ seconds, position: [seconds, 2 * seconds, 0], wxyz: turn(seconds / 4), fov_y_rad: 0.7 }));

describe('a path', () => {
  it('goes through its keys', () => {
    for (const key of line) expect(at(line, key.seconds).position).toEqual(key.position);
  });
  it('keeps straight and even motion straight and even', () => {
    const { position, wxyz } = at(line, 2.5);
    expect(position[0]).toBeCloseTo(2.5);
    expect(position[1]).toBeCloseTo(5);
    expect(wxyz[3]).toBeCloseTo(turn(2.5 / 4)[3]);
  });
  it('has no corner at a key', () => {
    const bent = line.map((key, i) => ({ ...key, position: [i * i, i, 0] as [number, number, number] }));
    const slope = (t: number, h: number): number => (at(bent, t + h).position[0] - at(bent, t).position[0]) / h;
    expect(slope(1, 1e-5)).toBeCloseTo(slope(1, -1e-5), 3);
  });
  it('stands still outside', () => {
    expect(at(line, -1)).toBe(line[0]);
    expect(at(line, 9)).toBe(line[2]);
  });
  it('says what is wrong with a file', () => {
    expect(() => parsePath('[')).toThrow('not JSON');
    expect(() => parsePath('{}')).toThrow(FORMAT);
    const late = { format: FORMAT, keys: [line[1], line[0]] };
    expect(() => parsePath(JSON.stringify(late))).toThrow('not later');
    expect(() => parsePath(JSON.stringify({ format: FORMAT, keys: [{ seconds: 0 }] }))).toThrow('lacks a number');
  });
});
