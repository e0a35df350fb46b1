/** Dark or light: as the system has it, until the user says otherwise. */

import { Signal } from '../signal';

export type Theme = 'dark' | 'light';

const KEY = 'distill3d.theme';

export function themeSignal(): Signal<Theme> {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const signal = new Signal<Theme>(remembered() ?? (dark.matches ? 'dark' : 'light'));
  signal.watch((theme) => (document.documentElement.dataset['theme'] = theme));
  dark.addEventListener('change', () => {
    if (!remembered()) signal.value = dark.matches ? 'dark' : 'light';
  });
  return signal;
}

/** The user's own choice, kept for the next time. */
export function toggleTheme(signal: Signal<Theme>): void {
  signal.value = signal.value === 'dark' ? 'light' : 'dark';
  remember(signal.value);
}

function remembered(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'dark' || value === 'light' ? value : null;
  } catch {
    return null; // pages from disk may have no storage
  }
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    return;
  }
}
