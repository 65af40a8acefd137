import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import type { Incoming, Opener } from '../../src/network/libp2p/blob-opener.ts';
import { createBlobPool } from '../../src/network/libp2p/blob-pool.ts';
import { rangeAnswer } from '../../src/network/libp2p/blob-range.ts';

function pooled() {
  const openers: { gone: boolean }[] = [];
  const pool = createBlobPool({
    peerId: 'p',
    open: async () => Object.assign(new EventTarget(), { status: 'open' }) as unknown as Stream,
    wrap() {
      const opener = { gone: false };
      openers.push(opener);
      return opener as Opener;
    },
  });
  return { pool, openers };
}

describe('the stream for questions', () => {
  it('is one, however many want it at once, at first and when the one before is gone', async () => {
    const { pool, openers } = pooled();
    const first = await Promise.all([pool.control(), pool.control(), pool.control()]);
    assert.equal(openers.length, 1);
    assert.equal(new Set(first).size, 1);
    (openers[0] as { gone: boolean }).gone = true;
    const second = await Promise.all([pool.control(), pool.control(), pool.control()]);
    assert.equal(openers.length, 2);
    assert.equal(new Set(second).size, 1);
  });
});

describe('a range whose reader left while its answer was on the way', () => {
  it('gives its stream back at once, and only once', async () => {
    let cancelled = 0;
    let done = 0;
    const incoming: Incoming = { next: async () => undefined, cancel: () => void cancelled++ };
    const signal = AbortSignal.abort(new Error('enough'));
    const ok = { kind: 'ok', blobSize: 5, offset: 0, length: 5 } as const;
    const answer = rangeAnswer(incoming, ok, { signal, done: () => void done++ });
    assert.deepEqual([cancelled, done], [1, 1]);
    await assert.rejects(async () => {
      for await (const _ of answer.body) break;
    }, /enough/);
    await answer[Symbol.asyncDispose]();
    assert.deepEqual([cancelled, done], [1, 1]);
  });
});
