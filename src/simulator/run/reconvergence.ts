/**
 * How long after an instant each node that was live then had every live publisher's log up to that instant. The time until a
 * node's logs were so far and stayed so: logs only grow, but a disk may be lost.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';

interface Step {
  readonly at: number;
  readonly size: number;
}

export class Reconvergence {
  /** By origin: what its publisher had signed when. */
  readonly #signed = new Map<string, { readonly node: number; readonly steps: Step[] }>();
  /** By node and origin: what it had of the log when. */
  readonly #known = new Map<number, Map<string, Step[]>>();
  readonly #lives = new Map<number, { readonly at: number; readonly up: boolean }[]>();

  observe(at: number, event: ModelEvent): void {
    if (event.kind === 'node-up') this.#lifeOf(event.node).push({ at, up: true });
    if (event.kind === 'node-down') this.#lifeOf(event.node).push({ at, up: false });
    if (event.kind === 'node-wiped')
      for (const steps of this.#knownBy(event.node).values()) steps.push({ at, size: 0 });
    if (event.kind !== 'fact') return;
    if (event.name === 'publisher:signed') {
      const { origin, size } = event.fact as Facts['publisher:signed'];
      const log = this.#signed.get(origin) ?? { node: event.node, steps: [] };
      log.steps.push({ at, size });
      this.#signed.set(origin, log);
    }
    if (event.name === 'head:advanced') {
      const { origin, seq } = event.fact as Facts['head:advanced'];
      const known = this.#knownBy(event.node);
      const steps = known.get(origin) ?? [];
      steps.push({ at, size: seq + 1 });
      known.set(origin, steps);
    }
  }

  isLive(node: number, at: number): boolean {
    return this.#lifeOf(node).findLast((one) => one.at <= at)?.up === true;
  }

  /** When the life that the node had at `instant` ended; undefined: it did not. */
  endOfLife(node: number, instant: number): number | undefined {
    return this.#lifeOf(node).find(({ at, up }) => !up && at > instant)?.at;
  }

  /** By node live at `instant`: microseconds; undefined: not by the end. */
  timesAfter(instant: number): Map<number, number | undefined> {
    const goals = [...this.#signed]
      .filter(([, { node }]) => this.isLive(node, instant))
      .map(([origin, { node, steps }]) => ({
        origin,
        node,
        size: steps.findLast(({ at }) => at <= instant)?.size ?? 0,
      }));
    const live = [...this.#lives.keys()].filter((node) => this.isLive(node, instant)).sort((a, b) => a - b);
    return new Map(
      live.map((node) => {
        const known = this.#known.get(node);
        const times = goals
          .filter((goal) => goal.node !== node)
          .map(({ origin, size }) => reached(known?.get(origin) ?? [], size, instant));
        return [node, times.includes(undefined) ? undefined : Math.max(0, ...(times as number[]))];
      }),
    );
  }

  #lifeOf(node: number): { readonly at: number; readonly up: boolean }[] {
    const known = this.#lives.get(node) ?? [];
    this.#lives.set(node, known);
    return known;
  }

  #knownBy(node: number): Map<string, Step[]> {
    const known = this.#known.get(node) ?? new Map<string, Step[]>();
    this.#known.set(node, known);
    return known;
  }
}

/** From when on, after `instant`, the size was there and stayed. */
function reached(steps: readonly Step[], size: number, instant: number): number | undefined {
  if (size === 0) return 0;
  const lastLess = steps.findLastIndex((step) => step.size < size);
  const first = steps[lastLess + 1];
  return first === undefined ? undefined : Math.max(0, first.at - instant);
}
