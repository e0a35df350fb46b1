/** Plays a path: moves the viewpoint along it in real time. */

import { Signal } from '../signal';
import type { Viewpoint } from '../view/viewpoint';
import { type KeyFrame, at } from './path';

export class Player {
  readonly keys = new Signal<readonly KeyFrame[]>([]);
  readonly playing = new Signal(false);
  readonly time = new Signal(0);
  readonly #viewpoint: Viewpoint;

  constructor(viewpoint: Viewpoint) {
    this.#viewpoint = viewpoint;
  }

  get end(): number {
    return this.keys.value.at(-1)?.seconds ?? 0;
  }

  /** Keep where one stands, so many seconds behind the last key. */
  add(after: number): void {
    const seconds = this.keys.value.length ? this.end + after : 0;
    this.keys.value = [...this.keys.value, { seconds, ...this.#viewpoint.pose() }];
    this.time.value = seconds;
  }

  remove(index: number): void {
    const kept = this.keys.value.filter((_, i) => i !== index);
    const start = kept[0]?.seconds ?? 0;
    this.keys.value = kept.map((key) => ({ ...key, seconds: key.seconds - start }));
  }

  /** Stand where the path is at a time. */
  seek(seconds: number): void {
    if (this.keys.value.length === 0) return;
    this.time.value = seconds;
    this.#viewpoint.setPose(at(this.keys.value, seconds));
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
      const seconds = Math.max(0, (now - begun) / 1000);
      this.seek(Math.min(seconds, this.end));
      if (seconds >= this.end) this.playing.value = false;
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
