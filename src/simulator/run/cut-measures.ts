/** What each cut did, and how soon it was forgotten: of those that healed before the run ended. Times after the warm-up. */
import { limits } from '../../core/limits.ts';
import type { Counter, FaultBand, Times } from '../results/run-result.ts';
import type { Links } from '../scenario/links.ts';
import { endOf, type Scenario } from '../scenario/scenario.ts';
import { areaOver, meanOver, type StepPoint } from '../statistics/time-weighted.ts';
import type { Dials } from './dials.ts';
import type { Reconvergence } from './reconvergence.ts';
import type { Topology } from './topology.ts';

interface HealedCut {
  readonly fault: string;
  readonly warmup: number;
  readonly at: number;
  readonly heal: number;
  /** Until when its traces are looked for: as long as an assert gives it, before another cut and the run's end. */
  readonly settled: number;
  readonly end: number;
}

export function healedCuts(
  { faults, assert, warmup }: Scenario,
  links: Pick<Links, 'healOf' | 'cutInstants'>,
  end: number,
): HealedCut[] {
  const instants = links.cutInstants(end);
  return faults.flatMap(({ id: fault, at }) => {
    const heal = links.healOf(fault);
    if (heal === undefined || heal >= end) return [];
    const asked = assert.within
      .filter(({ after }) => after.event === 'heal' && (after.fault ?? fault) === fault)
      .map(({ within }) => within);
    const window = asked.length > 0 ? Math.max(...asked) : limits.scenario.windowAfterFaults * 1000;
    const next = instants.find((cut) => cut >= heal) ?? Infinity;
    return [{ fault, warmup, at, heal, settled: Math.min(heal + window, next, end), end }];
  });
}

export function reconvergeTimes(
  { fault, warmup, at, heal, end }: HealedCut,
  { reconvergence, topology }: { readonly reconvergence: Reconvergence; readonly topology: Topology },
): Times[] {
  const window = end - heal;
  const whole = topology.wholeAfter(fault, warmup + at, warmup + heal, warmup + end);
  const times = [...reconvergence.timesAfter(warmup + heal, warmup + end)];
  return [
    {
      metric: `reconverge(${fault})`,
      unit: 'us',
      window,
      values: times.map(([node, value]) => {
        if (value !== undefined) return { kind: 'observed', value, node };
        const died = reconvergence.endOfLife(node, warmup + heal);
        return died === undefined || died > warmup + end
          ? { kind: 'failed', node }
          : { kind: 'censored', bound: died - warmup - heal, node };
      }),
    },
    {
      metric: `reconverge_topology(${fault})`,
      unit: 'us',
      window,
      values: [whole === undefined ? { kind: 'failed' } : { kind: 'observed', value: whole }],
    },
  ];
}

export function cutCounters(
  { fault, at, heal, settled }: HealedCut,
  divergence: readonly StepPoint[],
  dials: Dials,
): Counter[] {
  const length = settled - at;
  // Where less was measured before the cut than after it, what there was stands for all.
  const before = meanOver(divergence, Math.max(0, at - length), at);
  const area = areaOver(divergence, at, settled);
  return [
    ...(before === undefined
      ? []
      : [{ metric: `divergence_area(${fault})`, unit: 's', value: (area - before * length) / 1e6 }]),
    ...dials.after(fault, heal, settled - heal),
  ];
}

export function faultBands({ faults }: Scenario, end: number): FaultBand[] {
  return faults
    .filter(({ at }) => at < end)
    .map((fault) => ({
      id: fault.id,
      label: `${fault.kind} ${fault.id}`,
      intervals: [{ from: fault.at, to: Math.min(end, endOf(fault)) }],
    }));
}
