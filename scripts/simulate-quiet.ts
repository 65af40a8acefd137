/**
 * N nodes that find each other through the first ones and stay connected: the smallest run, for measuring and debugging.
 * `node --max-semi-space-size=64 --max-old-space-size=8192 --expose-gc scripts/simulate-quiet.ts NODES SECONDS SEED TRACE`
 * `--dht auto|server|client` (default: server), `--home SHARE` of the nodes, never the first two, behind a firewall.
 */
import { parseArgs } from 'node:util';
import { openWorld } from '../src/simulator/open-world.ts';
import { latencyTables } from '../src/simulator/scenario/latency-tables.ts';

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: { dht: { type: 'string', default: 'server' }, home: { type: 'string', default: '0' } },
});
const [nodes = 2, seconds = 60, seed = 1] = positionals.slice(0, 3).map(Number);
const traceFile = positionals[3];
/** Every fifth at 0.2, and so on. */
const isHome = (number: number): boolean => {
  const before = Math.floor((number - 1) * Number(options.home));
  return number >= 2 && Math.floor(number * Number(options.home)) > before;
};
Error.stackTraceLimit = 0;
const lines: string[] = [];
const table = latencyTables['regions10'];
if (table === undefined) throw new Error('no latencies');
const world = await openWorld({
  seed,
  run: 0,
  cpu: 'reference',
  latency: table,
  jitter: 0.05,
  loss: 0,
  links: { mode: () => 'up' },
  ...(traceFile ? { onTrace: (line: string) => void lines.push(line) } : {}),
});
const { createOfflineUpstream } = await import('../src/upstream/offline-upstream.ts');
const { writeFileSync } = await import('node:fs');
const { kernel, trace } = world;
const bootstrap: string[] = [];
for (let number = 0; number < nodes; number++) {
  const member = await world.addMember({
    region: ['eu', 'na', 'as'][number % 3] as string,
    inbound: isHome(number) ? 'filtered' : 'open',
    uplink: 12.5e6,
    downlink: 12.5e6,
    flags: { bootstrap: [...bootstrap], dht: options.dht, mode: 'offline' },
    node: {
      upstream: () => createOfflineUpstream('https://pypi.org/simple/', { private: false }),
      policy: { k: 1, publishers: [] },
    },
  });
  if (number < 2) bootstrap.push(member.multiaddr);
  kernel.schedule(
    number * 200_000,
    'start',
    kernel.world,
    () => void member.start().catch((e: Error) => kernel.fail(e)),
  );
}
const heapNow = (): number => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const heapBefore = heapNow();
for (const until of [seconds / 2, seconds]) {
  const { events, inline } = kernel.counts;
  const from = kernel.now;
  const before = process.cpuUsage();
  await kernel.run(until * 1e6);
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1e6;
  const mean = (of: 'connections' | 'routingTable', home: boolean): number => {
    const some = world.members.filter(({ number }) => isHome(number) === home);
    const sum = some.reduce((all, { node }) => all + (node?.status().network[of] ?? 0), 0);
    return Number((sum / some.length).toFixed(1));
  };
  process.stdout.write(
    `${JSON.stringify({
      until: kernel.now / 1e6,
      trace: trace.digest().slice(0, 16),
      deliveries: trace.deliveries,
      events: kernel.counts.events - events,
      inline: kernel.counts.inline - inline,
      pending: kernel.pending,
      cpu: Number(cpu.toFixed(2)),
      eventsPerCpuSecond: Math.round((kernel.counts.events - events) / cpu),
      timesRealTime: Number(((kernel.now - from) / 1e6 / cpu).toFixed(2)),
      connections: { open: mean('connections', false), home: mean('connections', true) },
      routingTable: { open: mean('routingTable', false), home: mean('routingTable', true) },
      heapMBPerNode: Number(((heapNow() - heapBefore) / 1e6 / nodes).toFixed(2)),
    })}\n`,
  );
}
if (traceFile) writeFileSync(traceFile, lines.join('\n'));
process.exit(0);
