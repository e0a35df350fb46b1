/** Out: the picture as a PNG, and a turntable as a film. */

import type { Context, Panel } from '../context';
import { capture, settle } from '../hook';
import { Signal } from '../signal';
import { h } from '../ui/dom';
import { setDisabled, slider } from '../ui/fields';
import { save } from '../ui/save';

const FPS = 30;

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

/** Once around the target; every picture is waited for, so the film is smooth however slow the machine. */
async function turntable(context: Context, seconds: number, button: HTMLButtonElement): Promise<void> {
  const { stage, viewpoint, notices } = context;
  const before = viewpoint.pose();
  const stream = stage.canvas.captureStream(0);
  const [track] = stream.getVideoTracks() as CanvasCaptureMediaStreamTrack[];
  const recorder = new MediaRecorder(stream, { videoBitsPerSecond: 12_000_000 });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const done = new Promise((resolve) => (recorder.onstop = resolve));
  button.disabled = true;
  recorder.start();
  recorder.pause();
  try {
    const pictures = Math.round(seconds * FPS);
    for (let i = 0; i < pictures; i++) {
      viewpoint.orbit((2 * Math.PI) / pictures, 0);
      await settle(context);
      recorder.resume();
      stage.draw();
      track?.requestFrame();
      await new Promise((resolve) => setTimeout(resolve, 1000 / FPS));
      recorder.pause();
      button.textContent = `${Math.round((100 * (i + 1)) / pictures)} %`;
    }
  } catch (error) {
    notices.say(error instanceof Error ? error.message : String(error), 'bad');
  }
  recorder.stop();
  await done;
  viewpoint.setPose(before);
  button.disabled = false;
  button.textContent = 'Turntable';
  save(`${fileName(context)}.webm`, new Blob(parts, { type: recorder.mimeType }));
}

function fileName({ scene }: Context): string {
  const name = scene.selected.value?.name ?? 'scene';
  return name.replace(/\.[a-z]+$/i, '').replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'scene';
}
