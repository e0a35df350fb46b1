/** Gaussians, drawn by Spark with their spherical harmonics; or as their centres, or as their 1σ ellipsoids. */

import { RgbaArray, SplatFileType, SplatMesh, dyno, makeDepthColorModifier, makeNormalColorModifier } from './spark';
import {
  BufferAttribute, BufferGeometry, Color, Group, IcosahedronGeometry, InstancedMesh, Matrix4, MeshLambertMaterial,
  Points, PointsMaterial, Quaternion, Vector3,
} from 'three';
import { ballAround } from './bounds';
import type { Ball, Colours, Drawing, Look } from './drawing';

export type SplatFormat = 'ply' | 'spz' | 'splat' | 'sog';

/**
 * Up to so many, and without harmonics, 32 bytes a splat instead of 16 with centres in half floats. Spark 2.2.0 cuts the
 * harmonics of its 32 bytes off at the power of two below, which shows; those of its 16 bytes are right to 7 bits.
 */
const EXACT_UP_TO = 3_000_000;
/** As Postshot and Brush write it. */
const ANTIALIASED = /^comment (antialiased 1|SplatRenderMode: mip)\s*$/m;
const FINE_ELLIPSOIDS_UP_TO = 20_000;

const TYPES: Record<SplatFormat, SplatFileType> = {
  ply: SplatFileType.PLY,
  spz: SplatFileType.SPZ,
  splat: SplatFileType.SPLAT,
  sog: SplatFileType.PCSOGSZIP,
};

export class GaussiansDrawing implements Drawing {
  readonly object = new Group();
  readonly primitives: number;
  readonly ball: Ball;
  /** Whether splats that are blurred to the size of a pixel become as much fainter; a PLY says so in a comment. */
  readonly antialiased: boolean;
  readonly #mesh: SplatMesh;
  readonly #own: Uint8Array;
  readonly #positions: Float32Array;
  #colours: Colours | null = null;
  #look: Look = 'rgb';
  #opacity = 1;
  #points: Points | null = null;
  #ellipsoids: InstancedMesh | null = null;
  readonly #near = new dyno.DynoFloat({ value: 0 });
  readonly #far = new dyno.DynoFloat({ value: 1 });

  static async open(bytes: ArrayBuffer, format: SplatFormat): Promise<GaussiansDrawing> {
    const head = format === 'ply' ? header(bytes) : '';
    const mesh = new SplatMesh({
      fileBytes: new Uint8Array(bytes),
      fileType: TYPES[format],
      extSplats: format !== 'spz' && format !== 'sog' && !head.includes('f_rest_') && bytes.byteLength / 32 < EXACT_UP_TO,
      editable: false,
      raycastable: false,
    });
    await mesh.initialized;
    return new GaussiansDrawing(mesh, format, ANTIALIASED.test(head));
  }

  private constructor(mesh: SplatMesh, format: SplatFormat, antialiased: boolean) {
    this.#mesh = mesh;
    this.antialiased = antialiased;
    if (format === 'spz') this.object.rotation.x = Math.PI; // its axes are right, up, back
    this.object.add(mesh);
    const count = (mesh.extSplats ?? mesh.packedSplats)?.getNumSplats() ?? 0;
    this.primitives = count;
    this.#positions = new Float32Array(3 * count);
    this.#own = new Uint8Array(4 * count);
    let widths = 0;
    mesh.forEachSplat((i, centre, scales, _turn, opacity, colour) => {
      widths += Math.max(scales.x, scales.y, scales.z);
      centre.toArray(this.#positions, 3 * i);
      this.#own.set([byte(colour.r), byte(colour.g), byte(colour.b), byte(opacity)], 4 * i);
    });
    const { centre, radius } = ballAround(this.#positions);
    this.ball = { centre, radius: radius + widths / Math.max(1, count) };
    if (format === 'spz') this.ball.centre.applyEuler(this.object.rotation);
  }

  setOpacity(opacity: number): void {
    this.#opacity = opacity;
    this.#mesh.opacity = opacity;
    for (const material of [this.#points?.material, this.#ellipsoids?.material]) {
      if (material && !Array.isArray(material)) Object.assign(material, { opacity, transparent: opacity < 1 });
    }
  }

  setColours(colours: Colours | null): void {
    this.#colours = colours;
    this.#mesh.splatRgba?.dispose();
    this.#mesh.splatRgba = colours ? this.#rgba(colours) : null;
    this.#mesh.updateGenerator();
    this.#forget();
    this.setLook(this.#look);
  }

  setLook(look: Look): void {
    this.#look = look;
    const mesh = this.#mesh;
    mesh.visible = look !== 'centres' && look !== 'ellipsoids';
    mesh.recolor = new Color(1, 1, 1);
    mesh.enableWorldToView = look === 'depth' || look === 'normal';
    const { worldToView } = mesh.context;
    if (look === 'depth') {
      const bright = dyno.dynoConst('bool', true);
      mesh.worldModifier = makeDepthColorModifier(worldToView, this.#near, this.#far, bright);
    } else if (look === 'normal') mesh.worldModifier = makeNormalColorModifier(worldToView);
    else if (look === 'alpha') mesh.worldModifier = white();
    else mesh.worldModifier = undefined;
    mesh.updateGenerator();
    if (look === 'centres') this.object.add((this.#points ??= this.#makePoints()));
    else this.#points?.removeFromParent();
    if (look === 'ellipsoids') this.object.add((this.#ellipsoids ??= this.#makeEllipsoids()));
    else this.#ellipsoids?.removeFromParent();
    this.setOpacity(this.#opacity);
  }

  setDepthRange(near: number, far: number): void {
    if (this.#near.value === near && this.#far.value === far) return;
    this.#near.value = near;
    this.#far.value = far;
    if (this.#look === 'depth') this.#mesh.updateVersion();
  }

  get edged(): boolean {
    return this.#look === 'ellipsoids';
  }

  /** One number of each splat. */
  scalars(name: 'opacity' | 'size'): Float32Array {
    const values = new Float32Array(this.primitives);
    this.#mesh.forEachSplat((i, _centre, scales, _turn, opacity) => {
      values[i] = name === 'opacity' ? opacity : Math.max(scales.x, scales.y, scales.z);
    });
    return values;
  }

  dispose(): void {
    this.#forget();
    this.#mesh.splatRgba?.dispose();
    this.#mesh.dispose();
  }

  #rgba(colours: Colours): RgbaArray {
    const array = new RgbaArray({ capacity: this.primitives });
    const bytes = array.ensureCapacity(this.primitives);
    for (let i = 0; i < this.primitives; i++) {
      bytes[4 * i] = colours[3 * i]!;
      bytes[4 * i + 1] = colours[3 * i + 1]!;
      bytes[4 * i + 2] = colours[3 * i + 2]!;
      bytes[4 * i + 3] = this.#own[4 * i + 3]!;
    }
    array.count = this.primitives;
    array.needsUpdate = true;
    return array;
  }

  #colour(i: number, into: Color): Color {
    const [source, stride] = this.#colours ? [this.#colours, 3] : [this.#own, 4];
    const [r, g, b] = [source[stride * i]!, source[stride * i + 1]!, source[stride * i + 2]!];
    return into.setRGB(r / 255, g / 255, b / 255, 'srgb');
  }

  #makePoints(): Points {
    const colours = new Float32Array(3 * this.primitives);
    const colour = new Color();
    for (let i = 0; i < this.primitives; i++) this.#colour(i, colour).toArray(colours, 3 * i);
    const geometry = new BufferGeometry();
    geometry.setAttribute('position', new BufferAttribute(this.#positions, 3));
    geometry.setAttribute('color', new BufferAttribute(colours, 3));
    return new Points(geometry, new PointsMaterial({ size: 2.5, sizeAttenuation: false, vertexColors: true }));
  }

  #makeEllipsoids(): InstancedMesh {
    const geometry = new IcosahedronGeometry(1, this.primitives <= FINE_ELLIPSOIDS_UP_TO ? 2 : 1);
    const mesh = new InstancedMesh(geometry, new MeshLambertMaterial(), this.primitives);
    const matrix = new Matrix4();
    const colour = new Color();
    const size = new Vector3();
    const turn = new Quaternion();
    this.#mesh.forEachSplat((i, centre, scales, quaternion, opacity) => {
      size.copy(scales).multiplyScalar(opacity < 0.02 ? 0 : 1).clampScalar(1e-6, Infinity);
      mesh.setMatrixAt(i, matrix.compose(centre, turn.copy(quaternion), size));
      mesh.setColorAt(i, this.#colour(i, colour));
    });
    mesh.frustumCulled = false;
    return mesh;
  }

  #forget(): void {
    for (const made of [this.#points, this.#ellipsoids]) {
      made?.removeFromParent();
      made?.geometry.dispose();
      if (made && !Array.isArray(made.material)) made.material.dispose();
    }
    this.#ellipsoids?.dispose();
    this.#points = null;
    this.#ellipsoids = null;
  }
}

function header(bytes: ArrayBuffer): string {
  return new TextDecoder('latin1').decode(bytes.slice(0, 65536)).split('end_header')[0]!;
}

/** Everything white, so that on black what is seen is alpha. */
function white(): ReturnType<typeof makeNormalColorModifier> {
  return dyno.dynoBlock({ gsplat: dyno.Gsplat }, { gsplat: dyno.Gsplat }, ({ gsplat }) => {
    if (!gsplat) throw new Error('no splat to whiten');
    const one = dyno.dynoConst('float', 1);
    return { gsplat: dyno.combineGsplat({ gsplat, r: one, g: one, b: one }) };
  });
}

function byte(value: number): number {
  return Math.max(0, Math.min(255, Math.round(255 * value)));
}
