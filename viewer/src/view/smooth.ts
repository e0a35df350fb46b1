/**
 * Edges of triangles, smoothed: a picture is drawn with several samples a pixel beside the canvas, then copied there.
 *
 * The canvas itself has one sample, because splats are smooth already and more would only make them slow. Depth goes
 * along, so that splats and frames mix with meshes as ever.
 */

import {
  type Camera, Mesh, NoBlending, OrthographicCamera, PlaneGeometry, type Scene, ShaderMaterial, SRGBColorSpace,
  type Texture, WebGLRenderTarget, type WebGLRenderer,
} from 'three';

const SAMPLES = 4;

export class Smooth {
  readonly #renderer: WebGLRenderer;
  readonly #target: WebGLRenderTarget;
  readonly #copy: Mesh<PlaneGeometry, ShaderMaterial>;
  readonly #eye = new OrthographicCamera(-1, 1, 1, -1, 0, 1);

  constructor(renderer: WebGLRenderer) {
    this.#renderer = renderer;
    this.#target = new WebGLRenderTarget(1, 1, { samples: SAMPLES, colorSpace: SRGBColorSpace, internalFormat: 'RGBA8' });
    // three.js draws to targets of headsets as to the canvas: colours encoded, and blended so
    Object.assign(this.#target, { isXRRenderTarget: true });
    this.#copy = new Mesh(new PlaneGeometry(2, 2), copying(this.#target.texture));
    this.#copy.frustumCulled = false;
  }

  /** Draw a scene into the renderer's viewport, which has so many pixels. */
  draw(scene: Scene, camera: Camera, width: number, height: number): void {
    const renderer = this.#renderer;
    this.#target.setSize(width, height);
    renderer.setRenderTarget(this.#target);
    renderer.render(scene, camera);
    renderer.setRenderTarget(null);
    renderer.render(this.#copy, this.#eye);
  }

  dispose(): void {
    this.#target.dispose();
    this.#copy.geometry.dispose();
    this.#copy.material.dispose();
  }
}

function copying(picture: Texture): ShaderMaterial {
  return new ShaderMaterial({
    uniforms: { picture: { value: picture } },
    blending: NoBlending,
    depthTest: false,
    depthWrite: false,
    vertexShader: 'varying vec2 at; void main() { at = uv; gl_Position = vec4(position.xy, 0.0, 1.0); }',
    fragmentShader: 'uniform sampler2D picture; varying vec2 at; void main() { gl_FragColor = vec4(texture2D(picture, at).rgb, 1.0); }',
  });
}
