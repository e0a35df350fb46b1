/** A canvas that is as sharp as the screen, and drawn again when its size or the theme changes. */

export type Paint = (pen: CanvasRenderingContext2D, width: number, height: number, colour: (name: string) => string) => void;

export function drawing(canvas: HTMLCanvasElement, paint: Paint): () => void {
  const draw = (): void => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0 || height === 0) return;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext('2d');
    if (!pen) return;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    paint(pen, width, height, (name) => style.getPropertyValue(name));
  };
  new ResizeObserver(draw).observe(canvas);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return draw;
}
