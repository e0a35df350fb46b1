/** The WebSocket: says hello, takes messages apart, comes back when the line was cut. */

import { Signal } from '../signal';
import {
  ARRAY, type ArrayHeader, type FrameHeader, type FromPage, type FromServer, PROTOCOL, TOO_MANY, WRONG_PROTOCOL,
  WRONG_TOKEN, readArrayHeader, readFrameHeader,
} from './protocol';

const HEADER_BYTES = 32;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4000;
/** Calls without an answer, about twenty seconds of them, after which the server is taken for gone. */
const MOST_ATTEMPTS = 8;

export type Line =
  | { is: 'alone' }
  | { is: 'connecting' }
  | { is: 'open' }
  | { is: 'reconnecting'; attempt: number }
  | { is: 'refused'; sentence: string }
  | { is: 'ended'; sentence: string };

const REFUSALS: Record<number, string> = {
  [WRONG_TOKEN]: 'This address has no valid token. Open the address that distill3d view printed; it ends in #t=…',
  [WRONG_PROTOCOL]: 'This page is from another version of distill3d than the server. Load it again.',
  [TOO_MANY]: 'Too many pages look at this server. Close one and load this page again.',
};

export interface Listener {
  message(message: FromServer): void;
  frame(header: FrameHeader, payload: ArrayBuffer): void;
  array(header: ArrayHeader, payload: ArrayBuffer): void;
}

export class Socket {
  readonly line = new Signal<Line>({ is: 'alone' });
  readonly #url: string;
  readonly #token: string;
  readonly #listener: Listener;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timer = 0;

  constructor(url: string, token: string, listener: Listener) {
    this.#url = url;
    this.#token = token;
    this.#listener = listener;
  }

  connect(): void {
    window.clearTimeout(this.#timer);
    this.line.value = this.#attempt === 0 ? { is: 'connecting' } : { is: 'reconnecting', attempt: this.#attempt };
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.send({ type: 'hello', token: this.#token, protocol: PROTOCOL });
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.#take(event.data);
    socket.onclose = (event) => this.#closed(event.code);
  }

  /** False if there is nobody to hear it. */
  send(message: FromPage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Call no more by itself, because the server has said goodbye. */
  end(sentence: string): void {
    this.line.value = { is: 'ended', sentence };
    this.#socket?.close();
  }

  /** Call once more, after the end. */
  again(): void {
    this.#attempt = MOST_ATTEMPTS - 1;
    this.connect();
  }

  #take(data: string | ArrayBuffer): void {
    if (typeof data === 'string') {
      const message = JSON.parse(data) as FromServer;
      if (message.type === 'welcome') {
        this.#attempt = 0;
        this.line.value = { is: 'open' };
      }
      this.#listener.message(message);
      return;
    }
    const view = new DataView(data);
    const payload = data.slice(HEADER_BYTES);
    if (view.getUint8(0) === ARRAY) this.#listener.array(readArrayHeader(view), payload);
    else this.#listener.frame(readFrameHeader(view), payload);
  }

  #closed(code: number): void {
    this.#socket = null;
    if (this.line.value.is === 'ended') return;
    const refusal = REFUSALS[code];
    if (refusal) {
      this.line.value = { is: 'refused', sentence: refusal };
      return;
    }
    this.#attempt += 1;
    if (this.#attempt >= MOST_ATTEMPTS) {
      this.line.value = { is: 'ended', sentence: 'The server does not answer any more.' };
      return;
    }
    this.line.value = { is: 'reconnecting', attempt: this.#attempt };
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.#attempt - 1), LONGEST_WAIT_MS);
    this.#timer = window.setTimeout(() => this.connect(), wait);
  }
}
