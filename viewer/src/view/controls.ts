/** Mouse, touch and keys move the viewpoint: orbit, pan, dolly; W A S D Q E fly. */

import type { Viewpoint } from './viewpoint';

const TURN_RAD_PER_PX = 0.006;
const FLIGHT_PER_SECOND = 0.8;
const KEYS: Record<string, [number, number, number]> = {
  KeyW: [0, 0, 1], KeyS: [0, 0, -1], KeyA: [-1, 0, 0], KeyD: [1, 0, 0], KeyE: [0, 1, 0], KeyQ: [0, -1, 0],
};

export class Controls {
  /** Look around from where one stands instead of walking around the target. */
  fly = false;
  readonly #surface: HTMLElement;
  readonly #viewpoint: Viewpoint;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  readonly #held = new Set<string>();
  #flying = false;
  #travelled = 0;
  /** A press that did not become a drag; CSS pixels of the surface. */
  onclick: (x: number, y: number) => void = () => {};
  ondouble: (x: number, y: number) => void = () => {};

  constructor(surface: HTMLElement, viewpoint: Viewpoint) {
    this.#surface = surface;
    this.#viewpoint = viewpoint;
    surface.style.touchAction = 'none';
    surface.addEventListener('pointerdown', (event) => this.#down(event));
    surface.addEventListener('pointermove', (event) => this.#move(event));
    surface.addEventListener('pointerup', (event) => this.#up(event));
    surface.addEventListener('pointercancel', (event) => this.#up(event));
    surface.addEventListener('dblclick', (event) => this.ondouble(event.offsetX, event.offsetY));
    surface.addEventListener('contextmenu', (event) => event.preventDefault());
    surface.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    window.addEventListener('keydown', (event) => this.#press(event));
    window.addEventListener('keyup', (event) => this.#held.delete(event.code));
    window.addEventListener('blur', () => this.#held.clear());
  }

  #down(event: PointerEvent): void {
    this.#surface.setPointerCapture(event.pointerId);
    this.#surface.focus({ preventScroll: true });
    this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    this.#travelled = 0;
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.offsetX - before.x, event.offsetY - before.y];
    this.#travelled += Math.abs(dx) + Math.abs(dy);
    if (this.#pointers.size === 2) this.#pinch(event, dx, dy);
    else if (this.#pointers.size === 1) this.#drag(event, dx, dy);
    this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  }

  #drag(event: PointerEvent, dx: number, dy: number): void {
    if (event.shiftKey || (event.buttons & 6) !== 0) this.#pan(dx, dy);
    else if (this.fly) this.#viewpoint.look(dx * TURN_RAD_PER_PX, dy * TURN_RAD_PER_PX);
    else this.#viewpoint.orbit(-dx * TURN_RAD_PER_PX, dy * TURN_RAD_PER_PX);
  }

  #pinch(event: PointerEvent, dx: number, dy: number): void {
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const before = this.#pointers.get(event.pointerId);
    if (!other || !before) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(event.offsetX - other.x, event.offsetY - other.y);
    if (was > 0 && is > 0) this.#viewpoint.dolly(was / is);
    this.#pan(dx / 2, dy / 2);
  }

  #pan(dx: number, dy: number): void {
    const worldPerPx = (2 * Math.tan(this.#viewpoint.fovYRad / 2) * this.#viewpoint.distance) / this.#surface.clientHeight;
    this.#viewpoint.move(-dx * worldPerPx, dy * worldPerPx, 0);
  }

  #up(event: PointerEvent): void {
    if (this.#pointers.delete(event.pointerId) && event.type === 'pointerup' && this.#travelled < 4 && event.button === 0) {
      this.onclick(event.offsetX, event.offsetY);
    }
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey || !this.fly) this.#viewpoint.dolly(Math.exp(clamp(event.deltaY, 200) * 0.0015));
    else this.#viewpoint.move(0, 0, -clamp(event.deltaY, 200) * 0.002 * this.#viewpoint.distance);
  }

  #press(event: KeyboardEvent): void {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const turns: Record<string, [number, number]> = {
      ArrowLeft: [-0.08, 0], ArrowRight: [0.08, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08],
    };
    const turn = turns[event.key];
    if (turn && document.activeElement === this.#surface) {
      event.preventDefault();
      this.#viewpoint.orbit(turn[0], turn[1]);
    } else if (KEYS[event.code]) {
      this.#held.add(event.code);
      this.#takeOff();
    }
  }

  #takeOff(): void {
    if (this.#flying) return;
    this.#flying = true;
    let last = performance.now();
    const step = (now: number): void => {
      if (this.#held.size === 0) {
        this.#flying = false;
        return;
      }
      // a frame's time is when it began, which may be before the key was pressed
      const way = (Math.max(0, Math.min(now - last, 100)) / 1000) * FLIGHT_PER_SECOND * this.#viewpoint.distance;
      last = Math.max(now, last);
      const sum = [0, 0, 0];
      for (const code of this.#held) KEYS[code]?.forEach((part, i) => (sum[i]! += part));
      this.#viewpoint.move(sum[0]! * way, sum[1]! * way, sum[2]! * way);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

/** Whether a key press belongs to a field that is being written in. */
export function typing(event: Event): boolean {
  const at = event.target;
  if (at instanceof HTMLInputElement) return !['range', 'checkbox', 'radio', 'button'].includes(at.type);
  return at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
