/** Fills in what a scenario leaves to the rest of it: shares of regions, places of roles, a majority, the duration. */
import { limits } from '../../core/limits.ts';
import { latencyTables } from './latency-tables.ts';
import { completeProfile, type GivenLatency } from './network-shape.ts';
import { endOf, type Fault, type HostProfile, type Latency, type Placed, type Scenario } from './scenario.ts';
import type { GivenScenario } from './scenario-shape.ts';
import type { GivenPlaced } from './workload-shape.ts';

const ms = 1000;

export function resolveDefaults(given: GivenScenario): Scenario {
  const { nodes, workload } = given;
  const regions = nodes.regions ?? evenly(regionsOf(given.network.latency));
  const hosts = new Map(
    [...new Set([...nodes.profiles.keys(), ...given.hosts.keys()])].map((name) => [
      name,
      completeProfile(name, given.hosts.get(name)),
    ]),
  );
  const open = openNodes(nodes.count, nodes.profiles, hosts);
  const publishers = place(workload.publishers, 3, open);
  const bootstraps = place(nodes.bootstraps, Math.min(3, Math.max(1, Math.floor(open.count))), open);
  const faults = given.faults.map((fault, index) => ({ ...fault, id: fault.id || `${fault.kind}-${index}` }));
  const { threshold = Math.floor(publishers.count / 2) + (publishers.count > 0 ? 1 : 0) } = given.policy;
  return {
    ...given,
    nodes: { ...nodes, regions, bootstraps },
    hosts,
    network: { ...given.network, latency: tableOf(given.network.latency, [...regions.keys()]) },
    policy: { threshold },
    replication: given.replication ?? Math.min(3, nodes.count),
    workload: { ...workload, publishers },
    faults,
    duration: given.duration ?? deriveDuration({ ...given, faults }),
  };
}

/** What is rendered and read again: the same scenario with nothing left open. */
export function asGiven(scenario: Scenario): GivenScenario {
  const { table, regions, oneWay } = scenario.network.latency;
  const latency: GivenLatency =
    table !== undefined
      ? { kind: 'table', name: table }
      : {
          kind: 'matrix',
          rows: new Map(
            regions.map((from, row) => [
              from,
              new Map(regions.map((to, column) => [to, oneWay[row]?.[column] as number])),
            ]),
          ),
        };
  return { ...scenario, network: { ...scenario.network, latency } };
}

/** The last end (or beginning) of a fault, and then as long as the asserts look. */
function deriveDuration({
  faults,
  assert,
}: {
  faults: readonly Fault[];
  assert: Scenario['assert'];
}): number {
  const { hold, shortestWindow, windowAfterFaults } = limits.scenario;
  const last = Math.max(0, ...faults.map((fault) => (fault.for === undefined ? fault.at : endOf(fault))));
  const looks = assert.within.map(({ within }) => within + hold * ms);
  const window = Math.max(...(looks.length > 0 ? looks : [windowAfterFaults * ms]));
  return Math.max(shortestWindow * ms, faults.length === 0 ? 0 : last + window);
}

function regionsOf(latency: GivenLatency): readonly string[] {
  if (latency.kind === 'table') return latencyTables[latency.name]?.regions ?? [];
  return latency.kind === 'uniform' ? ['world'] : [...latency.rows.keys()];
}

function evenly(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(names.map((name) => [name, 1 / names.length]));
}

function tableOf(given: GivenLatency, used: readonly string[]): Latency {
  switch (given.kind) {
    case 'table': {
      const { regions, oneWay } = latencyTables[given.name] as (typeof latencyTables)[string];
      return { table: given.name, regions, oneWay: oneWay.map((row) => row.map((value) => value * ms)) };
    }
    case 'uniform':
      return { table: undefined, regions: used, oneWay: used.map(() => used.map(() => given.oneWay)) };
    case 'matrix': {
      const regions = [...given.rows.keys()];
      return {
        table: undefined,
        regions,
        oneWay: regions.map((from) => regions.map((to) => given.rows.get(from)?.get(to) as number)),
      };
    }
  }
}

interface OpenNodes {
  /** About how many can be dialled, before shares are rounded. */
  readonly count: number;
  readonly profiles: readonly string[];
}

function openNodes(
  count: number,
  profiles: ReadonlyMap<string, number>,
  hosts: ReadonlyMap<string, HostProfile>,
): OpenNodes {
  const open = [...profiles].filter(([name, share]) => share > 0 && hosts.get(name)?.inbound === 'open');
  return {
    count: count * open.reduce((sum, [, share]) => sum + share, 0),
    profiles: open.map(([name]) => name),
  };
}

function place(given: GivenPlaced, standard: number, open: OpenNodes): Placed {
  const count = given.count ?? standard;
  const enough = open.profiles.length > 0 && open.count + 1e-9 >= count;
  return { count, among: given.among ?? (enough ? open.profiles.map((name) => `profile:${name}`) : ['all']) };
}
