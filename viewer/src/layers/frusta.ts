/** The cameras of a dataset as wire pyramids: learned from in one colour, held out in the other. */

import { BufferAttribute, BufferGeometry, Color, LineBasicMaterial, LineSegments, Matrix4, Vector3 } from 'three';
import type { Frustum } from '../net/protocol';

const LEARNED = new Color(0x4c8dff);
const HELD_OUT = new Color(0xff9a3c);
const SIZE = 0.12;

export class FrustaDrawing {
  readonly object = new LineSegments(new BufferGeometry(), new LineBasicMaterial({ vertexColors: true, transparent: true, opacity: 0.8 }));

  constructor() {
    this.object.frustumCulled = false;
  }

  /** `radius` of the scene, of which the pyramids' height is a share. */
  show(frusta: readonly Frustum[], radius: number): void {
    const positions = frusta.flatMap((frustum) => edges(frustum, SIZE * radius));
    const colours = frusta.flatMap(({ held_out }) => Array.from({ length: 16 }, () => (held_out ? HELD_OUT : LEARNED).toArray()).flat());
    this.object.geometry.dispose();
    const geometry = new BufferGeometry();
    geometry.setAttribute('position', new BufferAttribute(new Float32Array(positions), 3));
    geometry.setAttribute('color', new BufferAttribute(new Float32Array(colours), 3));
    this.object.geometry = geometry;
    this.object.visible = frusta.length > 0;
  }
}

/** Eight lines: from the eye to the corners of the picture, and around it. */
function edges({ camera }: Frustum, depth: number): number[] {
  const toWorld = new Matrix4().fromArray(camera.world_to_camera).transpose().invert();
  const corner = (x: number, y: number): Vector3 =>
    new Vector3((depth * (x - camera.cx_px)) / camera.fx_px, (depth * (y - camera.cy_px)) / camera.fy_px, depth).applyMatrix4(toWorld);
  const eye = new Vector3().applyMatrix4(toWorld);
  const { width, height } = camera;
  const corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
  return corners.flatMap((point, i) => [eye, point, point, corners[(i + 1) % 4]!]).flatMap((point) => point.toArray());
}
