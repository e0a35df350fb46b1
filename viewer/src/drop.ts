/** Files from the user's disk become layers. */

import type { Context } from './context';
import { Layer } from './layers/layer';
import { open } from './layers/open';

let dropped = 0;

export async function openFiles(context: Context, files: Iterable<File>): Promise<void> {
  await Promise.all([...files].map((file) => openFile(context, file)));
}

async function openFile({ scene, notices }: Context, file: File): Promise<void> {
  const layer = new Layer(`file-${++dropped}`, file.name, '', file.size, null);
  scene.add(layer);
  try {
    const { drawing, kind } = await open(file.name, await file.arrayBuffer());
    layer.draw(drawing);
    layer.kind.value = kind;
    layer.state.value = { is: 'ready' };
  } catch (error) {
    scene.remove(layer);
    notices.say(error instanceof Error ? error.message : String(error), 'bad');
  }
}
