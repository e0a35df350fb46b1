/** Keyboard shortcuts, each with the words that the help overlay shows. */

import { typing } from '../view/controls';

export interface Shortcut {
  keys: string;
  what: string;
  group: string;
}

export class Keys {
  readonly list: Shortcut[] = [];
  readonly #actions = new Map<string, () => void>();

  constructor() {
    window.addEventListener('keydown', (event) => {
      if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('dialog[open]')) return;
      const action = this.#actions.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
      if (!action) return;
      if (event.key === ' ' && (event.target as Element).closest('button, summary, input')) return;
      event.preventDefault();
      action();
    });
  }

  on(key: string, group: string, what: string, action: () => void): void {
    this.#actions.set(key, action);
    this.list.push({ keys: key === ' ' ? 'Space' : key.length === 1 ? key.toUpperCase() : key, what, group });
  }

  /** Something that is done with the mouse, or a key that somebody else handles. */
  mention(keys: string, group: string, what: string): void {
    this.list.push({ keys, what, group });
  }
}
