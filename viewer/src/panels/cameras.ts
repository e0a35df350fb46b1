/** Cameras: key frames with a smooth way between them, and the cameras of a dataset with their photographs. */

import type { Context, Panel } from '../context';
import { FrustaDrawing } from '../layers/frusta';
import type { Frustum } from '../net/protocol';
import { FORMAT, type Path, parsePath } from '../path/path';
import { Player } from '../path/player';
import { Signal, watchAll } from '../signal';
import { h } from '../ui/dom';
import { checkbox, setDisabled, slider } from '../ui/fields';
import { icon } from '../ui/icons';
import { save } from '../ui/save';

const FPS = 30;

export function camerasPanel(context: Context): Panel {
  const open = new Signal(false);
  context.server.frusta.changed((frusta) => frusta.length && (open.value = true));
  return { id: 'cameras', title: 'Cameras', body: h('div', {}, ...keyFrames(context), ...dataset(context)), open };
}

function keyFrames(context: Context): HTMLElement[] {
  const { viewpoint, keys, notices } = context;
  const player = new Player(viewpoint);
  const apart = new Signal(2);
  const list = h('ol.keys');
  const play = h('button.solid', { onclick: () => player.toggle() }, 'Play');
  const keep = h('button.solid', { onclick: () => savePath(context, player) }, 'Save');
  const input = h('input', {
    type: 'file', accept: '.json', hidden: true, 'aria-label': 'Path file',
    onchange: async () => {
      try {
        const text = await input.files?.[0]?.text();
        if (text !== undefined) player.keys.value = parsePath(text).keys;
      } catch (error) {
        notices.say(error instanceof Error ? error.message : String(error), 'bad');
      }
      input.value = '';
    },
  });
  const scrub = h('input', { type: 'range', min: 0, step: 0.01, 'aria-label': 'Time on the path', oninput: () => player.seek(Number(scrub.value)) });
  player.keys.watch((frames) => {
    list.replaceChildren(
      ...frames.map((frame, i) =>
        h(
          'li', {},
          h('button', { onclick: () => player.seek(frame.seconds) }, `${i + 1}  ·  ${frame.seconds.toFixed(1)} s`),
          h('button.icon', { 'aria-label': `Remove key frame ${i + 1}`, onclick: () => player.remove(i) }, icon('close')),
        ),
      ),
    );
    scrub.max = String(player.end);
    scrub.hidden = frames.length < 2;
    setDisabled(play, frames.length < 2 ? 'Add two key frames first' : null);
    setDisabled(keep, frames.length === 0 ? 'Add a key frame first' : null);
  });
  player.time.watch((t) => (scrub.value = String(t)));
  player.playing.watch((playing) => (play.textContent = playing ? 'Stop' : 'Play'));
  keys.on('l', 'Camera', 'Add a key frame of the path', () => player.add(apart.value));
  keys.on(' ', 'Camera', 'Play the path', () => player.toggle());
  return [
    h('div.buttons', {}, h('button.primary', { onclick: () => player.add(apart.value) }, 'Add key frame'), play),
    slider('Apart', apart, { min: 0.2, max: 10, step: 0.2 }, (value) => `${value.toFixed(1)} s`),
    list, scrub,
    h('div.buttons', {}, keep, h('button.solid', { onclick: () => input.click() }, 'Load')), input,
  ];
}

function savePath({ stage }: Context, player: Player): void {
  const { width, height } = stage.size.value;
  const path: Path = { format: FORMAT, width: Math.round(width), height: Math.round(height), frames_per_second: FPS, keys: [...player.keys.value] };
  save('path.json', new Blob([JSON.stringify(path, null, 1)], { type: 'application/json' }));
}

function dataset(context: Context): HTMLElement[] {
  const { server, stage, scene, viewpoint, assets } = context;
  const shown = new Signal(true);
  const photo = new Signal(0);
  const frusta = new FrustaDrawing();
  const thumbs = h('div.thumbs');
  const standing = new Signal<Frustum | null>(null);
  const picture = h('img.photo', { alt: '', hidden: true });
  context.overlay.append(picture);
  const stand = (frustum: Frustum): void => {
    const { camera } = frustum;
    viewpoint.setFov(2 * Math.atan(camera.height / (2 * camera.fy_px)));
    viewpoint.setWorldToCamera(camera.world_to_camera);
    if (photo.value === 0 && frustum.photo) photo.value = 0.5;
    standing.value = frustum;
  };
  viewpoint.changed(() => (standing.value = null));
  watchAll([standing, photo, stage.size], () => {
    const frustum = standing.value;
    picture.hidden = !frustum?.photo || photo.value === 0;
    if (!frustum?.photo || picture.hidden) return;
    picture.src = assets.photo(frustum.photo);
    picture.alt = frustum.name;
    const { width, height } = stage.size.value;
    const tall = height * (frustum.camera.height / 2 / frustum.camera.fy_px) / Math.tan(viewpoint.fovYRad / 2);
    const wide = (tall * frustum.camera.width) / frustum.camera.height;
    Object.assign(picture.style, {
      width: `${wide}px`, height: `${tall}px`, left: `${(width - wide) / 2}px`, top: `${(height - tall) / 2}px`, opacity: String(photo.value),
    });
  });
  watchAll([server.frusta, shown, scene.mode, scene.layers], () => {
    frusta.show(shown.value ? server.frusta.value : [], scene.ball(null).radius);
    stage.panes[0]?.scene.add(frusta.object);
    stage.ask();
  });
  server.frusta.watch((all) =>
    thumbs.replaceChildren(
      ...all.map((frustum) =>
        h(
          'button', { title: frustum.name + (frustum.held_out ? ' (held out)' : ''), 'aria-label': `Stand at ${frustum.name}`, onclick: () => stand(frustum) },
          frustum.photo ? h('img', { src: assets.photo(frustum.photo), alt: '', loading: 'lazy' }) : frustum.name,
        ),
      ),
    ),
  );
  const section = h('div', { style: 'display: grid; gap: 8px' }, h('strong', {}, 'Dataset'), checkbox('Frusta', shown), slider('Photograph', photo, { min: 0, max: 1, step: 0.05 }), thumbs);
  server.frusta.watch((all) => (section.hidden = all.length === 0));
  return [section];
}
