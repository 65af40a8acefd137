import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRequestQueue, type RequestKind } from '../../src/upstream/request-queue.ts';

const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('quick requests that wait go before files that wait', async () => {
  const queue = createRequestQueue({ parallel: 2, bulk: 1 });
  const order: string[] = [];
  const enter = (kind: RequestKind, name: string): Promise<() => void> =>
    queue.enter(kind, never).then((leave) => {
      order.push(name);
      return leave;
    });
  const first = await enter('bulk', 'file 1');
  const second = await enter('quick', 'page 1');
  const waiting = [enter('bulk', 'file 2'), enter('quick', 'page 2'), enter('quick', 'page 3')];
  second();
  await settle();
  (await waiting[1]!)();
  await settle();
  (await waiting[2]!)();
  first();
  (await waiting[0]!)();
  assert.deepEqual(order, ['file 1', 'page 1', 'page 2', 'page 3', 'file 2']);
  assert.equal(queue.idle, true);
});

test('a stream of quick requests does not starve a file', async () => {
  const queue = createRequestQueue({ parallel: 1, bulk: 1 });
  const order: RequestKind[] = [];
  const pass = async (kind: RequestKind): Promise<void> => {
    const leave = await queue.enter(kind, never);
    order.push(kind);
    leave();
  };
  const leave = await queue.enter('quick', never);
  const all = [pass('bulk'), ...Array.from({ length: 50 }, () => pass('quick'))];
  leave();
  await Promise.all(all);
  assert.ok(order.indexOf('bulk') < 20, `after ${order.indexOf('bulk')}`);
});

test('however requests come, leave and are given up, the bounds hold and everybody gets in', async () => {
  const step = fc.record({
    kind: fc.constantFrom<RequestKind>('quick', 'bulk'),
    next: fc.constantFrom('stay', 'leave first', 'abort last'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const queue = createRequestQueue({ parallel: 4, bulk: 2 });
      const inside: { kind: RequestKind; leave: () => void }[] = [];
      const asked: { controller: AbortController; settled: Promise<unknown> }[] = [];
      const check = (): void => {
        assert.ok(inside.length <= 4);
        assert.ok(inside.filter(({ kind }) => kind === 'bulk').length <= 2);
      };
      for (const { kind, next } of steps) {
        const controller = new AbortController();
        const enter = async (): Promise<void> => {
          inside.push({ kind, leave: await queue.enter(kind, controller.signal) });
          check();
        };
        asked.push({ controller, settled: Promise.allSettled([enter()]) });
        await settle();
        if (next === 'leave first') inside.shift()?.leave();
        if (next === 'abort last') asked.at(-1)!.controller.abort(new Error('gone'));
      }
      while (inside.length > 0) {
        inside.shift()!.leave();
        await settle();
      }
      await Promise.all(asked.map(({ settled }) => settled));
      assert.equal(queue.idle, true);
    }),
    { numRuns: 50 },
  );
});
