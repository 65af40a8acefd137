/** `workload` and `churn`: what happens in the index, what pip's users do, and who comes and goes. */
import { limits } from '../../core/limits.ts';
import {
  group,
  frequency,
  recurrence,
  sizeDistribution,
  someTime,
  timeDistribution,
} from './common-shapes.ts';
import { orNone, orShort } from './compound-shapes.ts';
import { choice, number } from './scalar-shapes.ts';
import type { Churn, GroupText, PipWorkload, Workload } from './scenario.ts';
import { derived, failed, optional, optionalRecord, record, required, type Shape } from './shape.ts';

export interface GivenPlaced {
  readonly count: number | undefined;
  readonly among: GroupText | undefined;
}

const count = number({ min: 0, max: limits.scenario.nodes, whole: true });

/** `3` is `{count: 3}`. */
export function placed(about: string): Shape<GivenPlaced> {
  const long = record<GivenPlaced>(about, {
    count: derived(count, 'how many'),
    among: derived(group, 'whom they are drawn from, without roles (default: nodes that can be dialled)'),
  });
  return orShort(long, {
    applies: (place) => typeof place.scalar === 'number',
    read(place) {
      const number = count.read(place);
      return number === failed ? failed : { count: number, among: undefined };
    },
    schema: count.schema,
  });
}

const rejoin = record<Churn['rejoin']>('rejoin', {
  address: optional(choice('keep', 'new'), 'keep', 'whether it comes back at the same address'),
  state: optional(choice('keep', 'wipe'), 'keep', 'whether its disk is still there'),
});

export const churn: Shape<Churn | undefined> = orNone(
  record<Churn>('churn', {
    session: required(timeDistribution, 'how long a node stays'),
    downtime: required(timeDistribution, 'how long it is away'),
    rejoin: optionalRecord(rejoin, 'as what it comes back'),
    among: optional(group, ['!role:publisher & !role:bootstrap'], 'who comes and goes'),
  }),
);

const pip = record<PipWorkload>('the pip workload', {
  rate: optional(frequency, 1, 'installations (Poisson)'),
  per: optional(choice('network', 'node'), 'network', 'whose rate that is'),
  popularity: optionalRecord(
    record<PipWorkload['popularity']>('popularity', {
      zipf: optional(number({ min: 0, max: 5 }), 1.1, "exponent of the projects' popularity"),
    }),
    'which projects are asked for',
  ),
  among: optional(group, ['all'], 'whose gateways are asked'),
});

type Outages = NonNullable<Workload['upstream']['outages']>;
const outages = record<Outages>('outages', {
  up: required(timeDistribution, 'how long the upstream answers'),
  down: required(timeDistribution, 'how long it does not'),
});

const upstream = record<Workload['upstream']>('the upstream', {
  projects: optional(number({ min: 1, max: 1_000_000, whole: true }), 200, 'projects it has at the start'),
  fileSize: optional(
    sizeDistribution,
    { kind: 'lognormal', median: 100_000, sigma: 1.5 },
    'sizes of the files',
  ),
  outages: optional(orNone(outages), undefined, 'random downtime, besides the faults'),
});

export type GivenWorkload = Omit<Workload, 'publishers'> & { readonly publishers: GivenPlaced };

export const workload = record<GivenWorkload>('the workload', {
  publishers: optional(
    placed('the publishers'),
    { count: 3, among: undefined },
    'nodes that read the upstream and sign; 0: every node reads it itself (direct mode)',
  ),
  snapshots: optionalRecord(
    record<Workload['snapshots']>('snapshots', {
      every: optional(someTime, 60e6, 'how often a publisher signs what changed'),
    }),
    'when snapshots are made',
  ),
  pip: optional(orNone(pip), pip.empty, 'what is installed through the gateways'),
  newFiles: optional(orNone(recurrence), { kind: 'every', every: 30e6 }, 'files that projects gain'),
  removals: optional(orNone(recurrence), undefined, 'files that are removed'),
  quarantine: optional(orNone(recurrence), undefined, 'projects that are quarantined'),
  upstream: optionalRecord(upstream, 'the index that is mirrored'),
});
