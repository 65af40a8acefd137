/** Both stores against a plain model, by random operations. A failure prints its seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StorageFullError } from '../../src/core/errors.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import type { Digest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { digestOf, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

const QUOTA = 1000;
const CONTENTS = [0, 40, 90, 130, 200, 280, 390, 510, 1100].map((size, i) =>
  Buffer.alloc(size, `blob ${i} `),
);
const DIGESTS = CONTENTS.map(digestOf);

type Operation =
  | { readonly kind: 'put' | 'touch' | 'delete' | 'pin' | 'unpin' | 'hide' | 'read'; readonly blob: number }
  | { readonly kind: 'begin'; readonly blob: number; readonly part: number }
  | { readonly kind: 'collect'; readonly target: number }
  | { readonly kind: 'wait'; readonly minutes: number }
  | { readonly kind: 'restart' };

const blob = fc.nat(CONTENTS.length - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), blob }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('touch' as const, 'delete', 'pin', 'unpin', 'hide', 'read'),
      blob,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('begin' as const), blob, part: fc.nat(500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('collect' as const), target: fc.nat(QUOTA) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

/** The rules, in the shortest form. Blobs are least recently used first, partials longest kept first. */
class Model {
  blobs = new Map<number, number>();
  partials = new Map<number, { length: number; at: number }>();
  pins = new Set<number>();
  hidden = new Set<number>();

  get used(): number {
    return [...this.blobs.values(), ...[...this.partials.values()].map(({ length }) => length)].reduce(
      (sum, size) => sum + size,
      0,
    );
  }

  evict(target: number, writing: number | undefined): void {
    for (const [key] of this.partials) if (this.used > target && key !== writing) this.partials.delete(key);
    for (const [key] of this.blobs) {
      if (this.used > target && !this.pins.has(key) && key !== writing) this.blobs.delete(key);
    }
  }

  /** Appends up to `end` of the blob: true when it fitted. */
  write(key: number, end: number, now: number): boolean {
    const size = CONTENTS[key]!.length;
    for (const [other, { at }] of this.partials) if (now - at > 60 * 60_000) this.partials.delete(other);
    const pinned = [...this.pins].reduce((sum, pin) => sum + (this.blobs.get(pin) ?? 0), 0);
    if (size + pinned > QUOTA) return false;
    const partial = { length: this.partials.get(key)?.length ?? 0, at: now };
    this.partials.delete(key);
    this.partials.set(key, partial);
    const more = Math.max(0, end - partial.length);
    if (this.used + more > QUOTA) this.evict(Math.floor(QUOTA * limits.store.lowWater) - more, key);
    const fits = this.used + more <= QUOTA;
    if (fits) partial.length += more;
    if (partial.length === 0) this.partials.delete(key);
    return fits;
  }

  put(key: number, now: number): boolean {
    const size = CONTENTS[key]!.length;
    if (!this.write(key, size, now)) return false;
    this.partials.delete(key);
    if (!this.blobs.has(key)) this.blobs.set(key, size);
    return true;
  }
}

async function write(store: BlobStore, key: number, end: number): Promise<boolean> {
  const bytes = CONTENTS[key]!;
  try {
    await using partial = await store.openPartial(DIGESTS[key]!, { size: bytes.length });
    await partial.append(bytes.subarray(partial.length, Math.max(end, partial.length)), 'peer:a');
    if (end === bytes.length) await partial.commit({ visibility: 'public' });
    return true;
  } catch (error) {
    if (error instanceof StorageFullError) return false;
    throw error;
  }
}

const keyOf = (digest: Digest): number => DIGESTS.indexOf(digest);
const inOrder = (keys: Iterable<number>): number[] => [...keys].sort((a, b) => a - b);

function check(store: BlobStore, model: Model): void {
  const totals = store.totals();
  assert.equal(totals.bytes + totals.partialBytes, model.used);
  assert.ok(model.used <= QUOTA);
  assert.equal(totals.partials, model.partials.size);
  assert.deepEqual(
    inOrder([...store.list()].map(({ digest }) => keyOf(digest))),
    inOrder(model.blobs.keys()),
  );
  assert.deepEqual(inOrder(store.pins().map(keyOf)), inOrder(model.pins));
  for (const [key, digest] of DIGESTS.entries()) {
    const stat = store.stat(digest);
    assert.equal(stat?.size, model.blobs.get(key));
    if (stat) assert.equal(stat.visibility, model.hidden.has(key) ? 'private' : 'public');
    if (stat) assert.equal(stat.pinned, model.pins.has(key));
    if (model.hidden.has(key)) assert.equal(store.visibility(digest), 'private');
  }
}

async function run(
  operations: readonly Operation[],
  clock: FakeClock,
  opened: { store: BlobStore; restart?: () => Promise<BlobStore> },
): Promise<void> {
  const model = new Model();
  let { store } = opened;
  for (const op of operations) {
    // Every moment differs, so that order by time and order by operation are the same after a restart.
    await clock.advance(1);
    switch (op.kind) {
      case 'put':
        assert.equal(await write(store, op.blob, CONTENTS[op.blob]!.length), model.put(op.blob, clock.now()));
        break;
      case 'begin': {
        const end = Math.min(op.part, CONTENTS[op.blob]!.length - 1);
        if (end < 0) break;
        assert.equal(await write(store, op.blob, end), model.write(op.blob, end, clock.now()));
        break;
      }
      case 'touch': {
        store.touch(DIGESTS[op.blob]!);
        const size = model.blobs.get(op.blob);
        if (size !== undefined && model.blobs.delete(op.blob)) model.blobs.set(op.blob, size);
        break;
      }
      case 'delete':
        assert.equal(await store.delete(DIGESTS[op.blob]!), model.blobs.delete(op.blob));
        break;
      case 'pin':
        await store.pin(DIGESTS[op.blob]!);
        model.pins.add(op.blob);
        break;
      case 'unpin':
        await store.unpin(DIGESTS[op.blob]!);
        model.pins.delete(op.blob);
        break;
      case 'hide':
        await store.markVisibility(DIGESTS[op.blob]!, 'private');
        model.hidden.add(op.blob);
        break;
      case 'read':
        assert.deepEqual(
          await readBlob(store, DIGESTS[op.blob]!),
          model.blobs.has(op.blob) ? CONTENTS[op.blob] : undefined,
        );
        break;
      case 'collect': {
        const before = [...model.blobs.keys()];
        model.evict(op.target, undefined);
        assert.deepEqual(
          (await store.collect(op.target)).map(({ digest }) => DIGESTS.indexOf(digest)),
          before.filter((key) => !model.blobs.has(key)),
        );
        break;
      }
      case 'wait': {
        await clock.advance(op.minutes * 60_000);
        // Something that looks at partials, so that lazy and eager expiry come to the same.
        for (const [key, { at }] of model.partials) {
          if (clock.now() - at > 60 * 60_000) model.partials.delete(key);
        }
        await (await store.openPartial(digestOf(Buffer.from('nobody')))).discard();
        break;
      }
      case 'restart':
        if (opened.restart) store = await opened.restart();
    }
    check(store, model);
  }
}

const operations = fc.array(operation, { minLength: 5, maxLength: 60 });

test('the memory store does what the model does', { timeout: 20_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (operations) => {
      const clock = createFakeClock();
      const store = createMemoryBlobStore({ clock, quotaBytes: QUOTA, facts: createFactEmitter() });
      await run(operations, clock, { store });
    }),
    { numRuns: 150 },
  );
});

test('the disk store does what the model does, across restarts', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (operations) => {
      await using folder = await temporaryFolder();
      const clock = createFakeClock();
      let opened = await openStoreIn(folder.path, { clock, quotaBytes: QUOTA });
      try {
        await run(operations, clock, {
          store: opened.store,
          async restart() {
            await opened[Symbol.asyncDispose]();
            opened = await openStoreIn(folder.path, { clock, quotaBytes: QUOTA });
            return opened.store;
          },
        });
      } finally {
        await opened[Symbol.asyncDispose]();
      }
    }),
    { numRuns: 15 },
  );
});
