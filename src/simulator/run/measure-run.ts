/**
 * What a run is measured by, from the events of the model alone: rates and levels over time, look-ups, delivery, freshness,
 * reconvergence after each heal, promises, and the scenario's asserts.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Counter, FaultBand, Series, Times } from '../results/run-result.ts';
import { decideAsserts, type Decision, type Measured } from '../scenario/decide-asserts.ts';
import type { FaultHosts } from '../scenario/fault-hosts.ts';
import type { Links } from '../scenario/links.ts';
import { cutsLinks, type Ratio, type Scenario } from '../scenario/scenario.ts';
import { cutCounters, faultBands, healedCuts, reconvergeTimes } from './cut-measures.ts';
import { cutSides } from './cut-sides.ts';
import { Delivery } from './delivery.ts';
import { Dials } from './dials.ts';
import type { FileHolders } from './file-holders.ts';
import { Freshness } from './freshness.ts';
import { Lookups } from './lookups.ts';
import type { Promises } from './promises.ts';
import type { Reconvergence } from './reconvergence.ts';
import { RoutingTables } from './routing-tables.ts';
import { RunLevels, warmUpLevels, type WarmUpLevel } from './run-levels.ts';
import { BinnedRate } from './step-series.ts';
import type { Topology } from './topology.ts';
import { Traffic } from './traffic.ts';

/** Of connections and of routing tables' entries, over the last quarter of the warm-up and the one before it. */
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
  readonly cuts: readonly FaultHosts[];
  readonly promises: Promises;
  readonly topology: Topology;
  readonly reconvergence: Reconvergence;
  readonly holders: FileHolders;
  /** A host that others can dial. */
  readonly isDialable: (node: number) => boolean;
  readonly isByzantine: (fault: string) => boolean;
}

export class RunMeasures {
  readonly traffic = new Traffic();
  readonly dials = new Dials();
  readonly #scenario: Scenario;
  readonly #watchers: RunWatchers;
  readonly #rates = new Map<string, BinnedRate>();
  readonly #levels: RunLevels;
  readonly #effects = new Map<string, number>();
  readonly #lookups: Lookups;
  readonly #delivery: Delivery;
  readonly #freshness: Freshness;
  #attempts = 0;

  constructor(scenario: Scenario, watchers: RunWatchers) {
    this.#scenario = scenario;
    this.#watchers = watchers;
    const { links, topology, isByzantine, holders } = watchers;
    const { warmup } = scenario;
    const tables = new RoutingTables({ links, warmup });
    this.#levels = new RunLevels({ warmup, topology, holders, tables, isByzantine });
    this.#delivery = new Delivery({ components: () => topology.components, isByzantine });
    this.#freshness = new Freshness({ threshold: scenario.policy.threshold, warmup });
    this.#lookups = this.#watchLookups(watchers);
  }

  /** `at`: the kernel's microseconds, in their order. */
  observe(at: number, event: ModelEvent): void {
    const { promises, topology, reconvergence } = this.#watchers;
    const time = at - this.#scenario.warmup;
    // Millions, and none of them concerns the others.
    if (event.kind !== 'packet-cut') {
      this.#levels.settle(at);
      this.#delivery.observe(time, event);
      topology.observe(at, event);
      this.#levels.observe(at, event);
      reconvergence.observe(at, event);
      promises.observe(at, event);
      this.#lookups.observe(time, event);
      this.#freshness.observe(at, event);
    }
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
      case 'fact':
        return this.#fact(time, event);
      default:
    }
  }

  /** `end`: the kernel's microseconds. */
  finish(end: number): Measurement {
    const length = end - this.#scenario.warmup;
    this.#levels.finish(end);
    this.#lookups.finish(length);
    this.#delivery.finish(length);
    this.#freshness.finish(end);
    const cuts = healedCuts(this.#scenario, this.#watchers.links, length);
    const rates = [...this.#rates].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      decision: decideAsserts(this.#scenario, this.#measured(length)),
      series: [
        ...this.#levels.series(),
        ...this.#freshnessSeries(length),
        ...this.#lookups.series(length),
        ...this.traffic.series(length, this.#levels.live.points),
        this.dials.series(length),
        ...rates.map(([metric, rate]) => ({
          metric,
          unit: `${unitOf(metric)}/s`,
          points: rate.points(length),
        })),
      ],
      times: [...cuts.flatMap((cut) => reconvergeTimes(cut, this.#watchers)), this.#lookups.times()],
      counters: [
        ...this.#lookups.counters(length),
        ...this.#delivery.counters(),
        ...this.#freshnessCounters(),
        ...cuts.flatMap((cut) => cutCounters(cut, this.#levels.divergence.points, this.dials)),
        ...this.traffic.counters(),
        ...this.traffic.means(length, this.#levels.live.points),
        { metric: 'attempts', unit: '1', value: this.#attempts },
        ...rates.flatMap(([metric, rate]) => rateCounters(metric, rate.total, length)),
        ...this.#scenario.assert.never.map((invariant) => ({
          metric: `violations(${invariant})`,
          unit: '1',
          value: this.#watchers.promises.count(invariant),
        })),
      ],
      faults: faultBands(this.#scenario, length),
    };
  }

  #watchLookups({ links, cuts, holders, topology, isDialable }: RunWatchers): Lookups {
    const isUp = (a: number, b: number, at: number): boolean =>
      links.mode(a, b, at) === 'up' && links.mode(b, a, at) === 'up';
    return new Lookups({
      holdersOf: (digest) => holders.holdersOf(digest),
      reaches: (node, holder, at) =>
        (isDialable(holder) || topology.isConnected(node, holder)) && isUp(node, holder, at),
      wasCut(a, b, from, to) {
        for (let at: number | undefined = from; at !== undefined && at <= to; at = links.nextChange(at))
          if (!isUp(a, b, at)) return true;
        return false;
      },
      cuts: cuts.map((hosts) => {
        const { id, at } = hosts.fault;
        return cutSides(hosts, { from: at, heal: links.healOf(id) });
      }),
    });
  }

  #freshnessSeries(length: number): Series[] {
    const points = this.#freshness.points(length).map(({ at, value }) => ({ at, value: seconds(value) }));
    return this.#freshness.quantile(0) === undefined ? [] : [{ metric: 'freshness_lag', unit: 's', points }];
  }

  #freshnessCounters(): Counter[] {
    const lag = this.#freshness;
    return Object.entries({
      mean: lag.mean,
      p50: lag.quantile(0.5),
      p99: lag.quantile(0.99),
      max: lag.quantile(1),
    }).flatMap(([name, found]): Counter[] => {
      const value = seconds(found);
      return value === undefined ? [] : [{ metric: `freshness_lag.${name}`, unit: 's', value }];
    });
  }

  #fact(time: number, { name, fact }: Extract<ModelEvent, { kind: 'fact' }>): void {
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

  #measured(end: number): Measured {
    const { warmup, faults } = this.#scenario;
    const { links, promises, topology, reconvergence } = this.#watchers;
    const ratios: Record<Ratio, number | undefined> = {
      lookup_all: this.#lookups.share,
      lookup_eligible: this.#lookups.eligibleShare,
      delivery: this.#delivery.delivery,
      delivery_reach: this.#delivery.deliveryReach,
      availability: this.#levels.availability(end),
    };
    const quarter = (level: WarmUpLevel, from: number): number =>
      this.#levels.duringWarmUp(level, (from * warmup) / 4, ((from + 1) * warmup) / 4);
    const drifts = (level: WarmUpLevel): boolean =>
      Math.abs(quarter(level, 3) - quarter(level, 2)) > DRIFT * Math.max(1, quarter(level, 2));
    return {
      end,
      healOf: (fault) => links.healOf(fault),
      cuts: links.cutInstants(end),
      effectsOf: (fault) => this.#effects.get(fault) ?? 0,
      attempts: this.#attempts,
      violations: (invariant) => promises.count(invariant),
      checks: (invariant) => promises.checks(invariant),
      timesAfter: (condition, event) =>
        condition === 'converged'
          ? [...reconvergence.timesAfter(warmup + event, warmup + end).values()]
          : faults
              .filter(({ id }) => links.healOf(id) === event)
              .map(({ id, at }) => topology.wholeAfter(id, warmup + at, warmup + event, warmup + end)),
      ratio: (ratio) => ratios[ratio],
      drifting: warmUpLevels.filter(drifts),
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

/** What was counted, and how much of it a second: bins in which nothing happened are a part of that. */
function rateCounters(metric: string, total: number, length: number): Counter[] {
  const unit = unitOf(metric);
  const value = (total * 1e6) / length;
  return [
    { metric: `${metric}.total`, unit, value: total },
    ...(length > 0 ? [{ metric: `${metric}.mean`, unit: `${unit}/s`, value }] : []),
  ];
}

function unitOf(metric: string): string {
  return metric.startsWith('bytes_') ? 'B' : '1';
}

function seconds(microseconds: number | undefined): number | undefined {
  return microseconds === undefined ? undefined : microseconds / 1e6;
}
