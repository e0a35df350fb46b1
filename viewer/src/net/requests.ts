/** Questions to the server and their answers, matched by number; a newer question of a kind replaces the older. */

import type {
  ArrayHeader, Camera, FrameHeader, FromPage, Picked, Problem, RequestDifference, RequestPick, RequestProperty,
  RequestQuery, Scores,
} from './protocol';
import { COLOURS } from './protocol';

type Unnumbered<T> = Omit<T, 'seq' | 'type'>;

export interface PropertyArray {
  low: number;
  high: number;
  scalars: Float32Array | null;
  colours: Uint8Array | null;
}

export interface Difference {
  scores: Scores;
  width: number;
  height: number;
  picture: Blob;
}

/** The answer is no longer wanted. */
export class Replaced extends Error {}

interface Waiting {
  kind: string;
  take(answer: unknown): void;
  fail(error: Error): void;
}

export class Requests {
  readonly #send: (message: FromPage) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  readonly #scores = new Map<number, Scores>();
  #seq = 0;

  constructor(send: (message: FromPage) => boolean) {
    this.#send = send;
  }

  /** The next number of a request. */
  next(): number {
    return ++this.#seq;
  }

  property(request: Unnumbered<RequestProperty>): Promise<PropertyArray> {
    return this.#ask('array', { ...request, type: 'request_property', seq: this.next() });
  }

  query(request: Unnumbered<RequestQuery>): Promise<PropertyArray> {
    return this.#ask('array', { ...request, type: 'request_query', seq: this.next() });
  }

  pick(request: Unnumbered<RequestPick>): Promise<Picked> {
    return this.#ask('pick', { ...request, type: 'request_pick', seq: this.next() });
  }

  difference(request: Unnumbered<RequestDifference>): Promise<Difference> {
    return this.#ask('difference', { ...request, type: 'request_difference', seq: this.next() });
  }

  picked(message: Picked): void {
    this.#answer(message.seq, message);
  }

  scores(message: Scores): void {
    this.#scores.set(message.seq, message);
  }

  differenceMap(header: FrameHeader, payload: ArrayBuffer): void {
    const scores = this.#scores.get(header.seq);
    this.#scores.delete(header.seq);
    if (!scores) return;
    const picture = new Blob([payload.slice(0, header.colour_bytes)], { type: mime(header.codec) });
    this.#answer(header.seq, { scores, width: header.width, height: header.height, picture } satisfies Difference);
  }

  array(header: ArrayHeader, payload: ArrayBuffer): void {
    const colours = header.content === COLOURS;
    this.#answer(header.seq, {
      low: header.low,
      high: header.high,
      scalars: colours ? null : new Float32Array(payload, 0, header.count),
      colours: colours ? new Uint8Array(payload, 0, 3 * header.count) : null,
    } satisfies PropertyArray);
  }

  /** True if the problem belonged to one of these questions. */
  problem(message: Problem): boolean {
    const waiting = message.seq === null ? undefined : this.#waiting.get(message.seq);
    if (!waiting || message.seq === null) return false;
    this.#waiting.delete(message.seq);
    waiting.fail(new Error(message.sentence));
    return true;
  }

  /** The line was cut: no answer will come. */
  drop(): void {
    for (const waiting of this.#waiting.values()) waiting.fail(new Replaced());
    this.#waiting.clear();
    this.#scores.clear();
  }

  #ask<T>(kind: string, message: FromPage & { seq: number }): Promise<T> {
    for (const [seq, waiting] of this.#waiting) {
      if (waiting.kind !== kind) continue;
      this.#waiting.delete(seq);
      waiting.fail(new Replaced());
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(message.seq, { kind, take: (answer) => resolve(answer as T), fail: reject });
      if (this.#send(message)) return;
      this.#waiting.delete(message.seq);
      reject(new Error('The server is not there to answer.'));
    });
  }

  #answer(seq: number, answer: unknown): void {
    const waiting = this.#waiting.get(seq);
    this.#waiting.delete(seq);
    waiting?.take(answer);
  }
}

export function mime(codec: number): string {
  return codec === 1 ? 'image/jpeg' : 'image/png';
}

/** A camera of the wire from a pinhole. */
export function wireCamera(pinhole: {
  world_to_camera: number[];
  intrinsics: readonly [number, number, number, number];
  width: number;
  height: number;
}): Camera {
  const [fx_px, fy_px, cx_px, cy_px] = pinhole.intrinsics;
  const { world_to_camera, width, height } = pinhole;
  return { world_to_camera, fx_px, fy_px, cx_px, cy_px, width, height };
}
