import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createSmallFileCache } from '../../src/gateway/small-file-cache.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const digestOf = (n: number): Digest => n.toString(16).padStart(64, '0') as Digest;

test('a blob that goes is found at once, without a look at all that is kept', (t) => {
  const facts = createFactEmitter();
  using cache = createSmallFileCache(
    { clock: createFakeClock(), facts },
    { smallFileCache: 1_000_000, smallFileFresh: 60_000 },
  );
  const nameOf = (n: number): string => `m-${n}.whl`;
  for (let n = 0; n < 100; n++) {
    const project = parseProjectName('m');
    cache.keep({ digest: digestOf(n), filename: nameOf(n), project, body: Buffer.alloc(10, n) }, cache.turn);
  }
  const walks = mock.method(LRUCache.prototype, 'entries');
  t.after(() => walks.mock.restore());
  facts.emit('blob:evicted', { digest: digestOf(7), size: 10, reason: 'quota' });
  facts.emit('blob:corrupt', { digest: digestOf(8) });
  const there = Array.from({ length: 100 }, (_, n) => cache.find(digestOf(n), nameOf(n)) !== undefined);
  assert.deepEqual(
    there.flatMap((is, n) => (is ? [] : [n])),
    [7, 8],
  );
  assert.equal(walks.mock.callCount(), 0);
  assert.equal(cache.find(digestOf(1), nameOf(2)), undefined, 'the name that it was asked for by counts');
});
