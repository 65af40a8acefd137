/**
 * What is so at each moment of a run, as step series: what changed within one instant is looked at once, when time goes on.
 * Levels that cost more than a few steps are found only after the warm-up.
 */
import type { ModelEvent } from '../model/model-event.ts';
import type { Series } from '../results/run-result.ts';
import { meanOver } from '../statistics/time-weighted.ts';
import type { FileHolders } from './file-holders.ts';
import { HeadDivergence } from './head-divergence.ts';
import { ServedConflicts } from './served-conflicts.ts';
import type { RoutingTables } from './routing-tables.ts';
import { Level } from './step-series.ts';
import type { Topology } from './topology.ts';

/** What a network that has settled keeps: connections, and the entries of a routing table. */
export const warmUpLevels = ['connections', 'routes'] as const;
export type WarmUpLevel = (typeof warmUpLevels)[number];

export interface RunLevelsOptions {
  readonly warmup: number;
  /** It has seen an event before this is told of it. */
  readonly topology: Topology;
  /** Are told by this. */
  readonly holders: FileHolders;
  readonly tables: RoutingTables;
  readonly isByzantine: (fault: string) => boolean;
}

export class RunLevels {
  readonly #options: RunLevelsOptions;
  readonly #heads = new HeadDivergence();
  readonly #conflicts: ServedConflicts;
  readonly #live = new Set<number>();
  readonly #levels = {
    heads: new Level(),
    divergence: new Level(),
    live: new Level(),
    connections: new Level(),
    stale_connections: new Level(),
    routes: new Level(),
    stale_routes: new Level(),
    conflicts: new Level(),
    holders: new Level(),
    availability: new Level(),
  };
  /** Since time 0 of the kernel. */
  readonly #warmUp: Record<WarmUpLevel, Level> = { connections: new Level(), routes: new Level() };
  #changedAt: number | undefined;
  /** Links of a flaky cut come and go without an event. */
  #lastCut: number | undefined;
  #filesChanged = true;
  #components: ReadonlyMap<number, number> | undefined;

  constructor(options: RunLevelsOptions) {
    this.#options = options;
    this.#conflicts = new ServedConflicts(options.isByzantine);
  }

  /** Before the others hear of an event: the state until then holds up to it. */
  settle(at: number): void {
    const since = this.#changedAt;
    if (since === undefined || at <= since) return;
    this.#warmUp.connections.set(since, this.#options.topology.connections);
    this.#warmUp.routes.set(since, this.#options.tables.meanSize);
    // Before, nothing else is measured; the last state is that of the beginning.
    if (at <= this.#options.warmup) return;
    this.#set(since);
    this.#changedAt = undefined;
  }

  /** `at`: the kernel's microseconds. */
  observe(at: number, event: ModelEvent): void {
    if (event.kind === 'node-up') this.#live.add(event.node);
    if (event.kind === 'node-down') this.#live.delete(event.node);
    const heads = this.#heads.observe(event);
    const conflicts = this.#conflicts.observe(event);
    const files = this.#options.holders.observe(event);
    const routes = this.#options.tables.observe(at, event);
    if (files) this.#filesChanged = true;
    const { lastCut } = this.#options.topology;
    const flipped = lastCut !== this.#lastCut;
    this.#lastCut = lastCut;
    if (heads || conflicts || files || routes || flipped || isOfLinks(event)) this.#changedAt = at;
  }

  /** The run is over. */
  finish(end: number): void {
    this.settle(end + 1);
  }

  series(): Series[] {
    return Object.entries(this.#levels).map(([metric, { points }]) => ({ metric, unit: '1', points }));
  }

  get live(): Level {
    return this.#levels.live;
  }

  get divergence(): Level {
    return this.#levels.divergence;
  }

  /** Over the measured time. */
  availability(end: number): number | undefined {
    return meanOver(this.#levels.availability.points, 0, end);
  }

  /** Its mean in [from, to) of the kernel's time. */
  duringWarmUp(level: WarmUpLevel, from: number, to: number): number {
    return meanOver(this.#warmUp[level].points, from, to) ?? 0;
  }

  /** The state that came about at `at`. */
  #set(at: number): void {
    const { topology, holders, tables, warmup } = this.#options;
    const time = at - warmup;
    this.#levels.heads.set(time, this.#heads.heads);
    this.#levels.divergence.set(time, this.#heads.divergence);
    this.#levels.live.set(time, this.#live.size);
    this.#levels.connections.set(time, topology.connections);
    this.#levels.stale_connections.set(time, topology.staleShare);
    this.#levels.routes.set(time, tables.meanSize);
    this.#levels.stale_routes.set(time, tables.staleShare(at));
    this.#levels.conflicts.set(time, this.#conflicts.count);
    const { components } = topology;
    if (components !== this.#components || this.#filesChanged) {
      this.#levels.holders.set(time, holders.meanHolders);
      this.#levels.availability.set(time, holders.availability(components));
    }
    this.#components = components;
    this.#filesChanged = false;
  }
}

function isOfLinks(event: ModelEvent): boolean {
  return event.kind === 'fact' && (event.name === 'peer:connected' || event.name === 'peer:disconnected');
}
