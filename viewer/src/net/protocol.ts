// Written by `python -m distill3d.viewer.typescript` from distill3d/viewer/protocol.py.

export const PROTOCOL = 3;
export const MAX_SIDE_PX = 2048;
export const MAX_MESSAGE_BYTES = 65536;
export const WRONG_TOKEN = 4401;
export const WRONG_PROTOCOL = 4426;
export const TOO_MANY = 4429;
export const FRAME = 1;
export const DIFFERENCE = 2;
export const ARRAY = 3;
export const JPEG = 1;
export const PNG = 2;
export const SCALARS = 1;
export const COLOURS = 2;

export type Channel = "rgb" | "depth" | "normal" | "alpha" | "contributions";
export type Action = "pause" | "resume" | "stop";
export type State = "running" | "paused" | "stopped" | "finished" | "failed";
export type Shown = "splats" | "mesh" | "frames";

export interface Camera {
  world_to_camera: number[];
  fx_px: number;
  fy_px: number;
  cx_px: number;
  cy_px: number;
  width: number;
  height: number;
}

export interface Property {
  name: string;
  label: string;
  kind: "scalar" | "colour";
}

export interface Layer {
  id: number;
  name: string;
  kind: string;
  shown: "splats" | "mesh" | "frames";
  asset: string | null;
  format: "ply" | "glb" | null;
  asset_bytes: number;
  offset: [number, number, number];
  centre: [number, number, number];
  radius: number;
  primitives: number;
  parameters: number;
  frames: boolean;
  channels: ("rgb" | "depth" | "normal" | "alpha" | "contributions")[];
  antialiased: boolean;
  psnr: number | null;
  ssim: number | null;
  properties: Property[];
  coloured_by: string;
  queries: boolean;
  run: number | null;
  step: number | null;
}

export interface Frustum {
  name: string;
  camera: Camera;
  photo: string | null;
  held_out: boolean;
}

export interface Hello {
  token: string;
  protocol: number;
  type: "hello";
}

export interface RequestFrame {
  seq: number;
  pane: number;
  layer: number;
  camera: Camera;
  channel: "rgb" | "depth" | "normal" | "alpha" | "contributions";
  moving: boolean;
  depth: boolean;
  exact: boolean;
  type: "request_frame";
}

export interface RequestDifference {
  seq: number;
  layer: number;
  other: number;
  camera: Camera;
  background: [number, number, number];
  type: "request_difference";
}

export interface RequestProperty {
  seq: number;
  layer: number;
  name: string;
  type: "request_property";
}

export interface RequestQuery {
  seq: number;
  layer: number;
  text: string | null;
  primitive: number | null;
  type: "request_query";
}

export interface RequestPick {
  seq: number;
  layer: number;
  camera: Camera;
  x_px: number;
  y_px: number;
  type: "request_pick";
}

export interface Scrub {
  run: number;
  step: number | null;
  type: "scrub";
}

export interface Control {
  run: number;
  action: "pause" | "resume" | "stop";
  type: "control";
}

export interface Welcome {
  protocol: number;
  version: string;
  title: string;
  control: boolean;
  layers: Layer[];
  frusta: Frustum[];
  compare: number[];
  again: string;
  type: "welcome";
}

export interface Layers {
  layers: Layer[];
  type: "layers";
}

export interface Mark {
  after: number;
  name: string;
}

export interface Run {
  run: number;
  name: string;
  doing: string;
  state: "running" | "paused" | "stopped" | "finished" | "failed";
  step: number;
  steps: number;
  checkpoints: number[];
  sentence: string;
  marks: Mark[];
  type: "run";
}

export interface Metric {
  step: number;
  seconds: number;
  loss: number | null;
  parts: Record<string, number>;
}

export interface Metrics {
  run: number;
  lines: Metric[];
  type: "metrics";
}

export interface Scores {
  seq: number;
  psnr: number | null;
  ssim: number;
  largest: number;
  type: "scores";
}

export interface Fact {
  label: string;
  value: string;
}

export interface Picked {
  seq: number;
  layer: number;
  primitive: number | null;
  point: [number, number, number] | null;
  facts: Fact[];
  type: "picked";
}

export interface Problem {
  sentence: string;
  seq: number | null;
  layer: number | null;
  type: "problem";
}

export interface Goodbye {
  sentence: string;
  type: "goodbye";
}

export interface FrameHeader {
  kind: number;
  codec: number;
  layer: number;
  seq: number;
  width: number;
  height: number;
  colour_bytes: number;
  near: number;
  far: number;
  pane: number;
  last: number;
  has_depth: number;
  milliseconds: number;
}

export function readFrameHeader(view: DataView): FrameHeader {
  return {
    kind: view.getUint8(0),
    codec: view.getUint8(1),
    layer: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    width: view.getUint16(8, true),
    height: view.getUint16(10, true),
    colour_bytes: view.getUint32(12, true),
    near: view.getFloat32(16, true),
    far: view.getFloat32(20, true),
    pane: view.getUint8(24),
    last: view.getUint8(25),
    has_depth: view.getUint8(26),
    milliseconds: view.getUint32(28, true),
  };
}

export interface ArrayHeader {
  kind: number;
  content: number;
  layer: number;
  seq: number;
  count: number;
  low: number;
  high: number;
}

export function readArrayHeader(view: DataView): ArrayHeader {
  return {
    kind: view.getUint8(0),
    content: view.getUint8(1),
    layer: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    count: view.getUint32(8, true),
    low: view.getFloat32(12, true),
    high: view.getFloat32(16, true),
  };
}

export type FromPage = Hello | RequestFrame | RequestDifference | RequestProperty | RequestQuery | RequestPick | Scrub | Control;

export type FromServer = Welcome | Layers | Run | Metrics | Scores | Picked | Problem | Goodbye;
