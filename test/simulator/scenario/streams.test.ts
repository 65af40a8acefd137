import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const MASK = (1n << 64n) - 1n;
const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (64n - k))) & MASK;

/** xoshiro256** as its authors write it, in whole 64-bit words. */
function* reference(seed: Uint8Array): Generator<bigint> {
  const view = new DataView(seed.buffer, seed.byteOffset, 32);
  let [a, b, c, d] = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  for (;;) {
    yield (rotate((b * 5n) & MASK, 7n) * 9n) & MASK;
    const t = (b << 17n) & MASK;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 45n);
  }
}

test('the generator gives what the published one gives from 1, 2, 3, 4', () => {
  const seed = new Uint8Array(32);
  for (const [index, word] of [1n, 2n, 3n, 4n].entries())
    new DataView(seed.buffer).setBigUint64(index * 8, word, true);
  const view = new DataView(createRandomness(seed).bytes(48).buffer);
  assert.deepEqual(
    [0, 8, 16, 24, 32].map((at) => view.getBigUint64(at, true)),
    [11520n, 0n, 1509978240n, 1215971899390074240n, 1216172134540287360n],
  );
});

test('from any seed it is the published generator, in bytes and in floats', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      if (seed.every((byte) => byte === 0)) return;
      const bytes = new DataView(createRandomness(seed).bytes(800).buffer);
      const floats = createRandomness(seed);
      const words = reference(seed);
      for (let i = 0; i < 100; i++) {
        const word = words.next().value as bigint;
        assert.equal(bytes.getBigUint64(i * 8, true), word);
        assert.equal(floats.float(), Number(word >> 11n) / 2 ** 53);
      }
    }),
    { numRuns: 100 },
  );
});

test('a stream is named by seed, run, owner and purpose, and by nothing else', () => {
  const hex = (stream: Uint8Array): string => Buffer.from(stream).toString('hex');
  assert.equal(
    hex(deriveStream(1, 2, 3, 'churn')),
    createHash('sha256').update('[1,2,3,"churn"]').digest('hex'),
  );
  const streams = [
    deriveStream(1, 2, 3, 'churn'),
    deriveStream(2, 1, 3, 'churn'),
    deriveStream(1, 2, '3', 'churn'),
    deriveStream(1, 23, 3, 'churn'),
    deriveStream(1, 2, 3, 'keys'),
    deriveStream(1, 2, 'a","b', 'c'),
    deriveStream(1, 2, 'a', 'b","c'),
  ];
  assert.equal(new Set(streams.map(hex)).size, streams.length);
  assert.equal(deriveStream.length, 4);
  assert.ok(streams.every(({ length }) => length === 32));
});

test('a seed of another length or of zeros only is refused', () => {
  assert.throws(() => createRandomness(new Uint8Array(32)), RangeError);
  assert.throws(() => createRandomness(new Uint8Array(31).fill(1)), RangeError);
});
