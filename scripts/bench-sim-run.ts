/**
 * The process of one line of `bench-sim.ts`: a run without its observers, measured from outside of virtual time. Garbage is
 * collected between phases only; a node's memory is what the heap and the buffers grew by, without what all nodes share.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openWorld } from '../src/simulator/open-world.ts';
import { Links } from '../src/simulator/scenario/links.ts';
import { placeHosts } from '../src/simulator/scenario/hosts.ts';
import { readScenario } from '../src/simulator/scenario/read-scenario.ts';
import { upstreamHost } from '../src/simulator/scenario/scenario-host.ts';

export interface SimBench {
  readonly nodes: number;
  /** `quiet` or `work`. */
  readonly load: string;
  /** Of virtual time once all have joined. */
  readonly minutes: number;
  readonly seed: number;
}

export interface SimPhase {
  readonly name: 'join' | 'settled' | 'whole';
  readonly events: number;
  /** Seconds of virtual time. */
  readonly seconds: number;
  readonly cpu: number;
  /** Of a node, at the end. */
  readonly connections: number;
  /** Bytes alive at the end. */
  readonly heap: { readonly own: number; readonly shared: number } | undefined;
  readonly trace: string;
}

const JOIN = 60;

const { nodes, load, minutes, seed } = JSON.parse(process.argv[2] ?? '{}') as SimBench;
const workload =
  load === 'quiet'
    ? '{ publishers: 0, pip: none }'
    : '{ publishers: 3, snapshots: { every: 60s }, pip: { rate: 2/s } }';
const { scenario } = readScenario(
  `name: bench
seed: ${seed}
warmup: ${JOIN}s
duration: ${minutes}m
nodes: { count: ${nodes}, bootstraps: ${Math.max(1, Math.min(20, Math.floor(nodes / 20)))} }
workload: ${workload}
`,
  'bench',
);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const links = new Links([...placeHosts(scenario, 0), upstreamHost]);
const { latency, jitter, loss } = scenario.network;
const world = await openWorld({
  seed,
  run: 0,
  cpu: scenario.cpu,
  security: scenario.security,
  latency: { regions: latency.regions, oneWay: latency.oneWay.map((row) => row.map((us) => us / 1000)) },
  jitter,
  loss,
  links: { mode: () => 'up' },
});
const { openSimulation } = await import('../src/simulator/model/simulation.ts');
const { kernel, members, trace, shared } = world;
const alive = (): number => {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const before = alive();
await openSimulation(scenario, 0, { world, links, tell: () => undefined });
let whole = 0;
for (const [name, until] of [
  ['join', JOIN],
  ['settled', JOIN + minutes * 60],
] as const) {
  const [at, cpu, { events }] = [kernel.now, cpuSeconds(), { ...kernel.counts }];
  await kernel.run(until * 1e6);
  const took = cpuSeconds() - cpu;
  whole += took;
  tell(name, { events: kernel.counts.events - events, seconds: (kernel.now - at) / 1e6, cpu: took });
}
tell('whole', { events: kernel.counts.events, seconds: kernel.now / 1e6, cpu: whole });
process.exit(0);

function tell(name: SimPhase['name'], measured: Pick<SimPhase, 'events' | 'seconds' | 'cpu'>): void {
  const connected = members.reduce((sum, { node }) => sum + (node?.status().network.connections ?? 0), 0);
  const { bytes } = shared.totals();
  const phase: SimPhase = {
    name,
    ...measured,
    connections: connected / nodes,
    heap: name === 'whole' ? undefined : { own: alive() - before - bytes, shared: bytes },
    trace: trace.digest(),
  };
  process.stdout.write(`${JSON.stringify(phase)}\n`);
}
