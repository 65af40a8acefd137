/** The one table of a scenario's keys: the reader, the writer and the JSON Schema all come from it. */
import { limits } from '../../core/limits.ts';
import { asserts } from './assert-shape.ts';
import { percentage } from './quantities.ts';
import { someTime, time } from './common-shapes.ts';
import { listOf, mapOf } from './compound-shapes.ts';
import { fault } from './fault-shape.ts';
import { names, network, profile, type GivenNetwork, type GivenProfile } from './network-shape.ts';
import { choice, number, share, text } from './scalar-shapes.ts';
import type { Scenario } from './scenario.ts';
import { derived, optional, optionalRecord, record, required, type Shape } from './shape.ts';
import { churn, placed, workload, type GivenPlaced, type GivenWorkload } from './workload-shape.ts';

const { nodes, runs } = limits.scenario;

export interface GivenNodes {
  readonly count: number;
  readonly regions: ReadonlyMap<string, number> | undefined;
  readonly profiles: ReadonlyMap<string, number>;
  readonly bootstraps: GivenPlaced;
}

/** A scenario as given: what depends on other keys is still undefined. */
export type GivenScenario = Omit<
  Scenario,
  'duration' | 'nodes' | 'hosts' | 'network' | 'policy' | 'replication' | 'workload'
> & {
  readonly duration: number | undefined;
  readonly nodes: GivenNodes;
  readonly hosts: ReadonlyMap<string, GivenProfile>;
  readonly network: GivenNetwork;
  readonly policy: { readonly threshold: number | undefined };
  readonly replication: number | undefined;
  readonly workload: GivenWorkload;
};

const shares = (about: string): Shape<ReadonlyMap<string, number>> => mapOf(share(percentage), about, names);

const nodesShape = record<GivenNodes>('nodes', {
  count: required(number({ min: 1, max: nodes, whole: true }), 'how many nodes'),
  regions: derived(
    shares('regions'),
    'share of the nodes by region (default: alike in every region of the latency table)',
  ),
  profiles: optional(
    shares('profiles'),
    new Map([
      ['home', 0.8],
      ['server', 0.2],
    ]),
    'share of the nodes by host profile',
  ),
  bootstraps: optional(
    placed('the bootstraps'),
    { count: undefined, among: undefined },
    'nodes that everyone starts from (default: 3 of those that can be dialled)',
  ),
});

export const scenarioShape = record<GivenScenario>(
  'a scenario',
  {
    name: required(
      text('a name of small letters, digits and "-"', /^[a-z0-9][a-z0-9-]{0,63}$/),
      'such as atlantic-split',
    ),
    seed: optional(number({ min: 0, max: Number.MAX_SAFE_INTEGER, whole: true }), 1, 'of all randomness'),
    runs: optional(
      number({ min: 1, max: runs, whole: true }),
      1,
      'repetitions; each samples everything anew',
    ),
    duration: derived(
      someTime,
      'virtual time after the warm-up (default: the last end of a fault, plus the longest "within" and 30 s or else 5 min; at least 10 min)',
    ),
    warmup: optional(time, 600e6, 'virtual time before, in no metric'),
    security: optional(
      choice('noise', 'plaintext'),
      'plaintext',
      'plaintext: the messages, sizes and times of Noise without its ciphers, which only cost real time',
    ),
    cpu: optional(
      choice('reference', 'young', 'zero'),
      'reference',
      'what events cost: libp2p once it runs well, a node in its first minutes, or nothing',
    ),
    cores: derived(
      number({ min: 1, max: 1024, whole: true }),
      'all nodes share so many cores of one machine (default: each has one of its own)',
    ),
    nodes: required(nodesShape, '{count: 100}'),
    hosts: optional(
      mapOf(profile, 'host profiles', names),
      new Map<string, GivenProfile>(),
      'host profiles; home and server are there',
    ),
    network: optionalRecord(network, 'what lies between the hosts'),
    policy: optionalRecord(
      record<GivenScenario['policy']>('the policy', {
        threshold: derived(
          number({ min: 0, max: nodes, whole: true }),
          'publishers that must agree (default: a majority)',
        ),
      }),
      'what nodes believe',
    ),
    replication: derived(
      number({ min: 0, max: nodes, whole: true }),
      'nodes that hold each file when the run starts (default: 3, or all if they are fewer)',
    ),
    churn: optional(churn, undefined, 'nodes that come and go'),
    workload: optionalRecord(workload, 'what happens'),
    faults: optional(listOf(fault, 'faults', { max: 1000 }), [], 'what goes wrong, and when'),
    assert: optionalRecord(asserts, 'what makes a run fail'),
  },
  { elsewhere: ['sweep'] },
);
