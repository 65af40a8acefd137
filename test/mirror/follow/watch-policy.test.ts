/** The policy's file while a node runs: what is taken, when, and what is said of what cannot be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../../../src/core/errors.ts';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { limits } from '../../../src/core/limits.ts';
import type { Policy } from '../../../src/core/log/policy.ts';
import { watchPolicy } from '../../../src/mirror/follow/watch-policy.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const publisher = (name: string, seed: number): Policy['publishers'][number] => ({
  name,
  key: signerOf(name, seed).key,
  url: undefined,
});
const first: Policy = { k: 1, publishers: [publisher('a.example', 1)] };
const second: Policy = { k: 2, publishers: [publisher('a.example', 1), publisher('b.example', 2)] };

function watched(apply: (policy: Policy) => Promise<void> = async () => undefined) {
  const fake = createFakeClock(0);
  const clock = {
    ...fake,
    async advance(ms: number) {
      await fake.advance(ms);
      for (let turn = 0; turn < 20; turn++) await fake.advance(0);
    },
  };
  const facts = createFactEmitter();
  const told: [name: string, fact: object][] = [];
  facts.onAny((name, fact) => void told.push([name, fact]));
  const file: { says: Policy | Error } = { says: first };
  const applied: Policy[] = [];
  const watch = watchPolicy(
    {
      clock,
      facts,
      source: '/etc/policy',
      async read() {
        if (file.says instanceof Error) throw file.says;
        return file.says;
      },
      async apply(policy) {
        await apply(policy);
        applied.push(policy);
      },
    },
    first,
  );
  watch.start();
  return { clock, told, file, applied, watch };
}

test('what the file says counts within ten seconds, and is told once', async () => {
  const { clock, told, file, applied, watch } = watched();
  await clock.advance(2 * limits.follow.policyEvery);
  assert.deepEqual([applied, told], [[], []]);
  file.says = second;
  await clock.advance(limits.follow.policyEvery);
  assert.deepEqual(applied, [second]);
  assert.deepEqual(told, [['policy:changed', { source: '/etc/policy', threshold: 2, publishers: 2 }]]);
  await clock.advance(5 * limits.follow.policyEvery);
  assert.equal(applied.length, 1);
  await watch[Symbol.asyncDispose]();
  file.says = first;
  await clock.advance(5 * limits.follow.policyEvery);
  assert.equal(applied.length, 1, 'closed');
});

test('a file that is wrong or gone changes nothing; why is told once, and shown until it is mended', async () => {
  const { clock, told, file, applied, watch } = watched();
  file.says = new ConfigurationError('usage', '/etc/policy, line 3: is no log', 'write `log VKEY`');
  await clock.advance(4 * limits.follow.policyEvery);
  assert.deepEqual(applied, []);
  assert.match(watch.problem() ?? '', /line 3: is no log; write `log VKEY`/);
  assert.deepEqual(
    told.map(([name]) => name),
    ['policy:refused'],
  );
  const report = await watch.look();
  assert.deepEqual([report.changed, report.threshold, report.publishers], [false, 1, 1]);
  assert.match(report.problem ?? '', /line 3/);
  file.says = first;
  await clock.advance(limits.follow.policyEvery);
  assert.deepEqual([watch.problem(), applied], [undefined, []]);
  await watch[Symbol.asyncDispose]();
});

test('asked for, it is read at once, and lived by when the answer comes', async () => {
  const waiting: (() => void)[] = [];
  const { file, applied, watch } = watched(() => new Promise((resolve) => waiting.push(resolve)));
  file.says = second;
  const [one, other] = [watch.look(), watch.look()];
  while (waiting.length === 0) await Promise.resolve();
  assert.equal(applied.length, 0);
  waiting[0]?.();
  assert.equal((await one).changed, true);
  assert.equal((await other).changed, false);
  assert.deepEqual(applied, [second]);
  await watch[Symbol.asyncDispose]();
});

test('a change that could not be carried out is tried again', async () => {
  let fails = true;
  const { clock, file, applied, watch } = watched(async () => {
    if (fails) throw new Error('disk full');
  });
  file.says = second;
  await clock.advance(limits.follow.policyEvery);
  assert.match(watch.problem() ?? '', /disk full/);
  fails = false;
  await clock.advance(limits.follow.policyEvery);
  assert.deepEqual([watch.problem(), applied], [undefined, [second]]);
  await watch[Symbol.asyncDispose]();
});
