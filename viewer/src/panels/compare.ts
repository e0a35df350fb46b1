/** Compare: panes side by side with one camera, a wipe, a flip key, and the server's map of differences. */

import type { Context, Panel } from '../context';
import type { Layer } from '../layers/layer';
import { type Difference, Replaced, wireCamera } from '../net/requests';
import { seenFrom } from '../layers/layer';
import { Signal, watchAll } from '../signal';
import { h } from '../ui/dom';
import { segments, setDisabled } from '../ui/fields';
import type { Mode } from '../view/layout';
import { MOST_PANES } from '../view/stage';

const MODES: { value: Mode; label: string; title: string }[] = [
  { value: 'single', label: 'Off', title: 'Everything in one picture' },
  { value: 'side', label: 'Side by side', title: 'Up to four, with one camera' },
  { value: 'wipe', label: 'Wipe', title: 'The first to the left of a line, the second to its right' },
  { value: 'flip', label: 'Flip', title: 'One at a time; the F key changes' },
  { value: 'difference', label: 'Difference', title: '|A − B|, rendered by the server' },
];
const REST_MS = 250;
const MOST_PX = 1024;

export function comparePanel(context: Context): Panel {
  const { scene, stage, keys } = context;
  const modes = segments('Compare', scene.mode, MODES, (mode) => scene.setMode(mode));
  const note = h('p.hint');
  const which = h('div', { class: 'keys' });
  const scores = difference(context);
  watchAll([scene.layers, scene.compared, scene.mode], () => {
    const few = scene.layers.value.length < 2;
    modes.querySelectorAll('button').forEach((button, i) => i > 0 && setDisabled(button, few ? 'Open two scenes to compare them' : null));
    note.textContent = few ? 'Open a second scene to compare it with this one.' : '';
    note.hidden = !few;
    which.replaceChildren(...(few ? [] : chooser(context)));
  });
  keys.on('b', 'Compare', 'Side by side, or one picture', () => scene.setMode(scene.mode.value === 'side' ? 'single' : 'side'));
  keys.on('i', 'Compare', 'Wipe', () => scene.setMode(scene.mode.value === 'wipe' ? 'single' : 'wipe'));
  keys.on('f', 'Compare', 'Flip between the compared', () => {
    if (scene.mode.value !== 'flip') scene.setMode('flip');
    else stage.front.value = (stage.front.value + 1) % Math.max(1, scene.compared.value.length);
  });
  keys.on('h', 'Compare', 'Map of differences', () => scene.setMode(scene.mode.value === 'difference' ? 'single' : 'difference'));
  context.overlay.append(wipe(context));
  const open = new Signal(false);
  scene.mode.changed((mode) => mode !== 'single' && (open.value = true));
  return { id: 'compare', title: 'Compare', body: h('div', {}, modes, note, which, scores), open };
}

/** Which layers are compared, in which order. */
function chooser({ scene }: Context): HTMLElement[] {
  const chosen = scene.compared.value.length ? scene.compared.value : scene.layers.value.slice(0, MOST_PANES);
  return scene.layers.value.map((layer) => {
    const at = chosen.indexOf(layer);
    const toggle = (): void => {
      const next = at >= 0 ? chosen.filter((one) => one !== layer) : [...chosen, layer];
      if (next.length >= 2) scene.compare(next, scene.mode.value === 'single' ? 'side' : scene.mode.value);
    };
    const box = h('input', { type: 'checkbox', 'aria-label': `Compare ${layer.name}`, onchange: toggle });
    box.checked = at >= 0;
    const letter = at >= 0 ? 'ABCD'[at]! : '';
    return h('label.row', {}, box, h('b', { style: `color: var(--${at === 1 ? 'b' : 'a'}); width: 12px` }, letter), layer.name);
  });
}

/** The handle of the wipe. */
function wipe({ scene, stage }: Context): HTMLElement {
  const handle = h('div.wipe', {
    role: 'slider', tabindex: 0, 'aria-label': 'Wipe', 'aria-valuemin': 0, 'aria-valuemax': 100,
    onpointerdown: (event) => handle.setPointerCapture(event.pointerId),
    onpointermove: (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = stage.canvas.getBoundingClientRect();
      move((event.clientX - left) / width);
    },
    onkeydown: (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      move(stage.wipe.value + by);
    },
  });
  const move = (to: number): void => void (stage.wipe.value = Math.max(0.02, Math.min(0.98, to)));
  watchAll([scene.mode, stage.wipe], () => {
    handle.hidden = scene.mode.value !== 'wipe';
    handle.style.left = `${100 * stage.wipe.value}%`;
    handle.setAttribute('aria-valuenow', String(Math.round(100 * stage.wipe.value)));
  });
  return handle;
}

/** PSNR and SSIM of what is seen, and the map over the stage while it is wanted. */
function difference(context: Context): HTMLElement {
  const { scene, stage, server, viewpoint, overlay } = context;
  const picture = h('img.difference', { alt: 'Map of differences', hidden: true });
  overlay.prepend(picture);
  const answer = new Signal<Difference | string | null>(null);
  let timer = 0;
  let last = '';
  const refresh = (): void => {
    window.clearTimeout(timer);
    const [a, b] = scene.compared.value;
    if (scene.mode.value === 'single' || !a || !b) {
      answer.value = null;
      last = '';
      return;
    }
    timer = window.setTimeout(() => void ask(a, b), REST_MS);
  };
  const ask = async (a: Layer, b: Layer): Promise<void> => {
    const sentence = cannot(context, a, b);
    if (sentence) return void (answer.value = sentence);
    const request = requestOf(context, a, b);
    const key = JSON.stringify([request, ...[a, b].map((layer) => [layer.wire.value?.asset, layer.wire.value?.step])]);
    if (key === last && typeof answer.value !== 'string') return;
    last = key;
    try {
      answer.value = await server.requests.difference(request);
    } catch (error) {
      if (!(error instanceof Replaced)) answer.value = error instanceof Error ? error.message : String(error);
    }
  };
  viewpoint.changed(refresh);
  watchAll([scene.mode, scene.compared, scene.states, stage.size, server.socket.line], refresh);
  const line = h('div', {});
  const tag = h('div.tag', { style: 'left: 8px; top: 8px' });
  overlay.append(tag);
  let address = '';
  watchAll([answer, scene.mode], () => {
    const value = answer.value;
    const map = value !== null && typeof value !== 'string' ? value : null;
    picture.hidden = !map || scene.mode.value !== 'difference';
    if (map && picture.dataset['seq'] !== String(map.scores.seq)) {
      URL.revokeObjectURL(address);
      address = URL.createObjectURL(map.picture);
      picture.src = address;
      picture.dataset['seq'] = String(map.scores.seq);
    }
    tag.hidden = picture.hidden;
    if (map) tag.textContent = `|A − B|   ${decibels(map)} dB · SSIM ${map.scores.ssim.toFixed(4)}`;
    line.replaceChildren(...(map ? numbers(map) : value ? [h('p.hint', {}, String(value))] : []));
  });
  return line;
}

function numbers({ scores }: Difference): HTMLElement[] {
  return [
    h(
      'div.scores',
      { title: 'Of this view, both rendered by the server' },
      h('span', {}, h('small', {}, 'PSNR'), `${decibels({ scores })} dB`),
      h('span', {}, h('small', {}, 'SSIM'), scores.ssim.toFixed(4)),
    ),
    h('p.hint', {}, `Brightest where they differ by ${(100 * scores.largest).toFixed(0)} %.`),
  ];
}

function decibels({ scores }: Pick<Difference, 'scores'>): string {
  return scores.psnr === null ? '∞' : scores.psnr.toFixed(2);
}

function cannot({ server }: Context, a: Layer, b: Layer): string | null {
  if (!server.open) return 'Numbers and the map of differences come from the server, which is not there.';
  const unknown = [a, b].find((layer) => !layer.wire.value?.frames);
  if (unknown) return `The server does not render ${unknown.name}, so there are no numbers.`;
  if (JSON.stringify(a.transform.value) !== JSON.stringify(b.transform.value)) return 'The two are moved differently; reset their positions for numbers.';
  return null;
}

function requestOf({ stage, viewpoint }: Context, a: Layer, b: Layer): Parameters<Context['server']['requests']['difference']>[0] {
  const { width, height } = stage.panePixels(0);
  const scale = Math.min(1, MOST_PX / Math.max(width, height));
  const pinhole = viewpoint.pinhole(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const world_to_camera = seenFrom(pinhole.world_to_camera, a.transform.value);
  const { r, g, b: blue } = stage.background.clone().convertLinearToSRGB();
  return {
    layer: a.wire.value!.id,
    other: b.wire.value!.id,
    camera: wireCamera({ ...pinhole, world_to_camera }),
    background: [r, g, blue],
  };
}
