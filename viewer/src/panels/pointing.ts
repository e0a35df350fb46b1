/** What is under the cursor: facts beside it while the panel is open, and kept in the panel by a click. */

import type { Context } from '../context';
import { type Layer, seenFrom } from '../layers/layer';
import type { Fact, Picked } from '../net/protocol';
import { Replaced, wireCamera } from '../net/requests';
import type { Signal } from '../signal';
import { h } from '../ui/dom';

const REST_MS = 180;

export function pointing(context: Context, open: Signal<boolean>, alike: (layer: Layer, primitive: number) => void): HTMLElement {
  const { scene, stage, viewpoint, server, controls, overlay, notices } = context;
  const tip = h('div.tag', { hidden: true, style: 'white-space: normal' });
  overlay.append(tip);
  const kept = h('div', {}, h('p.hint', {}, 'Click on the scene to see what is there.'));
  /** Where the pointer rests: another object whenever it comes to rest anew. */
  let at: readonly [x: number, y: number] | null = null;
  let timer = 0;
  const look = async (): Promise<void> => {
    const place = at;
    const found = place && open.value ? await pick(context, ...place).catch(() => null) : null;
    if (!place || at !== place) return; // the pointer has gone on
    tip.hidden = !found?.picked.facts.length || found.picked.primitive === null;
    if (tip.hidden) return;
    tip.replaceChildren(list(found!.picked.facts.slice(0, 4)));
    Object.assign(tip.style, { left: `${place[0] + 14}px`, top: `${place[1] + 14}px` });
  };
  /** Look once the picture rests too: what is under a pointer that rests changes with it. */
  const ask = (): void => {
    window.clearTimeout(timer);
    if (at) timer = window.setTimeout(look, REST_MS);
  };
  const point = (where: typeof at): void => {
    at = where;
    tip.hidden = true;
    ask();
  };
  stage.canvas.addEventListener('pointermove', ({ buttons, offsetX, offsetY }) => point(buttons ? null : [offsetX, offsetY]));
  stage.canvas.addEventListener('pointerleave', () => point(null));
  viewpoint.changed(() => point(at && [...at]));
  for (const signal of [open, stage.size, scene.mode, scene.states, server.socket.line]) signal.changed(ask);
  controls.onclick = async (x, y) => {
    point(null); // a click's answer is waited for, whatever changes meanwhile
    try {
      const found = await pick(context, x, y);
      if (!found) return;
      open.value = true;
      kept.replaceChildren(...describe(found.picked, found.layer, alike));
    } catch (error) {
      if (!(error instanceof Replaced)) notices.say(error instanceof Error ? error.message : String(error), 'bad');
    }
  };
  return kept;
}

interface Found {
  layer: Layer;
  picked: Picked;
}

/** Ask the server about a point of the stage; null where nothing can be asked. */
async function pick({ scene, stage, server, viewpoint }: Context, x: number, y: number): Promise<Found | null> {
  const at = stage.paneAt(x, y);
  if (!at || !server.open) return null;
  const here = scene.inPane(at.index).filter((layer) => layer.wire.value?.frames);
  const layer = here.find((one) => one === scene.selected.value) ?? here[0];
  if (!layer) return null;
  const { width, height } = stage.panePixels(at.index);
  const pinhole = viewpoint.pinhole(width, height);
  const world_to_camera = seenFrom(pinhole.world_to_camera, layer.transform.value);
  const camera = wireCamera({ ...pinhole, world_to_camera });
  const picked = await server.requests.pick({ layer: layer.wire.value!.id, camera, x_px: at.x * width, y_px: at.y * height });
  return { layer, picked };
}

function describe(picked: Picked, layer: Layer, alike: (layer: Layer, primitive: number) => void): HTMLElement[] {
  const { primitive } = picked;
  if (picked.facts.length === 0) return [h('p.hint', {}, `Nothing of ${layer.name} is there.`)];
  const button = h('button.solid', { onclick: () => primitive !== null && alike(layer, primitive) }, 'Show what is like it');
  return [h('strong', {}, layer.name), list(picked.facts), ...(layer.wire.value?.queries && primitive !== null ? [button] : [])];
}

function list(facts: readonly Fact[]): HTMLElement {
  return h('dl.facts', {}, ...facts.flatMap(({ label, value }) => [h('dt', {}, label), h('dd', {}, value)]));
}
