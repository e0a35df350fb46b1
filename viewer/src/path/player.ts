/** Plays a path: moves the viewpoint along it, in real time or picture by picture. */

import { Signal } from '../signal';
import type { Viewpoint } from '../view/viewpoint';
import { type KeyFrame, poseAt } from './path';

export class Player {
  readonly keys = new Signal<readonly KeyFrame[]>([]);
  readonly playing = new Signal(false);
  readonly time = new Signal(0);
  readonly #viewpoint: Viewpoint;

  constructor(viewpoint: Viewpoint) {
    this.#viewpoint = viewpoint;
  }

  get end(): number {
    return this.keys.value.at(-1)?.t ?? 0;
  }

  /** Keep where one stands, `after` seconds behind the last key. */
  add(after: number): void {
    const t = this.keys.value.length ? this.end + after : 0;
    const here = { t, camera_to_world: this.#viewpoint.cameraToWorld(), fov_y_rad: this.#viewpoint.fovYRad };
    this.keys.value = [...this.keys.value, here];
    this.time.value = t;
  }

  remove(index: number): void {
    const kept = this.keys.value.filter((_, i) => i !== index);
    const start = kept[0]?.t ?? 0;
    this.keys.value = kept.map((key) => ({ ...key, t: key.t - start }));
  }

  /** Stand where the path is at a time. */
  seek(t: number): void {
    if (this.keys.value.length === 0) return;
    const { camera_to_world, fov_y_rad } = poseAt(this.keys.value, t);
    this.time.value = t;
    this.#viewpoint.setFov(fov_y_rad);
    this.#viewpoint.setCameraToWorld(camera_to_world);
  }

  toggle(): void {
    if (this.playing.value || this.keys.value.length < 2) {
      this.playing.value = false;
      return;
    }
    this.playing.value = true;
    const begun = performance.now() - 1000 * (this.time.value >= this.end ? 0 : this.time.value);
    const step = (now: number): void => {
      if (!this.playing.value) return;
      const t = Math.max(0, (now - begun) / 1000);
      this.seek(Math.min(t, this.end));
      if (t >= this.end) this.playing.value = false;
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
