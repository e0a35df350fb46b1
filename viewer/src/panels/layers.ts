/** Layers: what is open, what of it is seen, and where it stands. */

import type { Context, Panel } from '../context';
import { AS_IT_IS, type Layer } from '../layers/layer';
import { MeshDrawing } from '../layers/mesh';
import { Signal } from '../signal';
import { bytes, count, h } from '../ui/dom';
import { checkbox, slider, triple } from '../ui/fields';
import { icon } from '../ui/icons';

export function layersPanel(context: Context): Panel {
  const { scene, keys } = context;
  const body = h('div', {});
  const cards = new Map<Layer, HTMLElement>();
  scene.layers.watch((layers) => {
    for (const layer of [...cards.keys()]) if (!layers.includes(layer)) cards.delete(layer);
    for (const layer of layers) if (!cards.has(layer)) cards.set(layer, card(context, layer));
    body.replaceChildren(...(layers.length ? layers.map((layer) => cards.get(layer)!) : [h('p.hint', {}, 'Nothing open yet.')]));
  });
  keys.on('v', 'Layers', 'Hide or show the selected layer', () => {
    const layer = scene.selected.value;
    if (layer) layer.visible.value = !layer.visible.value;
  });
  keys.on('[', 'Layers', 'Select the layer before', () => step(context, -1));
  keys.on(']', 'Layers', 'Select the next layer', () => step(context, 1));
  keys.on('x', 'Layers', 'Exact picture by the server, or the page\'s own', () => {
    const layer = scene.selected.value;
    if (layer?.wire.value?.frames && layer.wire.value.shown !== 'frames') layer.exact.value = !layer.exact.value;
  });
  return { id: 'layers', title: 'Layers', body, open: new Signal(true) };
}

function step({ scene }: Context, by: number): void {
  const layers = scene.layers.value;
  if (layers.length === 0) return;
  const at = layers.indexOf(scene.selected.value ?? layers[0]!);
  scene.selected.value = layers[(at + by + layers.length) % layers.length]!;
}

function card(context: Context, layer: Layer): HTMLElement {
  const { scene } = context;
  const eye = h('button.icon', {
    'aria-label': 'Visible', title: 'Hide or show (V)',
    onclick: (event) => {
      event.stopPropagation();
      layer.visible.value = !layer.visible.value;
    },
  });
  layer.visible.watch((visible) => {
    eye.replaceChildren(icon(visible ? 'eye' : 'hidden'));
    eye.setAttribute('aria-pressed', String(visible));
  });
  const frame = h('button.icon', { 'aria-label': 'Frame', title: 'Frame (.)', onclick: () => scene.frame(layer) }, icon('target'));
  const close = h('button.icon', { 'aria-label': 'Close', title: 'Close', onclick: () => scene.remove(layer) }, icon('close'));
  const facts = h('div.facts');
  const more = h('div.more', { onclick: (event) => event.stopPropagation() });
  const element = h(
    'article.layer',
    { 'data-name': layer.name, onclick: () => (scene.selected.value = layer) },
    h('header', {}, eye, h('strong', { title: layer.name }, layer.name), frame, layer.wire.value ? null : close),
    facts,
    more,
  );
  layer.state.watch(() => {
    facts.replaceChildren(...describe(layer).map((text) => h('span', {}, text)));
    facts.classList.toggle('bad', layer.state.value.is === 'failed');
    if (layer.state.value.is !== 'ready' || more.dataset['kind'] === layer.kind.value) return;
    more.dataset['kind'] = layer.kind.value;
    more.replaceChildren(...settings(layer));
  });
  layer.wire.changed(() => facts.replaceChildren(...describe(layer).map((text) => h('span', {}, text))));
  scene.selected.watch((selected) => {
    element.setAttribute('aria-current', String(selected === layer));
    more.hidden = selected !== layer;
  });
  return element;
}

function describe(layer: Layer): string[] {
  const state = layer.state.value;
  if (state.is === 'failed') return [state.sentence];
  if (state.is === 'loading') return [state.fraction === null ? 'loading' : `loading ${Math.round(100 * state.fraction)} %`];
  const wire = layer.wire.value;
  const noun = layer.kind.value === 'mesh' ? 'triangles' : layer.kind.value === 'points' ? 'points' : 'splats';
  return [
    layer.kind.value.replaceAll('_', ' '),
    layer.primitives > 0 ? `${count(layer.primitives)} ${noun}` : '',
    wire && wire.parameters > 0 ? `${count(wire.parameters)} numbers` : '',
    layer.bytes.value > 0 ? bytes(layer.bytes.value) : '',
    typeof wire?.psnr === 'number' ? `${wire.psnr.toFixed(2)} dB` : '',
    typeof wire?.ssim === 'number' ? `SSIM ${wire.ssim.toFixed(3)}` : '',
    typeof wire?.step === 'number' ? `step ${count(wire.step)}` : '',
  ].filter(Boolean);
}

function settings(layer: Layer): HTMLElement[] {
  const { transform } = layer;
  const position = triple('Position', () => transform.value.position, (value) => (transform.value = { ...transform.value, position: value }), 0.1);
  const turn = triple('Turn, °', () => transform.value.turnDeg, (value) => (transform.value = { ...transform.value, turnDeg: value }), 15);
  const scale = h('input', {
    type: 'number', min: 0.001, step: 0.1, 'aria-label': 'Scale',
    onchange: () => (transform.value = { ...transform.value, scale: Math.max(1e-3, Number(scale.value) || 1) }),
  });
  transform.watch((value) => {
    position.refresh();
    turn.refresh();
    scale.value = String(value.scale);
  });
  const wire = layer.wire.value;
  return [
    slider('Opacity', layer.opacity, { min: 0, max: 1, step: 0.01 }),
    ...(wire?.frames && wire.shown !== 'frames' ? [checkbox('Exact', layer.exact)] : []),
    ...(layer.drawing instanceof MeshDrawing ? [checkbox('Lit', layer.lit)] : []),
    position.element,
    turn.element,
    h('label.row', {}, h('span', {}, 'Scale'), scale, h('button.solid', { onclick: () => (transform.value = AS_IT_IS) }, 'Reset')),
  ];
}
