/** Out: the picture as a PNG, and a turntable as a film. */

import type { Context, Panel } from '../context';
import { capture } from '../hook';
import { Signal } from '../signal';
import { h } from '../ui/dom';
import { setDisabled, slider } from '../ui/fields';
import { save } from '../ui/save';

const FPS = 30;
const SHORTEST_FILM_BYTES = 1000;

export function outputPanel(context: Context): Panel {
  const { keys } = context;
  const wide = new Signal(1280);
  const seconds = new Signal(6);
  const shoot = (): void => void screenshot(context, wide.value);
  const film = h('button.solid', { onclick: () => void turntable(context, seconds.value, film) }, 'Turntable');
  if (typeof MediaRecorder === 'undefined' || !('captureStream' in context.stage.canvas)) {
    setDisabled(film, 'This browser records no films; distill3d render makes turntables too');
  }
  keys.on('r', 'Out', 'Save the picture', shoot);
  const body = h(
    'div', {},
    slider('Width', wide, { min: 256, max: 4096, step: 64 }, (value) => `${value} px`),
    slider('One turn', seconds, { min: 2, max: 20, step: 1 }, (value) => `${value} s`),
    h('div.buttons', {}, h('button.primary', { onclick: shoot }, 'Save picture'), film),
  );
  return { id: 'output', title: 'Out', body, open: new Signal(false) };
}

async function screenshot(context: Context, width: number): Promise<void> {
  const { stage, notices } = context;
  const { width: w, height: h } = stage.size.value;
  try {
    const url = await capture(context, { width, height: Math.round((width * h) / w) });
    save(`${fileName(context)}.png`, await (await fetch(url)).blob());
  } catch (error) {
    notices.say(error instanceof Error ? error.message : String(error), 'bad');
  }
}

/** Once around the target, filmed as it is drawn. */
async function turntable(context: Context, seconds: number, button: HTMLButtonElement): Promise<void> {
  const { stage, viewpoint, notices } = context;
  const before = viewpoint.pose();
  const recorder = new MediaRecorder(stage.canvas.captureStream(FPS), { videoBitsPerSecond: 12_000_000 });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const done = new Promise((resolve) => (recorder.onstop = resolve));
  button.disabled = true;
  recorder.start();
  await turn(context, seconds, (share) => (button.textContent = `${Math.round(100 * share)} %`));
  recorder.stop();
  await done;
  viewpoint.setPose(before);
  button.disabled = false;
  button.textContent = 'Turntable';
  const film = new Blob(parts, { type: recorder.mimeType });
  if (film.size < SHORTEST_FILM_BYTES) notices.say('This browser has recorded nothing; distill3d render makes turntables too.', 'bad');
  else save(`${fileName(context)}.webm`, film);
}

/** Walk once around the target in so many seconds. */
function turn({ viewpoint }: Context, seconds: number, tell: (share: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const begun = performance.now();
    let last = 0;
    const step = (now: number): void => {
      const share = Math.max(last, Math.min(1, (now - begun) / (1000 * seconds)));
      viewpoint.orbit(2 * Math.PI * (share - last), 0);
      last = share;
      tell(share);
      if (share < 1) requestAnimationFrame(step);
      else resolve();
    };
    requestAnimationFrame(step);
  });
}

function fileName({ scene }: Context): string {
  const name = scene.selected.value?.name ?? 'scene';
  return name.replace(/\.[a-z]+$/i, '').replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'scene';
}
