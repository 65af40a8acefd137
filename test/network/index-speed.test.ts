import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { createFactEmitter } from '../../src/core/facts.ts';
import { createIndexClient } from '../../src/network/libp2p/index-client.ts';
import { INDEX_PROTOCOL } from '../../src/network/libp2p/index-frames.ts';
import { createIndexServer } from '../../src/network/libp2p/index-server.ts';
import { createSweeper } from '../../src/network/libp2p/sweeper.ts';
import { systemClock } from '../../src/system-clock.ts';
import { connect, createBlobNode } from '../support/blob-pair.ts';
import { someBytes } from '../support/memory-shelf.ts';

const SIZE = 70_000_000;
const ROUNDS = 3;

interface Cost {
  /** CPU time of both ends, ms: what others do on this machine does not count. */
  readonly cpu: number;
  readonly wall: number;
}

async function costOf(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Cost> {
  const began = performance.now();
  const before = process.cpuUsage();
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  assert.equal(length, size);
  const { user, system } = process.cpuUsage(before);
  return { cpu: Math.round((user + system) / 1000), wall: Math.round(performance.now() - began) };
}

it('an answer of 70 MB comes whole, at 0.8 of what a blob of that size takes or better', async () => {
  await using holder = await createBlobNode();
  await using asker = await createBlobNode();
  const sweeper = createSweeper(systemClock);
  const deps = {
    clock: systemClock,
    facts: createFactEmitter(),
    sweeper,
    isBanned: () => false,
    onViolation: () => undefined,
  };
  using server = createIndexServer({ ...deps, gate: undefined });
  using client = createIndexClient({ ...deps, libp2p: asker.libp2p });
  await holder.libp2p.handle(INDEX_PROTOCOL, (stream, connection) => server.accept(stream, connection));
  await connect(asker.libp2p, holder.libp2p);
  const bytes = someBytes(SIZE);
  const digest = holder.shelf.put(bytes);
  server.serve(async function* () {
    for (let at = 0; at < SIZE; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
  });
  const ask = () => client.request(holder.peerId, Buffer.from('all'));

  const hash = createHash('sha256');
  for await (const chunk of ask()) hash.update(chunk);
  assert.equal(hash.digest('hex'), digest);

  const blob: Cost[] = [];
  const index: Cost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // All but one byte: a whole blob is also hashed.
    await using range = await asker.service.range(holder.peerId, { digest, offset: 0, length: SIZE - 1 });
    blob.push(await costOf(range.body, SIZE - 1));
    index.push(await costOf(ask(), SIZE));
  }
  const least = (costs: readonly Cost[], of: keyof Cost): number =>
    Math.min(...costs.map((cost) => cost[of]));
  const figures = JSON.stringify({ index, blob });
  if (process.env['FIGURES']) process.stdout.write(`${figures}\n`);
  assert.ok(least(index, 'cpu') <= least(blob, 'cpu') / 0.8, figures);
  sweeper[Symbol.dispose]();
});
