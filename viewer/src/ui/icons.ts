/** Line drawings of 16 by 16. */

import { svg } from './dom';

const PATHS = {
  eye: 'M1.5 8s2.4-4.5 6.5-4.5S14.5 8 14.5 8 12.1 12.5 8 12.5 1.5 8 1.5 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
  hidden: 'M2 2l12 12M6.2 3.8A6 6 0 0 1 8 3.5c4.100 0 6.500 4.500 6.500 4.500a11 11 0 0 1-2 2.500M10 11.900A6 6 0 0 1 8 12.500C3.900 12.500 1.500 8 1.500 8a11 11 0 0 1 2.500-2.900',
  target: 'M8 1.500v3M8 11.500v3M1.500 8h3M11.500 8h3M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5Z',
  close: 'M4 4l8 8M12 4l-8 8',
  theme: 'M8 2.500a5.500 5.500 0 1 0 0 11zM8 2.500a5.500 5.500 0 0 1 0 11',
  help: 'M6 6a2 2 0 1 1 2.600 1.900c-.5.2-.6.6-.6 1.400M8 11.800v.1M8 14.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13Z',
  panel: 'M2 3h12v10H2zM10 3v10',
  open: 'M8 10.500v-8M5 5.500l3-3 3 3M2.500 10v3h11v-3',
} as const;

export function icon(name: keyof typeof PATHS): SVGElement {
  return svg('svg', { viewBox: '0 0 16 16', class: 'glyph', 'aria-hidden': 'true' }, svg('path', { d: PATHS[name] }));
}

/** Two overlapping discs: two views of one thing. */
export function mark(): SVGElement {
  return svg(
    'svg',
    { viewBox: '0 0 20 20', class: 'mark', 'aria-hidden': 'true' },
    svg('circle', { cx: 7.5, cy: 10, r: 6, fill: 'var(--a)' }),
    svg('circle', { cx: 12.5, cy: 10, r: 6, fill: 'var(--b)', 'fill-opacity': 0.75 }),
  );
}
