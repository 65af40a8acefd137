import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { digestFromBytes } from '../../src/core/digest.ts';
import { decodeAnswer, encodeAnswer, type BlobAnswer } from '../../src/network/blob-protocol/answers.ts';
import { createFrameParser } from '../../src/network/blob-protocol/frame-parser.ts';
import { ProtocolViolation, frameType, type Incoming } from '../../src/network/blob-protocol/frames.ts';
import { decodeRequest, encodeRequest, type BlobRequest } from '../../src/network/blob-protocol/requests.ts';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(digestFromBytes);
const size = fc.integer({ min: 0, max: limits.file.bytes });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const anyRequest: fc.Arbitrary<BlobRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('have' as const),
    digests: fc.array(digest, { minLength: 1, maxLength: 256 }),
  }),
  fc.record({
    kind: fc.constant('get' as const),
    digest,
    offset: fc.maxSafeNat(),
    length: fc.option(fc.maxSafeNat(), { nil: undefined }),
    deadlineMs: u32,
    priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
  }),
  fc.record({
    kind: fc.constant('leaves' as const),
    digest,
    from: u32,
    count: fc.integer({ min: 1, max: 512 }),
  }),
);

const anyAnswer: fc.Arbitrary<BlobAnswer> = fc.oneof(
  fc.record({
    kind: fc.constant('have' as const),
    load: fc.integer({ min: 0, max: 255 }),
    sizes: fc.array(fc.option(size, { nil: undefined }), { minLength: 1, maxLength: 256 }),
  }),
  fc
    .tuple(size, size, size)
    .map((three) => three.sort((a, b) => a - b))
    .map(([a = 0, b = 0, c = 0]) => ({ kind: 'ok' as const, blobSize: c, offset: a, length: b - a })),
  fc
    .record({
      from: fc.nat(1000),
      hashes: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 512 }),
      more: fc.nat(1000),
    })
    .map(({ from, hashes, more }) => ({
      kind: 'leaves' as const,
      total: from + hashes.length + more,
      from,
      hashes,
    })),
  fc.constant({ kind: 'not-found' as const }),
  fc.record({ kind: fc.constant('busy' as const), retryMs: fc.integer({ min: 100, max: 60_000 }) }),
  fc.record({
    kind: fc.constant('error' as const),
    code: fc.integer({ min: 0, max: 65_535 }),
    text: fc.string({ maxLength: 200 }),
  }),
);

interface Seen {
  readonly type: number;
  readonly content: Buffer;
  readonly known: boolean;
}

/** What a parser makes of bytes that come in these pieces. */
function parse(incoming: Incoming, pieces: readonly Uint8Array[]): Seen[] {
  const seen: Seen[] = [];
  let data: Uint8Array[] = [];
  let due = 0;
  const parser = createFrameParser(incoming, {
    dataFrame(length) {
      due = length;
      data = [];
    },
    data(bytes) {
      data.push(bytes);
      due -= bytes.length;
      if (due === 0) seen.push({ type: frameType.data, content: Buffer.concat(data), known: true });
    },
    frame: (type, content, known) => void seen.push({ type, content: Buffer.from(content), known }),
  });
  for (const piece of pieces) for (let at = 0; at < piece.length;) at += parser.push(piece.subarray(at));
  return seen;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

describe('frames', () => {
  it('give back every request, however the transport splits and joins them', () => {
    fc.assert(
      fc.property(
        fc.array(anyRequest, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (requests, cuts) => {
          const seen = parse('requests', split(Buffer.concat(requests.map(encodeRequest)), cuts));
          assert.deepEqual(
            seen.map(({ type, content }) => toPlain(decodeRequest(type, content))),
            requests.map(toPlain),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('give back every answer, however the transport splits and joins them', () => {
    fc.assert(
      fc.property(
        fc.array(anyAnswer, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (answers, cuts) => {
          const seen = parse('answers', split(Buffer.concat(answers.map(encodeAnswer)), cuts));
          const decoded = seen.map(({ type, content }) => decodeAnswer(type, content));
          for (const [i, answer] of answers.entries()) {
            const back = decoded[i];
            // A text of ours has no control characters; those of others are made blank.
            if (answer.kind === 'error' && back?.kind === 'error') {
              assert.equal(back.code, answer.code);
              assert.doesNotMatch(back.text, /\p{Cc}/u);
            } else assert.deepEqual(toPlain(back), toPlain(answer));
          }
          assert.equal(decoded.length, answers.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('either parse garbage or say violation, and hold no more than one small frame of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Incoming>('requests', 'answers'),
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        (incoming, bytes, cuts) => {
          try {
            for (const { type, content, known } of parse(incoming, split(bytes, cuts))) {
              if (!known || type === frameType.data) continue;
              if (incoming === 'requests') decodeRequest(type, content);
              else decodeAnswer(type, content);
            }
          } catch (error) {
            assert.ok(error instanceof ProtocolViolation, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('survive a changed byte of a real frame: a value or a violation', () => {
    fc.assert(
      fc.property(
        anyRequest,
        anyAnswer,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (request, answer, place, change) => {
          for (const [incoming, bytes] of [
            ['requests', encodeRequest(request)],
            ['answers', encodeAnswer(answer)],
          ] as const) {
            const at = place % bytes.length;
            bytes[at] = (bytes[at] ?? 0) ^ change;
            try {
              for (const { type, content, known } of parse(incoming, [bytes])) {
                if (!known || type === frameType.data) continue;
                if (incoming === 'requests') decodeRequest(type, content);
                else decodeAnswer(type, content);
              }
            } catch (error) {
              assert.ok(error instanceof ProtocolViolation, String(error));
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are refused at their head when they are longer than their type may be', () => {
    for (const [incoming, head] of [
      ['requests', '01002003'],
      ['requests', '02000034'],
      ['requests', '02000036'],
      ['requests', '7f00ffe0'],
      ['requests', '83000001'],
      ['answers', '81000802'],
      ['answers', '8300ffe0'],
      ['answers', '83000000'],
      ['answers', '90000001'],
      ['answers', '920000cb'],
      ['answers', '84ffffff'],
      ['answers', '01000022'],
      ['answers', 'ff000000'],
    ] as const) {
      const push = () => parse(incoming, [Buffer.from(head, 'hex')]);
      if (incoming === 'requests' && head.startsWith('83')) assert.equal(push().length, 0);
      else assert.throws(push, ProtocolViolation, `${incoming} ${head}`);
    }
  });

  it('of an unknown request are passed over, and the next request is read', () => {
    const next = encodeRequest({
      kind: 'leaves',
      digest: digestFromBytes(new Uint8Array(32)),
      from: 0,
      count: 1,
    });
    const seen = parse('requests', [Buffer.concat([Buffer.from('3000000568656c6c6f', 'hex'), next])]);
    assert.deepEqual(
      seen.map(({ type, content, known }) => [type, content.length, known]),
      [
        [0x30, 0, false],
        [0x03, 38, true],
      ],
    );
  });
});

interface Vectors {
  readonly requests: readonly { name: string; hex: string; value: unknown }[];
  readonly answers: readonly { name: string; hex: string; value: unknown }[];
  readonly violations: readonly { name: string; side: Incoming; hex: string }[];
}

describe('the test vectors of the blob protocol', () => {
  const path = new URL('../vectors/blob-protocol/frames.json', import.meta.url);
  const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors;

  for (const side of ['requests', 'answers'] as const)
    for (const { name, hex, value } of vectors[side])
      it(`${side}: ${name}`, () => {
        const [frame] = parse(side, [Buffer.from(hex, 'hex')]);
        assert.ok(frame);
        const decoded =
          side === 'requests'
            ? decodeRequest(frame.type, frame.content)
            : decodeAnswer(frame.type, frame.content);
        assert.deepEqual(toPlain(decoded), value);
        if (decoded.kind === 'malformed') return;
        const encoded =
          side === 'requests' ? encodeRequest(decoded as BlobRequest) : encodeAnswer(decoded as BlobAnswer);
        assert.equal(Buffer.from(encoded).toString('hex'), hex);
      });
  for (const { name, side, hex } of vectors.violations)
    it(`violation: ${name}`, () => {
      assert.throws(() => {
        for (const { type, content } of parse(side, [Buffer.from(hex, 'hex')]))
          if (side === 'requests') decodeRequest(type, content);
          else decodeAnswer(type, content);
      }, ProtocolViolation);
    });
});

/** As JSON has it: hashes as hex, `undefined` as null. */
function toPlain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toPlain(inner)]));
}
