/** Keeps the frames of server-drawn layers up to date: coarse while the camera moves, fine when it rests. */

import { FramesDrawing } from '../layers/frames';
import { type Layer, seenFrom } from '../layers/layer';
import type { Look } from '../layers/drawing';
import type { Scene } from '../scene';
import type { Pinhole } from '../view/viewpoint';
import { Signal } from '../signal';
import { type Channel, type FrameHeader, type FromPage, MAX_SIDE_PX } from './protocol';
import { mime, wireCamera } from './requests';

const REST_MS = 140;
const PATIENCE_MS = 4000;

interface Asked {
  seq: number;
  key: string;
  pinhole: Pinhole;
  pose: number[];
  scale: number;
  moving: boolean;
  at: number;
}

class Slot {
  readonly drawing = new FramesDrawing();
  asked: Asked | null = null;
  shown = '';
  finished = false;
  wanted = '';
  timer = 0;
}

export class Feed {
  /** The layers, if nothing can be seen before the server's first picture of one of them. */
  readonly blank = new Signal<string>('');
  readonly #scene: Scene;
  readonly #send: (message: FromPage) => boolean;
  readonly #next: () => number;
  readonly #slots = new Map<string, Slot>();

  constructor(scene: Scene, send: (message: FromPage) => boolean, next: () => number) {
    this.#scene = scene;
    this.#send = send;
    this.#next = next;
    scene.stage.beforePicture(() => this.#update());
  }

  /** The layers whose finest frame is still to come. */
  get awaited(): string[] {
    return this.#wanted().flatMap(({ key, name, layer }) => {
      const slot = this.#slots.get(name);
      return slot !== undefined && slot.shown === key && slot.finished ? [] : [layer.name];
    });
  }

  async take(header: FrameHeader, payload: ArrayBuffer): Promise<void> {
    const slot = this.#slots.get(`${header.pane}:${header.layer}`);
    const asked = slot?.asked;
    if (!slot || !asked || asked.seq !== header.seq) return;
    const pixels = header.width * header.height;
    const alphaAt = header.colour_bytes;
    const blob = new Blob([payload.slice(0, alphaAt)], { type: mime(header.codec) });
    const colour = await createImageBitmap(blob, { premultiplyAlpha: 'none', colorSpaceConversion: 'none' });
    if (slot.asked !== asked) return colour.close();
    const frame = {
      colour,
      alpha: new Uint8Array(payload, alphaAt, pixels),
      depth: header.has_depth ? new Uint16Array(payload.slice(alphaAt + pixels, alphaAt + 3 * pixels)) : null,
      near: header.near,
      far: header.far,
      camera: wireCamera(asked.pinhole),
    };
    const pivot = this.#scene.stage.viewpoint.distance;
    slot.drawing.show(frame, asked.pose, asked.scale, pivot);
    slot.shown = asked.key;
    slot.finished = header.last === 1 && !asked.moving;
    if (header.last === 1) slot.asked = null;
    this.#scene.stage.ask();
  }

  /** The server could not draw it, or the line was cut. */
  drop(seq: number | null): void {
    for (const slot of this.#slots.values()) {
      if (seq !== null && slot.asked?.seq !== seq) continue;
      slot.asked = null;
      slot.finished = seq !== null;
      if (seq === null) slot.wanted = slot.shown = '';
      else slot.shown = slot.wanted;
    }
  }

  #update(): void {
    const wanted = this.#wanted();
    const names = new Set(wanted.map(({ name }) => name));
    for (const [name, slot] of this.#slots) {
      if (names.has(name)) continue;
      window.clearTimeout(slot.timer);
      slot.drawing.object.removeFromParent();
      slot.drawing.dispose();
      this.#slots.delete(name);
    }
    for (const want of wanted) this.#follow(want);
    this.#tell(wanted);
  }

  #tell(wanted: readonly Want[]): void {
    const { stage } = this.#scene;
    const seen = stage.panes.flatMap((pane, index) => (pane.place ? this.#scene.inPane(index) : []));
    const blank = wanted.length === seen.length && wanted.every(({ name }) => this.#slots.get(name)?.drawing.empty);
    this.blank.value = blank ? wanted.map(({ layer }) => layer.name).join(', ') : '';
  }

  #follow(want: Want): void {
    let slot = this.#slots.get(want.name);
    if (!slot) this.#slots.set(want.name, (slot = new Slot()));
    const pane = this.#scene.stage.panes[want.pane]!;
    if (slot.drawing.object.parent !== pane.scene) pane.scene.add(slot.drawing.object);
    slot.drawing.setOpacity(want.layer.opacity.value);
    slot.drawing.stale = slot.shown !== want.key;
    if (slot.wanted === want.key) return;
    const first = slot.wanted === '';
    slot.wanted = want.key;
    slot.finished = false;
    window.clearTimeout(slot.timer);
    const free = !slot.asked || performance.now() - slot.asked.at > PATIENCE_MS;
    if (first) this.#ask(slot, want, false);
    else {
      if (free) this.#ask(slot, want, true);
      slot.timer = window.setTimeout(() => this.#ask(slot, want, false), REST_MS);
    }
  }

  #ask(slot: Slot, want: Want, moving: boolean): void {
    const { layer, pinhole, pane, key, channel } = want;
    const transform = layer.transform.value;
    const seq = this.#next();
    const inLayer = { ...pinhole, world_to_camera: seenFrom(pinhole.world_to_camera, transform) };
    slot.asked = { seq, key, pinhole, pose: pinhole.world_to_camera, scale: transform.scale, moving, at: performance.now() };
    slot.finished = false;
    this.#send({
      type: 'request_frame', seq, pane, layer: layer.wire.value!.id, camera: wireCamera(inLayer), channel, moving,
      depth: true, exact: layer.exact.value && !moving,
    });
  }

  #wanted(): Want[] {
    const { stage, look } = this.#scene;
    return stage.panes.flatMap((pane, index) => {
      if (!pane.place) return [];
      const { width, height } = fit(stage.panePixels(index));
      const pinhole = stage.viewpoint.pinhole(width, height);
      return this.#scene
        .inPane(index)
        .filter((layer) => layer.drawnByServer(look.value))
        .map((layer) => want(layer, index, pinhole, look.value));
    });
  }
}

interface Want {
  name: string;
  key: string;
  layer: Layer;
  pane: number;
  pinhole: Pinhole;
  channel: Channel;
}

function want(layer: Layer, pane: number, pinhole: Pinhole, look: Look): Want {
  const wire = layer.wire.value!;
  const channel = wire.channels.find((one) => one === look) ?? 'rgb';
  const { world_to_camera, width, height, intrinsics } = pinhole;
  const pose = world_to_camera.map((value) => value.toFixed(5)).join();
  const { position, turnDeg, scale } = layer.transform.value;
  const key = [pose, width, height, intrinsics[0], channel, wire.asset, wire.step, position, turnDeg, scale, layer.exact.value].join(';');
  return { name: `${pane}:${wire.id}`, key, layer, pane, pinhole, channel };
}

function fit({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
