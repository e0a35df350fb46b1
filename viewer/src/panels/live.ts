/** Live: how a run goes. Its losses, its time line, and where it is allowed its reins. */

import type { Context, Panel } from '../context';
import type { Action, Run } from '../net/protocol';
import type { Watched } from '../net/server';
import { Signal, watchAll } from '../signal';
import { lossChart } from '../ui/chart';
import { count, h, short } from '../ui/dom';
import { setDisabled } from '../ui/fields';
import { faring, isUnderWay } from '../ui/run';

export function livePanel(context: Context): Panel {
  const { server } = context;
  const open = new Signal(false);
  const body = h('div', {}, h('p.hint', {}, 'No run is watched.'));
  const views = new Map<number, RunView>();
  watchAll([server.runs, server.welcome, server.socket.line], () => {
    const runs = server.runs.value;
    for (const id of [...views.keys()]) if (!runs.has(id)) views.delete(id);
    let fresh = false;
    for (const [id, watched] of runs) {
      if (!views.has(id)) fresh = Boolean(views.set(id, new RunView(context, id)));
      views.get(id)!.show(watched);
    }
    if (fresh) {
      body.replaceChildren(...[...views.values()].map((view) => view.element));
      if ([...runs.values()].some(({ run }) => isUnderWay(run))) open.value = true;
    } else if (views.size === 0) body.replaceChildren(h('p.hint', {}, 'No run is watched.'));
  });
  return { id: 'live', title: 'Live', body, open };
}

class RunView {
  readonly element = h('section', { style: 'display: grid; gap: 8px' });
  readonly #id: number;
  readonly #context: Context;
  readonly #head = h('div.row');
  readonly #sentence = h('p.hint');
  readonly #progress = h('i');
  readonly #chart = lossChart();
  readonly #line: HTMLInputElement;
  readonly #at = h('output');
  readonly #buttons: Record<Action, HTMLButtonElement>;
  #checkpoints: readonly number[] = [];
  #following = true;
  #shown: Watched | null = null;

  constructor(context: Context, id: number) {
    this.#context = context;
    this.#id = id;
    const button = (action: Action, label: string): HTMLButtonElement =>
      h('button.solid', { onclick: () => this.#say(action) }, label);
    this.#buttons = { pause: button('pause', 'Pause'), resume: button('resume', 'Resume'), stop: button('stop', 'Stop') };
    this.#line = h('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Time line', oninput: () => this.#scrub() });
    this.element.append(
      this.#head, h('div.progress', { style: 'width: 100%; margin: 0' }, this.#progress), this.#sentence,
      this.#chart.element, this.#chart.legend,
      h('div.row', {}, h('span.name', {}, 'Time line'), this.#line, this.#at),
      h('div.buttons', {}, ...Object.values(this.#buttons)),
    );
  }

  show(watched: Watched): void {
    const { run, metrics } = watched;
    this.#shown = watched;
    this.#progress.style.width = `${(100 * run.step) / Math.max(1, run.steps)}%`;
    this.#sentence.textContent = run.sentence;
    this.#sentence.classList.toggle('bad', run.state === 'failed');
    this.#sentence.hidden = run.sentence === '';
    this.#chart.show(metrics, run.steps, run.marks);
    this.#checkpoints = run.checkpoints;
    this.#line.max = String(run.checkpoints.length);
    this.#line.disabled = run.checkpoints.length === 0 || !this.#context.server.open;
    if (this.#following) this.#line.value = this.#line.max;
    this.#head.replaceChildren(
      h('strong', { style: 'flex: 1; overflow: hidden; text-overflow: ellipsis' }, run.name),
      h('span', {}, [this.#state(run), this.#stage(run), `${count(run.step)} / ${count(run.steps)}`].filter(Boolean).join(' · ')),
    );
    this.#label();
    this.#allow(run);
  }

  /** How the run fares; of one that went on when the line was cut for good, nobody knows. */
  #state(run: Run): string {
    const lost = this.#context.server.socket.line.value.is === 'ended' && isUnderWay(run);
    return lost ? 'Not watched any more' : faring(run);
  }

  /** The name of the stage that is shown; nothing for a run without stages. */
  #stage({ step, marks }: Run): string {
    const shown = this.#checkpoints[Number(this.#line.value)] ?? step;
    return marks.filter(({ after }) => after < Math.max(1, shown)).at(-1)?.name ?? '';
  }

  #allow(run: Run): void {
    const reason = !this.#context.server.open ? 'The server is not there' : this.#context.server.welcome.value?.control ? null : 'Start the run with --control to steer it from here';
    const can = { pause: run.state === 'running', resume: run.state === 'paused', stop: isUnderWay(run) };
    const state = run.state === 'running' ? 'under way' : run.state;
    for (const [action, button] of Object.entries(this.#buttons)) {
      setDisabled(button, reason ?? (can[action as Action] ? null : `The run is ${state}`));
    }
  }

  /** The last place of the time line is the run as it is. */
  #scrub(): void {
    const step = this.#checkpoints[Number(this.#line.value)] ?? null;
    this.#following = step === null;
    this.#shown && this.show(this.#shown);
    this.#context.server.socket.send({ type: 'scrub', run: this.#id, step });
  }

  #label(): void {
    const step = this.#checkpoints[Number(this.#line.value)];
    this.#at.textContent = step === undefined ? 'now' : short(step);
    this.#chart.mark(step ?? null);
  }

  #say(action: Action): void {
    this.#context.server.socket.send({ type: 'control', run: this.#id, action });
  }
}
