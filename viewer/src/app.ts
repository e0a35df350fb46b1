/** Puts the page together. */

import type { Context, Panel } from './context';
import { installHook } from './hook';
import { inlined, served } from './net/assets';
import type { Welcome } from './net/protocol';
import { Server } from './net/server';
import { openFiles } from './drop';
import { panels } from './panels';
import { Scene } from './scene';
import { bar } from './ui/bar';
import { h } from './ui/dom';
import { ended } from './ui/ended';
import { Help } from './ui/help';
import { Keys } from './ui/keys';
import { message, middle } from './ui/middle';
import { Notices } from './ui/notices';
import { side } from './ui/side';
import css from './ui/style.css?inline';
import { tags } from './ui/tags';
import { themeSignal } from './ui/theme';
import { Controls } from './view/controls';
import { Stage } from './view/stage';
import { Viewpoint } from './view/viewpoint';

export function start(): void {
  document.head.append(h('style', {}, css));
  const theme = themeSignal();
  const viewpoint = new Viewpoint();
  const stage = makeStage(viewpoint);
  if (!stage) return;
  const scene = new Scene(stage);
  const welcome = ownWelcome();
  const assets = welcome ? inlined : served;
  const token = new URLSearchParams(location.hash.slice(1)).get('t');
  const server = new Server(scene, assets, new URL('./ws', location.href).href.replace(/^http/, 'ws').replace(/#.*/, ''), token ?? '');
  const overlay = h('div.overlay');
  const keys = new Keys();
  const notices = new Notices();
  const context: Context = {
    scene, stage, viewpoint, server, assets, keys, notices, overlay,
    controls: new Controls(stage.canvas, viewpoint),
    openFiles: (files) => openFiles(context, files),
  };
  layOut(context, theme, panels(context));
  installHook(context);
  if (welcome) server.greet(welcome);
  else if (token !== null) server.socket.connect();
}

function layOut(context: Context, theme: ReturnType<typeof themeSignal>, made: readonly Panel[]): void {
  const { stage, overlay, keys, notices, server, scene, controls } = context;
  const help = new Help(keys);
  const panel = side(made, keys);
  const { canvas } = stage;
  canvas.classList.add('scene');
  canvas.tabIndex = 0;
  canvas.setAttribute('aria-label', 'The scene. Drag to turn, shift-drag to move, scroll to come nearer.');
  const area = h('main.stage', {}, canvas, overlay, middle(context), ended(context), notices.element);
  document.body.append(h('div', { id: 'app' }, bar(context, theme, help, panel), area, panel), help.element);
  overlay.append(...tags(context));
  server.onproblem = (sentence) => notices.say(sentence, 'bad');
  theme.watch(() => {
    stage.background.setStyle(getComputedStyle(document.documentElement).getPropertyValue('--stage'));
    stage.ask();
  });
  scene.look.changed((look) => {
    const black = look === 'alpha' || look === 'depth';
    stage.background.setStyle(black ? '#000' : getComputedStyle(document.documentElement).getPropertyValue('--stage'));
  });
  new ResizeObserver(() => stage.resize(area.clientWidth, area.clientHeight)).observe(area);
  stage.resize(area.clientWidth, area.clientHeight);
  acceptDrops(context, area);
  controls.ondouble = () => scene.frame(null);
  keys.on('0', 'Camera', 'Frame everything', () => scene.frame(null));
  keys.on('.', 'Camera', 'Frame the selected layer', () => scene.frame(scene.selected.value));
  keys.on('g', 'Camera', 'Fly or orbit with the mouse', () => {
    controls.fly = !controls.fly;
    notices.say(controls.fly ? 'Flying: drag to look around, W A S D Q E to move.' : 'Orbiting around the scene.');
  });
  keys.mention('Drag', 'Camera', 'Orbit');
  keys.mention('Shift + drag', 'Camera', 'Move sideways');
  keys.mention('Wheel, pinch', 'Camera', 'Nearer, farther');
  keys.mention('W A S D Q E', 'Camera', 'Fly');
  keys.mention('← ↑ → ↓', 'Camera', 'Orbit, with the scene in focus');
  keys.on('?', 'Page', 'This help', () => help.toggle());
}

function acceptDrops(context: Context, area: HTMLElement): void {
  let depth = 0;
  const mark = (by: number): void => {
    depth = Math.max(0, depth + by);
    area.classList.toggle('drop', depth > 0);
  };
  area.addEventListener('dragenter', () => mark(1));
  area.addEventListener('dragleave', () => mark(-1));
  window.addEventListener('dragover', (event) => event.preventDefault());
  window.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(-depth);
    if (event.dataTransfer) void context.openFiles(event.dataTransfer.files);
  });
}

function makeStage(viewpoint: Viewpoint): Stage | null {
  try {
    return new Stage(viewpoint);
  } catch {
    document.body.append(
      h('div.middle', {}, message('This browser has no WebGL 2', [
        'The scene is drawn on the graphics card. Turn hardware acceleration on in the settings of the browser, or use a recent Firefox, Chrome or Safari.',
      ])),
    );
    return null;
  }
}

function ownWelcome(): Welcome | null {
  const text = document.getElementById('d3d-welcome')?.textContent;
  return text ? (JSON.parse(text) as Welcome) : null;
}
