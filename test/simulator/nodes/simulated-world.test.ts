/** Real nodes of ours with real libp2p under virtual time: they find each other, part, die and come back, the same way each time. */
import assert from 'node:assert/strict';
import { spawn, type SpawnOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startRunProcess } from '../../../src/simulator/run-process.ts';

const child = new URL('../../support/simulated-world-child.ts', import.meta.url);

interface Seen extends Record<string, unknown> {
  readonly trace: string;
  readonly deliveries: number;
}

async function run(
  name: string,
  { seed = 1, flags = undefined as string[] | undefined, env = {} } = {},
): Promise<Seen> {
  const args = [name, String(seed)];
  const options: SpawnOptions = { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] };
  const { stdout } = flags
    ? spawn(process.execPath, [...flags, child.pathname, ...args], options)
    : startRunProcess(child, args, options);
  return JSON.parse(await text(stdout as Readable)) as Seen;
}

test('a run repeats to the last byte in a process with another heap, time zone and language and without the optimizer, and not with another seed', async () => {
  const first = await run('quiet');
  const again = await run('quiet', {
    flags: ['--max-semi-space-size=1', '--no-opt'],
    env: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8' },
  });
  assert.deepEqual(again, first);
  assert.ok(first.deliveries > 100);
  const other = await run('quiet', { seed: 2 });
  assert.notEqual(other.trace, first.trace);
});

test('nodes that know two of them find all the others', async () => {
  const { connections } = await run('quiet');
  assert.deepEqual(connections, [5, 5, 5, 5, 5, 5]);
});

test('nodes behind filters and NATs reach those that are open, and never each other', async () => {
  const { open, closed } = await run('behind filters');
  assert.deepEqual(open, [1, 1, 2, 2, 2, 2]);
  assert.deepEqual(closed, [0, 0, 0, 0, 0, 0]);
});

test('a black hole parts the halves, and they find each other again after it', async () => {
  const { before, during, after } = (await run('split')) as unknown as Record<string, number[]>;
  assert.deepEqual(before, Array(8).fill(4));
  assert.deepEqual(during, Array(8).fill(0));
  assert.ok(
    (after as number[]).every((count) => count >= 3),
    String(after),
  );
});

test('a node that crashed comes back as itself, and one that stopped is gone for all', async () => {
  const seen = await run('crash');
  assert.deepEqual(seen['before'], [4, 4, 4, 4, 4]);
  assert.equal((seen['down'] as number[])[3], -1);
  assert.deepEqual(seen['after'], [4, 4, 4, 4, 4]);
  assert.equal(seen['stopped'], true);
  assert.deepEqual(seen['gone'], [3, 3, 3, -1, 3]);
});

test('a publisher’s page reaches every node of its policy through peers alone, each time the same way', async () => {
  const [first, again] = [await run('signed'), await run('signed')];
  assert.deepEqual(first['answers'], Array(5).fill('numpy-1.0-py3-none-any.whl'));
  assert.deepEqual(first['fetched'], [0, 1, 1, 1, 1, 1]);
  const { projects } = JSON.parse(first['list'] as string) as { projects: { name: string }[] };
  assert.deepEqual(projects.map(({ name }) => name).sort(), ['flask', 'numpy', 'requests']);
  assert.equal(first.trace, again.trace);
});
