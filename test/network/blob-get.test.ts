import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from '../../src/core/clock.ts';
import { limits } from '../../src/core/limits.ts';
import { createGetSlots } from '../../src/network/blob-protocol/get-slots.ts';
import { serveGet } from '../../src/network/libp2p/blob-get.ts';
import { createBudget } from '../../src/network/libp2p/byte-budget.ts';
import { createSendBuffers } from '../../src/network/libp2p/send-buffers.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMemoryShelf, someBytes } from '../support/memory-shelf.ts';

describe('a GET whose reader is just not too slow', () => {
  it('gives its place to who waits after ten seconds, not after 4 MiB, and comes back', async () => {
    const clock = createFakeClock();
    const shelf = createMemoryShelf();
    const digest = shelf.put(someBytes(1_500_000));
    const slots = createGetSlots();
    const asker = { peerId: 'p', group: 'g', privileged: false, proven: false, priority: 0 } as const;
    const deps = {
      clock,
      shelf,
      slots,
      budget: createBudget(limits.blob.totalBuffer),
      buffers: createSendBuffers(),
    };
    let pieces = 0;
    const writer = {
      urgent: async () => undefined,
      async bulk() {
        pieces++;
        await sleep(clock, 6000);
      },
      taken: 0,
      blocked: false,
    };
    const request = {
      kind: 'get',
      digest,
      offset: 0,
      length: undefined,
      deadlineMs: 0,
      priority: 0,
    } as const;
    // A stranger has two places.
    slots.enter(asker, () => undefined);
    const served = serveGet(deps, request, {
      asker,
      writer,
      signal: new AbortController().signal,
      onSent: () => undefined,
    });
    let entered = false;
    const other = slots.enter(asker, () => void (entered = true));
    assert.ok(other && !other.running);
    await clock.advance(11_000);
    assert.deepEqual([entered, pieces], [false, 2]);
    await clock.advance(1000);
    assert.equal(entered, true);
    await clock.advance(20_000);
    assert.equal(pieces, 2, 'it waits for its next turn');
    other.leave();
    await clock.advance(60_000);
    assert.equal(await served, undefined);
    assert.equal(pieces, 6, 'nobody waited any more');
    assert.equal(shelf.open_, 0);
  });
});
