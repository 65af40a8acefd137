import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesOf, peerFailure } from '../contracts/peer-network.ts';
import { connect, createBlobNode } from '../support/blob-pair.ts';
import { digestOf, someBytes } from '../support/memory-shelf.ts';

describe('the blob service over libp2p', () => {
  it('gives ranges exactly, and the same streams are used again', async () => {
    await using server = await createBlobNode();
    await using client = await createBlobNode();
    const connection = await connect(client.libp2p, server.libp2p);
    const bytes = someBytes(3_000_000);
    const digest = server.shelf.put(bytes);
    const empty = server.shelf.put(new Uint8Array(0));
    const { load, sizes } = await client.service.have(
      server.peerId,
      [digest, digestOf(someBytes(5)), empty],
      {},
    );
    assert.deepEqual({ load, sizes }, { load: 0, sizes: [3_000_000, undefined, 0] });
    for (const [offset, length] of [
      [0, undefined],
      [0, 1],
      [65_502, 65_504],
      [2_999_999, 100],
      [3_000_000, undefined],
      [10, 0],
      [524_024, 524_025],
    ] as const) {
      await using answer = await client.service.range(server.peerId, { digest, offset, length });
      const expected = bytes.slice(offset, length === undefined ? undefined : offset + length);
      assert.equal(answer.length, expected.length);
      assert.ok(Buffer.from(await bytesOf(answer.body)).equals(expected), `${offset}+${length}`);
    }
    assert.equal(
      (await bytesOf((await client.service.range(server.peerId, { digest: empty, offset: 0 })).body)).length,
      0,
    );
    assert.equal(
      connection.streams.filter((s) => s.protocol === '/fondue/blob/1.0.0').length,
      2,
      'control and one bulk',
    );
    await assert.rejects(
      client.service.range(server.peerId, { digest, offset: 3_000_001 }),
      peerFailure('unreadable'),
    );
    await assert.rejects(
      client.service.range(server.peerId, { digest: digestOf(someBytes(5)), offset: 0 }),
      peerFailure('not-found'),
    );
    assert.equal(server.shelf.open_, 0);
    assert.equal(
      client.service.totals().perPeer.get(server.peerId)?.receivedBytes,
      server.service.totals().uploadedBytes,
    );
  });
});
