/** What is open: the layers, which of them stand in which pane, and how they are looked at. */

import type { Ball, Look } from './layers/drawing';
import type { Layer } from './layers/layer';
import { Signal } from './signal';
import type { Mode } from './view/layout';
import { MOST_PANES, type Stage } from './view/stage';
import { Vector3 } from 'three';

export class Scene {
  readonly stage: Stage;
  readonly layers = new Signal<readonly Layer[]>([]);
  /** The one that the panels speak of. */
  readonly selected = new Signal<Layer | null>(null);
  readonly look = new Signal<Look>('rgb');
  /** One of each pane while comparing; empty otherwise. */
  readonly compared = new Signal<readonly Layer[]>([]);
  readonly mode = new Signal<Mode>('single');
  /** Counts the states that scenes have been shown in: a run that trains shows many. */
  readonly states = new Signal(0);
  #framed = false;

  constructor(stage: Stage) {
    this.stage = stage;
    this.look.changed(() => this.#restyle());
    stage.beforePicture(() => this.#prepare());
  }

  add(layer: Layer): void {
    this.layers.value = [...this.layers.value, layer];
    this.selected.value ??= layer;
    layer.visible.changed(() => this.refresh());
    layer.exact.changed(() => this.refresh());
    layer.wire.changed(() => {
      this.refresh();
      this.states.value += 1;
    });
    for (const signal of [layer.opacity, layer.transform, layer.lit]) signal.changed(() => this.stage.ask());
    layer.state.changed((state) => {
      if (state.is !== 'ready') return;
      layer.drawing?.setLook(this.look.value);
      this.#frameOnce();
      this.refresh();
      this.states.value += 1;
    });
    this.refresh();
  }

  remove(layer: Layer): void {
    layer.dispose();
    this.layers.value = this.layers.value.filter((other) => other !== layer);
    this.compared.value = this.compared.value.filter((other) => other !== layer);
    if (this.selected.value === layer) this.selected.value = this.layers.value[0] ?? null;
    if (this.compared.value.length < 2) this.setMode('single');
    this.refresh();
  }

  /** Compare these layers, or (with fewer than two) go back to one picture of everything. */
  compare(layers: readonly Layer[], mode: Mode = 'side'): void {
    this.compared.value = layers.slice(0, MOST_PANES);
    this.setMode(this.compared.value.length < 2 ? 'single' : mode);
  }

  setMode(mode: Mode): void {
    if (mode !== 'single' && this.compared.value.length < 2) this.compared.value = this.layers.value.slice(0, MOST_PANES);
    this.mode.value = this.compared.value.length < 2 ? 'single' : mode;
    this.stage.mode.value = this.mode.value;
    this.stage.paneCount.value = this.mode.value === 'single' ? 1 : this.compared.value.length;
    this.refresh();
  }

  /** The layers of a pane that are to be seen. */
  inPane(index: number): readonly Layer[] {
    const all = this.mode.value === 'single' ? (index === 0 ? this.layers.value : []) : this.compared.value.slice(index, index + 1);
    return all.filter((layer) => layer.visible.value || this.mode.value !== 'single');
  }

  /** The ball around a layer, or around everything that is seen. */
  ball(layer: Layer | null): Ball {
    const layers = layer ? [layer] : this.layers.value.filter((l) => l.visible.value && l.state.value.is !== 'failed');
    const balls = layers.map((l) => l.ball);
    if (balls.length === 0) return { centre: new Vector3(), radius: 1 };
    const centre = balls.reduce((sum, b) => sum.add(b.centre), new Vector3()).divideScalar(balls.length);
    return { centre, radius: Math.max(...balls.map((b) => b.centre.distanceTo(centre) + b.radius)) };
  }

  frame(layer: Layer | null): void {
    const { centre, radius } = this.ball(layer);
    this.stage.viewpoint.frame(centre, radius);
    this.#framed = true;
  }

  /** Hang every layer where it belongs. */
  refresh(): void {
    const panes = this.stage.panes;
    for (const layer of this.layers.value) layer.root.removeFromParent();
    panes.forEach((pane, index) => {
      const layers = this.inPane(index);
      for (const layer of layers) {
        layer.root.visible = !layer.drawnByServer(this.look.value);
        pane.scene.add(layer.root);
      }
      pane.antialiased = layers.some((layer) => layer.wire.value?.antialiased);
      pane.edged = layers.some((layer) => layer.root.visible && layer.drawing?.edged);
    });
    this.stage.ask();
  }

  #frameOnce(): void {
    if (this.#framed) return;
    const { centre, radius } = this.ball(null);
    this.stage.viewpoint.frame(centre, radius);
    this.#framed = this.layers.value.every((layer) => layer.state.value.is !== 'loading');
  }

  #restyle(): void {
    const look = this.look.value;
    for (const layer of this.layers.value) layer.drawing?.setLook(look);
    this.refresh();
  }

  #prepare(): void {
    const { centre, radius } = this.ball(null);
    this.stage.viewpoint.setReach(centre, radius);
    if (this.look.value !== 'depth') return;
    const along = centre.clone().sub(this.stage.viewpoint.eye).dot(this.stage.viewpoint.forward);
    const near = Math.max(along - radius, 0);
    for (const layer of this.layers.value) layer.drawing?.setDepthRange(near, along + radius);
  }
}
