/**
 * Where the scene is looked at from, shared by all panes.
 *
 * World: right-handed, +z up. three.js cameras look along −z with y up; the wire speaks OpenCV (x right, y down,
 * z forward), so the two differ by a half turn about x, and only this file knows.
 */

import { Matrix4, PerspectiveCamera, Quaternion, Vector3 } from 'three';

const HALF_TURN_X = new Matrix4().makeScale(1, -1, -1);
const HALF_TURN = new Quaternion(1, 0, 0, 0);
const UP = new Vector3(0, 0, 1);
const POLE_RAD = 0.02;
const FAR_OVER_NEAR = 5000;

export interface Pinhole {
  /** OpenCV, row by row. */
  world_to_camera: number[];
  /** fx, fy, cx, cy in pixels. */
  intrinsics: [number, number, number, number];
  width: number;
  height: number;
}

export interface Pose {
  position: [number, number, number];
  wxyz: [number, number, number, number];
  fov_y_rad: number;
}

export class Viewpoint {
  readonly eye = new Vector3(2.7, -1.2, 1.4);
  readonly target = new Vector3();
  readonly turn = new Quaternion();
  fovYRad = 0.698;
  #listeners = new Set<() => void>();
  #reach = { centre: new Vector3(), radius: 1 };

  constructor() {
    this.lookAt(this.eye, this.target);
  }

  get distance(): number {
    return this.eye.distanceTo(this.target);
  }

  get forward(): Vector3 {
    return new Vector3(0, 0, -1).applyQuaternion(this.turn);
  }

  changed(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Stand at `eye`, upright with respect to +z. */
  lookAt(eye: Vector3, target: Vector3): void {
    this.eye.copy(eye);
    this.target.copy(target);
    const up = Math.abs(eye.clone().sub(target).normalize().z) > 1 - 1e-6 ? new Vector3(1, 0, 0) : UP;
    this.turn.setFromRotationMatrix(new Matrix4().lookAt(eye, target, up));
    this.#tell();
  }

  /** Walk around the target; elevation stops short of the poles. */
  orbit(azimuthRad: number, elevationRad: number): void {
    const offset = this.eye.clone().sub(this.target);
    const radius = offset.length();
    const azimuth = Math.atan2(offset.y, offset.x) + azimuthRad;
    const limit = Math.PI / 2 - POLE_RAD;
    const elevation = Math.max(-limit, Math.min(limit, Math.asin(offset.z / radius) + elevationRad));
    offset.set(Math.cos(elevation) * Math.cos(azimuth), Math.cos(elevation) * Math.sin(azimuth), Math.sin(elevation));
    this.lookAt(offset.multiplyScalar(radius).add(this.target), this.target);
  }

  /** Look around from where one stands. */
  look(yawRad: number, pitchRad: number): void {
    const away = this.target.clone().sub(this.eye);
    const radius = away.length();
    const azimuth = Math.atan2(away.y, away.x) + yawRad;
    const limit = Math.PI / 2 - POLE_RAD;
    const pitch = Math.max(-limit, Math.min(limit, Math.asin(away.z / radius) + pitchRad));
    away.set(Math.cos(pitch) * Math.cos(azimuth), Math.cos(pitch) * Math.sin(azimuth), Math.sin(pitch));
    this.lookAt(this.eye, away.multiplyScalar(radius).add(this.eye));
  }

  /** Move eye and target along the camera's right, up and forward, in world units. */
  move(right: number, up: number, forward: number): void {
    const step = new Vector3(right, up, -forward).applyQuaternion(this.turn);
    this.eye.add(step);
    this.target.add(step);
    this.#tell();
  }

  /** Come nearer by a factor; the target stays. */
  dolly(factor: number): void {
    const offset = this.eye.clone().sub(this.target).multiplyScalar(Math.max(factor, 1e-3));
    this.eye.copy(this.target).add(offset);
    this.#tell();
  }

  /** Turn about the target so that a sphere fills the picture. */
  frame(centre: Vector3, radius: number): void {
    const away = this.forward.multiplyScalar(-1.15 * radius / Math.sin(this.fovYRad / 2));
    this.lookAt(centre.clone().add(away), centre);
  }

  /** Stand exactly where an OpenCV camera stands, its roll included. */
  setWorldToCamera(rows: readonly number[]): void {
    if (rows.length !== 16 || !rows.every(Number.isFinite)) throw new Error('expected 16 finite numbers, row by row');
    const distance = this.distance;
    const pose = new Matrix4().fromArray([...rows]).transpose().invert().multiply(HALF_TURN_X);
    pose.decompose(this.eye, this.turn, new Vector3());
    this.#ahead(distance);
  }

  /** Where one stands, as paths keep it: the eye, and what turns OpenCV's camera into the world. */
  pose(): Pose {
    const { w, x, y, z } = this.turn.clone().multiply(HALF_TURN);
    return { position: this.eye.toArray(), wxyz: [w, x, y, z], fov_y_rad: this.fovYRad };
  }

  setPose({ position, wxyz: [w, x, y, z], fov_y_rad }: Pose): void {
    const distance = this.distance;
    this.eye.fromArray(position);
    this.turn.set(x, y, z, w).normalize().multiply(HALF_TURN);
    this.fovYRad = fov_y_rad;
    this.#ahead(distance);
  }

  setFov(fovYRad: number): void {
    this.fovYRad = Math.max(0.05, Math.min(2.6, fovYRad));
    this.#tell();
  }

  /** The camera as the wire speaks of it, for a picture of so many pixels. */
  pinhole(width: number, height: number): Pinhole {
    const pose = new Matrix4().compose(this.eye, this.turn, new Vector3(1, 1, 1)).multiply(HALF_TURN_X).invert();
    const focal = (0.5 * height) / Math.tan(this.fovYRad / 2);
    return {
      world_to_camera: pose.transpose().toArray(),
      intrinsics: [focal, focal, width / 2, height / 2],
      width,
      height,
    };
  }

  /** The ball that must not be cut off. */
  setReach(centre: Vector3, radius: number): void {
    this.#reach = { centre: centre.clone(), radius };
  }

  /** Set a three.js camera. The far plane lies behind everything, and the near plane as near as depths allow. */
  apply(camera: PerspectiveCamera, aspect: number): void {
    camera.position.copy(this.eye);
    camera.quaternion.copy(this.turn);
    camera.fov = (this.fovYRad * 180) / Math.PI;
    camera.aspect = aspect;
    const { centre, radius } = this.#reach;
    camera.far = 2 * (this.eye.distanceTo(centre) + radius + this.distance);
    camera.near = camera.far / FAR_OVER_NEAR;
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  #ahead(distance: number): void {
    this.target.copy(this.forward.multiplyScalar(distance).add(this.eye));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
