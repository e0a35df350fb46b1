/** The overlay that lists what mouse and keys do. */

import { h } from './dom';
import type { Keys } from './keys';

export class Help {
  readonly element: HTMLDialogElement;
  readonly #keys: Keys;

  constructor(keys: Keys) {
    this.#keys = keys;
    this.element = h('dialog', { 'aria-label': 'Help', onclick: (event) => event.target === this.element && this.element.close() });
  }

  toggle(): void {
    if (this.element.open) return this.element.close();
    const groups = [...new Set(this.#keys.list.map(({ group }) => group))];
    const sections = groups.map((group) =>
      h(
        'section',
        {},
        h('h3', {}, group),
        ...this.#keys.list
          .filter((shortcut) => shortcut.group === group)
          .map(({ keys, what }) => h('div.shortcut', {}, h('span', {}, what), h('kbd', {}, keys))),
      ),
    );
    const half = Math.ceil(sections.length / 2);
    this.element.replaceChildren(
      h('h2', { tabindex: -1, autofocus: true }, 'Mouse and keys'),
      h('div.two', {}, h('div', {}, ...sections.slice(0, half)), h('div', {}, ...sections.slice(half))),
      h('div.buttons', { style: 'margin-top: 16px' }, h('button.solid', { onclick: () => this.element.close() }, 'Close')),
    );
    this.element.showModal();
  }
}
