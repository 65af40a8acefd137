/**
 * npm run bench:sim: how fast the simulator is and how large, one table. CPU time (user and system), because machines are
 * shared; each line's trace repeats with the same Node and the same commit. `--quick` takes a minute.
 *
 *   node scripts/bench-sim.ts [--quick] [--nodes 50,200] [--load quiet,work] [--minutes 5] [--seed 1]
 *
 * `quiet`: nodes that find each other and stay connected. `work`: three publishers, an upstream that grows and two pip runs a
 * second, as in the scenarios that come along; a home cannot be dialled.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { startRunProcess } from '../src/simulator/run-process.ts';
import type { SimBench, SimPhase } from './bench-sim-run.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    nodes: { type: 'string' },
    load: { type: 'string', default: 'quiet,work' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const sizes = (values.nodes ?? (values.quick ? '30' : '50,200')).split(',').map(Number);
const minutes = Number(values.minutes ?? (values.quick ? 1 : 5));
const child = new URL('./bench-sim-run.ts', import.meta.url);

const columns = [
  ['nodes', 6],
  ['load', 6],
  ['phase', 8],
  ['events', 10],
  ['CPU s', 8],
  ['events/CPU s', 13],
  ['x real time', 12],
  ['connections', 12],
  ['MB a node', 10],
  ['MB shared', 10],
  ['trace', 14],
] as const;
const line = (cells: readonly string[]): string =>
  columns.map(([, width], at) => (cells[at] ?? '').padStart(width)).join('');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

say(line(columns.map(([name]) => name)));
for (const nodes of sizes)
  for (const load of values.load.split(',')) {
    const bench: SimBench = { nodes, load, minutes, seed: Number(values.seed) };
    for await (const phase of run(bench)) {
      const { events, cpu, heap } = phase;
      const cells = [
        String(nodes),
        load,
        phase.name,
        String(events),
        cpu.toFixed(1),
        Math.round(events / cpu).toString(),
        (phase.seconds / cpu).toFixed(2),
        phase.connections.toFixed(1),
        heap === undefined ? '' : (heap.own / nodes / 1e6).toFixed(2),
        heap === undefined ? '' : (heap.shared / 1e6).toFixed(1),
        phase.trace.slice(0, 12),
      ];
      say(line(cells));
    }
  }

async function* run(bench: SimBench): AsyncGenerator<SimPhase> {
  const started = startRunProcess(child, [JSON.stringify(bench)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(started, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  for await (const text of createInterface({ input: started.stdout as Readable }))
    yield JSON.parse(text) as SimPhase;
  const [code, signal] = await closed;
  if (code !== 0)
    throw new Error(`the run with ${bench.nodes} nodes ended with ${signal ?? `exit code ${code}`}`);
}
