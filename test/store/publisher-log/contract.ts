/** What every publisher's log must do, in memory and on disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { encodeAnnouncement, verifyAnnouncement } from '../../../src/core/log/announcement.ts';
import { openCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { recordDigest } from '../../../src/core/log/record.ts';
import type { Signer } from '../../../src/core/log/signer-key.ts';
import { checkConsistency, checkInclusion } from '../../../src/core/log/tree-proofs.ts';
import type { PublisherLog, RecordDraft } from '../../../src/store/publisher-log/publisher-log.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createTestTree } from '../../support/test-tree.ts';

export const alice = signerOf('alice.example/log', 1);
export const next = signerOf('alice.example/log', 3);
export const bob = signerOf('bob.example/log', 2);

export function draftOf(seq: number, change: Partial<RecordDraft> = {}): RecordDraft {
  const digest = (text: string): Digest => recordDigest(Buffer.from(`${text} ${seq}`));
  return {
    upstream: 'https://pypi.org/simple/',
    fileOrigin: 'https://files.pythonhosted.org',
    format: 'json',
    scope: 'all',
    complete: true,
    seq,
    signedAt: 1_780_000_000_000 + seq * 60_000,
    observedAt: 1_780_000_000_000 + seq * 60_000,
    serial: 31_000_000 + seq,
    apiVersion: '1.4',
    count: 886_324,
    mapRoot: digest('root'),
    leaves: digest('leaves'),
    delta: digest('delta'),
    stale: null,
    retractions: [],
    ...change,
  };
}

/** One place where a log is, opened as often as a test needs. */
export interface LogPlace extends AsyncDisposable {
  open(signers?: readonly [Signer, ...Signer[]]): Promise<PublisherLog>;
}

export async function appendUpTo(log: PublisherLog, size: number): Promise<void> {
  while (log.size < size) await log.append(draftOf(log.size));
}

export function testPublisherLog(kind: string, makePlace: () => Promise<LogPlace>): void {
  test(`${kind}: an empty log has no head`, async () => {
    await using place = await makePlace();
    await using log = await place.open();
    assert.deepEqual([log.size, log.head, log.origin], [0, undefined, 'alice.example/log']);
    assert.equal(await log.record(0), undefined);
    assert.equal(await log.recover(), undefined);
  });

  test(`${kind}: every head is announced with its last record, and each leads on from every one before`, async () => {
    await using place = await makePlace();
    await using log = await place.open();
    const heads = [];
    const tree = createTestTree();
    for (let size = 1; size <= 20; size++) {
      const head = await log.append(draftOf(size - 1));
      tree.add(head.digest);
      heads.push(head);
      assert.equal(log.head, head);
      assert.equal(head.checkpoint.root, tree.root());
      assert.equal(head.record.previous, heads.at(-2)?.digest ?? null);
      const [announcement] = head.announcements;
      assert.ok(announcement !== undefined && head.announcements.length === 1);
      const verified = verifyAnnouncement(encodeAnnouncement(announcement), [alice.key]);
      assert.deepEqual(verified.record, head.record);
      assert.deepEqual(openCheckpoint(head.note, [alice.key]).checkpoint, head.checkpoint);
    }
    for (const [i, { checkpoint }] of heads.entries()) {
      const record = await log.record(i);
      assert.equal(recordDigest(record ?? Buffer.alloc(0)), heads[i]?.digest);
      const newest = (log.head as (typeof heads)[0]).checkpoint;
      checkInclusion(newest, i, (heads[i] as (typeof heads)[0]).digest, await log.proveInclusion(i));
      checkConsistency(checkpoint, newest, await log.proveConsistency(i + 1));
      checkConsistency(
        (heads[0] as (typeof heads)[0]).checkpoint,
        checkpoint,
        await log.proveConsistency(1, i + 1),
      );
    }
    assert.throws(() => log.proveInclusion(0, 21), RangeError);
    assert.throws(() => log.proveConsistency(0, 21), RangeError);
    for (const seq of [-1, 20, 0.5]) assert.equal(await log.record(seq), undefined);
  });

  test(`${kind}: opened again it has the same head, signature and all, and goes on`, async () => {
    await using place = await makePlace();
    const before = await (async () => {
      await using log = await place.open();
      await appendUpTo(log, 3);
      return log.head;
    })();
    await using log = await place.open();
    assert.deepEqual(log.head?.checkpoint, before?.checkpoint);
    assert.deepEqual(Buffer.from(log.head?.note ?? []), Buffer.from(before?.note ?? []));
    await log.append(draftOf(3));
    assert.equal(log.size, 4);
  });

  test(`${kind}: a record for another place, one that goes back in time and one that nobody could read change nothing`, async () => {
    await using place = await makePlace();
    await using log = await place.open();
    await appendUpTo(log, 2);
    const { head } = log;
    await assert.rejects(log.append(draftOf(1)), { code: 'RECORD_WRONG_SEQ' });
    await assert.rejects(log.append(draftOf(3)), { code: 'RECORD_WRONG_SEQ' });
    await assert.rejects(log.append(draftOf(2, { observedAt: 1 })), { code: 'RECORD_OUT_OF_ORDER' });
    await assert.rejects(log.append(draftOf(2, { upstream: 'https://PYPI.org/simple/' })), {
      code: 'RECORD_MALFORMED',
    });
    assert.equal(await log.recover(), head);
    // While the upstream cannot be read its last observation is said again.
    await log.append(draftOf(2, { observedAt: draftOf(1).observedAt }));
  });

  test(`${kind}: appends at once happen one after the other`, async () => {
    await using place = await makePlace();
    await using log = await place.open();
    const results = await Promise.allSettled([0, 1, 1, 2].map((seq) => log.append(draftOf(seq))));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(log.size, 3);
  });

  test(`${kind}: a closed log signs nothing`, async () => {
    await using place = await makePlace();
    const log = await place.open();
    await log.append(draftOf(0));
    await log[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await assert.rejects(log.append(draftOf(1)), /is closed/);
  });

  test(`${kind}: another key cannot go on with a log`, async () => {
    await using place = await makePlace();
    await (async () => {
      await using log = await place.open();
      await log.append(draftOf(0));
    })();
    await assert.rejects(place.open([bob]), { code: 'CONFIGURATION' });
    await assert.rejects(place.open([next]), { code: 'CONFIGURATION' });
    await assert.rejects(place.open([alice, bob]), { code: 'CONFIGURATION' });
  });

  test(`${kind}: during a rotation both keys sign one head, then the new one alone`, async () => {
    await using place = await makePlace();
    await (async () => {
      await using log = await place.open();
      await appendUpTo(log, 2);
    })();
    await (async () => {
      await using log = await place.open([alice, next]);
      assert.equal(openCheckpoint(log.head?.note ?? Buffer.alloc(0), [next.key]).checkpoint.size, 2);
      const head = await log.append(draftOf(2, { successor: next.key.text }));
      assert.equal(openCheckpoint(head.note, [alice.key, next.key]).signedBy.length, 2);
      assert.deepEqual(
        head.announcements.map(
          (one) => verifyAnnouncement(encodeAnnouncement(one), [alice.key, next.key]).key.text,
        ),
        [alice.key.text, next.key.text],
      );
    })();
    await using log = await place.open([next]);
    const head = await log.append(draftOf(3));
    assert.deepEqual(
      openCheckpoint(head.note, [alice.key, next.key]).signedBy.map(({ key }) => key),
      [next.key],
    );
  });
}
