/**
 * Look-ups: files that a client wanted, that were not on its gateway's disk, while the upstream was closed to it. Found:
 * verified bytes within 30 s. Who died meanwhile is censored. Eligible: throughout some live node held the file that the
 * requester could reach, and that could reach it.
 */
import type { Digest } from '../../core/digest.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Counter, Series, Times } from '../results/run-result.ts';
import type { CutSides } from './cut-sides.ts';
import { BinnedRate } from './step-series.ts';

const WINDOW = 30e6;

export interface LookupTruth {
  /** Now, live ones. */
  holdersOf(digest: Digest): readonly number[];
  /** At this instant, which is now: it is connected to it, or could dial it, and nothing is cut between them. */
  reaches(node: number, holder: number, at: number): boolean;
  /** Whether a fault cut one of the ways between them; microseconds after the warm-up, ends included. */
  wasCut(a: number, b: number, from: number, to: number): boolean;
  readonly cuts: readonly CutSides[];
}

interface Begun {
  readonly at: number;
  readonly node: number;
  readonly digest: Digest;
  readonly holders: Set<number>;
}

class Tally {
  found = 0;
  failed = 0;

  add(found: boolean): void {
    if (found) this.found++;
    else this.failed++;
  }

  get all(): number {
    return this.found + this.failed;
  }

  get share(): number | undefined {
    return this.all === 0 ? undefined : this.found / this.all;
  }
}

/** All of a side, or of the network. */
class Group {
  readonly all = new Tally();
  readonly eligible = new Tally();
  readonly begun = new BinnedRate();
  readonly failed = new BinnedRate();

  add(at: number, found: boolean, eligible: boolean): void {
    this.all.add(found);
    if (eligible) this.eligible.add(found);
    this.begun.add(at);
    this.failed.add(at, found ? 0 : 1);
  }
}

export class Lookups {
  readonly #truth: LookupTruth;
  readonly #begun = new Map<number, Begun>();
  readonly #values: Times['values'][number][] = [];
  readonly #network = new Group();
  /** By cut and side. */
  readonly #sides = new Map<string, Map<string, Group>>();

  constructor(truth: LookupTruth) {
    this.#truth = truth;
    for (const { fault, sides } of truth.cuts)
      this.#sides.set(fault, new Map(sides.map((side) => [side, new Group()])));
  }

  /** `at`: microseconds after the warm-up; what began before is no look-up. */
  observe(at: number, event: ModelEvent): void {
    switch (event.kind) {
      case 'attempt-began': {
        const { attempt, onDisk, upstreamOpen } = event;
        const { id, node, digest, what } = attempt;
        if (at < 0 || what !== 'file' || digest === undefined || onDisk || upstreamOpen) return;
        const holders = this.#truth.holdersOf(digest).filter((one) => this.#truth.reaches(node, one, at));
        this.#begun.set(id, { at, node, digest, holders: new Set(holders) });
        return;
      }
      case 'attempt-ended': {
        const begun = this.#begun.get(event.attempt.id);
        if (begun === undefined) return;
        this.#begun.delete(event.attempt.id);
        this.#decide(begun, at, event.end.outcome === 'verified' && at - begun.at <= WINDOW);
        return;
      }
      case 'node-down':
        for (const [id, begun] of this.#begun)
          if (begun.node === event.node) this.#breakOff(id, begun, at);
          else this.#lose(begun, event.node, at);
        return;
      case 'node-wiped':
        for (const begun of this.#begun.values()) this.#lose(begun, event.node, at);
        return;
      case 'fact': {
        if (event.name === 'peer:disconnected') return this.#part(event.node, at);
        if (event.name !== 'blob:evicted' && event.name !== 'blob:corrupt') return;
        const { digest } = event.fact as { digest: Digest };
        for (const begun of this.#begun.values())
          if (begun.digest === digest) this.#lose(begun, event.node, at);
        return;
      }
      default:
    }
  }

  /** The run is over: what still waits was not watched to its end. */
  finish(at: number): void {
    for (const [id, begun] of this.#begun) this.#breakOff(id, begun, at);
  }

  /** Found of those that were watched to their end. */
  get share(): number | undefined {
    return this.#network.all.share;
  }

  get eligibleShare(): number | undefined {
    return this.#network.eligible.share;
  }

  /** `end`: of the run; microseconds after the warm-up. */
  counters(end: number): Counter[] {
    const lengths = new Map(
      this.#truth.cuts.map(({ fault, from, until }) => [fault, Math.max(0, Math.min(until, end) - from)]),
    );
    return [
      ...countersOf(this.#network, { suffix: '', length: end }),
      ...[...this.#sides].flatMap(([fault, sides]) => {
        const of = { suffix: `(${fault})`, length: lengths.get(fault) ?? 0 };
        return [...sides].flatMap(([group, tally]) => countersOf(tally, { ...of, group }));
      }),
    ];
  }

  series(end: number): Series[] {
    const rates = (one: Group, suffix: string, group?: string): Series[] => [
      { metric: `lookups${suffix}`, unit: '1/s', ...withGroup(group), points: one.begun.points(end) },
      { metric: `lookups_failed${suffix}`, unit: '1/s', ...withGroup(group), points: one.failed.points(end) },
    ];
    return [
      ...(this.#network.all.all === 0 ? [] : rates(this.#network, '')),
      ...[...this.#sides].flatMap(([fault, sides]) =>
        [...sides].flatMap(([group, one]) => (one.all.all === 0 ? [] : rates(one, `(${fault})`, group))),
      ),
    ];
  }

  times(): Times {
    return { metric: 'lookup_time', unit: 'us', window: WINDOW, values: this.#values };
  }

  #lose({ at: began, holders }: Begun, node: number, at: number): void {
    if (at <= began + WINDOW) holders.delete(node);
  }

  /** The node has a connection less: whom nobody can dial is out of reach without one. */
  #part(node: number, at: number): void {
    for (const { at: began, node: asker, holders } of this.#begun.values()) {
      if (at > began + WINDOW) continue;
      for (const holder of holders)
        if ((asker === node || holder === node) && !this.#truth.reaches(asker, holder, at))
          holders.delete(holder);
    }
  }

  #breakOff(id: number, begun: Begun, at: number): void {
    this.#begun.delete(id);
    if (at - begun.at > WINDOW) this.#decide(begun, at, false);
    else this.#values.push({ kind: 'censored', bound: at - begun.at, at: begun.at, node: begun.node });
  }

  #decide({ at: began, node, holders }: Begun, at: number, found: boolean): void {
    const { wasCut, cuts } = this.#truth;
    const until = Math.min(at, began + WINDOW);
    const eligible = [...holders].some((holder) => !wasCut(node, holder, began, until));
    const of = { at: began, node };
    this.#values.push(found ? { kind: 'observed', value: at - began, ...of } : { kind: 'failed', ...of });
    this.#network.add(began, found, eligible);
    for (const { fault, from, until: heal, sideOf } of cuts) {
      if (began < from || began >= heal) continue;
      const sides = this.#sides.get(fault) ?? new Map<string, Group>();
      this.#sides.set(fault, sides);
      const side = sideOf(node);
      const group = sides.get(side) ?? new Group();
      sides.set(side, group);
      group.add(began, found, eligible);
    }
  }
}

/** `length`: of the time in which they could begin; microseconds. */
function countersOf(
  { all, eligible }: Group,
  { suffix, length, group }: { readonly suffix: string; readonly length: number; readonly group?: string },
): Counter[] {
  const counter = (metric: string, value: number | undefined): Counter[] =>
    value === undefined ? [] : [{ metric: `${metric}${suffix}`, unit: '1', ...withGroup(group), value }];
  const mean = (metric: string, count: number): Counter[] =>
    all.all === 0 || length === 0
      ? []
      : [
          {
            metric: `${metric}${suffix}.mean`,
            unit: '1/s',
            ...withGroup(group),
            value: (count * 1e6) / length,
          },
        ];
  // Rates have the plain names.
  return [
    ...counter('lookups.count', all.all),
    ...counter('lookups_failed.count', all.failed),
    ...counter('lookup_all', all.share),
    ...counter('lookups_eligible.count', eligible.all),
    ...counter('lookup_eligible', eligible.share),
    ...mean('lookups', all.all),
    ...mean('lookups_failed', all.failed),
  ];
}

function withGroup(group: string | undefined): { readonly group?: string } {
  return group === undefined ? {} : { group };
}
