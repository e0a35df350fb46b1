/** A run in words. */

import type { Run } from '../net/protocol';

const STATES = { paused: 'Paused', stopped: 'Stopped', finished: 'Finished', failed: 'Failed' } as const;

/** How it fares: what it does, while it does. */
export function faring({ state, doing }: Run): string {
  return state === 'running' ? doing : STATES[state];
}

/** Whether it has not come to an end. */
export function isUnderWay({ state }: Run): boolean {
  return state === 'running' || state === 'paused';
}
