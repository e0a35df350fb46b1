/** What has happened to the server, how to get it back, and a button to try; the scene stays in sight. */

import type { Context } from '../context';
import { h } from './dom';

export function ended({ server }: Context): HTMLElement {
  const element = h('div.ended', { role: 'status', hidden: true });
  server.socket.line.watch((line) => {
    element.hidden = line.is !== 'ended';
    if (line.is !== 'ended') return;
    const again = server.welcome.value?.again ?? '';
    element.replaceChildren(
      h('p', {}, h('strong', {}, line.sentence), again ? ' Open it again with:' : ' Start distill3d view again for a new address.'),
      ...(again ? [h('code', {}, again)] : []),
      h('p', {}, 'What this page has drawn stays, and can be looked at from all sides.'),
      h('button.solid', { onclick: () => server.socket.again() }, 'Try again'),
    );
  });
  return element;
}
