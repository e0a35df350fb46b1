/** The panels, in the order in which they stand. */

import type { Context, Panel } from '../context';
import { camerasPanel } from './cameras';
import { closerPanel } from './closer';
import { comparePanel } from './compare';
import { layersPanel } from './layers';
import { livePanel } from './live';
import { lookPanel } from './look';
import { outputPanel } from './output';

const PANELS = [layersPanel, lookPanel, comparePanel, closerPanel, livePanel, camerasPanel, outputPanel];

export function panels(context: Context): Panel[] {
  return PANELS.map((make) => make(context));
}
