import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staggered, type Way } from '../../src/mirror/staggered.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { timed } from './scripted-upstream.ts';

const failing: Way<string> = () => Promise.reject(new Error('no'));
const silent: Way<string> = () => new Promise(() => undefined);
const never = new AbortController().signal;

test('the next way begins when the one before takes long, the first to come wins, and the losers are aborted', async () => {
  const clock = createFakeClock();
  const aborted: string[] = [];
  const hanging: Way<string> = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted.push('hanging');
        reject(signal.reason as Error);
      });
    });
  const { value, ms } = await timed(clock, staggered(clock, [hanging, async () => 'second'], 3000, never));
  assert.deepEqual([value, ms, aborted], ['second', 3000, ['hanging']]);
  assert.equal(clock.pending, 0);
});

test('the next way begins at once when the one before has failed', async () => {
  const clock = createFakeClock();
  const { value, ms } = await timed(
    clock,
    staggered(clock, [failing, failing, async () => 'yes'], 3000, never),
  );
  assert.deepEqual([value, ms], ['yes', 0]);
});

test('when all have failed it says why each did', async () => {
  const clock = createFakeClock();
  const withWhy = ['a', 'b'].map(
    (why): Way<string> =>
      () =>
        Promise.reject(new Error(why)),
  );
  await assert.rejects(timed(clock, staggered(clock, withWhy, 3000, never)), /a; b/);
});

test('an early way may still win after a later one has begun', async () => {
  const clock = createFakeClock();
  const slow: Way<string> = () => new Promise((resolve) => clock.setTimer(() => resolve('slow'), 4000));
  const { value } = await timed(clock, staggered(clock, [slow, silent], 3000, never));
  assert.equal(value, 'slow');
});
