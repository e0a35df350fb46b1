/** The panels, in the order in which they stand. */

import type { Context, Panel } from '../context';
import { layersPanel } from './layers';
import { lookPanel } from './look';

export function panels(context: Context): Panel[] {
  return [layersPanel, lookPanel].map((make) => make(context));
}
