/** What every panel may use. */

import type { Assets } from './net/assets';
import type { Server } from './net/server';
import type { Scene } from './scene';
import type { Signal } from './signal';
import type { Keys } from './ui/keys';
import type { Notices } from './ui/notices';
import type { Controls } from './view/controls';
import type { Stage } from './view/stage';
import type { Viewpoint } from './view/viewpoint';

export interface Context {
  scene: Scene;
  stage: Stage;
  viewpoint: Viewpoint;
  controls: Controls;
  server: Server;
  assets: Assets;
  keys: Keys;
  notices: Notices;
  /** Above the stage; takes no clicks unless a child does. */
  overlay: HTMLElement;
  /** Open the user's own files. */
  openFiles(files: Iterable<File>): Promise<void>;
}

export interface Panel {
  id: string;
  title: string;
  body: HTMLElement;
  /** Whether it is unfolded; true unfolds it whenever it becomes so. */
  open: Signal<boolean>;
}
