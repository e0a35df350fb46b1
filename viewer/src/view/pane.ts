/** One picture of the scene: what hangs in it, and how it is drawn into its rectangle of the stage. */

import { SparkRenderer } from '@sparkjsdev/spark';
import {
  AmbientLight, DirectionalLight, HemisphereLight, type PerspectiveCamera, Scene, Vector2, type WebGLRenderer,
} from 'three';
import type { Place } from './layout';
import { Smooth } from './smooth';

/** Spark cuts a splat off at this many standard deviations; ours end where alpha is 1/255. */
const REACH = Math.sqrt(2 * Math.log(255));
const BLUR_PX = 0.3;

export class Pane {
  readonly scene = new Scene();
  readonly spark: SparkRenderer;
  place: Place | null = null;
  readonly #renderer: WebGLRenderer;
  readonly #size = new Vector2();
  #smooth: Smooth | null = null;

  constructor(renderer: WebGLRenderer, onDirty: () => void) {
    this.#renderer = renderer;
    this.spark = new SparkRenderer({
      renderer,
      onDirty,
      sortRadial: false,
      accumExtSplats: true,
      enable2DGS: true,
      maxStdDev: REACH,
      minAlpha: 1 / 255,
      maxPixelRadius: 2048,
      preBlurAmount: BLUR_PX,
      blurAmount: 0,
      enableLod: false,
    });
    const measured = this.spark.onBeforeRender.bind(this.spark);
    this.spark.onBeforeRender = (target, scene, camera) => {
      measured(target, scene, camera);
      this.spark.uniforms.renderSize.value.copy(this.#size); // Spark takes the whole canvas for the picture
    };
    this.spark.renderOrder = 10;
    this.scene.add(this.spark, ...lights());
  }

  /** Mip-splatting's compensated blur instead of the classic one. */
  set antialiased(value: boolean) {
    this.spark.preBlurAmount = value ? 0 : BLUR_PX;
    this.spark.blurAmount = value ? BLUR_PX : 0;
  }

  /** Whether what hangs in it has edges to be smoothed. */
  set edged(value: boolean) {
    if (value === (this.#smooth !== null)) return;
    this.#smooth?.dispose();
    this.#smooth = value ? new Smooth(this.#renderer) : null;
  }

  get settled(): boolean {
    return !this.spark.sorting && !this.spark.sortDirty && !this.spark.dirty;
  }

  draw(camera: PerspectiveCamera, stage: { width: number; height: number }, apply: (aspect: number) => void): void {
    if (!this.place) return;
    const { rect, clip } = this.place;
    const width = Math.max(1, Math.round(rect.width * stage.width));
    const height = Math.max(1, Math.round(rect.height * stage.height));
    const ratio = this.#renderer.getPixelRatio();
    this.#size.set(width * ratio, height * ratio);
    this.#renderer.setViewport(rect.x * stage.width, (1 - rect.y - rect.height) * stage.height, width, height);
    this.#renderer.setScissor(
      clip.x * stage.width, (1 - clip.y - clip.height) * stage.height, clip.width * stage.width, clip.height * stage.height,
    );
    apply(width / height);
    if (this.#smooth) this.#smooth.draw(this.scene, camera, this.#size.x, this.#size.y);
    else this.#renderer.render(this.scene, camera);
  }
}

function lights(): [AmbientLight, HemisphereLight, DirectionalLight] {
  const sky = new HemisphereLight(0xffffff, 0x9090a0, 1.4);
  sky.position.set(0, 0, 1);
  const sun = new DirectionalLight(0xffffff, 1.8);
  sun.position.set(3, 2, 5);
  return [new AmbientLight(0xffffff, 0.5), sky, sun];
}
