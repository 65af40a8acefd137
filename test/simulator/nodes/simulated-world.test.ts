/** Real nodes of ours with real libp2p under virtual time: they find each other, part, die and come back, the same way each time. */
import assert from 'node:assert/strict';
import { spawn, type SpawnOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { startRunProcess } from '../../../src/simulator/run-process.ts';

const child = new URL('../../support/simulated-world-child.ts', import.meta.url);

interface Seen extends Record<string, unknown> {
  readonly trace: string;
  /** The trace without what the bytes were. */
  readonly outline: string;
  readonly deliveries: number;
}

interface RunOptions {
  readonly seed?: number;
  readonly security?: 'noise' | 'plaintext';
  readonly flags?: string[];
  readonly env?: Record<string, string>;
}

async function run(
  name: string,
  { seed = 1, security = 'plaintext', flags, env = {} }: RunOptions = {},
): Promise<Seen> {
  const args = [name, String(seed), security];
  const options: SpawnOptions = { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] };
  const { stdout } = flags
    ? spawn(process.execPath, [...flags, child.pathname, ...args], options)
    : startRunProcess(child, args, options);
  return JSON.parse(await text(stdout as Readable)) as Seen;
}

let quietRun: Promise<Seen> | undefined;
const quiet = (): Promise<Seen> => (quietRun ??= run('quiet'));

describe('simulated nodes', { concurrency: 2 }, () => {
  test('a run repeats to the last byte in a process with another heap, time zone and language and without the optimizer', async () => {
    const again = await run('quiet', {
      flags: ['--max-semi-space-size=1', '--no-opt'],
      env: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8' },
    });
    const first = await quiet();
    assert.deepEqual(again, first);
    assert.ok(first.deliveries > 100);
  });

  test('another seed is another run', async () => {
    assert.notEqual((await run('quiet', { seed: 2 })).trace, (await quiet()).trace);
  });

  test('without Noise’s ciphers the same messages of the same sizes come at the same times', async () => {
    const [plain, noise] = [await quiet(), await run('quiet', { security: 'noise' })];
    assert.equal(noise.outline, plain.outline);
    assert.equal(noise.deliveries, plain.deliveries);
    assert.notEqual(noise.trace, plain.trace);
  });

  test('nodes that know two of them find all the others', async () => {
    assert.deepEqual((await quiet())['connections'], [5, 5, 5, 5, 5, 5]);
  });

  test('programs that start at once on one core take it in turns, 0.97 s of it each', async () => {
    const up = (await run('young'))['up'] as [number, number, number];
    // The others, 0.3 and 0.6 s later, took their turns of the first one's second.
    assert.ok(up[0] > 1.5 && up[0] < up[1] && up[1] < up[2], String(up));
    assert.ok(up[2] > 2.9 && up[2] < 4, String(up));
  });

  test('after an hour few of the events to come are dead ones', async () => {
    const { pending, live } = (await run('hour')) as unknown as Record<string, number>;
    assert.ok((live as number) > 40, `${live} live`);
    assert.ok((pending as number) <= 3 * (live as number), `${pending} in the heap, ${live} of them live`);
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

  test('a publisher’s page reaches every node of its policy through peers alone', async () => {
    const seen = await run('signed');
    assert.deepEqual(seen['answers'], Array(5).fill('numpy-1.0-py3-none-any.whl'));
    assert.deepEqual(seen['fetched'], [0, 1, 1, 1, 1, 1]);
    const { projects } = JSON.parse(seen['list'] as string) as { projects: { name: string }[] };
    assert.deepEqual(projects.map(({ name }) => name).sort(), ['flask', 'numpy', 'requests']);
    // Six nodes with two maps each, all of the same trees.
    assert.ok((seen['trees'] as number) <= 8, `${String(seen['trees'])} trees`);
  });
});
