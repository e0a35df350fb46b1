/** Look: colour, depth, normals, alpha, how many primitives a pixel blends, centres, ellipsoids. */

import type { Context, Panel } from '../context';
import type { Look } from '../layers/drawing';
import type { Channel } from '../net/protocol';
import { Signal, watchAll } from '../signal';
import { h } from '../ui/dom';
import { segments, slider } from '../ui/fields';

const LOOKS: { value: Look; label: string; title: string }[] = [
  { value: 'rgb', label: 'Colour', title: 'As it looks' },
  { value: 'depth', label: 'Depth', title: 'Near is bright' },
  { value: 'normal', label: 'Normals', title: '(n + 1) / 2, in the world' },
  { value: 'alpha', label: 'Alpha', title: 'How opaque it is' },
  { value: 'contributions', label: 'Blended', title: 'How many primitives a pixel blends; by the server' },
  { value: 'centres', label: 'Centres', title: 'A point for each splat' },
  { value: 'ellipsoids', label: 'Ellipsoids', title: 'Each splat at one standard deviation' },
];

export function lookPanel({ scene, viewpoint, keys, server }: Context): Panel {
  const group = segments('Look', scene.look, LOOKS);
  const note = h('p.hint');
  watchAll([scene.look, scene.layers, server.socket.line], () => {
    const look = scene.look.value;
    const lacking = scene.layers.value.filter((layer) => !can(look, layer.wire.value?.channels ?? null, layer.drawing !== null));
    note.textContent = lacking.length ? `Not known of ${lacking.map((layer) => layer.name).join(', ')}, which stays as it is.` : '';
    note.hidden = lacking.length === 0;
  });
  const fov = new Signal(Math.round((viewpoint.fovYRad * 180) / Math.PI));
  fov.changed((degrees) => {
    if (Math.round((viewpoint.fovYRad * 180) / Math.PI) !== degrees) viewpoint.setFov((degrees * Math.PI) / 180);
  });
  viewpoint.changed(() => (fov.value = Math.round((viewpoint.fovYRad * 180) / Math.PI)));
  LOOKS.forEach(({ value, title }, i) => {
    const key = 'cznmkuj'[i]!;
    keys.on(key, 'Look', `${LOOKS[i]!.label}: ${title.toLowerCase()}`, () => (scene.look.value = value));
  });
  const body = h('div', {}, group, note, slider('Field of view', fov, { min: 10, max: 110, step: 1 }, (value) => `${value}°`));
  return { id: 'look', title: 'Look', body, open: new Signal(true) };
}

function can(look: Look, channels: readonly Channel[] | null, drawn: boolean): boolean {
  if (look === 'rgb') return true;
  if (look === 'contributions') return channels?.includes('contributions') ?? false;
  if (look === 'centres' || look === 'ellipsoids') return drawn;
  return drawn || (channels?.includes(look) ?? false);
}
