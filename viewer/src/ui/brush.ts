/** A histogram in which a range can be brushed, with the mouse or with two number fields. */

import { drawing } from './canvas';
import { h, short } from './dom';
import { histogram, ramp } from './ramp';

const BINS = 48;

export interface Brushed {
  element: HTMLElement;
  /** With `chosen` brushed already; null for all. */
  show(scalars: ArrayLike<number>, low: number, high: number, label: string, chosen: readonly [number, number] | null): void;
}

export function brushed(onbrush: (range: readonly [number, number] | null) => void): Brushed {
  let counts: number[] = [];
  let [low, high] = [0, 1];
  let range: [number, number] | null = null;
  let from = 0;
  const canvas = h('canvas.chart', { 'aria-label': 'Histogram; drag to choose a range', role: 'img', style: 'cursor: col-resize; height: 84px' });
  const redraw = drawing(canvas, (pen, width, height) => {
    const most = Math.max(1, ...counts.map(Math.sqrt));
    counts.forEach((value, i) => {
      const place = (i + 0.5) / BINS;
      const at = low + place * (high - low);
      const [r, g, b] = ramp(range && (at < range[0] || at > range[1]) ? NaN : place);
      pen.fillStyle = `rgb(${r} ${g} ${b})`;
      const tall = (Math.sqrt(value) / most) * (height - 2);
      pen.fillRect((i / BINS) * width, height - tall, width / BINS - 1, tall);
    });
  });
  const fields = ['from', 'to'].map((end) =>
    h('input', { type: 'number', step: 'any', 'aria-label': `Range ${end}`, onchange: () => choose(Number(fields[0]!.value), Number(fields[1]!.value)) }),
  );
  const title = h('strong');
  const choose = (a: number, b: number): void => {
    range = Math.abs(b - a) < (high - low) / 200 ? null : [Math.min(a, b), Math.max(a, b)];
    fields.forEach((field, i) => (field.value = String(Number((range?.[i] ?? [low, high][i]!).toPrecision(4)))));
    redraw();
    onbrush(range);
  };
  const at = (event: PointerEvent): number =>
    low + Math.max(0, Math.min(1, event.offsetX / canvas.clientWidth)) * (high - low);
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = at(event);
  });
  canvas.addEventListener('pointermove', (event) => canvas.hasPointerCapture(event.pointerId) && choose(from, at(event)));
  canvas.addEventListener('pointerup', (event) => choose(from, at(event)));
  const element = h(
    'div', { class: 'histogram' }, title, canvas,
    h('div.row', {}, ...fields, h('button.solid', { onclick: () => choose(low, low) }, 'All')),
  );
  return {
    element,
    show(scalars, newLow, newHigh, label, chosen) {
      [low, high, range] = [newLow, newHigh, chosen && [...chosen]];
      counts = histogram(scalars, low, high, BINS);
      title.textContent = label;
      title.title = `${short(low)} to ${short(high)}`;
      fields.forEach((field, i) => (field.value = String(Number((range ?? [low, high])[i]!.toPrecision(4)))));
      redraw();
    },
  };
}
