/** The canvas and its panes. Pictures are drawn when something has changed, never for the clock. */

import { Color, PerspectiveCamera, WebGLRenderer } from 'three';
import { Signal } from '../signal';
import { type Mode, places } from './layout';
import { Pane } from './pane';
import type { Viewpoint } from './viewpoint';

export const MOST_PANES = 4;
const MOST_RATIO = 2;

export interface PanePixels {
  width: number;
  height: number;
}

export class Stage {
  readonly canvas: HTMLCanvasElement;
  readonly renderer: WebGLRenderer;
  readonly viewpoint: Viewpoint;
  readonly camera = new PerspectiveCamera();
  readonly mode = new Signal<Mode>('single');
  readonly panes: Pane[] = [];
  readonly paneCount = new Signal(1);
  readonly wipe = new Signal(0.5);
  readonly front = new Signal(0);
  readonly background = new Color();
  readonly size = new Signal({ width: 1, height: 1 });
  readonly milliseconds = new Signal(0);
  pictures = 0;
  #asked = false;
  #before: (() => void)[] = [];
  #fixed = false;

  constructor(viewpoint: Viewpoint) {
    this.viewpoint = viewpoint;
    this.renderer = new WebGLRenderer({ antialias: false, powerPreference: 'high-performance', alpha: false });
    this.canvas = this.renderer.domElement;
    this.renderer.setScissorTest(true);
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, MOST_RATIO));
    viewpoint.changed(() => this.ask());
    for (const signal of [this.mode, this.paneCount, this.wipe, this.front]) signal.changed(() => this.#arrange());
    this.#arrange();
  }

  /** Called before each picture, with everything in place. */
  beforePicture(listener: () => void): void {
    this.#before.push(listener);
  }

  /** A picture at the next chance. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.draw();
    });
  }

  /** Whether a picture is still to come. */
  get asked(): boolean {
    return this.#asked;
  }

  draw(): void {
    const started = performance.now();
    for (const listener of this.#before) listener();
    this.renderer.setClearColor(this.background, 1);
    const size = this.size.value;
    for (const pane of this.panes) {
      pane.draw(this.camera, size, (aspect) => this.viewpoint.apply(this.camera, aspect));
    }
    this.pictures += 1;
    this.milliseconds.value = performance.now() - started;
  }

  resize(width: number, height: number): void {
    if (this.#fixed || width < 1 || height < 1) return;
    this.#resize(width, height, true);
  }

  /** How many pixels the picture of a pane has. */
  panePixels(index: number): PanePixels {
    const { width, height } = this.size.value;
    const rect = this.panes[index]?.place?.rect ?? { width: 1, height: 1 };
    const ratio = this.renderer.getPixelRatio();
    return {
      width: Math.max(1, Math.round(rect.width * width * ratio)),
      height: Math.max(1, Math.round(rect.height * height * ratio)),
    };
  }

  /** The pane under a point of the stage (CSS pixels), and where in it, in fractions. */
  paneAt(x: number, y: number): { index: number; x: number; y: number } | null {
    const { width, height } = this.size.value;
    const [u, v] = [x / width, y / height];
    for (const [index, pane] of this.panes.entries()) {
      if (!pane.place) continue;
      const { rect, clip } = pane.place;
      if (u >= clip.x && u < clip.x + clip.width && v >= clip.y && v < clip.y + clip.height) {
        return { index, x: (u - rect.x) / rect.width, y: (v - rect.y) / rect.height };
      }
    }
    return null;
  }

  /** Do something with the stage at another size, one canvas pixel to a picture's pixel. */
  async atSize<T>(width: number, height: number, act: () => Promise<T>): Promise<T> {
    const { width: w, height: h } = this.size.value;
    const ratio = this.renderer.getPixelRatio();
    this.#fixed = true;
    this.renderer.setPixelRatio(1);
    this.#resize(width, height, false);
    try {
      return await act();
    } finally {
      this.#fixed = false;
      this.renderer.setPixelRatio(ratio);
      this.#resize(w, h, false);
    }
  }

  #resize(width: number, height: number, styled: boolean): void {
    this.renderer.setSize(width, height, false);
    if (styled) Object.assign(this.canvas.style, { width: '100%', height: '100%' });
    this.size.value = { width, height };
    this.#arrange();
  }

  #arrange(): void {
    const count = this.paneCount.value;
    while (this.panes.length < count) this.panes.push(new Pane(this.renderer, () => this.ask()));
    const { width, height } = this.size.value;
    const where = places(this.mode.value, count, width / height, this.wipe.value, this.front.value);
    this.panes.forEach((pane, i) => (pane.place = where[i] ?? null));
    this.ask();
  }
}

