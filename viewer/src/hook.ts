/** `window.__d3d`: the page in the hands of a test or of the user's own script. */

import type { Context } from './context';
import type { Layer } from './layers/layer';
import { Color } from 'three';

export interface Hook {
  /** Whether everything that was asked for has been loaded, sorted, rendered and drawn. */
  readonly ready: boolean;
  /** Resolves when `ready`; fails after so many milliseconds. */
  settle(withinMs?: number): Promise<void>;
  readonly stats: {
    layers: { name: string; kind: string; state: string; primitives: number; visible: boolean; colours: boolean }[];
    mode: string;
    look: string;
    line: string;
    pictures: number;
    milliseconds: number;
  };
  /** A camera of OpenCV: 16 numbers row by row, and the vertical field of view in radians. */
  setCamera(worldToCamera: readonly number[], fovYRad?: number): void;
  getCamera(): { worldToCamera: number[]; fovYRad: number };
  /** A PNG of the stage (or of one pane alone) at this size, once settled, as a data URL. */
  capture(options?: { width?: number; height?: number; background?: string; pane?: number }): Promise<string>;
}

export function installHook(context: Context): void {
  (window as unknown as { __d3d: Hook }).__d3d = makeHook(context);
}

function makeHook(context: Context): Hook {
  const { scene, stage, server, viewpoint } = context;
  return {
    get ready() {
      return awaited(context).length === 0;
    },
    settle: (withinMs = 30000) => settle(context, withinMs),
    get stats() {
      return {
        layers: scene.layers.value.map(describe),
        mode: scene.mode.value,
        look: scene.look.value,
        line: server.socket.line.value.is,
        pictures: stage.pictures,
        milliseconds: stage.milliseconds.value,
      };
    },
    setCamera(worldToCamera, fovYRad) {
      if (fovYRad !== undefined) viewpoint.setFov(fovYRad);
      viewpoint.setWorldToCamera(worldToCamera);
    },
    getCamera: () => ({ worldToCamera: viewpoint.pinhole(1, 1).world_to_camera, fovYRad: viewpoint.fovYRad }),
    capture: (options) => capture(context, options ?? {}),
  };
}

function describe(layer: Layer): Hook['stats']['layers'][number] {
  return {
    name: layer.name,
    kind: layer.kind.value,
    state: layer.state.value.is,
    primitives: layer.primitives,
    visible: layer.visible.value,
    colours: layer.coloured,
  };
}

/** What the picture still waits for, in words. */
function awaited({ scene, stage, server }: Context): string[] {
  return [
    ...(server.socket.line.value.is === 'connecting' ? ['the server'] : []),
    ...scene.layers.value.flatMap((layer) => (layer.state.value.is === 'loading' ? [`${layer.name} to load`] : [])),
    ...stage.panes.flatMap((pane, i) => (pane.place && !pane.settled ? [`the splats of pane ${i} to be sorted`] : [])),
    ...(server.socket.line.value.is === 'ended' ? [] : server.feed.awaited).map((name) => `the server's picture of ${name}`),
  ];
}

/** Waits until nothing changes any more and the last change has been drawn. */
async function settle(context: Context, withinMs = 30000): Promise<void> {
  const { stage } = context;
  const until = performance.now() + withinMs;
  stage.ask();
  for (let quiet = 0; quiet < 2; ) {
    if (performance.now() > until) throw new Error(`the picture still waits for ${awaited(context).join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
    quiet = awaited(context).length === 0 && !stage.asked ? quiet + 1 : 0;
  }
}

/** The stage, or one pane alone, as a PNG of this size, exactly as the viewpoint has it. */
export async function capture(
  context: Context, { width, height, background, pane }: NonNullable<Parameters<Hook['capture']>[0]>,
): Promise<string> {
  const { stage } = context;
  const ratio = stage.renderer.getPixelRatio();
  const whole = { width: Math.round(stage.size.value.width * ratio), height: Math.round(stage.size.value.height * ratio) };
  const size = pane === undefined ? whole : stage.panePixels(pane);
  const before = new Color().copy(stage.background);
  return stage.atSize(width ?? size.width, height ?? size.height, async () => {
    if (background) stage.background.setStyle(background);
    if (pane !== undefined) {
      const full = { x: 0, y: 0, width: 1, height: 1 };
      stage.panes.forEach((one, i) => (one.place = i === pane ? { rect: full, clip: full } : null));
    }
    try {
      await settle(context);
      stage.draw();
      return stage.canvas.toDataURL('image/png');
    } finally {
      stage.background.copy(before);
    }
  });
}
