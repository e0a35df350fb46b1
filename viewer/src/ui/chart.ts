/** A chart of losses over steps, on a logarithmic scale where all are positive. */

import type { Mark, Metric } from '../net/protocol';
import { drawing } from './canvas';
import { h, short } from './dom';

const COLOURS = ['--a', '--b', '--good', '--bad', '--quiet'];

export interface LossChart {
  element: HTMLElement;
  legend: HTMLElement;
  /** `marks` are where stages begin. */
  show(lines: readonly Metric[], steps: number, marks: readonly Mark[]): void;
  /** A step to mark; null for none. */
  mark(step: number | null): void;
}

interface Series {
  name: string;
  points: [number, number][];
}

export function lossChart(): LossChart {
  let series: Series[] = [];
  let most = 1;
  let stages: readonly Mark[] = [];
  let marked: number | null = null;
  const canvas = h('canvas.chart', { role: 'img', 'aria-label': 'Losses' });
  const legend = h('div.legend');
  const redraw = drawing(canvas, (pen, width, height, colour) => {
    const values = series.flatMap(({ points }) => points.map(([, value]) => value));
    const log = values.every((value) => value > 0);
    const scale = (value: number): number => (log ? Math.log10(value) : value);
    const [low, high] = values.length ? [Math.min(...values.map(scale)), Math.max(...values.map(scale))] : [0, 1];
    const x = (step: number): number => (step / Math.max(1, most)) * (width - 2) + 1;
    const y = (value: number): number => 4 + (1 - (scale(value) - low) / Math.max(1e-12, high - low)) * (height - 18);
    const labels: [string, number, number][] = [];
    pen.font = '10px monospace';
    pen.fillStyle = colour('--quiet');
    pen.strokeStyle = colour('--line');
    for (const share of [0, 0.5, 1]) {
      const at = 4 + (1 - share) * (height - 18);
      pen.beginPath();
      pen.moveTo(0, at);
      pen.lineTo(width, at);
      pen.stroke();
      const value = low + share * (high - low);
      const label = short(log ? 10 ** value : value);
      if (values.length) labels.push([label, width - pen.measureText(label).width - 2, at - 2 < 8 ? at + 10 : at - 2]);
    }
    labels.push([`${most} steps`, 2, height - 2]);
    for (const { after, name } of stages) {
      pen.fillRect(x(after), 0, 1, height - 12);
      labels.push([name, x(after) + 4, 9]);
    }
    series.forEach(({ points }, i) => {
      pen.strokeStyle = colour(COLOURS[i % COLOURS.length]!);
      pen.lineWidth = i === 0 ? 1.6 : 1;
      pen.beginPath();
      points.forEach(([step, value], n) => (n ? pen.lineTo(x(step), y(value)) : pen.moveTo(x(step), y(value))));
      pen.stroke();
    });
    if (marked !== null) {
      pen.strokeStyle = colour('--text');
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(x(marked), 0);
      pen.lineTo(x(marked), height - 12);
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.strokeStyle = colour('--panel');
    pen.lineWidth = 4;
    for (const label of labels) {
      pen.strokeText(...label);
      pen.fillText(...label);
    }
  });
  return {
    element: canvas,
    legend,
    show(lines, steps, marks) {
      series = seriesOf(lines);
      stages = marks;
      most = lines.at(-1)?.step ?? Math.max(1, steps);
      legend.replaceChildren(
        ...series.map(({ name, points }, i) =>
          h('span', {}, h('i.swatch', { style: `background: var(${COLOURS[i % COLOURS.length]})` }), `${name} `, h('b', {}, short(points.at(-1)?.[1] ?? NaN))),
        ),
      );
      redraw();
    },
    mark(step) {
      marked = step;
      redraw();
    },
  };
}

/** The whole loss first, then its parts; what was not finite leaves a gap. */
export function seriesOf(lines: readonly Metric[]): Series[] {
  const parts = [...new Set(lines.flatMap((line) => Object.keys(line.parts)))];
  const whole: Series = { name: 'loss', points: lines.flatMap(({ step, loss }) => (loss === null ? [] : [[step, loss]])) };
  const rest = parts.map((name) => ({
    name,
    points: lines.flatMap(({ step, parts: all }): [number, number][] => {
      const value = all[name];
      return typeof value === 'number' && Number.isFinite(value) ? [[step, value]] : [];
    }),
  }));
  const alone = rest.length === 1 && JSON.stringify(rest[0]!.points) === JSON.stringify(whole.points);
  return alone ? [whole] : [whole, ...rest];
}
