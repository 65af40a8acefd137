/** A range of records and deltas is bounded while it comes: what a peer sends beyond that is not gathered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { digestOfNames } from '../../../src/core/index-map/name-list.ts';
import { limits } from '../../../src/core/limits.ts';
import { type VerifiedAnnouncement, verifyAnnouncement } from '../../../src/core/log/announcement.ts';
import { encodeRecord } from '../../../src/core/log/record.ts';
import type { IndexAsker, RangeItem } from '../../../src/mirror/follow/ask-index.ts';
import { bringLog, type LogOutcome } from '../../../src/mirror/follow/bring-log.ts';
import { createMemoryFollowStates } from '../../../src/mirror/follow/follow-state.ts';
import { FollowedLog } from '../../../src/mirror/follow/followed-log.ts';
import { Refusals } from '../../../src/mirror/follow/refusals.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createPublisherDouble } from './publisher-double.ts';

/** One peer that sends these, to a log of one record that takes whatever is whole. */
async function bring(
  count: number,
  itemAt: (index: number) => RangeItem,
  tail: { readonly size?: number } = {},
): Promise<{ outcome: LogOutcome; sent: number; taken: readonly RangeItem[]; askedForProof: number }> {
  const clock = createFakeClock();
  let [sent, askedForProof] = [0, 0];
  let taken: readonly RangeItem[] = [];
  const log = {
    origin: 'a.example',
    size: 1,
    tail: { first: 0, size: 1, ...tail },
    judge: () => 'fits',
    evidence: () => undefined,
    async extend(_next: unknown, items: readonly RangeItem[]) {
      taken = items;
    },
  } as unknown as FollowedLog;
  const asker = {
    async *range() {
      for (let index = 0; index < count; index++) {
        sent++;
        yield itemAt(index);
      }
    },
    async consistency() {
      askedForProof++;
      return undefined;
    },
  } as unknown as IndexAsker;
  const refusals = new Refusals(clock, createFactEmitter());
  const next = { checkpoint: { size: 1 + count } } as unknown as VerifiedAnnouncement;
  const deps = { clock, asker, refusals, peers: () => ['peer'], now: () => clock.now() };
  const outcome = await bringLog(deps, log, next, new AbortController().signal);
  return { outcome, sent, taken, askedForProof };
}

test('records of a range that are too many bytes are not read to their end: a proof is asked for', async () => {
  const record = Buffer.alloc(limits.log.recordBytes);
  const { outcome, sent, taken, askedForProof } = await bring(limits.follow.rangeRecords, () => {
    return { record, delta: undefined };
  });
  assert.deepEqual([outcome.kind, taken.length, askedForProof], ['waiting', 0, 1]);
  assert.ok(sent * record.length <= limits.follow.rangeBytes + record.length, `${sent} records`);
});

test('of deltas that are too many bytes the newest stay, and all records', async () => {
  const double = await createPublisherDouble('a.example', 1);
  await double.sign({ at: 1 });
  const [model] = double.records;
  assert.ok(model);
  const { delta: _, ...rest } = model;
  const items = Array.from({ length: 7 }, (_, index): RangeItem => {
    const delta = Buffer.alloc(limits.indexMap.deltaBytes, index);
    const record = encodeRecord({
      ...rest,
      seq: 1 + index,
      delta: digestOfNames(delta),
      previous: digestOfNames(delta),
    });
    return { record, delta };
  });
  const { outcome, taken } = await bring(items.length, (index) => items[index] as RangeItem);
  assert.equal(outcome.kind, 'done');
  const most = limits.follow.deltaBytes / limits.indexMap.deltaBytes;
  assert.deepEqual(
    taken.map(({ delta }) => delta !== undefined),
    items.map((_, index) => index >= items.length - most),
  );
  assert.deepEqual(
    taken.map(({ record }) => record),
    items.map(({ record }) => record),
  );
});

test('a log whose leaves have become too many to remember is joined anew by a proof', async () => {
  const item = { record: Buffer.alloc(1), delta: undefined };
  const most = limits.follow.tailLeaves;
  const last = await bring(1, () => item, { size: most - 1 });
  assert.deepEqual([last.outcome.kind, last.sent], ['done', 1]);
  const over = await bring(1, () => item, { size: most });
  assert.deepEqual([over.outcome.kind, over.sent, over.askedForProof], ['waiting', 0, 1]);
});

test('what is kept of a log for others is bounded in bytes, and the newest stays', async () => {
  const double = await createPublisherDouble('a.example', 1);
  const state = createMemoryFollowStates().scope('log');
  const log = await FollowedLog.open('a.example', state, assert.fail);
  const delta = Buffer.alloc(limits.follow.recordBytesKept / 4);
  for (let size = 1; size <= 9; size++) {
    const next = verifyAnnouncement(await double.sign({ at: size }), [double.signer.key]);
    const record = await double.source.record(size - 1);
    assert.ok(record);
    if (size === 1) await log.join(next, undefined, size);
    else await log.extend(next, [{ record, delta }], size);
  }
  let bytes = 0;
  for await (const [, value] of state.entries('rec/')) bytes += value.length;
  assert.ok(bytes <= limits.follow.recordBytesKept + delta.length, `${bytes} bytes`);
  assert.ok(bytes > limits.follow.recordBytesKept - delta.length, 'no less than may be');
  assert.equal((await log.delta(8))?.length, delta.length);
  assert.equal(await log.record(1), undefined);
});
