/**
 * What is compared, from the events of a run and by one rule for both sides: how long after the heal each node had every
 * publisher's log (the simulator's own definition, `Reconvergence`), and which share of records reached whom within 10 s.
 */
import type { Facts } from '../../src/core/facts.ts';
import type { ModelEvent } from '../../src/simulator/model/model-event.ts';
import { Reconvergence } from '../../src/simulator/run/reconvergence.ts';
import { medianOf } from '../../src/simulator/statistics/median.ts';
import type { RunPlan } from './run-plan.ts';

/** Microseconds: a record is delivered when a node has it within this. */
const IN_TIME = 10e6;

export interface TimedEvent {
  /** Microseconds since the plan's 0. */
  readonly at: number;
  readonly event: ModelEvent;
}

export interface SideMeasures {
  readonly run: number;
  /** Microseconds by heal, then by node; null: not by the end. */
  readonly reconverge: readonly (number | null)[];
  readonly heals: number;
  /** Of the run: of the nodes; Infinity if half of them did not. Of several heals the mean. */
  readonly median: number;
  /** Of all pairs of a record signed after the warm-up and a node but its publisher. */
  readonly delivery: number;
  /** Of those pairs that no fault parted in the 10 s. */
  readonly deliveryReach: number;
  readonly records: number;
  /** Between two nodes, at the beginning of the first cut and at its heal. */
  readonly connections: { readonly atCut: number; readonly atHeal: number };
}

type Run = Pick<RunPlan, 'run' | 'nodes' | 'warmup' | 'end' | 'links' | 'cuts'> & {
  /** When links were up again, as it happened. */
  readonly heals: readonly number[];
};

export function measureSide(events: readonly TimedEvent[], run: Run): SideMeasures {
  const reconvergence = new Reconvergence();
  for (const { at, event } of events) reconvergence.observe(at, event);
  const byHeal = run.heals.map((heal) => {
    const times = reconvergence.timesAfter(heal, run.end);
    return run.nodes.map(({ id }) => times.get(id) ?? null);
  });
  const medians = byHeal.map((values) => medianOf(values.map((value) => value ?? Infinity)) ?? Infinity);
  const pairs = deliveries(events, run);
  const share = (list: readonly { readonly inTime: boolean }[]): number =>
    list.filter(({ inTime }) => inTime).length / list.length;
  return {
    run: run.run,
    reconverge: byHeal.flat(),
    heals: byHeal.length,
    median: medians.reduce((sum, value) => sum + value, 0) / medians.length,
    delivery: share(pairs),
    deliveryReach: share(pairs.filter(({ parted }) => !parted)),
    records: pairs.length / (run.nodes.length - 1),
    connections: {
      atCut: connectionsAt(events, run.cuts[0]?.at ?? 0),
      atHeal: connectionsAt(events, run.heals[0] ?? 0),
    },
  };
}

function deliveries(
  events: readonly TimedEvent[],
  { nodes, warmup, end, links }: Run,
): { readonly inTime: boolean; readonly parted: boolean }[] {
  const signed: {
    readonly at: number;
    readonly node: number;
    readonly origin: string;
    readonly size: number;
  }[] = [];
  const known = new Map<string, { readonly at: number; readonly size: number }[]>();
  for (const { at, event } of events) {
    if (event.kind !== 'fact') continue;
    if (event.name === 'publisher:signed') {
      const { origin, size } = event.fact as Facts['publisher:signed'];
      signed.push({ at, node: event.node, origin, size });
    }
    if (event.name === 'head:advanced') {
      const { origin, seq } = event.fact as Facts['head:advanced'];
      const key = `${event.node} ${origin}`;
      known.set(key, [...(known.get(key) ?? []), { at, size: seq + 1 }]);
    }
  }
  const parted = (a: number, b: number, at: number): boolean => {
    for (let now: number | undefined = at - warmup; now !== undefined && now <= at - warmup + IN_TIME;) {
      if (links.mode(a, b, now) !== 'up') return true;
      now = links.nextChange(now);
    }
    return false;
  };
  return signed
    .filter(({ at }) => at >= warmup && at + IN_TIME <= end)
    .flatMap(({ at, node, origin, size }) =>
      nodes
        .filter(({ id }) => id !== node)
        .map(({ id }) => {
          const first = known.get(`${id} ${origin}`)?.find((step) => step.size >= size);
          return {
            inTime: first !== undefined && first.at <= at + IN_TIME,
            parted: parted(node, id, at),
          };
        }),
    );
}

function connectionsAt(events: readonly TimedEvent[], instant: number): number {
  const peers = new Map<number, Set<string>>();
  for (const { at, event } of events) {
    if (at > instant || event.kind !== 'fact') continue;
    const own = peers.get(event.node) ?? new Set<string>();
    peers.set(event.node, own);
    if (event.name === 'peer:connected') own.add((event.fact as Facts['peer:connected']).peerId);
    if (event.name === 'peer:disconnected') own.delete((event.fact as Facts['peer:connected']).peerId);
  }
  // Both ends tell of each.
  return [...peers.values()].reduce((sum, { size }) => sum + size, 0) / 2;
}
