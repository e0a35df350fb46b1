/** The server's side of the page: its layers, runs and answers become the scene's. */

import { open } from '../layers/open';
import { Layer } from '../layers/layer';
import type { Scene } from '../scene';
import { Signal } from '../signal';
import { type Assets, Gone } from './assets';
import { Feed } from './feed';
import type {
  ArrayHeader, FrameHeader, FromServer, Frustum, Layer as WireLayer, Metric, Run, Welcome,
} from './protocol';
import { DIFFERENCE } from './protocol';
import { Requests } from './requests';
import { Socket } from './socket';

export interface Watched {
  run: Run;
  metrics: Metric[];
}

export class Server {
  readonly socket: Socket;
  readonly requests: Requests;
  readonly feed: Feed;
  readonly welcome = new Signal<Welcome | null>(null);
  readonly frusta = new Signal<readonly Frustum[]>([]);
  readonly runs = new Signal<ReadonlyMap<number, Watched>>(new Map());
  /** A sentence for the user. */
  onproblem: (sentence: string) => void = () => {};
  readonly #scene: Scene;
  readonly #assets: Assets;
  readonly #loading = new Set<Layer>();
  /** What is to be compared as soon as all of it is there. */
  #compare: readonly number[] = [];

  constructor(scene: Scene, assets: Assets, url: string, token: string) {
    this.#scene = scene;
    this.#assets = assets;
    this.socket = new Socket(url, token, {
      message: (message) => this.#hear(message),
      frame: (header, payload) => this.#frame(header, payload),
      array: (header: ArrayHeader, payload) => this.requests.array(header, payload),
    });
    this.requests = new Requests((message) => this.socket.send(message));
    this.feed = new Feed(scene, (message) => this.socket.send(message), () => this.requests.next());
    this.socket.line.changed((line) => {
      if (line.is !== 'reconnecting' && line.is !== 'ended') return;
      this.requests.drop();
      if (line.is === 'ended') this.#stayAlone();
      else this.feed.drop(null);
    });
  }

  get open(): boolean {
    return this.socket.line.value.is === 'open';
  }

  /** Fill the scene from a welcome, of the server or of a page that holds everything itself. */
  greet(welcome: Welcome): void {
    this.runs.value = new Map();
    this.frusta.value = welcome.frusta;
    if (!this.welcome.value) this.#compare = welcome.compare;
    this.#setLayers(welcome.layers);
    this.welcome.value = welcome;
    this.#scene.stage.ask();
  }

  layer(id: number): Layer | undefined {
    return this.#scene.layers.value.find((layer) => layer.wire.value?.id === id);
  }

  #hear(message: FromServer): void {
    if (message.type === 'welcome') this.greet(message);
    else if (message.type === 'layers') this.#setLayers(message.layers);
    else if (message.type === 'run') this.#setRun(message);
    else if (message.type === 'metrics') this.#addMetrics(message.run, message.lines);
    else if (message.type === 'scores') this.requests.scores(message);
    else if (message.type === 'picked') this.requests.picked(message);
    else if (message.type === 'goodbye') this.socket.end(message.sentence);
    else if (!this.requests.problem(message)) {
      this.feed.drop(message.seq);
      this.onproblem(message.sentence);
    }
  }

  #frame(header: FrameHeader, payload: ArrayBuffer): void {
    if (header.kind === DIFFERENCE) this.requests.differenceMap(header, payload);
    else this.feed.take(header, payload).catch((error: unknown) => this.onproblem(`A picture could not be shown: ${error}`));
  }

  #setLayers(wires: readonly WireLayer[]): void {
    const ids = new Set(wires.map((wire) => wire.id));
    for (const layer of this.#scene.layers.value) {
      if (layer.wire.value && !ids.has(layer.wire.value.id)) this.#scene.remove(layer);
    }
    for (const wire of wires) this.#setLayer(wire);
    const compared = this.#compare.flatMap((id) => this.layer(id) ?? []);
    if (compared.length < 2 || compared.length < this.#compare.length) return;
    this.#compare = [];
    this.#scene.compare(compared);
  }

  /** What the page holds stays to be explored; what only the server could tell is offered no more. */
  #stayAlone(): void {
    for (const layer of this.#scene.layers.value) {
      const wire = layer.wire.value;
      if (wire && wire.asset !== null) layer.wire.value = { ...wire, frames: false, channels: [], properties: [], queries: false };
    }
  }

  #setLayer(wire: WireLayer): void {
    const known = this.layer(wire.id);
    const before = known?.wire.value?.asset;
    if (known) {
      known.wire.value = wire;
      known.bytes.value = wire.asset_bytes;
      known.kind.value = wire.kind;
    }
    const layer = known ?? new Layer(`server-${wire.id}`, wire.name, wire.kind, wire.asset_bytes, wire);
    if (!known) this.#scene.add(layer);
    if (wire.asset === null) layer.state.value = { is: 'ready' };
    else if (!known || before !== wire.asset) void this.#load(layer);
  }

  /** One fetch of a layer at a time, and what arrives is shown even if the run is further: it is newer than before. */
  async #load(layer: Layer): Promise<void> {
    if (this.#loading.has(layer)) return;
    this.#loading.add(layer);
    let asset: string | null = null;
    while (this.#scene.layers.value.includes(layer) && layer.wire.value!.asset !== asset) {
      asset = layer.wire.value!.asset;
      if (asset !== null) await this.#loadState(layer, layer.wire.value!, asset);
    }
    this.#loading.delete(layer);
  }

  async #loadState(layer: Layer, wire: WireLayer, asset: string): Promise<void> {
    try {
      if (!layer.drawing) layer.state.value = { is: 'loading', fraction: 0 };
      const bytes = await this.#assets.fetch(asset, wire.asset_bytes, (fraction) => {
        if (!layer.drawing) layer.state.value = { is: 'loading', fraction };
      });
      const { drawing } = await open(`${wire.name.replace(/\.[a-z]+$/i, '')}.${wire.format}`, bytes);
      if (!this.#scene.layers.value.includes(layer)) return drawing.dispose();
      layer.draw(drawing, wire.offset);
      layer.state.value = { is: 'ready' };
    } catch (error) {
      if (error instanceof Gone && layer.drawing) return; // the next state is on its way
      layer.state.value = { is: 'failed', sentence: error instanceof Error ? error.message : String(error) };
    }
  }

  #setRun(run: Run): void {
    const metrics = this.runs.value.get(run.run)?.metrics ?? [];
    this.runs.value = new Map(this.runs.value).set(run.run, { run, metrics });
  }

  #addMetrics(id: number, lines: readonly Metric[]): void {
    const watched = this.runs.value.get(id);
    if (!watched) return;
    const last = watched.metrics.at(-1)?.step ?? -1;
    watched.metrics.push(...lines.filter((line) => line.step > last));
    this.runs.touch();
  }
}
