import { Quaternion, Vector3 } from 'three';
import { describe, expect, it } from 'vitest';
import { seenFrom } from '../src/layers/layer';
import { places, sideBySide } from '../src/view/layout';
import { Viewpoint } from '../src/view/viewpoint';

function seen(rows: readonly number[], [x, y, z]: readonly [number, number, number]): number[] {
  return [0, 1, 2].map((i) => rows[4 * i]! * x + rows[4 * i + 1]! * y + rows[4 * i + 2]! * z + rows[4 * i + 3]!);
}

describe('a viewpoint', () => {
  it('sees its target straight ahead, z forward, and up above it', () => {
    const viewpoint = new Viewpoint();
    viewpoint.lookAt(new Vector3(3, 1, 2), new Vector3(0, 0.5, 0));
    const { world_to_camera } = viewpoint.pinhole(100, 80);
    const [x, y, z] = seen(world_to_camera, [0, 0.5, 0]);
    expect(x).toBeCloseTo(0);
    expect(y).toBeCloseTo(0);
    expect(z).toBeCloseTo(viewpoint.distance);
    expect(seen(world_to_camera, [0, 0.5, 1])[1]).toBeLessThan(0);
  });
  it('stands where it is told, roll included', () => {
    const viewpoint = new Viewpoint();
    const rolled = { position: [1, 2, 3] as [number, number, number], wxyz: new Quaternion(0.1, 0.5, -0.3, 0.8).normalize(), fov_y_rad: 0.9 };
    const { w, x, y, z } = rolled.wxyz;
    viewpoint.setPose({ ...rolled, wxyz: [w, x, y, z] });
    const rows = viewpoint.pinhole(10, 10).world_to_camera;
    const other = new Viewpoint();
    other.setWorldToCamera(rows);
    other.pinhole(10, 10).world_to_camera.forEach((value, i) => expect(value).toBeCloseTo(rows[i]!));
    expect(other.pose().position[2]).toBeCloseTo(3);
  });
  it('keeps its distance while it orbits and its place while it looks', () => {
    const viewpoint = new Viewpoint();
    const { distance } = viewpoint;
    viewpoint.orbit(1.2, 5);
    expect(viewpoint.distance).toBeCloseTo(distance);
    const eye = viewpoint.eye.clone();
    viewpoint.look(0.3, -0.2);
    expect(viewpoint.eye.distanceTo(eye)).toBeCloseTo(0);
  });
});

describe('a moved layer', () => {
  it('is seen in its own world by a camera that is moved back', () => {
    const rows = new Viewpoint().pinhole(10, 10).world_to_camera;
    const transform = { position: [1, -2, 0.5] as [number, number, number], turnDeg: [0, 0, 90] as [number, number, number], scale: 2 };
    const own: [number, number, number] = [0.3, 0.4, 0.5];
    const world: [number, number, number] = [1 - 2 * 0.4, -2 + 2 * 0.3, 0.5 + 2 * 0.5];
    const inWorld = seen(rows, world);
    seen(seenFrom(rows, transform), own).forEach((value, i) => expect(2 * value).toBeCloseTo(inWorld[i]!));
  });
});

describe('panes', () => {
  it('fill the stage without overlap', () => {
    for (let count = 1; count <= 4; count++) {
      const area = sideBySide(count, 1.5).reduce((sum, { width, height }) => sum + width * height, 0);
      expect(area).toBeCloseTo(1);
    }
  });
  it('of a wipe meet at its line', () => {
    const [a, b] = places('wipe', 2, 1.5, 0.3, 0);
    expect(a!.clip.width).toBeCloseTo(0.3);
    expect(b!.clip.x).toBeCloseTo(0.3);
    expect(a!.rect).toEqual(b!.rect);
  });
});

describe('panes beside each other', () => {
  it('stand in a row where it is wide, in a square, and in a column where it is tall', () => {
    const columns = (count: number, aspect: number): number => new Set(sideBySide(count, aspect).map(({ x }) => x)).size;
    expect([columns(2, 2), columns(2, 0.5), columns(3, 3), columns(4, 1.4)]).toEqual([2, 1, 3, 2]);
  });
});
