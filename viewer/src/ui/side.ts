/** The panels at the side, each of which opens and closes. */

import type { Panel } from '../context';
import { h } from './dom';
import type { Keys } from './keys';

export function side(panels: readonly Panel[], keys: Keys): HTMLElement {
  const sections = panels.map(({ id, title, body, open }, i) => {
    body.classList.add('body');
    const section = h('details.panel', { id: `panel-${id}` }, h('summary', {}, title, h('kbd', {}, String(i + 1))), body);
    open.watch((value) => (section.open = value));
    section.addEventListener('toggle', () => (open.value = section.open));
    keys.on(String(i + 1), 'Panels', title, () => {
      section.open = !section.open;
      element.hidden = false;
      if (section.open) section.scrollIntoView({ block: 'nearest' });
      section.querySelector('summary')?.focus();
    });
    return section;
  });
  const element = h('aside.side', { 'aria-label': 'Panels' }, ...sections);
  keys.on('p', 'Panels', 'Hide or show the panels', () => (element.hidden = !element.hidden));
  return element;
}
