/** Where the panes stand: rectangles in fractions of the stage, origin at the top left. */

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Mode = 'single' | 'side' | 'wipe' | 'flip' | 'difference';

const WHOLE: Rect = { x: 0, y: 0, width: 1, height: 1 };

/** Rectangles of `count` panes beside each other, in a row, a square or a column, whatever leaves them roundest. */
export function sideBySide(count: number, aspect: number): Rect[] {
  if (count <= 1) return [WHOLE];
  const columns = Array.from({ length: count }, (_, i) => i + 1).reduce((best, next) =>
    roundness(count, next, aspect) > roundness(count, best, aspect) ? next : best,
  );
  const rows = Math.ceil(count / columns);
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / columns);
    const inRow = row === rows - 1 ? count - columns * (rows - 1) : columns;
    return { x: (i % columns) / inRow, y: row / rows, width: 1 / inRow, height: 1 / rows };
  });
}

/** The smaller side of the smallest pane, in units of the stage's height. */
function roundness(count: number, columns: number, aspect: number): number {
  return Math.min(aspect / columns, 1 / Math.ceil(count / columns));
}

/** What of each pane is drawn (`clip`) and where its whole picture lies (`rect`); null for a hidden one. */
export interface Place {
  rect: Rect;
  clip: Rect;
}

export function places(mode: Mode, count: number, aspect: number, wipe: number, front: number): (Place | null)[] {
  if (mode === 'single' || count === 1) return [{ rect: WHOLE, clip: WHOLE }, ...Array<null>(count - 1).fill(null)];
  if (mode === 'wipe') {
    const left = { rect: WHOLE, clip: { ...WHOLE, width: wipe } };
    const right = { rect: WHOLE, clip: { ...WHOLE, x: wipe, width: 1 - wipe } };
    return [left, right, ...Array<null>(count - 2).fill(null)];
  }
  if (mode === 'flip' || mode === 'difference') {
    return Array.from({ length: count }, (_, i) => (i === front % count ? { rect: WHOLE, clip: WHOLE } : null));
  }
  return sideBySide(count, aspect).map((rect) => ({ rect, clip: rect }));
}
