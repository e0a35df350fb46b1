/**
 * Pictures by the server, standing in the scene with their depth so that splats and meshes mix with them.
 *
 * A frame whose camera is no longer the page's is carried over: a grid over the picture is lifted by its depth
 * and seen from where the page looks now, until a newer one comes.
 */

import {
  BufferAttribute, BufferGeometry, CustomBlending, DataTexture, Group, LinearFilter, Matrix4, Mesh, NearestFilter,
  OneFactor, OneMinusSrcAlphaFactor, RedFormat, RedIntegerFormat, ShaderMaterial, Texture, UnsignedByteType,
  UnsignedShortType, Vector2, Vector4,
} from 'three';
import type { Camera } from '../net/protocol';

export interface Frame {
  colour: ImageBitmap;
  alpha: Uint8Array;
  /** Inverse depth as the wire has it; null where it was not asked for. */
  depth: Uint16Array | null;
  near: number;
  far: number;
  camera: Camera;
}

const CELLS = 96;

export class FramesDrawing {
  readonly object = new Group();
  readonly #mesh: Mesh<BufferGeometry, ShaderMaterial>;
  #textures: Texture[] = [];

  constructor() {
    const material = new ShaderMaterial({
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      transparent: true,
      blending: CustomBlending,
      blendSrc: OneFactor,
      blendDst: OneMinusSrcAlphaFactor,
      uniforms: {
        colour: { value: null },
        coverage: { value: null },
        inverse: { value: null },
        hasDepth: { value: false },
        range: { value: new Vector2() },
        scale: { value: 1 },
        opacity: { value: 1 },
        intrinsics: { value: new Vector4() },
        size: { value: new Vector2() },
        cameraToWorld: { value: new Matrix4() },
        stale: { value: false },
        pivot: { value: 1 },
      },
    });
    this.#mesh = new Mesh(grid(), material);
    this.#mesh.frustumCulled = false;
    this.#mesh.renderOrder = 5;
    this.#mesh.visible = false;
    this.object.add(this.#mesh);
  }

  get empty(): boolean {
    return !this.#mesh.visible;
  }

  setOpacity(opacity: number): void {
    this.#set('opacity', opacity);
  }

  /** `worldToCamera` is the page's at the time of asking; `scale` that of the layer, by which depths grow. */
  show(frame: Frame, worldToCamera: readonly number[], scale: number, pivot: number): void {
    this.#release();
    const { width, height } = frame.camera;
    const [shownWidth, shownHeight] = [frame.colour.width, frame.colour.height];
    const colour = new Texture(frame.colour);
    colour.minFilter = colour.magFilter = LinearFilter;
    colour.generateMipmaps = false;
    colour.needsUpdate = true;
    const coverage = new DataTexture(frame.alpha, shownWidth, shownHeight, RedFormat, UnsignedByteType);
    coverage.minFilter = coverage.magFilter = LinearFilter;
    coverage.unpackAlignment = 1;
    coverage.needsUpdate = true;
    const depth = frame.depth ?? new Uint16Array(shownWidth * shownHeight).fill(1);
    const inverse = new DataTexture(depth, shownWidth, shownHeight, RedIntegerFormat, UnsignedShortType);
    inverse.internalFormat = 'R16UI';
    inverse.minFilter = inverse.magFilter = NearestFilter;
    inverse.unpackAlignment = 2;
    inverse.needsUpdate = true;
    this.#textures = [colour, coverage, inverse];
    this.#set('colour', colour);
    this.#set('coverage', coverage);
    this.#set('inverse', inverse);
    this.#set('hasDepth', frame.depth !== null);
    this.#set('range', new Vector2(frame.near, frame.far));
    this.#set('scale', scale);
    this.#set('size', new Vector2(width, height));
    const { fx_px, fy_px, cx_px, cy_px } = frame.camera;
    this.#set('intrinsics', new Vector4(fx_px, fy_px, cx_px, cy_px));
    this.#set('cameraToWorld', new Matrix4().fromArray([...worldToCamera]).transpose().invert());
    this.#set('pivot', pivot);
    this.#mesh.visible = true;
  }

  /** Whether the page's camera has left the frame's. */
  set stale(value: boolean) {
    this.#set('stale', value);
  }

  clear(): void {
    this.#release();
    this.#mesh.visible = false;
  }

  dispose(): void {
    this.clear();
    this.#mesh.geometry.dispose();
    this.#mesh.material.dispose();
  }

  #set(name: string, value: unknown): void {
    this.#mesh.material.uniforms[name]!.value = value;
  }

  #release(): void {
    for (const texture of this.#textures) {
      (texture.image as ImageBitmap | undefined)?.close?.();
      texture.dispose();
    }
    this.#textures = [];
  }
}

/** Vertices (u, v) over the picture, from its top left. */
function grid(): BufferGeometry {
  const side = CELLS + 1;
  const positions = new Float32Array(3 * side * side);
  for (let i = 0; i < side * side; i++) positions.set([(i % side) / CELLS, Math.floor(i / side) / CELLS, 0], 3 * i);
  const index: number[] = [];
  for (let row = 0; row < CELLS; row++) {
    for (let column = 0; column < CELLS; column++) {
      const a = row * side + column;
      index.push(a, a + side, a + 1, a + 1, a + side, a + side + 1);
    }
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new BufferAttribute(positions, 3));
  geometry.setIndex(index);
  return geometry;
}

const DEPTH = /* glsl */ `
  precision highp usampler2D;
  uniform usampler2D inverse;
  uniform vec2 range;
  uniform float scale;
  uniform bool hasDepth;
  uniform float pivot;

  /* Camera z at a point of the picture; 0 where nothing is. */
  float depthAt(vec2 uv) {
    if (!hasDepth) return pivot;
    ivec2 size = textureSize(inverse, 0);
    uint steps = texelFetch(inverse, clamp(ivec2(uv * vec2(size)), ivec2(0), size - 1), 0).r;
    if (steps == 0u) return 0.0;
    return scale / (1.0 / range.y + (float(steps) - 1.0) / 65534.0 * (1.0 / range.x - 1.0 / range.y));
  }
`;

const VERTEX = /* glsl */ `
  ${DEPTH}
  uniform bool stale;
  uniform vec4 intrinsics;
  uniform vec2 size;
  uniform mat4 cameraToWorld;
  varying vec2 vUv;

  void main() {
    vUv = position.xy;
    gl_Position = vec4(2.0 * vUv.x - 1.0, 1.0 - 2.0 * vUv.y, 0.0, 1.0);
    if (stale) {
      float z = depthAt(vUv);
      if (z == 0.0) z = pivot;
      vec2 px = vUv * size;
      vec3 seen = z * vec3((px - intrinsics.zw) / intrinsics.xy, 1.0);
      gl_Position = projectionMatrix * viewMatrix * cameraToWorld * vec4(seen, 1.0);
    }
  }
`;

const FRAGMENT = /* glsl */ `
  ${DEPTH}
  uniform sampler2D colour;
  uniform sampler2D coverage;
  uniform float opacity;
  uniform mat4 projectionMatrix;
  uniform bool stale;
  varying vec2 vUv;

  void main() {
    float alpha = texture2D(coverage, vUv).r;
    if (alpha < 0.5 / 255.0) discard;
    gl_FragColor = opacity * vec4(texture2D(colour, vUv).rgb, alpha);
    float z = depthAt(vUv);
    if (z == 0.0) z = pivot;
    float clipZ = -projectionMatrix[2][2] * z + projectionMatrix[3][2];
    gl_FragDepth = stale ? gl_FragCoord.z : clamp(0.5 + 0.5 * clipZ / z, 0.0, 1.0);
  }
`;
