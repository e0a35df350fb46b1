/** Sentences that come and go in the corner. */

import { h } from './dom';
import { icon } from './icons';

const STAY_MS = 9000;

export class Notices {
  readonly element = h('div.notices', { role: 'status', 'aria-live': 'polite' });

  say(sentence: string, tone: 'plain' | 'bad' = 'plain'): void {
    if ([...this.element.children].some((one) => one.textContent === sentence)) return;
    const notice = h(
      'div.notice',
      { class: tone === 'bad' ? 'bad' : '' },
      h('span', {}, sentence),
      h('button', { 'aria-label': 'Dismiss', onclick: () => notice.remove() }, icon('close')),
    );
    this.element.append(notice);
    window.setTimeout(() => notice.remove(), STAY_MS);
  }
}
