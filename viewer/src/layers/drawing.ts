/** What a layer looks like in the page, whichever way it is drawn. */

import type { Object3D, Vector3 } from 'three';

/** How a scene is looked at; the last two are drawn in the page alone. */
export type Look = 'rgb' | 'depth' | 'normal' | 'alpha' | 'contributions' | 'centres' | 'ellipsoids';

/** A colour for each primitive, three bytes each, in the order of the file. */
export type Colours = Uint8Array;

export interface Ball {
  centre: Vector3;
  radius: number;
}

export interface Drawing {
  readonly object: Object3D;
  readonly primitives: number;
  /** Whether it shows triangles, whose edges have steps. */
  readonly edged: boolean;
  /** Around what is there, without stray primitives; in the drawing's own coordinates. */
  readonly ball: Ball;
  setOpacity(opacity: number): void;
  /** Colours in place of the scene's own, or null for its own. */
  setColours(colours: Colours | null): void;
  setLook(look: Look): void;
  /** The range of camera z that depth is shown in. */
  setDepthRange(near: number, far: number): void;
  dispose(): void;
}
