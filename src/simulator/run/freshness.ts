/**
 * Freshness lag of a live node: now minus the oldest change of the upstream that what it believes does not reflect; 0 when it
 * reflects all. A change is reflected once as many voters as the policy asks for have told the node a serial that is not
 * less. Weighed by node-seconds: every moment of every live node counts alike.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { StepPoint } from '../statistics/time-weighted.ts';
import { LagWeights } from './lag-weights.ts';

interface Lagging {
  /** Serials of the newest records that it has. */
  readonly serials: Map<string, number>;
  /** Place of the oldest change that is not reflected; as many as there are: none. */
  behind: number;
  live: boolean;
  /** Since when the above was so. */
  since: number;
}

export class Freshness {
  readonly #threshold: number;
  readonly #warmup: number;
  /** Ascending. The first is the index as it was at the start. */
  readonly #changes: { readonly serial: number; readonly at: number }[] = [{ serial: -Infinity, at: 0 }];
  readonly #nodes = new Map<number, Lagging>();
  readonly #weights = new LagWeights();

  /** `threshold`: voters that must agree; 0: nobody believes an index, and nothing is measured. */
  constructor({ threshold, warmup }: { readonly threshold: number; readonly warmup: number }) {
    this.#threshold = threshold;
    this.#warmup = warmup;
  }

  /** `at`: the kernel's microseconds. */
  observe(at: number, event: ModelEvent): void {
    if (this.#threshold === 0) return;
    switch (event.kind) {
      case 'index-changed':
        // Who reflected all is behind from now on: a span of 0 until then ends.
        for (const node of this.#nodes.values())
          if (node.behind === this.#changes.length) this.#close(node, at);
        this.#changes.push({ serial: event.change.page.serial, at });
        return;
      case 'node-up': {
        const node = this.#node(event.node);
        node.live = true;
        node.since = at;
        return;
      }
      case 'node-down': {
        const node = this.#node(event.node);
        this.#close(node, at);
        node.live = false;
        return;
      }
      case 'node-wiped': {
        const node = this.#node(event.node);
        this.#close(node, at);
        node.serials.clear();
        node.behind = 0;
        return;
      }
      case 'fact': {
        if (event.name !== 'head:advanced') return;
        const { origin, serial } = event.fact as Facts['head:advanced'];
        const node = this.#node(event.node);
        node.serials.set(origin, serial);
        const behind = this.#behindOf(node);
        if (behind === node.behind) return;
        this.#close(node, at);
        node.behind = behind;
        return;
      }
      default:
    }
  }

  /** The run is over: nothing is observed any more. `end`: the kernel's. */
  finish(end: number): void {
    for (const node of this.#nodes.values()) this.#close(node, end);
  }

  /** Microseconds, mean over node-seconds of bins; blank where no node was live. Times after the warm-up. */
  points(end: number): StepPoint[] {
    return this.#weights.points(end);
  }

  /** Of all node-seconds; microseconds. */
  get mean(): number | undefined {
    return this.#weights.mean;
  }

  /** The lag below which a share of all node-seconds was; microseconds. */
  quantile(p: number): number | undefined {
    return this.#weights.quantile(p);
  }

  #behindOf({ serials }: Lagging): number {
    const known = [...serials.values()].sort((a, b) => b - a)[this.#threshold - 1];
    if (known === undefined) return 0;
    return this.#changes.findLastIndex(({ serial }) => serial <= known) + 1;
  }

  #close(node: Lagging, at: number): void {
    const from = Math.max(node.since, this.#warmup);
    node.since = at;
    if (!node.live || at <= from) return;
    const lag = (time: number): number => time - (this.#changes[node.behind]?.at ?? time);
    this.#weights.add({
      from: from - this.#warmup,
      to: at - this.#warmup,
      lag: lag(from),
      isZero: !(node.behind in this.#changes),
    });
  }

  #node(id: number): Lagging {
    const known = this.#nodes.get(id) ?? { serials: new Map(), behind: 0, live: false, since: 0 };
    this.#nodes.set(id, known);
    return known;
  }
}
