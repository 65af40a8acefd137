/** Generators of what peers say about the index, for property tests and the long fuzz script. */
import fc from 'fast-check';
import { binRuns, type IndexRequest } from '../../../src/core/index-messages/index-request.ts';
import type { Bundle, LeafProof, NumberedBin } from '../../../src/core/index-messages/index-answers.ts';
import { BINS } from '../../../src/core/index-map/index-entry.ts';
import { digests, keyNames } from '../log/arbitraries.ts';

const counts = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const bins = fc.nat(BINS - 1);
/** Two that differ, the lower one first. */
const ranges = fc
  .tuple(counts, counts)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

export const indexRequests: fc.Arbitrary<IndexRequest> = fc.oneof(
  fc
    .uniqueArray(fc.tuple(keyNames, counts), { selector: ([name]) => name, maxLength: 8 })
    .map((sizes): IndexRequest => ({ q: 'heads', sizes: new Map(sizes) })),
  fc
    .tuple(fc.constantFrom('range' as const, 'consistency' as const), keyNames, ranges)
    .map(([q, origin, [from, to]]): IndexRequest => ({ q, origin, from, to })),
  fc
    .tuple(keyNames, ranges)
    .map(([origin, [index, size]]): IndexRequest => ({ q: 'inclusion', origin, index, size })),
  digests.map((digest): IndexRequest => ({ q: 'object', digest })),
  fc
    .tuple(digests, fc.uniqueArray(bins, { minLength: 1, maxLength: 40 }))
    .map(([leaves, numbers]): IndexRequest => {
      return { q: 'bins', leaves, runs: binRuns(numbers.sort((a, b) => a - b)) };
    }),
  bins.map((bin): IndexRequest => ({ q: 'bundles', bin })),
);

const bytes = fc.uint8Array({ maxLength: 300 });
const hashes = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 20 });

export const leafProofs: fc.Arbitrary<LeafProof> = fc.record({ leaf: digests, proof: hashes });
export const bundles: fc.Arbitrary<Bundle> = fc.record({ announcement: bytes, proof: bytes });
export const numberedBins: fc.Arbitrary<NumberedBin> = fc.record({
  number: bins,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
});

/** Parts of an answer, and where the stream is cut into chunks. */
export const partStreams: fc.Arbitrary<{ parts: Uint8Array[]; cuts: number[] }> = fc.record({
  parts: fc.array(bytes, { maxLength: 12 }),
  cuts: fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 }),
});
