/**
 * Look-ups: files that a client wanted, that were not on its gateway's disk, while the upstream was closed to it. Found:
 * verified bytes within 30 s. Who died meanwhile is censored.
 */
import type { ModelEvent } from '../model/model-event.ts';
import type { Counter, Times } from '../results/run-result.ts';

const WINDOW = 30e6;

export class Lookups {
  readonly #begun = new Map<number, { readonly at: number; readonly node: number }>();
  readonly #values: Times['values'][number][] = [];
  #found = 0;
  #failed = 0;

  /** `at`: microseconds after the warm-up; what began before is no look-up. */
  observe(at: number, event: ModelEvent): void {
    switch (event.kind) {
      case 'attempt-began': {
        const { attempt, onDisk, upstreamOpen } = event;
        if (at >= 0 && attempt.what === 'file' && !onDisk && !upstreamOpen)
          this.#begun.set(attempt.id, { at, node: attempt.node });
        return;
      }
      case 'attempt-ended': {
        const begun = this.#begun.get(event.attempt.id);
        if (begun === undefined) return;
        this.#begun.delete(event.attempt.id);
        const value = at - begun.at;
        const found = event.end.outcome === 'verified' && value <= WINDOW;
        if (found) this.#found++;
        else this.#failed++;
        this.#values.push(found ? { kind: 'observed', value, ...begun } : { kind: 'failed', ...begun });
        return;
      }
      case 'node-down':
        for (const [id, begun] of this.#begun) {
          if (begun.node !== event.node) continue;
          this.#begun.delete(id);
          this.#values.push({ kind: 'censored', bound: Math.min(WINDOW, at - begun.at), ...begun });
        }
        return;
      default:
    }
  }

  /** Found of those that were watched to their end. */
  get share(): number | undefined {
    const all = this.#found + this.#failed;
    return all === 0 ? undefined : this.#found / all;
  }

  counters(): Counter[] {
    const { share } = this;
    return [
      { metric: 'lookups', unit: '1', value: this.#found + this.#failed },
      ...(share === undefined ? [] : [{ metric: 'lookup_all', unit: '1', value: share }]),
    ];
  }

  times(): Times {
    return { metric: 'lookup_time', unit: 'us', window: WINDOW, values: this.#values };
  }
}
