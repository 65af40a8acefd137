/** Runs one named case under the kernel and prints what it saw as JSON. A process of its own: the globals are replaced. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cpuCosts } from '../../src/simulator/kernel/cpu/cpu-costs.ts';
import type { Owner } from '../../src/simulator/kernel/owner.ts';
import { startKernel } from '../../src/simulator/kernel/start-kernel.ts';
import { createRandomness, deriveStream } from '../../src/simulator/scenario/streams.ts';

const realDate = Date;
const kernel = startKernel({
  epoch: Date.UTC(2026, 0, 1),
  costs: cpuCosts.zero,
  randomness: createRandomness(deriveStream(1, 0, 'world', 'test')),
});
const node = (number: number): Owner => ({
  node: number,
  incarnation: 0,
  randomness: createRandomness(deriveStream(1, 0, number, 'test')),
  skew: 0,
  alive: true,
});
setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
const { cases } = await import('./virtual-time-cases.ts');
const name = process.argv[2] as string;
const run = cases[name];
if (run === undefined) throw new Error(`no case ${name}`);
const seen: Record<string, unknown> = {};
let failure = '';
const done = run({ kernel, node, seen });
// The run's own failure says more.
done.catch(() => {});
try {
  await kernel.run(3_600_000_000);
  await done;
} catch (error) {
  const { message, cause, stack } = error as Error;
  failure = `${message}\n${String(cause)}\n${stack}`;
}
seen['real clock is elsewhere'] = Math.abs(new realDate().getTime() - Date.now()) > 1000;
process.stdout.write(`${JSON.stringify({ seen, failure })}\n`);
process.exit(0);
