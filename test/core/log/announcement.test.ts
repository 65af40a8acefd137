import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { InvalidLogError } from '../../../src/core/errors.ts';
import { limits } from '../../../src/core/limits.ts';
import {
  type Announcement,
  decodeAnnouncement,
  encodeAnnouncement,
  verifyAnnouncement,
} from '../../../src/core/log/announcement.ts';
import { formatCheckpoint, parseCheckpoint } from '../../../src/core/log/checkpoint.ts';
import {
  encodeHeadValue,
  headValueKey,
  headValueRules,
  verifyHeadValue,
} from '../../../src/core/log/head-value.ts';
import { formatNote, parseNote, signNote } from '../../../src/core/log/note.ts';
import { encodeRecord, isKnownRecord, recordDigest } from '../../../src/core/log/record.ts';
import { createTestTree } from '../../support/test-tree.ts';
import { announcements, damages, records, signerOf } from './arbitraries.ts';
import { isLogError } from './log-error.ts';

const alice = signerOf('alice.example/log', 1);
const bob = signerOf('bob.example/log', 2);
/** The same name, another key. */
const next = signerOf('alice.example/log', 3);

function sampleOf(size: number, change: object = {}): Announcement {
  const [record] = fc.sample(records(size - 1), { numRuns: 1, seed: 5 });
  const bytes = encodeRecord({ ...record, retractions: [], ...change } as Parameters<typeof encodeRecord>[0]);
  return around(bytes, size);
}

/** A head of Alice's whose last leaf is `bytes`. */
function around(bytes: Uint8Array, size: number, signer = alice, origin = alice.key.name): Announcement {
  const tree = createTestTree(size - 1);
  tree.add(recordDigest(bytes));
  const text = formatCheckpoint({ origin, size, root: tree.root(), extensions: [] });
  return { checkpoint: signNote(text, [signer]), record: bytes, proof: tree.proveInclusion(size - 1) };
}

const refused = (announcement: Announcement, code: string, keys = [alice.key]): void =>
  assert.throws(() => verifyAnnouncement(encodeAnnouncement(announcement), keys), { code });

test('an announcement says its checkpoint, its record and who signed', () => {
  fc.assert(
    fc.property(announcements(alice), (announcement) => {
      const bytes = encodeAnnouncement(announcement);
      const verified = verifyAnnouncement(bytes, [bob.key, alice.key]);
      assert.equal(verified.key, alice.key);
      assert.equal(verified.digest, recordDigest(announcement.record));
      assert.ok(isKnownRecord(verified.record) && verified.record.seq === verified.checkpoint.size - 1);
      assert.deepEqual(Buffer.from(encodeAnnouncement(decodeAnnouncement(bytes))), Buffer.from(bytes));
    }),
    { numRuns: 30 },
  );
});

test('it has under 4 KB where nothing is retracted, in a log of years', () => {
  const announcement = sampleOf(1300);
  const many = { ...announcement, proof: Array.from({ length: 24 }, () => Buffer.alloc(32)) };
  assert.ok(encodeAnnouncement(many).length < 3000, String(encodeAnnouncement(many).length));
});

test('an altered announcement is not accepted, whatever was altered', () => {
  fc.assert(
    fc.property(announcements(alice, 40), damages, (announcement, damage) => {
      const bytes = Buffer.from(encodeAnnouncement(announcement));
      const damaged = Buffer.from(damage(bytes));
      if (damaged.equals(bytes)) return;
      assert.throws(
        () => verifyAnnouncement(damaged, [alice.key]),
        (error: unknown) => isLogError(error) && error.blame !== 'publisher',
      );
    }),
    { numRuns: 1000 },
  );
});

test('the keys of an announcement stand in one order', () => {
  const { checkpoint, proof, record } = sampleOf(5);
  const pair = (key: string, value: Uint8Array): Uint8Array => encode({ [key]: value }).subarray(1);
  const [c, p, r] = [pair('c', checkpoint), pair('p', Buffer.concat(proof)), pair('r', record)];
  const inOrder = (...pairs: Uint8Array[]): Uint8Array => Buffer.concat([Buffer.of(0xa3), ...pairs]);
  verifyAnnouncement(inOrder(c, p, r), [alice.key]);
  assert.throws(() => verifyAnnouncement(inOrder(c, r, p), [alice.key]), { code: 'ANNOUNCEMENT_MALFORMED' });
  assert.throws(() => verifyAnnouncement(inOrder(r, p, c), [alice.key]), { code: 'ANNOUNCEMENT_MALFORMED' });
});

test('any bytes and any CBOR end in an answer', () => {
  const values = fc.record({
    c: fc.anything({ withTypedArray: true }),
    p: fc.uint8Array(),
    r: fc.uint8Array(),
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), values.map(tryEncode)), (bytes) => {
      for (const read of [
        () => verifyAnnouncement(bytes, [alice.key]),
        () => verifyHeadValue(headValueKey(alice.key), bytes),
      ])
        assert.throws(read, isLogError);
    }),
  );
  assert.throws(() => verifyAnnouncement(Buffer.alloc(60_000, 0x81), []), { code: 'ANNOUNCEMENT_MALFORMED' });
});

function tryEncode(value: object): Uint8Array {
  try {
    return encode(value);
  } catch {
    return Buffer.alloc(1);
  }
}

test('exactly one signature is allowed: a stranger cannot make the same head another message', () => {
  const announcement = sampleOf(5);
  const { text } = parseNote(announcement.checkpoint);
  for (const signers of [
    [alice, bob],
    [bob, alice],
    [alice, alice],
  ])
    refused({ ...announcement, checkpoint: signNote(text, signers) }, 'NOTE_EXTRA_SIGNATURE', [
      alice.key,
      bob.key,
    ]);
});

test("a key that is not in the policy is nobody's fault; a wrong signature is its sender's", () => {
  const announcement = sampleOf(5);
  const blame = (keys: (typeof alice.key)[], checkpoint = announcement.checkpoint): string => {
    try {
      verifyAnnouncement(encodeAnnouncement({ ...announcement, checkpoint }), keys);
    } catch (error) {
      if (error instanceof InvalidLogError) return `${error.code} ${error.blame}`;
    }
    return 'accepted';
  };
  assert.equal(blame([bob.key, next.key]), 'NOTE_UNKNOWN_KEY nobody');
  const { text, signatures } = parseNote(announcement.checkpoint);
  const larger = { ...parseCheckpoint(text), size: 6 };
  assert.equal(
    blame([alice.key], formatNote({ text: formatCheckpoint(larger), signatures })),
    'NOTE_BAD_SIGNATURE sender',
  );
});

test('a known publisher cannot sign for another log', () => {
  refused(around(sampleOf(5).record, 5, bob), 'CHECKPOINT_OTHER_ORIGIN', [alice.key, bob.key]);
});

test('the record must be the last leaf', () => {
  const announcement = sampleOf(5);
  const tree = createTestTree(5);
  refused({ ...announcement, record: sampleOf(5, { count: 1 }).record }, 'INCLUSION_FAILED');
  refused({ ...announcement, proof: tree.proveInclusion(3) }, 'INCLUSION_FAILED');
  refused({ ...announcement, proof: [] }, 'INCLUSION_FAILED');
});

test("a record that its publisher got wrong is the publisher's fault", () => {
  const [other] = fc.sample(records(3), { numRuns: 1, seed: 5 });
  const bytes = encodeRecord({ ...other, retractions: [] } as Parameters<typeof encodeRecord>[0]);
  for (const [record, code] of [
    [bytes, 'RECORD_WRONG_SEQ'],
    [Buffer.from('{}'), 'RECORD_MALFORMED'],
    [Buffer.from('{"v": 1}'), 'RECORD_NOT_CANONICAL'],
  ] as const)
    assert.throws(
      () => verifyAnnouncement(encodeAnnouncement(around(record, 5)), [alice.key]),
      (error: unknown) => isLogError(error) && error.code === code && error.blame === 'publisher',
    );
});

test('a record of a later version is announced all the same: its log can be followed', () => {
  const verified = verifyAnnouncement(encodeAnnouncement(around(Buffer.from('{"v":9}'), 5)), [alice.key]);
  assert.deepEqual([verified.record, verified.checkpoint.size], [{ v: 9 }, 5]);
});

test('who takes over goes on with the same log', () => {
  const announcement = sampleOf(5, { successor: next.key.text });
  const { record } = verifyAnnouncement(encodeAnnouncement(announcement), [alice.key]);
  assert.ok(isKnownRecord(record) && record.successor === next.key.text);
  const { text } = parseNote(announcement.checkpoint);
  const byNext = { ...announcement, checkpoint: signNote(text, [next]) };
  assert.equal(verifyAnnouncement(encodeAnnouncement(byNext), [alice.key, next.key]).key, next.key);
  refused(byNext, 'NOTE_UNKNOWN_KEY');
  refused(sampleOf(5, { successor: bob.key.text }), 'RECORD_MALFORMED');
});

test('an empty log has nothing to announce', () => {
  const text = formatCheckpoint({
    origin: alice.key.name,
    size: 0,
    root: createTestTree().root(),
    extensions: [],
  });
  refused({ ...sampleOf(1), checkpoint: signNote(text, [alice]) }, 'ANNOUNCEMENT_MALFORMED');
});

test('messages over their limits are refused', () => {
  const announcement = sampleOf(5);
  assert.throws(() => encodeAnnouncement({ ...announcement, record: Buffer.alloc(65_536) }), {
    code: 'ANNOUNCEMENT_TOO_LARGE',
  });
  assert.throws(() => decodeAnnouncement(Buffer.alloc(65_537)), { code: 'ANNOUNCEMENT_TOO_LARGE' });
  const checkpoint = signNote(`${parseNote(announcement.checkpoint).text}${'x'.repeat(4096)}\n`, [alice]);
  refused({ ...announcement, checkpoint }, 'ANNOUNCEMENT_MALFORMED');
  assert.throws(() => encodeHeadValue(alice.key, { ...announcement, record: Buffer.alloc(8192) }), {
    code: 'HEAD_VALUE_TOO_LARGE',
  });
  refused(around(Buffer.alloc(limits.log.recordBytes + 1, 'x'), 5), 'RECORD_TOO_LARGE');
});

test('a value in the DHT proves itself, under its own key only', () => {
  fc.assert(
    fc.property(announcements(alice, 40), damages, (announcement, damage) => {
      fc.pre(announcement.record.length < 7000);
      const [key, value] = [headValueKey(alice.key), Buffer.from(encodeHeadValue(alice.key, announcement))];
      headValueRules.validate(key, value);
      assert.ok(value.length <= limits.log.headValueBytes);
      assert.throws(() => headValueRules.validate(headValueKey(next.key), value), {
        code: 'HEAD_VALUE_OTHER_KEY',
      });
      const damaged = Buffer.from(damage(value));
      if (!damaged.equals(value)) assert.throws(() => headValueRules.validate(key, damaged), isLogError);
    }),
    { numRuns: 200 },
  );
  // Signed by another than the key that it names.
  const { checkpoint, record, proof } = around(sampleOf(5).record, 5, bob, bob.key.name);
  const lie = encode({
    ...decode<object>(encodeHeadValue(bob.key, { checkpoint, record, proof })),
    k: alice.key.text,
  });
  assert.throws(() => verifyHeadValue(headValueKey(alice.key), lie), { code: 'NOTE_UNKNOWN_KEY' });
});

test('of several values the greatest size is the best, then the smallest root', () => {
  const values = [sampleOf(5), sampleOf(9), sampleOf(9, { count: 2 }), sampleOf(7)];
  const roots = values.map(({ checkpoint }) => parseCheckpoint(parseNote(checkpoint).text).root);
  const best = String(roots[1]) < String(roots[2]) ? 1 : 2;
  const encoded = values.map((value) => encodeHeadValue(alice.key, value));
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 1, 3],
  ]) {
    const chosen = headValueRules.select(
      headValueKey(alice.key),
      order.map((i) => encoded[i] as Uint8Array),
    );
    assert.equal(order[chosen], best);
  }
});

test('what nests deep is refused before it is encoded to compare: that takes time in the square of the depth', () => {
  const nested = Buffer.concat([
    Buffer.from('a36163', 'hex'),
    Buffer.alloc(500, 0x81),
    Buffer.from('00617040617240', 'hex'),
  ]);
  assert.throws(
    () => decodeAnnouncement(nested),
    (error) =>
      isLogError(error) && error.code === 'ANNOUNCEMENT_MALFORMED' && error.message.includes('nests'),
  );
});
