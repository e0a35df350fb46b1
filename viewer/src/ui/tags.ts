/** What stands over the panes: whose picture it is, lines between them, and how long drawing takes. */

import type { Context } from '../context';
import { watchAll } from '../signal';
import { places } from '../view/layout';
import { count, h } from './dom';

export function tags({ scene, stage }: Context): HTMLElement[] {
  const names = h('div');
  const status = h('div.status', { 'aria-hidden': 'true' });
  const refresh = (): void => {
    const mode = scene.mode.value;
    if (mode === 'single') return names.replaceChildren();
    const { width, height } = stage.size.value;
    const where = places(mode, scene.compared.value.length, width / height, stage.wipe.value, stage.front.value);
    names.replaceChildren(
      ...scene.compared.value.flatMap((layer, side) => {
        const place = where[side];
        if (!place || mode === 'difference') return [];
        const { x, y, width: w } = place.clip;
        const right = mode === 'wipe' && side === 1;
        const style = `top: calc(${100 * y}% + 8px); max-width: calc(${100 * w}% - 16px); ` +
          (right ? 'right: 8px' : `left: calc(${100 * x}% + 8px)`);
        const facts = [layer.kind.value.replaceAll('_', ' '), layer.primitives > 0 ? count(layer.primitives) : ''].filter(Boolean).join(' · ');
        return [h('div.tag', { 'data-side': side, style }, layer.name, h('small', {}, facts))];
      }),
      ...(mode === 'side' ? dividers(where.flatMap((place) => (place ? [place.rect] : []))) : []),
    );
  };
  watchAll([scene.mode, scene.compared, stage.wipe, stage.front, stage.size, scene.layers, scene.states], refresh);
  stage.milliseconds.changed((ms) => {
    const { width, height } = stage.panePixels(0);
    status.textContent = `${width} × ${height} · ${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  });
  return [names, status];
}

function dividers(rects: readonly { x: number; y: number; width: number; height: number }[]): HTMLElement[] {
  return rects.flatMap(({ x, y, width, height }) => [
    ...(x > 0 ? [h('div.divider', { style: `left: ${100 * x}%; top: ${100 * y}%; width: 1px; height: ${100 * height}%` })] : []),
    ...(y > 0 ? [h('div.divider', { style: `left: ${100 * x}%; top: ${100 * y}%; width: ${100 * width}%; height: 1px` })] : []),
  ]);
}
