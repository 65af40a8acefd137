/** How soon a node is ready, and the memory of one that nobody asks anything, its upstream unreachable. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startNode } from '../test/support/node-process.ts';
import { freePort, residentBytes } from './bench-machine.ts';
import { failedRow, type Goal, rowOf } from './bench-row.ts';
import type { BenchOptions } from './bench-warm.ts';

const READY: Goal = { of: 'ours', is: 'at most', value: 3 };
const MEMORY: Goal = { of: 'ours', is: 'at most', value: 150 };

export async function benchIdle({ quick, folder, onRow }: BenchOptions): Promise<void> {
  const upstream = `http://127.0.0.1:${await freePort()}/simple/`;
  const start = (name: string) => startNode({ upstream, dataDir: join(folder, name), args: ['--no-mdns'] });
  const ready: number[] = [];
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    await using node = await start(`start-${round}`);
    ready.push(node.readyAfter / 1000);
  }
  onRow(rowOf({ what: 'from start to the ready line', unit: 's', ours: ready, goal: READY }));

  const seconds = quick ? 10 : 60;
  const what = `resident after ${seconds} s idle, no peers`;
  await using node = await start('idle');
  await pause(seconds * 1000);
  const bytes = residentBytes(node.ready.pid);
  if (bytes === undefined) onRow(failedRow(what, 'this system has no /proc to read it from'));
  else onRow(rowOf({ what, unit: 'MB', ours: [bytes / 1e6], ...(quick ? {} : { goal: MEMORY }) }));
}
