/**
 * What every blob store does, on whatever it keeps its bytes. `makeStore` opens a store on a fresh place; the context is
 * disposed at the end of each test.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { IntegrityError, StorageFullError } from '../../src/core/errors.ts';
import type { FactEmitter, FactName, Facts } from '../../src/core/facts.ts';
import type { BlobReader, BlobStore, PartialBlob, Visibility } from '../../src/store/blob-store.ts';
import type { FakeClock } from '../support/fake-clock.ts';

export interface StoreContext extends AsyncDisposable {
  readonly store: BlobStore;
  readonly clock: FakeClock;
  readonly facts: FactEmitter;
}

export interface MakeStore {
  (options: { quotaBytes: number }): Promise<StoreContext>;
}

export const digestOf = (bytes: Uint8Array): Digest =>
  createHash('sha256').update(bytes).digest('hex') as Digest;

export async function putBlob(
  store: BlobStore,
  bytes: Uint8Array,
  visibility: Visibility = 'public',
): Promise<Digest> {
  const digest = digestOf(bytes);
  await using partial = await store.openPartial(digest, { size: bytes.length });
  await partial.append(bytes, 'https://files.example/f');
  await partial.commit({ visibility });
  return digest;
}

export async function readAll(source: BlobReader | PartialBlob): Promise<Buffer> {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const target = Buffer.alloc(1000);
    const read = await source.read(target, offset);
    if (read === 0) return Buffer.concat(parts);
    parts.push(target.subarray(0, read));
    offset += read;
  }
}

export async function readBlob(store: BlobStore, digest: Digest): Promise<Buffer | undefined> {
  await using reader = await store.open(digest);
  return reader && (await readAll(reader));
}

function collectFacts(facts: FactEmitter): { name: FactName; fact: Facts[FactName] }[] {
  const seen: { name: FactName; fact: Facts[FactName] }[] = [];
  facts.onAny((name, fact) => seen.push({ name, fact }));
  return seen;
}

export function blobStoreContract(name: string, makeStore: MakeStore): void {
  const open = (quotaBytes = 1e6): Promise<StoreContext> => makeStore({ quotaBytes });

  describe(`${name} keeps the contract of a blob store`, () => {
    it('gives back what was committed, in any order of reading', async () => {
      await using context = await open();
      const { store, clock, facts } = context;
      const seen = collectFacts(facts);
      const bytes = randomBytes(5000);
      const digest = await putBlob(store, bytes);

      assert.deepEqual(store.stat(digest), {
        digest,
        size: 5000,
        visibility: 'public',
        pinned: false,
        lastUsedAt: clock.now(),
        addedAt: clock.now(),
      });
      assert.deepEqual(await readBlob(store, digest), bytes);
      await using reader = await store.open(digest);
      assert.ok(reader);
      assert.equal(reader.size, 5000);
      const target = Buffer.alloc(100);
      assert.equal(await reader.read(target, 4950), 50);
      assert.deepEqual(target.subarray(0, 50), bytes.subarray(4950));
      assert.equal(await reader.read(target, 5000), 0);
      assert.equal(await reader.read(target, 9000), 0);
      assert.deepEqual(seen, [
        { name: 'blob:added', fact: { digest, size: 5000, source: 'upstream', shareable: true } },
      ]);
    });

    it('knows nothing of what it does not hold', async () => {
      await using context = await open();
      const { store } = context;
      const digest = digestOf(Buffer.from('absent'));
      assert.equal(store.stat(digest), undefined);
      assert.equal(await store.open(digest), undefined);
      assert.equal(store.visibility(digest), undefined);
      assert.equal(await store.verify(digest), 'missing');
      assert.equal(await store.delete(digest), false);
      store.touch(digest);
      assert.deepEqual([...store.list()], []);
    });

    it('holds an empty blob', async () => {
      await using context = await open();
      const digest = await putBlob(context.store, Buffer.alloc(0));
      assert.equal(context.store.stat(digest)?.size, 0);
      assert.deepEqual(await readBlob(context.store, digest), Buffer.alloc(0));
      assert.equal(await context.store.verify(digest), 'good');
    });

    it('shows no byte of a partial as a blob, and nothing after it was discarded', async () => {
      await using context = await open();
      const { store } = context;
      const bytes = randomBytes(300);
      const digest = digestOf(bytes);
      const partial = await store.openPartial(digest);
      await partial.append(bytes, 'peer:a');
      assert.equal(store.stat(digest), undefined);
      assert.equal(await store.open(digest), undefined);
      assert.deepEqual([...store.list()], []);
      assert.equal(store.totals().partials, 1);
      assert.equal(store.totals().partialBytes, 300);
      await partial.discard();
      assert.equal(store.totals().partials, 0);
      await using again = await store.openPartial(digest);
      assert.equal(again.length, 0);
    });

    it('refuses to commit bytes that do not fit, keeps them for a second try, and names the sender', async () => {
      await using context = await open();
      const { store } = context;
      const bytes = randomBytes(300);
      const digest = digestOf(bytes);
      await using partial = await store.openPartial(digest);
      await partial.append(bytes.subarray(0, 200), 'https://files.example/f');
      await partial.append(Buffer.alloc(100), 'peer:liar');
      await assert.rejects(partial.commit({ visibility: 'public' }), (error) => {
        assert.ok(error instanceof IntegrityError);
        assert.equal(error.expected, digest);
        assert.equal(error.source, 'https://files.example/f, peer:liar');
        return true;
      });
      assert.equal(store.stat(digest), undefined);
      await partial.truncate(200);
      assert.equal(await partial.actualDigest(), digestOf(bytes.subarray(0, 200)));
      await partial.append(bytes.subarray(200), 'peer:b');
      assert.equal(await partial.actualDigest(), digest);
      assert.equal((await partial.commit({ visibility: 'public' })).size, 300);
      assert.deepEqual(await readBlob(store, digest), bytes);
    });

    it('remembers who sent each range, merged, across a truncation and a resumption', async () => {
      await using context = await open();
      const { store } = context;
      const bytes = randomBytes(1000);
      const digest = digestOf(bytes);
      {
        await using partial = await store.openPartial(digest);
        await partial.append(bytes.subarray(0, 100), 'peer:a');
        await partial.append(bytes.subarray(100, 300), 'peer:a');
        await partial.append(new Uint8Array(0), 'peer:nothing');
        await partial.append(bytes.subarray(300, 400), 'peer:b');
        await partial.truncate(350);
        await partial.truncate(900);
        assert.equal(partial.length, 350);
      }
      await using partial = await store.openPartial(digest);
      assert.equal(partial.length, 350);
      assert.deepEqual(
        [...partial.sent],
        [
          { start: 0, end: 300, source: 'peer:a' },
          { start: 300, end: 350, source: 'peer:b' },
        ],
      );
      await partial.append(bytes.subarray(350, 600), 'peer:b');
      await partial.append(bytes.subarray(600), 'https://files.example/f');
      assert.deepEqual(
        partial.sent.map((range) => range.end),
        [300, 600, 1000],
      );
      assert.deepEqual(await readAll(partial), bytes);
      await partial.commit({ visibility: 'public' });
      assert.deepEqual(await readBlob(store, digest), bytes);
      assert.equal(store.totals().partials, 0);
    });

    it('queues appends that were not awaited, in order', async () => {
      await using context = await open();
      const bytes = randomBytes(2000);
      await using partial = await context.store.openPartial(digestOf(bytes));
      const appends = [];
      for (let at = 0; at < 2000; at += 100)
        appends.push(partial.append(bytes.subarray(at, at + 100), 'peer:a'));
      const committed = partial.commit({ visibility: 'public' });
      await Promise.all(appends);
      assert.equal((await committed).size, 2000);
    });

    it('has one writer a digest', async () => {
      await using context = await open();
      const digest = digestOf(Buffer.from('x'));
      {
        await using partial = await context.store.openPartial(digest);
        await assert.rejects(context.store.openPartial(digest), /already being written/);
        await partial.append(Buffer.from('x'), 'peer:a');
      }
      await using partial = await context.store.openPartial(digest);
      await partial.commit({ visibility: 'public' });
      await assert.rejects(partial.append(Buffer.from('y'), 'peer:a'), /not being written any more/);
      await assert.rejects(partial.commit({ visibility: 'public' }), /not being written any more/);
    });

    it('lets readers of a partial go on reading after the commit, and keeps the blob meanwhile', async () => {
      await using context = await open();
      const { store } = context;
      const bytes = randomBytes(500);
      {
        await using partial = await store.openPartial(digestOf(bytes));
        await partial.append(bytes, 'peer:a');
        await partial.commit({ visibility: 'public' });
        assert.deepEqual(await readAll(partial), bytes);
        assert.deepEqual(await store.collect(0), []);
        assert.deepEqual(await readAll(partial), bytes);
      }
      assert.equal((await store.collect(0)).length, 1);
    });

    it('takes a blob that it holds already as good, once', async () => {
      await using context = await open();
      const { store, facts } = context;
      const bytes = randomBytes(500);
      const digest = await putBlob(store, bytes);
      const seen = collectFacts(facts);
      await putBlob(store, bytes);
      assert.equal(store.totals().blobs, 1);
      assert.equal(store.totals().bytes, 500);
      assert.equal(store.totals().partials, 0);
      assert.deepEqual(seen, []);
      assert.deepEqual(await readBlob(store, digest), bytes);
    });

    it('forgets a partial after an hour', async () => {
      await using context = await open();
      const { store, clock } = context;
      const digest = digestOf(Buffer.from('whole'));
      const write = async (): Promise<number> => {
        await using partial = await store.openPartial(digest);
        if (partial.length === 0) await partial.append(Buffer.from('who'), 'peer:a');
        return partial.length;
      };
      await write();
      await clock.advance(59 * 60_000);
      assert.equal(store.totals().partials, 1);
      await using partial = await store.openPartial(digest);
      assert.equal(partial.length, 3);
      await partial[Symbol.asyncDispose]();
      await clock.advance(61 * 60_000);
      await using fresh = await store.openPartial(digest);
      assert.equal(fresh.length, 0);
    });

    it('makes room by evicting what was not used for longest', async () => {
      await using context = await open(1000);
      const { store, clock, facts } = context;
      const digests: Digest[] = [];
      for (let i = 0; i < 3; i++) {
        digests.push(await putBlob(store, randomBytes(300)));
        await clock.advance(10);
      }
      store.touch(digests[0]!);
      const seen = collectFacts(facts);
      const fourth = await putBlob(store, randomBytes(300));
      assert.deepEqual(
        digests.map((digest) => store.stat(digest) !== undefined),
        [true, false, true],
      );
      assert.ok(store.stat(fourth));
      assert.deepEqual(seen[0], {
        name: 'blob:evicted',
        fact: { digest: digests[1], size: 300, reason: 'quota' },
      });
      assert.equal(store.totals().evictedBlobs, 1);
      assert.equal(store.totals().bytes, 900);
    });

    it('never evicts what is pinned, open or being written', async () => {
      await using context = await open(1000);
      const { store } = context;
      const pinned = await putBlob(store, randomBytes(300));
      await store.pin(pinned);
      const opened = await putBlob(store, randomBytes(300));
      await using reader = await store.open(opened);
      const bytes = randomBytes(400);
      await using partial = await store.openPartial(digestOf(bytes));
      await partial.append(bytes.subarray(0, 300), 'peer:a');

      await assert.rejects(putBlob(store, randomBytes(200)), StorageFullError);
      assert.deepEqual(await store.collect(0), []);
      assert.ok(store.stat(pinned)?.pinned);
      assert.ok(store.stat(opened));
      assert.equal(partial.length, 300);

      await reader?.[Symbol.asyncDispose]();
      await putBlob(store, randomBytes(200));
      assert.equal(store.stat(opened), undefined);
      await store.unpin(pinned);
      assert.ok((await store.collect(0)).some(({ digest }) => digest === pinned));
    });

    it('refuses at once what can never fit beside the pins, and says what to do', async () => {
      await using context = await open(1000);
      const { store } = context;
      await store.pin(await putBlob(store, randomBytes(300)));
      await putBlob(store, randomBytes(300));
      const digest = digestOf(Buffer.from('big'));
      await assert.rejects(store.openPartial(digest, { size: 701 }), (error) => {
        assert.ok(error instanceof StorageFullError);
        assert.match(error.message, /701 bytes .* quota of 1000 bytes .*--quota/);
        return true;
      });
      assert.equal(store.totals().blobs, 2, 'nothing was evicted for it');
      await using first = await store.openPartial(digest, { size: 400 });
      await assert.rejects(
        store.openPartial(digestOf(Buffer.from('other')), { size: 301 }),
        StorageFullError,
        'what another writer reserved is taken',
      );
      await first.discard();
      await using second = await store.openPartial(digest, { size: 700 });
      assert.equal(second.length, 0);
    });

    it('stops an append at the quota and goes on when there is room', async () => {
      await using context = await open(1000);
      const { store } = context;
      const bytes = randomBytes(900);
      await using partial = await store.openPartial(digestOf(bytes));
      const pinned = await putBlob(store, randomBytes(300));
      await store.pin(pinned);
      await partial.append(bytes.subarray(0, 600), 'peer:a');
      await assert.rejects(partial.append(bytes.subarray(600), 'peer:a'), StorageFullError);
      assert.equal(partial.length, 600);
      assert.deepEqual(await readBlob(store, pinned), await readBlob(store, pinned));
      await store.unpin(pinned);
      await partial.append(bytes.subarray(600), 'peer:a');
      assert.equal((await partial.commit({ visibility: 'public' })).size, 900);
    });

    it('lets no byte land behind a gap: what was queued behind a failed append fails too', async () => {
      await using context = await open(1000);
      const bytes = randomBytes(2000);
      await using partial = await context.store.openPartial(digestOf(bytes));
      const appends = [
        partial.append(bytes.subarray(0, 900), 'peer:a'),
        partial.append(bytes.subarray(900, 1100), 'peer:a'),
        partial.append(bytes.subarray(1100, 1150), 'peer:a'),
      ];
      const outcomes = await Promise.allSettled(appends);
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected'],
      );
      assert.equal(partial.length, 900);
      await partial.append(bytes.subarray(900, 1000), 'peer:a');
      assert.deepEqual(await readAll(partial), bytes.subarray(0, 1000));
    });

    it('drops kept partials before blobs when room is needed', async () => {
      await using context = await open(1000);
      const { store } = context;
      const blob = await putBlob(store, randomBytes(400));
      {
        await using partial = await store.openPartial(digestOf(Buffer.from('other')));
        await partial.append(randomBytes(400), 'peer:a');
      }
      await putBlob(store, randomBytes(400));
      assert.ok(store.stat(blob));
      assert.equal(store.totals().partials, 0);
    });

    it('keeps a private mark whatever public origins follow, and before and after the blob is held', async () => {
      await using context = await open();
      const { store, facts } = context;
      const bytes = randomBytes(100);
      const digest = digestOf(bytes);
      await store.markVisibility(digest, 'public');
      assert.equal(store.visibility(digest), 'public');
      await store.markVisibility(digest, 'private');
      await store.markVisibility(digest, 'public');
      assert.equal(store.visibility(digest), 'private');
      const seen = collectFacts(facts);
      await putBlob(store, bytes, 'public');
      assert.equal(store.stat(digest)?.visibility, 'private');
      assert.deepEqual(
        seen.map(({ fact }) => ('shareable' in fact ? fact.shareable : undefined)),
        [false],
      );
      await store.delete(digest);
      assert.equal(store.visibility(digest), 'private');
    });

    it('tells when a shared blob becomes private, and still serves it', async () => {
      await using context = await open();
      const { store, facts } = context;
      const bytes = randomBytes(100);
      const digest = await putBlob(store, bytes);
      const seen = collectFacts(facts);
      await using reader = await store.open(digest);
      await store.markVisibility(digest, 'private');
      await store.markVisibility(digest, 'private');
      assert.deepEqual(seen, [{ name: 'blob:hidden', fact: { digest } }]);
      assert.equal(store.stat(digest)?.visibility, 'private');
      assert.equal(store.visibility(digest), 'private');
      assert.ok(reader);
      assert.deepEqual(await readAll(reader), bytes);
      assert.deepEqual(await readBlob(store, digest), bytes);
      await putBlob(store, bytes, 'public');
      assert.equal(store.stat(digest)?.visibility, 'private');
    });

    it('makes a held blob private when it is fetched again from a private origin', async () => {
      await using context = await open();
      const bytes = randomBytes(100);
      const digest = await putBlob(context.store, bytes, 'public');
      const seen = collectFacts(context.facts);
      await putBlob(context.store, bytes, 'private');
      assert.deepEqual(seen, [{ name: 'blob:hidden', fact: { digest } }]);
      assert.equal(context.store.stat(digest)?.visibility, 'private');
      assert.deepEqual(await readBlob(context.store, digest), bytes);
    });

    it('pins what is not held yet', async () => {
      await using context = await open();
      const { store } = context;
      const bytes = randomBytes(100);
      const digest = digestOf(bytes);
      await store.pin(digest);
      assert.deepEqual(store.pins(), [digest]);
      assert.equal(store.totals().pinnedBlobs, 0);
      await putBlob(store, bytes);
      assert.equal(store.stat(digest)?.pinned, true);
      assert.equal(store.totals().pinnedBlobs, 1);
      assert.deepEqual(await store.collect(0), []);
      await store.unpin(digest);
      assert.deepEqual(store.pins(), []);
      assert.equal((await store.collect(0)).length, 1);
    });

    it('lists blobs newest first and stands changes meanwhile', async () => {
      await using context = await open();
      const { store, clock } = context;
      const digests: Digest[] = [];
      for (let i = 0; i < 4; i++) {
        digests.push(await putBlob(store, randomBytes(10)));
        await clock.advance(5);
      }
      store.touch(digests[0]!);
      assert.deepEqual(
        [...store.list()].map(({ digest }) => digest),
        digests.toReversed(),
      );
      const seen: Digest[] = [];
      for (const { digest } of store.list()) {
        seen.push(digest);
        if (digest === digests[3]) await store.delete(digests[2]!);
      }
      assert.deepEqual(seen, [digests[3], digests[1], digests[0]]);
    });

    it('deletes on request', async () => {
      await using context = await open();
      const { store, facts } = context;
      const digest = await putBlob(store, randomBytes(70));
      const seen = collectFacts(facts);
      assert.equal(await store.delete(digest), true);
      assert.equal(store.stat(digest), undefined);
      assert.equal(await store.open(digest), undefined);
      assert.deepEqual(seen, [{ name: 'blob:evicted', fact: { digest, size: 70, reason: 'request' } }]);
      assert.equal(store.totals().bytes, 0);
      assert.equal(store.totals().evictedBlobs, 0);
    });

    it('verifies on request and obeys the signal', async () => {
      await using context = await open();
      const digest = await putBlob(context.store, randomBytes(5000));
      assert.equal(await context.store.verify(digest), 'good');
      await assert.rejects(
        context.store.verify(digest, { signal: AbortSignal.abort(new Error('enough')) }),
        /enough/,
      );
    });

    it('serves many readers of many blobs while it evicts', async () => {
      await using context = await open(20_000);
      const { store } = context;
      const contents = Array.from({ length: 60 }, () => randomBytes(1000));
      const readers = async (): Promise<number> => {
        let reads = 0;
        for (let round = 0; round < 40; round++) {
          const bytes = contents[(round * 7) % contents.length]!;
          const back = await readBlob(store, digestOf(bytes));
          if (back === undefined) continue;
          assert.ok(back.equals(bytes));
          reads++;
        }
        return reads;
      };
      const writer = (async () => {
        for (const bytes of contents) {
          await putBlob(store, bytes);
          assert.ok(store.totals().bytes + store.totals().partialBytes <= 20_000);
        }
      })();
      await Promise.all([writer, readers(), readers(), readers()]);
      assert.ok(store.totals().evictedBlobs >= 40);
      assert.ok((await readers()) > 0);
    });

    it('may be closed twice', async () => {
      await using context = await open();
      await putBlob(context.store, randomBytes(10));
      await context.store[Symbol.asyncDispose]();
      await context.store[Symbol.asyncDispose]();
    });
  });
}
