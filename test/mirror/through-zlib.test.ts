import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createGunzip, createGzip, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { throughZlib } from '../../src/mirror/through-zlib.ts';

async function* from<T>(pieces: readonly T[]): AsyncGenerator<T> {
  yield* pieces;
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const got: Uint8Array[] = [];
  for await (const chunk of chunks) got.push(chunk);
  return Buffer.concat(got);
}

test('text and bytes of any size come out as they went in', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 50 });
  // Beyond one buffer, and with characters of four bytes across its end.
  const long = fc.tuple(text, fc.integer({ min: 30_000, max: 140_000 })).map(([one, size]) => {
    return (one + '😀ä-').repeat(Math.ceil(size / (one.length + 4)));
  });
  const piece = fc.oneof(
    text,
    text.map((one): string | Buffer => Buffer.from(one)),
    long,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
      const packed = await all(throughZlib(from(pieces), createGzip({ level: 1 })));
      const plain = Buffer.concat(pieces.map((one) => Buffer.from(one)));
      assert.deepEqual(gunzipSync(packed), plain);
      assert.deepEqual(await all(throughZlib(from([gzipSync(plain)]), createGunzip())), plain);
    }),
    { numRuns: 40 },
  );
});

test('leaving the loop ends the compressor and leaves the source', async () => {
  let left = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      for (let line = 0; ; line++) yield `${line} ${Math.sin(line)}\n`.repeat(1000);
    } finally {
      left = true;
    }
  }
  const compressor = createGzip();
  for await (const _ of throughZlib(endless(), compressor)) break;
  for (let turn = 0; turn < 1000 && !left; turn++) await setImmediate();
  assert.ok(left);
  assert.ok(compressor.destroyed);
});

test('what the source throws, and what the compressor cannot read, is thrown on', async () => {
  async function* broken(): AsyncGenerator<string> {
    yield 'one';
    throw new RangeError('the source broke');
  }
  await assert.rejects(all(throughZlib(broken(), createGzip())), /the source broke/);
  await assert.rejects(all(throughZlib(from(['this is not gzip']), createGunzip())), /header/);
});

test('the next piece is asked for when the one before is compressed', async () => {
  let given = 0;
  async function* counted(): AsyncGenerator<string> {
    for (; given < 500; given++) yield `${given} ${Math.sin(given)}\n`.repeat(3000);
  }
  const packed = throughZlib(counted(), createGzip());
  await packed.next();
  for (let turn = 0; turn < 200; turn++) await setImmediate();
  assert.ok(given < 100, `${given} pieces wait`);
  await packed.return(undefined);
});
