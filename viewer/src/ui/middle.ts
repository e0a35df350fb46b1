/** The large sentences in the middle of the stage: empty, loading, failed, cut off. */

import type { Context } from '../context';
import type { Layer } from '../layers/layer';
import { SUFFIXES } from '../layers/open';
import { h } from './dom';

export function message(title: string, sentences: readonly string[], ...more: HTMLElement[]): HTMLElement {
  return h('div.message', { role: 'status' }, h('h2', {}, title), ...sentences.map((sentence) => h('p', {}, sentence)), ...more);
}

export function middle(context: Context): HTMLElement {
  const { scene, server } = context;
  const element = h('div.middle');
  const watched = new Set<Layer>();
  const refresh = (): void => {
    const shown = choose(context);
    element.replaceChildren(...(shown ? [shown] : []));
  };
  server.socket.line.watch(refresh);
  server.feed.blank.changed(refresh);
  scene.layers.watch((layers) => {
    for (const layer of layers) {
      if (watched.has(layer)) continue;
      watched.add(layer);
      layer.state.changed(refresh);
    }
    refresh();
  });
  return element;
}

function choose(context: Context): HTMLElement | null {
  const { scene, server } = context;
  const line = server.socket.line.value;
  const layers = scene.layers.value;
  if (line.is === 'refused') return message('The server does not let this page in', [line.sentence]);
  if (layers.length === 0 && line.is === 'connecting') return message('Connecting', ['Asking the server for the scene.']);
  if (layers.length === 0 && line.is === 'reconnecting') {
    return message('The server is not there', ['It may have ended. The page goes on trying; start distill3d view again to get a new address.']);
  }
  if (layers.length === 0 && line.is === 'ended') return message('The server is not there', ['There is nothing to show without it.']);
  if (layers.length === 0) return empty(context);
  const states = layers.map((layer) => layer.state.value);
  if (server.feed.blank.value && line.is === 'open') return waiting(server.feed.blank.value);
  if (states.some((state) => state.is === 'ready')) return null;
  const failed = states.flatMap((state) => (state.is === 'failed' ? [state.sentence] : []));
  if (failed.length === states.length) return message('This scene cannot be shown', failed);
  const fractions = states.map((state) => (state.is === 'loading' ? (state.fraction ?? 0) : 1));
  const fraction = fractions.reduce((sum, value) => sum + value, 0) / fractions.length;
  return message(
    'Loading',
    [layers.map((layer) => layer.name).join(', ')],
    h('div.progress', { role: 'progressbar', 'aria-valuenow': Math.round(100 * fraction) }, h('i', { style: `width: ${100 * fraction}%` })),
  );
}

/** It comes into sight slowly: most first pictures are there before it. */
function waiting(names: string): HTMLElement {
  const shown = message('Rendering', [`The server draws ${names}.`]);
  shown.classList.add('late');
  return shown;
}

function empty(context: Context): HTMLElement {
  const input = h('input', {
    type: 'file', accept: SUFFIXES.join(), multiple: true, hidden: true,
    onchange: () => input.files && void context.openFiles(input.files),
  });
  return message(
    'Nothing open yet',
    [`Drop a scene here: ${SUFFIXES.join(' ')}. Files stay on this computer.`],
    h('button.primary', { onclick: () => input.click() }, 'Open a file'),
    input,
  );
}
