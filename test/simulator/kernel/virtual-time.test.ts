/** The canary: each clock, timer and source of randomness that a node or libp2p could read, and each way off the thread. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { offThreadCases } from '../../support/virtual-time-cases.ts';

const child = fileURLToPath(new URL('../../support/virtual-time-child.ts', import.meta.url));

interface Outcome {
  readonly seen: Record<string, unknown>;
  readonly failure: string;
}

async function run(...names: string[]): Promise<Outcome[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [child, ...names], {
    env: { ...process.env, TZ: 'Asia/Kathmandu' },
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
}

const one = async (name: string): Promise<Outcome> => (await run(name))[0] as Outcome;

test('every clock tells virtual time, and the wall clock the skew of its owner', async () => {
  const { seen, failure } = await one('clocks');
  assert.equal(failure, '');
  const epoch = Date.UTC(2026, 0, 1);
  assert.deepEqual(seen['clocks'], {
    'Date.now': epoch + 1500,
    'new Date': epoch + 1500,
    'Date()': true,
    'date of a value': [5, true, 0],
    'performance.now': 1500,
    perf_hooks: 1500,
    'performance.mark': 1500,
    timeOrigin: epoch,
    'Event.timeStamp': 1500,
    hrtime: [1, 500_000_000],
    'hrtime.bigint': '1500000000',
    'hrtime since': [0, 500_000_000],
    uptime: 1.5,
    'a format of no date': '00:01',
    'its parts': '2026',
  });
  assert.equal(seen['skewed'], epoch + 1500 - 5000);
});

test('every kind of timer fires at its virtual time, for the owner that set it', async () => {
  const { seen, failure } = await one('timers');
  assert.equal(failure, '');
  const order = seen['order'] as [string, number, number][];
  assert.deepEqual(
    order.map(([name, at]) => [name, at]),
    [
      ['setImmediate', 0],
      ['at once is 1 ms', 1],
      ['too long is 1 ms', 1],
      ['AbortError', 5],
      ['setTimeout', 10],
      ['arguments2', 11],
      ['node:timers', 12],
      ['require', 13],
      ['timers/promises', 30],
      ['promisified', 31],
      ['scheduler', 32],
      ['refreshed', 35],
      ['TimeoutError', 40],
      ['any', 41],
      ['interval', 100],
      ['interval', 200],
      ['ticks', 2000],
    ],
  );
  assert.ok(order.every(([, , owner]) => owner === 5));
});

test('every source of randomness is the owner’s own and repeats in another process', async () => {
  const [first, again] = await Promise.all([one('randomness'), one('randomness')]);
  assert.equal(first.failure, '');
  assert.deepEqual(first, again);
  const flat = [...(first.seen['one'] as unknown[]), ...(first.seen['two'] as unknown[])];
  assert.equal(flat.length, 18);
  assert.equal(new Set(flat).size, 18);
});

test('work that is done when the call returns is allowed', async () => {
  const { seen, failure } = await one('work that is done when the call returns');
  assert.equal(failure, '');
  assert.equal(seen['done'], true);
  // zlib's streams too: they are done in line.
  assert.deepEqual(seen['gzip'], ['in line', 0]);
});

test('every way off the thread throws where it is called, and names whose event it was and the stack', async () => {
  const names = Object.keys(offThreadCases);
  assert.ok(names.length >= 11);
  const outcomes = await Promise.all(names.map(async (name) => [name, (await one(name)).failure] as const));
  for (const [name, failure] of outcomes) {
    assert.match(failure, /node 9 \(life 0\) at 0 us|cannot be repeated/, name);
    assert.match(failure, /virtual-time-cases\.ts/, name);
  }
});

test('no other way off the thread is left open, and the first of them fails the run', async () => {
  const { seen, failure } = await one('every other way off the thread');
  const calls = Object.entries(seen).filter(([name]) => name !== 'real clock is elsewhere');
  assert.ok(calls.length >= 36);
  for (const [name, message] of calls)
    assert.match(String(message), /node 9 \(life 0\) at 0 us: nothing|cannot be repeated/, name);
  assert.match(failure, /off-thread-calls\.ts/);
});

test('a handle that no rule knows fails the run by its type', async () => {
  assert.match(
    (await one('an unknown handle')).failure,
    /an asynchronous PIPEWRAP of node 6[^]*virtual-time-cases\.ts/,
  );
});

test('a rejection that nobody handles fails the run', async () => {
  assert.match((await one('an unhandled rejection')).failure, /node 6 [^]* nobody handled[^]*left alone/);
});

test('readers hold a peer’s lock together, a writer alone and 1 ms after the last of them, and nobody after an abort', async () => {
  const { seen, failure } = await one('locks');
  assert.equal(failure, '');
  assert.deepEqual(seen['order'], [
    ['reader', 0, 1],
    ['reader beside it', 0, 1],
    ['AbortError', 7, 1],
    ['writer', 11, 1],
    ['writer after it', 16, 1],
    ['reader after them', 18, 1],
    ['much later', 29, 1],
    ['at once after a writer', 30, 1],
  ]);
  assert.equal(seen['left'], 0);
});

test('a signature that was made or checked before is answered the same, and no other', async () => {
  const { seen, failure } = await one('the same signatures again');
  assert.equal(failure, '');
  assert.deepEqual(seen['same'], [true, true]);
  assert.deepEqual(seen['checks'], [true, true, false, false]);
  assert.deepEqual(seen['other text'], [false, true]);
  assert.equal(seen['other key'], false);
});

test('a hundred thousand cleared timers leave nothing behind', async () => {
  assert.equal((await one('cleared timers')).seen['pending'], 10);
});

test('a time-out signal that nobody listens to is not held, one with a listener is', async () => {
  const { seen, failure } = await one('signals');
  assert.equal(failure, '');
  assert.ok((seen['heldBytes'] as number) < 70e6, `${String(seen['heldBytes'])} bytes held by deaf signals`);
  assert.deepEqual(seen['heard'], ['own listener', 'onabort', 'any']);
});
