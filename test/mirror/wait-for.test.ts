import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { OUT_OF_TIME, waitFor } from '../../src/mirror/wait-for.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test('work that fails after its client has left, or had left before, ends nothing but itself', async (t) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const clock = createFakeClock();
  const left = new Error('the client left');
  for (const before of [true, false]) {
    const client = new AbortController();
    const work = Promise.withResolvers<never>();
    if (before) client.abort(left);
    const waiting = assert.rejects(waitFor(clock, work.promise, 1000, client.signal), left);
    client.abort(left);
    await waiting;
    work.reject(new Error('nobody waits for this any more'));
    await turn();
  }
  assert.deepEqual(unhandled, []);
});

test('what comes in time is given, what does not goes on', async () => {
  const clock = createFakeClock();
  assert.equal(await waitFor(clock, Promise.resolve(7), 1000), 7);
  const late = waitFor(clock, new Promise(() => {}), 1000);
  await clock.advance(1000);
  assert.equal(await late, OUT_OF_TIME);
});
