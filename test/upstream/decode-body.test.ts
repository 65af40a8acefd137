import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  brotliCompressSync,
  constants,
  createZstdCompress,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import { decodedBody, readBody } from '../../src/upstream/decode-body.ts';
import type { HttpAnswer } from '../../src/upstream/http-client.ts';
import { upstreamError } from './pypi-context.ts';

const bounds = { encodedBytes: 100_000, decodedBytes: 100_000 };

interface StubAnswer extends HttpAnswer {
  /** Its reader has left or come to the end. */
  closed: boolean;
}

function answer(chunks: readonly Uint8Array[], coding: string, length = false): StubAnswer {
  const stub: StubAnswer = {
    url: new URL('http://pypi.test/simple/thing/'),
    status: 200,
    header: (name) => {
      if (name === 'content-length' && length) return String(Buffer.concat(chunks).length);
      return name === 'content-encoding' ? coding : undefined;
    },
    sentAt: 0,
    closed: false,
    body: {
      // oxlint-disable-next-line typescript/require-await -- the shape of a transfer
      async *[Symbol.asyncIterator]() {
        try {
          yield* chunks;
        } finally {
          stub.closed = true;
        }
      },
    },
    async [Symbol.asyncDispose]() {},
  };
  return stub;
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

const codings: Record<string, (bytes: Buffer) => Buffer> = {
  '': (bytes) => bytes,
  identity: (bytes) => bytes,
  Identity: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  'x-gzip': (bytes) => gzipSync(bytes),
  GZIP: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  'deflate ': (bytes) => deflateRawSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  'gzip, zstd': (bytes) => zstdCompressSync(gzipSync(bytes)),
};

test('every coding comes out as it went in, however the transfer is cut into pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(codings)),
      fc.uint8Array({ maxLength: 2000 }),
      fc.integer({ min: 1, max: 500 }),
      fc.boolean(),
      async (coding, bytes, size, length) => {
        const stub = answer(cut(codings[coding]!(Buffer.from(bytes)), size), coding, length);
        assert.deepEqual(await readBody(stub, bounds), Buffer.from(bytes));
        assert.equal(stub.closed, true);
      },
    ),
    { numRuns: 100 },
  );
});

test('no coded body without its end is whole', async () => {
  const bytes = Buffer.from('all work and no play '.repeat(50));
  for (const coding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, zstd']) {
    const packed = codings[coding]!(bytes);
    for (let length = 1; length < packed.length; length += 7) {
      for (const told of [true, false]) {
        const stub = answer(cut(packed.subarray(0, length), 10), coding, told);
        await upstreamError(readBody(stub, bounds), /is not the/);
      }
    }
  }
});

test('a body that breaks off tells its own error, not that of the decoder', async () => {
  const stub = answer(cut(gzipSync('x'.repeat(1000)), 5), 'gzip');
  const broken = {
    ...stub,
    body: {
      async *[Symbol.asyncIterator]() {
        for await (const chunk of stub.body) {
          yield chunk;
          throw new Error('the line broke');
        }
      },
    },
  };
  await assert.rejects(readBody(broken, bounds), /^Error: the line broke$/);
  assert.equal(stub.closed, true);
});

test('a reader that leaves closes the transfer', async () => {
  const stub = answer(cut(gzipSync(Buffer.alloc(90_000)), 10), 'gzip');
  for await (const chunk of decodedBody(stub, bounds)) {
    assert.ok(chunk.length > 0);
    break;
  }
  while (!stub.closed) await new Promise((resolve) => setImmediate(resolve));
});

test('both bounds hold, of what goes in and of what comes out', async () => {
  await upstreamError(readBody(answer([Buffer.alloc(100_001)], ''), bounds), /more than 100000 bytes/);
  const bomb = zstdCompressSync(gzipSync(Buffer.alloc(20_000_000)));
  for (const told of [true, false]) {
    const stub = answer(cut(bomb, 1000), 'gzip, zstd', told);
    await upstreamError(readBody(stub, bounds), /unpacks to more than 100000 bytes/);
  }
});

test('a zstd window larger than HTTP allows is refused before it takes memory', async () => {
  const compressor = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 27 } });
  compressor.write('x'.repeat(1000));
  compressor.end('y');
  const chunks: Buffer[] = [];
  for await (const chunk of compressor) chunks.push(chunk as Buffer);
  for (const told of [true, false])
    await upstreamError(readBody(answer(chunks, 'zstd', told), bounds), /is not the zstd/);
});

test('a few bytes that unpack to many come out whole', async () => {
  const bytes = Buffer.alloc(1_000_000, 'z');
  for (const [coding, pack] of Object.entries(codings)) {
    const packed = pack(bytes);
    const roomy = { encodedBytes: 2_000_000, decodedBytes: 2_000_000 };
    assert.deepEqual(await readBody(answer([packed], coding, true), roomy), bytes, coding);
  }
});
