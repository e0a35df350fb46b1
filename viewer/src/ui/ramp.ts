/** Numbers as colours: dark violet over green to yellow, evenly bright to the eye (viridis). */

const STOPS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
] as const;
const UNKNOWN = [96, 96, 96] as const;

/** `place` in 0 to 1; NaN is grey. */
export function ramp(place: number): readonly [number, number, number] {
  if (Number.isNaN(place)) return UNKNOWN;
  const at = Math.max(0, Math.min(1, place)) * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(at));
  const [a, b, t] = [STOPS[below]!, STOPS[below + 1]!, at - below];
  return [0, 1, 2].map((i) => Math.round(a[i]! + t * (b[i]! - a[i]!))) as [number, number, number];
}

/** Three bytes for each scalar; what lies outside the brush is grey. */
export function colourise(scalars: ArrayLike<number>, low: number, high: number, brush: readonly [number, number] | null): Uint8Array {
  const colours = new Uint8Array(3 * scalars.length);
  const span = high > low ? high - low : 1;
  for (let i = 0; i < scalars.length; i++) {
    const value = scalars[i]!;
    const outside = brush !== null && !(value >= brush[0] && value <= brush[1]);
    colours.set(outside ? UNKNOWN : ramp((value - low) / span), 3 * i);
  }
  return colours;
}

/** How many scalars fall into each of `bins` equal parts of [low, high]; the ends take what lies beyond. */
export function histogram(scalars: ArrayLike<number>, low: number, high: number, bins: number): number[] {
  const counts = Array<number>(bins).fill(0);
  const span = high > low ? high - low : 1;
  for (let i = 0; i < scalars.length; i++) {
    const value = scalars[i]!;
    if (Number.isNaN(value)) continue;
    const bin = Math.floor(((value - low) / span) * bins);
    counts[Math.max(0, Math.min(bins - 1, bin))]! += 1;
  }
  return counts;
}
