import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { createStreamInflow, type StreamInflow } from '../../src/network/libp2p/stream-inflow.ts';
import { createFakeClock } from '../support/fake-clock.ts';

/** An inflow that keeps all that comes, and what its stream receives. */
function receiving(): {
  readonly inflow: StreamInflow;
  /** What libp2p keeps while we pause. */
  readonly held: Uint8Array[];
  readonly violations: string[];
  say(data: Uint8Array): void;
} {
  const held: Uint8Array[] = [];
  const violations: string[] = [];
  const stream = Object.assign(new EventTarget(), {
    status: 'open',
    readStatus: 'readable',
    remoteWriteStatus: 'writable',
    readBuffer: held,
    pause: () => undefined,
    resume: () => undefined,
  });
  Object.defineProperty(stream, 'readBufferLength', {
    get: () => held.reduce((sum, { length }) => sum + length, 0),
  });
  const inflow = createStreamInflow(createFakeClock(), stream as unknown as Stream);
  inflow.begin({
    receive: (bytes) => inflow.keep(bytes),
    ended: () => undefined,
    closed: () => undefined,
    onViolation: ({ message }) => void violations.push(message),
  });
  return {
    inflow,
    held,
    violations,
    say: (data) => void stream.dispatchEvent(Object.assign(new Event('message'), { data })),
  };
}

async function drain(inflow: StreamInflow): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for (let next = await inflow.next(() => true); next; next = await inflow.next(() => true))
    chunks.push(next);
  return chunks;
}

describe('what a peer sends and nobody takes', () => {
  it('byte by byte, each in a message of its own, is few pieces that keep no message alive', async () => {
    const { inflow, say } = receiving();
    const messages = Array.from({ length: 200_000 }, (_, i) => Uint8Array.of(i & 255, 7).subarray(0, 1));
    for (const message of messages) say(message);
    const chunks = await drain(inflow);
    assert.ok(chunks.length <= 8, `${chunks.length} pieces`);
    assert.ok(chunks.every(({ buffer }) => buffer.byteLength <= 64 * 1024));
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat(messages)));
  });

  it('as small parts of large messages keeps no message alive', async () => {
    const { inflow, say } = receiving();
    const messages = Array.from({ length: 200 }, (_, i) => new Uint8Array(65_519).fill(i).subarray(0, 5000));
    for (const message of messages) say(message);
    const chunks = await drain(inflow);
    const held = new Set(chunks.map(({ buffer }) => buffer));
    const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(bytes <= 2 * 200 * 5000, `${bytes} bytes for ${200 * 5000}`);
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat(messages)));
  });

  it('is no reason to cut a peer while it is not mostly crumbs', () => {
    const { inflow, held, violations, say } = receiving();
    const hold = (pieces: number, size: number): void => {
      held.length = 0;
      for (let i = 0; i < pieces; i++) held.push(new Uint8Array(size));
      inflow.check();
    };
    hold(5000, 1);
    say(new Uint8Array(limits.blob.receiveHigh));
    assert.deepEqual(violations, [], 'it is not held for us while we do not pause');
    hold(4096, 1);
    hold(20_000, 128);
    hold(64, 65_503);
    assert.deepEqual(violations, []);
    hold(4097, 127);
    assert.deepEqual(violations, ['520319 bytes came in 4097 pieces']);
  });

  it('comes out in order and unchanged, in pieces that are the reader’s to keep', async () => {
    const sizes = fc.array(
      fc.record({
        size: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.constant(65_503)),
        read: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(sizes, async (steps) => {
        const { inflow, say } = receiving();
        const sent: Uint8Array[] = [];
        const got: Uint8Array[] = [];
        for (const [i, { size, read }] of steps.entries()) {
          const bytes = new Uint8Array(size).fill(i);
          sent.push(bytes);
          say(bytes);
          const next = read ? await inflow.next(() => true) : undefined;
          if (next) got.push(next);
        }
        got.push(...(await drain(inflow)));
        assert.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
      }),
      { numRuns: 50 },
    );
  });
});
