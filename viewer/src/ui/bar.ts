/** The bar at the top: what is open, how the line is, and the few buttons of the whole page. */

import type { Context } from '../context';
import { SUFFIXES } from '../layers/open';
import type { Watched } from '../net/server';
import type { Line } from '../net/socket';
import { type Signal, watchAll } from '../signal';
import { count, h } from './dom';
import type { Help } from './help';
import { icon, mark } from './icons';
import { faring, isUnderWay } from './run';
import { type Theme, toggleTheme } from './theme';

const WORDS: Record<Line['is'], string> = {
  alone: 'No server', connecting: 'Connecting', open: 'Connected', reconnecting: 'Reconnecting', refused: 'Refused', ended: 'Ended',
};

export function bar(context: Context, theme: Signal<Theme>, help: Help, panel: HTMLElement): HTMLElement {
  const { server, keys } = context;
  const title = h('span.title');
  server.welcome.watch((welcome) => {
    title.textContent = welcome?.title ?? '';
    document.title = welcome ? `${welcome.title} · distill3d` : 'distill3d';
  });
  const line = h('span.line', { role: 'status' });
  server.socket.line.watch((value) => {
    line.dataset['is'] = value.is;
    line.textContent = WORDS[value.is];
    line.hidden = value.is === 'alone';
  });
  const running = h('span.running', { title: 'More of it in the panel Live' });
  watchAll([server.runs, server.socket.line], () => {
    const runs = [...server.runs.value.values()].filter(({ run }) => isUnderWay(run));
    running.textContent = server.open ? runs.map(howFar).join(' · ') : '';
  });
  const input = h('input', {
    type: 'file', accept: SUFFIXES.join(), multiple: true, hidden: true,
    onchange: () => input.files && void context.openFiles(input.files),
  });
  keys.on('o', 'Page', 'Open files of this computer', () => input.click());
  keys.on('t', 'Page', 'Dark or light', () => toggleTheme(theme));
  return h(
    'header.bar',
    {},
    mark(),
    h('h1', {}, 'distill3d'),
    title,
    h('span.space'),
    running,
    line,
    h('button.icon', { 'aria-label': 'Open files', title: 'Open files (O)', onclick: () => input.click() }, icon('open')),
    h('button.icon', { 'aria-label': 'Dark or light', title: 'Dark or light (T)', onclick: () => toggleTheme(theme) }, icon('theme')),
    h('button.icon', { 'aria-label': 'Help', title: 'Help (?)', onclick: () => help.toggle() }, icon('help')),
    h('button.icon', { 'aria-label': 'Panels', title: 'Panels (P)', onclick: () => (panel.hidden = !panel.hidden) }, icon('panel')),
    input,
  );
}

function howFar({ run }: Watched): string {
  return `${faring(run)} ${count(run.step)} / ${count(run.steps)}`;
}
