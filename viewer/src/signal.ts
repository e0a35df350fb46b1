/** A value that tells when it changes: all the state management of the page. */

export type Stop = () => void;

export class Signal<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.touch();
  }

  /** Tell everybody, for a value that was changed in place. */
  touch(): void {
    for (const listener of [...this.#listeners]) listener(this.#value);
  }

  /** Call now and at every change. */
  watch(listener: (value: T) => void): Stop {
    listener(this.#value);
    return this.changed(listener);
  }

  /** Call at every change from now on. */
  changed(listener: (value: T) => void): Stop {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Call now and whenever any of the signals changes. */
export function watchAll(signals: readonly Signal<any>[], listener: () => void): Stop {
  const stops = signals.map((signal) => signal.changed(listener));
  listener();
  return () => stops.forEach((stop) => stop());
}
