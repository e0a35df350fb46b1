/** Labelled fields that are bound to signals. */

import { Signal } from '../signal';
import { h } from './dom';

/** A slider with its number beside it. */
export function slider(
  label: string, signal: Signal<number>, range: { min: number; max: number; step: number }, show = (v: number) => v.toFixed(2),
): HTMLElement {
  const input = h('input', { type: 'range', ...range, 'aria-label': label, oninput: () => (signal.value = Number(input.value)) });
  const output = h('output');
  signal.watch((value) => {
    input.value = String(value);
    output.textContent = show(value);
  });
  return h('label.row', {}, h('span', {}, label), input, output);
}

export function checkbox(label: string, signal: Signal<boolean>): HTMLElement {
  const input = h('input', { type: 'checkbox', 'aria-label': label, onchange: () => (signal.value = input.checked) });
  signal.watch((value) => (input.checked = value));
  return h('label.row', {}, h('span', {}, label), input);
}

export interface Choice<T> {
  value: T;
  label: string;
  title?: string;
}

/** One of a few, as buttons in a row; arrow keys go through them. */
export function segments<T>(label: string, signal: Signal<T>, choices: readonly Choice<T>[], choose: (value: T) => void = (value) => (signal.value = value)): HTMLElement {
  const buttons = choices.map(({ value, label: text, title }) =>
    h('button', { type: 'button', role: 'radio', title, onclick: () => choose(value) }, text),
  );
  const group = h('div.segments', { role: 'radiogroup', 'aria-label': label, onkeydown: (event) => step(event) }, ...buttons);
  const step = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const enabled = buttons.filter((button) => !button.disabled);
    const at = enabled.indexOf(document.activeElement as HTMLButtonElement);
    const next = enabled[(at + by + enabled.length) % enabled.length];
    next?.focus();
    next?.click();
  };
  signal.watch((value) =>
    buttons.forEach((button, i) => {
      const chosen = choices[i]!.value === value;
      button.setAttribute('aria-checked', String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }),
  );
  return group;
}

/** A button that is disabled with the reason as its title. */
export function setDisabled(button: HTMLButtonElement, reason: string | null): void {
  button.disabled = reason !== null;
  button.title = reason ?? '';
}

/** Three numbers in a row. */
export function triple(
  label: string, get: () => readonly number[], set: (value: [number, number, number]) => void, step: number,
): { element: HTMLElement; refresh(): void } {
  const inputs = ['x', 'y', 'z'].map((axis) =>
    h('input', {
      type: 'number', step, 'aria-label': `${label} ${axis}`,
      onchange: () => set(inputs.map((input) => Number(input.value) || 0) as [number, number, number]),
    }),
  );
  const refresh = (): void => get().forEach((value, i) => (inputs[i]!.value = String(Number(value.toFixed(4)))));
  refresh();
  return { element: h('div.row', {}, h('span.name', {}, label), h('div.triple', {}, ...inputs)), refresh };
}
