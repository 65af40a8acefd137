import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { InvalidLogError } from '../../../src/core/errors.ts';
import { encodePart, readParts } from '../../../src/core/index-messages/answer-parts.ts';
import {
  claimsMisconduct,
  decodeBundle,
  decodeHashes,
  decodeLeafProof,
  decodeNumberedBin,
  encodeBundle,
  encodeLeafProof,
  encodeNumberedBin,
} from '../../../src/core/index-messages/index-answers.ts';
import {
  binRuns,
  decodeIndexRequest,
  encodeIndexRequest,
} from '../../../src/core/index-messages/index-request.ts';
import { bundles, indexRequests, leafProofs, numberedBins, partStreams } from './arbitraries.ts';

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

test('a request is read as it was meant, and has one encoding', () => {
  fc.assert(
    fc.property(indexRequests, (request) => {
      const bytes = encodeIndexRequest(request);
      assert.deepEqual(decodeIndexRequest(bytes), request);
      assert.ok(same(encodeIndexRequest(decodeIndexRequest(bytes)), bytes));
    }),
  );
});

test('an altered request is refused or is another request, never the same', () => {
  fc.assert(
    fc.property(indexRequests, fc.nat(), fc.integer({ min: 1, max: 255 }), (request, at, mask) => {
      const bytes = Uint8Array.from(encodeIndexRequest(request));
      const place = at % bytes.length;
      bytes[place] = (bytes[place] as number) ^ mask;
      let read;
      try {
        read = decodeIndexRequest(bytes);
      } catch (error) {
        assert.ok(error instanceof InvalidLogError);
        assert.equal(error.blame, 'sender');
        return;
      }
      assert.notDeepEqual(read, request);
      assert.ok(same(encodeIndexRequest(read), bytes));
    }),
  );
});

test('noise is refused with an error of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of [
        decodeIndexRequest,
        decodeLeafProof,
        decodeBundle,
        decodeHashes,
        decodeNumberedBin,
      ]) {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof InvalidLogError, String(error));
        }
      }
      claimsMisconduct(bytes);
    }),
  );
});

test('what no follower asks is refused: empty ranges, bins out of order, that touch, or that do not exist', () => {
  const { encode } = cbor;
  const digest = new Uint8Array(32);
  const runs = (...numbers: number[]): Buffer => {
    const bytes = Buffer.alloc(2 * numbers.length);
    for (const [i, number] of numbers.entries()) bytes.writeUInt16BE(number, 2 * i);
    return bytes;
  };
  for (const value of [
    { q: 'range', o: 'a', f: 3, t: 3 },
    { q: 'range', o: 'a b', f: 3, t: 4 },
    { q: 'range', o: 'a', f: 3, t: 4, x: 1 },
    { q: 'inclusion', o: 'a', i: 4, s: 4 },
    { q: 'bundles', b: 65_536 },
    { q: 'bundles', b: -1 },
    { q: 'object', d: digest.subarray(1) },
    { q: 'bins', l: digest, r: runs() },
    { q: 'bins', l: digest, r: runs(1) },
    { q: 'bins', l: digest, r: runs(5, 4) },
    { q: 'bins', l: digest, r: runs(1, 2, 3, 4) },
    { q: 'bins', l: digest, r: runs(7, 8, 1, 2) },
    { q: 'heads', h: { 'a b': 1 } },
    { q: 'heads', h: { a: -1 } },
    { q: 'project', n: 'requests' },
    { q: ['heads'] },
  ])
    assert.throws(
      () => decodeIndexRequest(encode(value)),
      { code: 'MESSAGE_MALFORMED' },
      JSON.stringify(value),
    );
  assert.throws(() => decodeIndexRequest(new Uint8Array(65_537)), { code: 'MESSAGE_TOO_LARGE' });
});

test('numbers become the fewest runs', () => {
  assert.deepEqual(binRuns([0, 1, 2, 7, 65_534, 65_535]), [
    [0, 2],
    [7, 7],
    [65_534, 65_535],
  ]);
});

test('parts of answers are read as they were meant', () => {
  fc.assert(
    fc.property(leafProofs, bundles, numberedBins, (proof, bundle, bin) => {
      const read = decodeLeafProof(encodeLeafProof(proof));
      assert.equal(read.leaf, proof.leaf);
      assert.ok(same(Buffer.concat(read.proof), Buffer.concat(proof.proof)));
      const back = decodeBundle(encodeBundle(bundle));
      assert.ok(same(back.announcement, bundle.announcement) && same(back.proof, bundle.proof));
      const numbered = decodeNumberedBin(encodeNumberedBin(bin));
      assert.ok(numbered.number === bin.number && same(numbered.bytes, bin.bytes));
    }),
  );
});

test('parts come out whole however the stream is cut, and a cut-off end is no answer', async () => {
  await fc.assert(
    fc.asyncProperty(partStreams, fc.nat(), async ({ parts, cuts }, end) => {
      const all = Buffer.concat(parts.map(encodePart));
      const found: Uint8Array[] = [];
      for await (const part of readParts(chunksOf(all, cuts), 300)) found.push(part);
      assert.equal(found.length, parts.length);
      assert.ok(same(Buffer.concat(found), Buffer.concat(parts)));
      const cut = all.subarray(0, end % (all.length + 1));
      const whole = wholeParts(parts, cut.length);
      const reading = (async () => {
        let count = 0;
        for await (const _ of readParts(chunksOf(cut, cuts), 300)) count++;
        return count;
      })();
      if (whole === undefined) await assert.rejects(reading, { code: 'MESSAGE_MALFORMED' });
      else assert.equal(await reading, whole);
    }),
  );
});

test('of a part that is over its limit nothing is gathered', async () => {
  const head = encodePart(new Uint8Array(301)).subarray(0, 4);
  const reading = (async () => {
    for await (const _ of readParts(chunksOf(head, [4]), 300));
  })();
  await assert.rejects(reading, { code: 'MESSAGE_TOO_LARGE' });
});

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = cuts[i % cuts.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** How many parts end exactly at `length`; undefined within one. */
function wholeParts(parts: readonly Uint8Array[], length: number): number | undefined {
  let at = 0;
  for (const [i, part] of parts.entries()) {
    if (at === length) return i;
    at += 4 + part.length;
  }
  return at === length ? parts.length : undefined;
}
