/** Closer: a property of every primitive as colours and as a histogram, words as a heat map, what is under the cursor. */

import type { Context, Panel } from '../context';
import type { Layer } from '../layers/layer';
import { ownProperties, ownProperty } from '../layers/properties';
import { type PropertyArray, Replaced } from '../net/requests';
import { Signal, watchAll } from '../signal';
import { brushed } from '../ui/brush';
import { h } from '../ui/dom';
import { colourise } from '../ui/ramp';
import { pointing } from './pointing';

interface Shown {
  layer: Layer;
  label: string;
  array: PropertyArray;
  ask: Ask;
}

type Ask = (layer: Layer) => PropertyArray | Promise<PropertyArray>;
type Brush = readonly [number, number] | null;

export function closerPanel(context: Context): Panel {
  const { scene, keys } = context;
  const open = new Signal(false);
  const shown = new Signal<Shown | null>(null);
  const brush = new Signal<Brush>(null);
  const show = (label: string, ask: Ask): Promise<void> => apply(context, shown, brush, label, ask);
  const body = h(
    'div', {},
    propertyChooser(context, shown, show),
    histogramOf(shown, brush),
    words(context, show),
    pointing(context, open, (layer, primitive) =>
      void show(`Like no. ${primitive}`, () =>
        context.server.requests.query({ layer: layer.wire.value!.id, text: null, primitive }))),
  );
  scene.selected.changed((layer) => {
    if (shown.value && layer !== shown.value.layer) clear(shown);
  });
  let renewed: unknown = null;
  scene.stage.beforePicture(() => {
    const now = shown.value;
    if (!now || now.layer.coloured || now.layer.drawing === renewed) return;
    renewed = now.layer.drawing; // its run has gone on, to other primitives
    if (renewed) void show(now.label, now.ask);
    else shown.value = null;
  });
  scene.layers.changed((layers) => {
    if (shown.value && !layers.includes(shown.value.layer)) shown.value = null;
  });
  keys.on('Escape', 'Closer', 'Back to the scene\'s own colours', () => clear(shown));
  return { id: 'closer', title: 'Closer', body, open };
}

function clear(shown: Signal<Shown | null>): void {
  shown.value?.layer.setColours(null);
  shown.value = null;
}

async function apply(
  { scene, notices, stage }: Context, shown: Signal<Shown | null>, brush: Signal<Brush>, label: string, ask: Ask,
): Promise<void> {
  const layer = scene.selected.value;
  if (!layer) return;
  try {
    const array = await ask(layer);
    if (shown.value && shown.value.layer !== layer) clear(shown);
    if (shown.value?.label !== label) brush.value = null;
    paint(layer, array, brush.value);
    shown.value = { layer, label, array, ask };
    stage.ask();
  } catch (error) {
    if (error instanceof Replaced) return;
    if (shown.value && !shown.value.layer.coloured) shown.value = null;
    notices.say(error instanceof Error ? error.message : String(error), 'bad');
  }
}

function paint(layer: Layer, { scalars, colours, low, high }: PropertyArray, brush: Brush): void {
  layer.setColours(scalars ? colourise(scalars, low, high, brush) : colours);
}

function propertyChooser(
  { scene, server }: Context, shown: Signal<Shown | null>,
  show: (label: string, ask: Ask) => Promise<void>,
): HTMLElement {
  const select = h('select', {
    'aria-label': 'Colour by',
    onchange: () => {
      if (!scene.selected.value || select.value === '') return clear(shown);
      const { value: name } = select;
      void show(select.selectedOptions[0]!.text, (layer) => {
        const wire = layer.wire.value;
        const known = server.open && wire?.properties.some((property) => property.name === name);
        return known ? server.requests.property({ layer: wire!.id, name }) : ownProperty(layer, name);
      });
    },
  });
  let last = '';
  const begun = new WeakSet<Layer>();
  /** Colour a layer for the first time as the server says. */
  const begin = (layer: Layer | null): void => {
    const name = layer?.wire.value?.coloured_by;
    if (!layer || !name || begun.has(layer) || layer.state.value.is !== 'ready') return;
    begun.add(layer);
    select.value = name;
    select.dispatchEvent(new Event('change'));
  };
  const refresh = (): void => {
    const layer = scene.selected.value;
    const known = layer ? propertiesOf(layer, server.open) : [];
    const key = JSON.stringify([layer?.key, known]);
    if (key === last) return begin(layer);
    last = key;
    select.replaceChildren(
      h('option', { value: '' }, known.length ? 'Its own colours' : 'Nothing is known of its primitives'),
      ...known.map(({ name, label }) => h('option', { value: name }, label)),
    );
    select.disabled = known.length === 0;
    begin(layer);
  };
  watchAll([scene.selected, scene.layers, server.socket.line], refresh);
  scene.selected.watch((layer) => layer?.state.changed(refresh));
  shown.changed((value) => value === null && (select.value = ''));
  return h('label.row', {}, h('span', {}, 'Colour by'), select);
}

function propertiesOf(layer: Layer, online: boolean): { name: string; label: string }[] {
  const wire = layer.wire.value;
  if (wire && wire.shown !== 'splats') return [];
  return wire && online && wire.properties.length ? wire.properties : ownProperties(layer);
}

function histogramOf(shown: Signal<Shown | null>, brush: Signal<Brush>): HTMLElement {
  const chart = brushed((range) => {
    brush.value = range;
    const value = shown.value;
    if (value) paint(value.layer, value.array, range);
  });
  shown.watch((value) => {
    chart.element.hidden = !value?.array.scalars;
    if (value?.array.scalars) chart.show(value.array.scalars, value.array.low, value.array.high, value.label, brush.value);
  });
  return chart.element;
}

function words(
  { scene, server }: Context, show: (label: string, ask: (layer: Layer) => Promise<PropertyArray>) => Promise<void>,
): HTMLElement {
  const input = h('input', {
    type: 'text', placeholder: 'the left wing', 'aria-label': 'Find by words',
    onkeydown: (event) => {
      if (event.key !== 'Enter' || !input.value.trim()) return;
      const text = input.value.trim();
      void show(`“${text}”`, (layer) => server.requests.query({ layer: layer.wire.value!.id, text, primitive: null }));
    },
  });
  const row = h('label.row', {}, h('span', {}, 'Find'), input);
  watchAll([scene.selected, scene.layers, server.socket.line], () => {
    row.hidden = !(server.open && scene.selected.value?.wire.value?.queries);
  });
  return row;
}
