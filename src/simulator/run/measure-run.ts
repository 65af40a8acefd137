/**
 * What a run is measured by, from the events of the model alone: rates and levels over time, look-ups, reconvergence after
 * each heal, promises, and the scenario's asserts.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Counter, FaultBand, Series, Times } from '../results/run-result.ts';
import { decideAsserts, type Decision, type Measured } from '../scenario/decide-asserts.ts';
import type { Links } from '../scenario/links.ts';
import { cutsLinks, endOf, type Ratio, type Scenario } from '../scenario/scenario.ts';
import { meanOver } from '../statistics/time-weighted.ts';
import { Lookups } from './lookups.ts';
import type { Promises } from './promises.ts';
import type { Reconvergence } from './reconvergence.ts';
import { BinnedRate, Level } from './step-series.ts';
import type { Topology } from './topology.ts';

/** Of connections, over the last quarter of the warm-up and the one before it. */
const DRIFT = 0.05;

export interface Measurement {
  readonly decision: Decision;
  readonly series: readonly Series[];
  readonly times: readonly Times[];
  readonly counters: readonly Counter[];
  readonly faults: readonly FaultBand[];
}

export interface RunWatchers {
  readonly links: Links;
  readonly promises: Promises;
  readonly topology: Topology;
  readonly reconvergence: Reconvergence;
}

export class RunMeasures {
  readonly #scenario: Scenario;
  readonly #watchers: RunWatchers;
  readonly #rates = new Map<string, BinnedRate>();
  readonly #heads = new Level();
  readonly #live = new Level();
  readonly #connections = new Level();
  /** Since time 0 of the kernel. */
  readonly #warmUp = new Level();
  /** By node, what it believes. */
  readonly #headOf = new Map<number, Map<string, number>>();
  readonly #peers = new Map<number, Set<string>>();
  readonly #effects = new Map<string, number>();
  readonly #lookups = new Lookups();
  #attempts = 0;

  constructor(scenario: Scenario, watchers: RunWatchers) {
    this.#scenario = scenario;
    this.#watchers = watchers;
  }

  /** `at`: the kernel's microseconds, in their order. */
  observe(at: number, event: ModelEvent): void {
    const { promises, topology, reconvergence } = this.#watchers;
    topology.observe(at, event);
    reconvergence.observe(at, event);
    promises.observe(at, event);
    const time = at - this.#scenario.warmup;
    this.#lookups.observe(time, event);
    switch (event.kind) {
      case 'packet-cut':
      case 'upstream-unanswered':
        for (const fault of event.faults) this.#effect(fault, 1);
        return this.#count(event.kind === 'packet-cut' ? 'packets_cut' : 'upstream_unanswered', time);
      case 'fault-began': {
        const fault = this.#scenario.faults.find(({ id }) => id === event.fault);
        if (fault !== undefined && !cutsLinks(fault) && fault.kind !== 'upstream')
          this.#effect(event.fault, event.hosts.length);
        return;
      }
      case 'attempt-began':
        this.#attempts++;
        return this.#count(`${event.attempt.what}_attempts`, time);
      case 'attempt-ended': {
        const { attempt, end } = event;
        if (end.outcome === 'verified') this.#count(`${attempt.what}_from_${end.source}`, time);
        return this.#count(`${attempt.what}_${end.outcome}`, time);
      }
      case 'node-up':
        this.#peers.set(event.node, new Set());
        return this.#setLevels(at);
      case 'node-down':
        this.#peers.delete(event.node);
        return this.#setLevels(at);
      case 'node-wiped':
        this.#headOf.delete(event.node);
        return this.#setLevels(at);
      case 'fact':
        return this.#fact(at, event);
      default:
    }
  }

  /** `end`: the kernel's microseconds. */
  finish(end: number): Measurement {
    const length = end - this.#scenario.warmup;
    const rates = [...this.#rates].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      decision: decideAsserts(this.#scenario, this.#measured(length)),
      series: [
        { metric: 'heads', unit: '1', points: this.#heads.points },
        { metric: 'live', unit: '1', points: this.#live.points },
        { metric: 'connections', unit: '1', points: this.#connections.points },
        ...rates.map(([metric, rate]) => ({ metric, unit: '1/s', points: rate.points(length) })),
      ],
      times: [...this.#reconvergeTimes(length), this.#lookups.times()],
      counters: [
        { metric: 'attempts', unit: '1', value: this.#attempts },
        ...this.#lookups.counters(),
        ...rates.map(([metric, rate]) => ({ metric: `${metric}.total`, unit: '1', value: rate.total })),
        ...this.#scenario.assert.never.map((invariant) => ({
          metric: `violations(${invariant})`,
          unit: '1',
          value: this.#watchers.promises.count(invariant),
        })),
      ],
      faults: this.#bands(length),
    };
  }

  #reconvergeTimes(length: number): Times[] {
    const { links, topology, reconvergence } = this.#watchers;
    const { warmup, faults } = this.#scenario;
    return faults.flatMap((fault): Times[] => {
      const heal = links.healOf(fault.id);
      if (heal === undefined || heal >= length) return [];
      const window = length - heal;
      const whole = topology.wholeAfter(fault.id, warmup + fault.at, warmup + heal, warmup + length);
      return [
        {
          metric: `reconverge(${fault.id})`,
          unit: 'us',
          window,
          values: [...reconvergence.timesAfter(warmup + heal)].map(([node, value]) => {
            if (value !== undefined) return { kind: 'observed', value, node };
            const died = reconvergence.endOfLife(node, warmup + heal);
            return died === undefined
              ? { kind: 'failed', node }
              : { kind: 'censored', bound: died - warmup - heal, node };
          }),
        },
        {
          metric: `reconverge_topology(${fault.id})`,
          unit: 'us',
          window,
          values: [whole === undefined ? { kind: 'failed' } : { kind: 'observed', value: whole }],
        },
      ];
    });
  }

  #bands(length: number): FaultBand[] {
    return this.#scenario.faults
      .filter(({ at }) => at < length)
      .map((fault) => ({
        id: fault.id,
        label: `${fault.kind} ${fault.id}`,
        intervals: [{ from: fault.at, to: Math.min(length, endOf(fault)) }],
      }));
  }

  #fact(at: number, { node, name, fact }: Extract<ModelEvent, { kind: 'fact' }>): void {
    const time = at - this.#scenario.warmup;
    if (name === 'head:advanced') {
      const { origin, seq } = fact as Facts['head:advanced'];
      const head = this.#headOf.get(node) ?? new Map<string, number>();
      head.set(origin, seq);
      this.#headOf.set(node, head);
      this.#setLevels(at);
    }
    if (name === 'peer:connected' || name === 'peer:disconnected') {
      const { peerId } = fact as Facts['peer:connected'];
      if (name === 'peer:connected') this.#peers.get(node)?.add(peerId);
      else this.#peers.get(node)?.delete(peerId);
      this.#setLevels(at);
    }
    if (name === 'peer:connected') this.#count('connects', time);
    if (name === 'publisher:signed') this.#count('records_signed', time);
    if (name === 'peer:banned') this.#count('bans', time);
    if (name === 'record:refused') this.#count('records_refused', time);
    if (name === 'blob:fetched') {
      const { bytes } = fact as Facts['blob:fetched'];
      this.#count('bytes_from_peers', time, bytes.peer);
      this.#count('bytes_from_upstream', time, bytes.upstream);
    }
  }

  #setLevels(at: number): void {
    const time = at - this.#scenario.warmup;
    const live = [...this.#peers.keys()];
    const heads = new Set(
      live.flatMap((node) => {
        const head = this.#headOf.get(node);
        return head === undefined ? [] : [describeHead(head)];
      }),
    );
    // Both ends tell of each.
    const connections = [...this.#peers.values()].reduce((sum, peers) => sum + peers.size, 0) / 2;
    this.#heads.set(time, heads.size);
    this.#live.set(time, live.length);
    this.#connections.set(time, connections);
    this.#warmUp.set(at, connections);
  }

  #measured(end: number): Measured {
    const { warmup, faults } = this.#scenario;
    const { links, promises, topology, reconvergence } = this.#watchers;
    const ratios: Partial<Record<Ratio, number | undefined>> = { lookup_all: this.#lookups.share };
    const quarter = (from: number): number =>
      meanOver(this.#warmUp.points, (from * warmup) / 4, ((from + 1) * warmup) / 4) ?? 0;
    return {
      end,
      healOf: (fault) => links.healOf(fault),
      cuts: links.cutInstants(end),
      effectsOf: (fault) => this.#effects.get(fault) ?? 0,
      attempts: this.#attempts,
      violations: (invariant) => promises.count(invariant),
      timesAfter: (condition, event) =>
        condition === 'converged'
          ? [...reconvergence.timesAfter(warmup + event).values()]
          : faults
              .filter(({ id }) => links.healOf(id) === event)
              .map(({ id, at }) => topology.wholeAfter(id, warmup + at, warmup + event, warmup + end)),
      ratio: (ratio) => ratios[ratio],
      steady: Math.abs(quarter(3) - quarter(2)) <= DRIFT * Math.max(1, quarter(2)),
    };
  }

  #count(metric: string, time: number, count = 1): void {
    const rate = this.#rates.get(metric) ?? new BinnedRate();
    this.#rates.set(metric, rate);
    rate.add(time, count);
  }

  #effect(fault: string, count: number): void {
    this.#effects.set(fault, (this.#effects.get(fault) ?? 0) + count);
  }
}

function describeHead(head: ReadonlyMap<string, number>): string {
  return [...head]
    .map(([origin, seq]) => `${origin} ${seq}`)
    .toSorted()
    .join('\n');
}
