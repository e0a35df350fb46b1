/** What the page itself can tell of every primitive, where no server does. */

import type { Property } from '../net/protocol';
import type { PropertyArray } from '../net/requests';
import { GaussiansDrawing } from './gaussians';
import type { Layer } from './layer';

const OWN: Property[] = [
  { name: 'opacity', label: 'Opacity', kind: 'scalar' },
  { name: 'size', label: 'Largest standard deviation', kind: 'scalar' },
];

export function ownProperties(layer: Layer): Property[] {
  return layer.drawing instanceof GaussiansDrawing ? OWN : [];
}

export function ownProperty(layer: Layer, name: string): PropertyArray {
  if (!(layer.drawing instanceof GaussiansDrawing)) throw new Error(`nothing is known of the primitives of ${layer.name}`);
  const scalars = layer.drawing.scalars(name === 'size' ? 'size' : 'opacity');
  const sorted = Float32Array.from(scalars).sort();
  const at = (fraction: number): number => sorted[Math.round(fraction * (sorted.length - 1))] ?? 0;
  return { scalars, colours: null, low: at(0.01), high: at(0.99) };
}
