/** Generators of everything a log is made of, and of damaged copies, for property tests and the long fuzz script. */
import fc from 'fast-check';
import type { Digest } from '../../../src/core/digest.ts';
import { BINS } from '../../../src/core/index-map/index-entry.ts';
import type { Announcement } from '../../../src/core/log/announcement.ts';
import { formatCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { signNote } from '../../../src/core/log/note.ts';
import { encodeRecord, type IndexRecord, recordDigest } from '../../../src/core/log/record.ts';
import type { Retraction } from '../../../src/core/log/retraction.ts';
import { generateKeyPair, parseSignerKey, type Signer } from '../../../src/core/log/signer-key.ts';
import { createTestTree } from '../../support/test-tree.ts';

export function signerOf(name: string, seed: number): Signer {
  const randomness = { bytes: (length: number) => new Uint8Array(length).fill(seed), float: () => 0 };
  return parseSignerKey(generateKeyPair(name, randomness).signerKey);
}

export const digests: fc.Arbitrary<Digest> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as Digest);

const words = fc.string({
  unit: fc.constantFrom(...'abcdefghijkmnpqrstuvwxyz0123456789'.split('')),
  minLength: 1,
  maxLength: 12,
});

export const keyNames: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(words, words).map(([host, path]) => `${host}.example/${path}`),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map(
    // oxlint-disable-next-line no-control-regex -- what key names must not have
    (text) => `n${text.replaceAll(/[\p{White_Space}+\u0000-\u001f]/gu, '')}`,
  ),
);

/** A text that a note can have. */
export const noteTexts: fc.Arbitrary<string> = fc
  .array(fc.string({ unit: 'grapheme', maxLength: 30 }), { minLength: 1, maxLength: 6 })
  // oxlint-disable-next-line no-control-regex -- what notes must not have
  .map((lines) => `${lines.map((line) => line.replaceAll(/[\u0000-\u001f]/g, '')).join('\n')}\n`);

const times = fc.integer({ min: 0, max: 8.64e15 });
const counts = fc.oneof(fc.nat(), fc.maxSafeNat());

export const retractions: fc.Arbitrary<Retraction[]> = fc
  .uniqueArray(
    fc.record(
      {
        subject: fc.oneof(
          words.map((word) => word as Retraction['subject']),
          digests.map((digest) => `sha256:${digest}` as const),
        ),
        reason: fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) =>
          text
            .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
            .slice(0, 20)
            .toWellFormed(),
        ),
        since: times,
      },
      { noNullPrototype: true },
    ),
    { selector: ({ subject }) => subject, maxLength: 40 },
  )
  .map((list) => list.toSorted((a, b) => (a.subject < b.subject ? -1 : 1)));

/** Records of leaf `seq`. */
export function records(seq: number, previous: Digest | null = null): fc.Arbitrary<IndexRecord> {
  return fc.record(
    {
      v: fc.constant(1 as const),
      upstream: words.map((host) => `https://${host}.example/simple/`),
      fileOrigin: fc.constantFrom('https://files.pythonhosted.org', 'http://127.0.0.1:8081'),
      format: fc.constantFrom('json', 'html'),
      scope: fc.oneof(fc.constant('all' as const), digests),
      complete: fc.boolean(),
      seq: fc.constant(seq),
      signedAt: times,
      observedAt: times,
      serial: counts,
      apiVersion: fc.constantFrom('1.0', '1.4', null),
      bins: fc.constant(BINS),
      count: counts,
      mapRoot: digests,
      leaves: digests,
      delta: fc.option(digests),
      stale: fc.option(digests),
      retractions,
      previous: seq === 0 ? fc.constant(null) : previous === null ? digests : fc.constant(previous),
    },
    { noNullPrototype: true },
  );
}

/** A head of a log whose other leaves are of no meaning. */
export function announcements(signer: Signer, maxSize = 600): fc.Arbitrary<Announcement> {
  return fc.integer({ min: 1, max: maxSize }).chain((size) =>
    records(size - 1).map((record) => {
      const bytes = encodeRecord(record);
      const tree = createTestTree(size - 1);
      tree.add(recordDigest(bytes));
      const text = formatCheckpoint({ origin: signer.key.name, size, root: tree.root(), extensions: [] });
      return { checkpoint: signNote(text, [signer]), record: bytes, proof: tree.proveInclusion(size - 1) };
    }),
  );
}

/** 0 to below 1, even. `fc.double` is even over the floating-point numbers, of which most are next to 0. */
export const shares: fc.Arbitrary<number> = fc.noBias(fc.nat(2 ** 30 - 1)).map((part) => part / 2 ** 30);

/** One to three changes of some bytes: changed, removed, added, cut. */
export const damages: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('flip', 'remove', 'insert', 'cut', 'repeat'),
      at: shares,
      value: fc.integer({ min: 1, max: 255 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((changes) => (bytes) => {
    let damaged = Buffer.from(bytes);
    for (const { kind, at, value } of changes) {
      const place = Math.floor(at * damaged.length);
      const [before, after] = [damaged.subarray(0, place), damaged.subarray(place)];
      if (kind === 'flip' && after.length > 0)
        damaged = Buffer.concat([before, Buffer.of((after[0] as number) ^ value), after.subarray(1)]);
      else if (kind === 'remove') damaged = Buffer.concat([before, after.subarray(1)]);
      else if (kind === 'insert') damaged = Buffer.concat([before, Buffer.of(value), after]);
      else if (kind === 'cut') damaged = Buffer.from(before);
      else damaged = Buffer.concat([before, after.subarray(0, value), after]);
    }
    return damaged;
  });
