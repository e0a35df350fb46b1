/** Triangle meshes (.glb, .obj, .ply) and bare points (.ply), drawn by three.js. */

import {
  type BufferGeometry, Color, DoubleSide, Group, LoadingManager, type Material, Mesh,
  MeshBasicMaterial, MeshStandardMaterial, type Object3D, Points, PointsMaterial, ShaderMaterial, type Texture, Vector3,
} from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import { OBJLoader } from 'three/addons/loaders/OBJLoader.js';
import { PLYLoader } from 'three/addons/loaders/PLYLoader.js';
import { ballAround } from './bounds';
import type { Ball, Colours, Drawing, Look } from './drawing';

export type MeshFormat = 'glb' | 'obj' | 'ply';

export class MeshDrawing implements Drawing {
  readonly object = new Group();
  readonly primitives: number;
  readonly edged = true;
  readonly ball: Ball;
  readonly #parts: Part[] = [];
  #look: Look = 'rgb';
  #opacity = 1;
  #lit: boolean;

  static async open(bytes: ArrayBuffer, format: MeshFormat): Promise<MeshDrawing> {
    return new MeshDrawing(await read(bytes, format), format !== 'ply');
  }

  private constructor(object: Object3D, yUp: boolean) {
    // (x, y, z) of the world is (y, z, x) in files that are +y up
    if (yUp) this.object.matrix.set(0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1).decompose(
      this.object.position, this.object.quaternion, this.object.scale);
    this.object.add(object);
    const positions: number[] = [];
    this.object.updateMatrixWorld(true);
    let triangles = 0;
    object.traverse((child) => {
      if (!(child instanceof Mesh || child instanceof Points)) return;
      triangles += size(child);
      gather(child, positions);
      if (child instanceof Mesh) this.#parts.push(new Part(child));
    });
    if (positions.length === 0) throw new Error('there is no geometry in it');
    this.primitives = triangles;
    this.ball = ballAround(positions);
    this.#lit = !this.#parts.some((part) => part.painted);
    this.setLook('rgb');
  }

  /** Light and shade, or the colours as they are, which is how the server draws. */
  set lit(value: boolean) {
    this.#lit = value;
    this.setLook(this.#look);
  }

  setOpacity(opacity: number): void {
    this.#opacity = opacity;
    for (const part of this.#parts) part.setOpacity(opacity);
  }

  setColours(_colours: Colours | null): void {}

  setLook(look: Look): void {
    this.#look = look;
    for (const part of this.#parts) part.show(look, this.#lit);
    this.setOpacity(this.#opacity);
  }

  setDepthRange(near: number, far: number): void {
    DEPTH.uniforms['range']!.value.set(near, far, 0);
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
  }
}

/** One mesh with the materials of each look. */
class Part {
  readonly painted: boolean;
  readonly #mesh: Mesh;
  readonly #flat: MeshBasicMaterial;
  readonly #lit: MeshStandardMaterial;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
    if (!mesh.geometry.getAttribute('normal')) mesh.geometry.computeVertexNormals();
    const given = (Array.isArray(mesh.material) ? mesh.material[0] : mesh.material) as Partial<MeshStandardMaterial>;
    const vertexColors = mesh.geometry.hasAttribute('color');
    const map: Texture | null = given.map ?? null;
    const color = given.color?.clone() ?? new Color(0.75, 0.75, 0.75);
    this.painted = vertexColors || map !== null;
    const common = { color: this.painted && !given.color ? new Color(1, 1, 1) : color, map, vertexColors, side: DoubleSide };
    this.#flat = new MeshBasicMaterial(common);
    this.#lit = new MeshStandardMaterial({ ...common, roughness: given.roughness ?? 0.8, metalness: 0 });
  }

  show(look: Look, lit: boolean): void {
    const materials: Partial<Record<Look, Material>> = { depth: DEPTH, normal: NORMAL, alpha: WHITE };
    this.#mesh.material = materials[look] ?? (lit ? this.#lit : this.#flat);
  }

  setOpacity(opacity: number): void {
    for (const material of [this.#flat, this.#lit]) {
      material.transparent = opacity < 1;
      material.opacity = opacity;
      material.depthWrite = opacity >= 0.5;
      material.needsUpdate = true;
    }
  }

  dispose(): void {
    this.#mesh.geometry.dispose();
    this.#flat.map?.dispose();
    this.#flat.dispose();
    this.#lit.dispose();
  }
}

const WHITE = new MeshBasicMaterial({ color: 0xffffff, side: DoubleSide });

/** World normals towards the eye, as (n + 1) / 2. */
const NORMAL = new ShaderMaterial({
  side: DoubleSide,
  vertexShader: `varying vec3 vNormal; varying vec3 vAway;
    void main() {
      vec4 world = modelMatrix * vec4(position, 1.0);
      vNormal = mat3(modelMatrix) * normal;
      vAway = world.xyz - cameraPosition;
      gl_Position = projectionMatrix * viewMatrix * world;
    }`,
  fragmentShader: `varying vec3 vNormal; varying vec3 vAway;
    void main() {
      vec3 n = normalize(vNormal);
      gl_FragColor = vec4(0.5 * (dot(n, vAway) > 0.0 ? -n : n) + 0.5, 1.0);
    }`,
});

/** Camera z in grey, near is bright. */
const DEPTH = new ShaderMaterial({
  side: DoubleSide,
  uniforms: { range: { value: new Vector3(0, 1, 0) } },
  vertexShader: `varying float vDepth;
    void main() {
      vec4 seen = modelViewMatrix * vec4(position, 1.0);
      vDepth = -seen.z;
      gl_Position = projectionMatrix * seen;
    }`,
  fragmentShader: `varying float vDepth; uniform vec3 range;
    void main() {
      gl_FragColor = vec4(vec3(clamp((range.y - vDepth) / (range.y - range.x), 0.0, 1.0)), 1.0);
    }`,
});

async function read(bytes: ArrayBuffer, format: MeshFormat): Promise<Object3D> {
  if (format === 'obj') return new OBJLoader().parse(new TextDecoder().decode(bytes));
  if (format === 'ply') return fromPly(new PLYLoader().parse(bytes));
  const manager = new LoadingManager();
  manager.setURLModifier((url) => {
    if (!/^(blob|data):/.test(url)) throw new Error(`it refers to another file (${url}); use a .glb that holds everything`);
    return url;
  });
  return (await new GLTFLoader(manager).parseAsync(bytes, '')).scene;
}

function fromPly(geometry: BufferGeometry): Object3D {
  const vertexColors = geometry.hasAttribute('color');
  return geometry.index
    ? new Mesh(geometry)
    : new Points(geometry, new PointsMaterial({ size: 2.5, sizeAttenuation: false, vertexColors }));
}

function size(part: Mesh | Points): number {
  const { index, attributes } = part.geometry as BufferGeometry;
  const vertices = index?.count ?? attributes['position']?.count ?? 0;
  return part instanceof Mesh ? vertices / 3 : vertices;
}

function gather(part: Mesh | Points, into: number[]): void {
  const position = (part.geometry as BufferGeometry).getAttribute('position');
  const point = new Vector3();
  const stride = Math.max(1, Math.ceil(position.count / 20000));
  for (let i = 0; i < position.count; i += stride) {
    into.push(...point.fromBufferAttribute(position, i).applyMatrix4(part.matrixWorld).toArray());
  }
}
