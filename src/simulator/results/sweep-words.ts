/** What a sweep's plots call a metric and what was varied, in words; the exact name and the pointer stand beside them. */
import { parse } from 'yaml';
import { baseOf } from './metric-words.ts';

const NAMES: Readonly<Record<string, string>> = {
  availability: 'files available',
  delivery: 'records heard by gossip',
  delivery_reach: 'records heard in one component',
  lookup_all: 'look-ups that succeed',
  lookup_eligible: 'look-ups that could succeed and do',
  lookup_time: 'time of look-ups',
  reconverge: 'time to reconverge',
  reconverge_topology: 'time until the graph is whole',
};

const STATISTICS: Readonly<Record<string, string>> = {
  p50: 'median',
  p99: '99th percentile',
  max: 'the slowest',
  mean: 'mean over the run',
  failed_share: 'share that never did',
};

/** `reconverge(split).p50`: time to reconverge after split, median. */
export function metricTitle(metric: string): string {
  const { base, cut, side, statistic } = partsOf(metric);
  const when = base.startsWith('reconverge') ? 'after' : 'during';
  return [
    `${nameOf(base)}${cut === undefined ? '' : ` ${when} ${cut}`}`,
    ...(side === undefined ? [] : [`on the side of ${side}`]),
    ...(statistic === undefined ? [] : [STATISTICS[statistic] ?? statistic.replaceAll('_', ' ')]),
  ].join(', ');
}

/** Short enough to stand beside an axis. */
export function metricLabel(metric: string): string {
  const { base, statistic } = partsOf(metric);
  return statistic === 'failed_share' ? 'share that never did' : nameOf(base);
}

/** `lookup_all(split)[region:eu].mean` */
function partsOf(metric: string): {
  readonly base: string;
  readonly cut: string | undefined;
  readonly side: string | undefined;
  readonly statistic: string | undefined;
} {
  const [, rest = metric, statistic] = /^(.*?)\.([a-z0-9_]+)$/.exec(metric) ?? [];
  const [, whole = rest, side] = /^(.*)\[(.*)\]$/.exec(rest) ?? [];
  return { base: baseOf(whole), cut: /\((.*)\)/.exec(whole)?.[1], side, statistic };
}

function nameOf(base: string): string {
  return NAMES[base] ?? base.replaceAll('_', ' ');
}

const VARIED: readonly (readonly [pointer: RegExp, words: string])[] = [
  [/^\/replication$/, 'copies of each file'],
  [/^\/nodes\/count$/, 'nodes'],
  [/^\/network\/loss$/, 'loss of packets'],
  [/^\/network\/jitter$/, 'jitter of the latency'],
  [/^\/churn\/session\/\w+\/mean$/, 'mean session'],
  [/^\/churn\/session\/\w+\/median$/, 'median session'],
  [/^\/churn\/downtime\/\w+\/mean$/, 'mean downtime'],
  [/^\/churn\/downtime\/\w+\/median$/, 'median downtime'],
  [/^\/policy\/threshold$/, 'publishers that must agree'],
  [/^\/workload\/publishers(\/count)?$/, 'publishers'],
  [/^\/workload\/snapshots\/every$/, 'time between snapshots'],
  [/^\/workload\/pip\/rate$/, 'installations'],
  [/^\/faults\/\d+\/for$/, 'length of'],
  [/^\/faults\/\d+\/at$/, 'beginning of'],
  [/^\/faults\/\d+\/flaky\/up$/, 'time up in'],
  [/^\/faults\/\d+\/flaky\/down$/, 'time down in'],
  [/^\/faults\/\d+\/skew$/, 'skew of'],
];

/** `axis`: as `sweepAxes` names it. `scenario`: resolved YAML, for the names of the faults. */
export function axisTitle(axis: string, scenario: string): string {
  return axis
    .split(' & ')
    .map((pointer) => {
      const words = VARIED.find(([pattern]) => pattern.test(pointer))?.[1];
      const [, index] = /^\/faults\/(\d+)\//.exec(pointer) ?? [];
      if (words === undefined) return pointer.slice(1).replaceAll(/[/_]/g, ' ');
      return index === undefined ? words : `${words} ${faultId(scenario, Number(index))}`;
    })
    .join(' & ');
}

function faultId(scenario: string, index: number): string {
  const { faults } = (parse(scenario) ?? {}) as { faults?: readonly { readonly id?: string }[] };
  return faults?.[index]?.id ?? `fault ${index}`;
}
