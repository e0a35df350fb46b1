/** A scene among the others: what the user can set about it, and what draws it. */

import { Euler, Group, MathUtils, Matrix4, Vector3 } from 'three';
import type { Layer as WireLayer } from '../net/protocol';
import { Signal } from '../signal';
import type { Ball, Colours, Drawing, Look } from './drawing';
import { GaussiansDrawing } from './gaussians';
import { MeshDrawing } from './mesh';

export interface Transform {
  position: [number, number, number];
  /** Degrees about x, y and z, in this order. */
  turnDeg: [number, number, number];
  scale: number;
}

export const AS_IT_IS: Transform = { position: [0, 0, 0], turnDeg: [0, 0, 0], scale: 1 };

export type LayerState = { is: 'loading'; fraction: number | null } | { is: 'ready' } | { is: 'failed'; sentence: string };

export class Layer {
  readonly key: string;
  readonly name: string;
  /** What the server says of it; null for a file that was dropped. */
  readonly wire: Signal<WireLayer | null>;
  readonly kind: Signal<string>;
  readonly bytes: Signal<number>;
  readonly visible = new Signal(true);
  readonly opacity = new Signal(1);
  readonly transform = new Signal<Transform>(AS_IT_IS);
  /** The server's exact picture instead of the page's own. */
  readonly exact = new Signal(false);
  readonly lit = new Signal(false);
  readonly state = new Signal<LayerState>({ is: 'loading', fraction: null });
  /** Hangs in a pane's scene; holds the transform. */
  readonly root = new Group();
  #drawing: Drawing | null = null;
  #colours: Colours | null = null;

  constructor(key: string, name: string, kind: string, bytes: number, wire: WireLayer | null) {
    this.key = key;
    this.name = name;
    this.kind = new Signal(kind);
    this.bytes = new Signal(bytes);
    this.wire = new Signal(wire);
    this.transform.watch((transform) => matrixOf(transform).decompose(this.root.position, this.root.quaternion, this.root.scale));
    this.opacity.changed((value) => this.#drawing?.setOpacity(value));
    this.lit.changed((value) => this.#drawing instanceof MeshDrawing && (this.#drawing.lit = value));
  }

  get drawing(): Drawing | null {
    return this.#drawing;
  }

  /** Draw it so, from `offset` on: where the drawing's origin is in the scene. */
  draw(drawing: Drawing, offset: readonly [number, number, number] = [0, 0, 0]): void {
    this.#clear();
    this.#drawing = drawing;
    drawing.object.position.add(new Vector3(...offset));
    drawing.setOpacity(this.opacity.value);
    this.root.add(drawing.object);
  }

  get primitives(): number {
    return this.#drawing?.primitives ?? this.wire.value?.primitives ?? 0;
  }

  /** Whether the server must draw it, as it is looked at now. */
  drawnByServer(look: Look): boolean {
    const wire = this.wire.value;
    if (!wire || !wire.frames) return false;
    return wire.shown === 'frames' || this.exact.value || look === 'contributions';
  }

  get antialiased(): boolean {
    return this.wire.value?.antialiased ?? (this.#drawing instanceof GaussiansDrawing && this.#drawing.antialiased);
  }

  get coloured(): boolean {
    return this.#colours !== null;
  }

  setColours(colours: Colours | null): void {
    this.#colours = colours;
    this.#drawing?.setColours(colours);
  }

  /** In the world, transform included. */
  get ball(): Ball {
    const wire = this.wire.value;
    const own: Ball = wire
      ? { centre: new Vector3(...wire.centre), radius: wire.radius }
      : (this.#drawing?.ball ?? { centre: new Vector3(), radius: 1 });
    const { centre, radius } = own;
    const matrix = matrixOf(this.transform.value);
    return { centre: centre.clone().applyMatrix4(matrix), radius: radius * this.transform.value.scale };
  }

  dispose(): void {
    this.#clear();
    this.root.removeFromParent();
  }

  #clear(): void {
    this.#drawing?.object.removeFromParent();
    this.#drawing?.dispose();
    this.#drawing = null;
    this.#colours = null;
  }
}

function matrixOf({ position, turnDeg, scale }: Transform): Matrix4 {
  const [x, y, z] = turnDeg.map(MathUtils.degToRad) as [number, number, number];
  return new Matrix4()
    .makeRotationFromEuler(new Euler(x, y, z))
    .scale(new Vector3(scale, scale, scale))
    .setPosition(...position);
}

/** The camera with which the layer's own world looks as the moved layer does from this one (both OpenCV rows). */
export function seenFrom(worldToCamera: readonly number[], transform: Transform): number[] {
  const whole = new Matrix4().fromArray([...worldToCamera]).transpose().multiply(matrixOf(transform));
  const rows = whole.transpose().toArray();
  return rows.map((value, i) => (i < 12 ? value / transform.scale : value));
}
