/**
 * What every peer network must do. Run by `test/network/memory-peer-network.test.ts` and by the libp2p network's test. A
 * harness makes nodes that are connected to all nodes of the same world that were made before, as LAN peers of each other.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeerError, type PeerFailure } from '../../src/core/errors.ts';
import type { Digest } from '../../src/core/digest.ts';
import type { Holder, PeerNetwork, Shelf } from '../../src/network/peer-network.ts';
import { eventually } from '../support/eventually.ts';
import { createMemoryShelf, digestOf, someBytes } from '../support/memory-shelf.ts';

export interface PeerNetworkWorld extends AsyncDisposable {
  /** A node that is up and connected to every node made before. */
  node(shelf: Shelf): Promise<PeerNetwork>;
  /** A blob came to a shelf: said to those who do not look themselves. */
  added?(digest: Digest, size: number): void;
}

export async function holdersOf(answers: AsyncIterable<Holder>): Promise<Holder[]> {
  const found: Holder[] = [];
  for await (const holder of answers) found.push(holder);
  return found;
}

export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

export function peerFailure(failure: PeerFailure): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PeerError, `PeerError expected, got ${String(error)}`);
    assert.equal(error.failure, failure, error.message);
    return true;
  };
}

export function testPeerNetwork(name: string, createWorld: () => Promise<PeerNetworkWorld>): void {
  const size = 200_000;
  const bytes = someBytes(size);
  const absent: Digest = digestOf(someBytes(10, 99));

  describe(name, () => {
    it('finds the holders of a blob among connected peers, with its size', async () => {
      await using world = await createWorld();
      const [empty, full] = [createMemoryShelf(), createMemoryShelf()];
      const digest = full.put(bytes);
      const holder = await world.node(full);
      await world.node(empty);
      const asker = await world.node(createMemoryShelf());
      const found = await holdersOf(asker.ask(digest));
      assert.deepEqual(
        found.map(({ peerId, size }) => ({ peerId, size })),
        [{ peerId: holder.peerId, size }],
      );
    });

    it('finds nobody for a blob that nobody has, and ends', async () => {
      await using world = await createWorld();
      await world.node(createMemoryShelf());
      const asker = await world.node(createMemoryShelf());
      assert.deepEqual(await holdersOf(asker.ask(absent)), []);
    });

    it('gives any range of a blob exactly, clipped at its end', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = shelf.put(bytes);
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      for (const [offset, length] of [
        [0, undefined],
        [0, 1],
        [65_503, 65_504],
        [size - 7, 100],
        [size, undefined],
        [10, 0],
      ] as const) {
        await using answer = await asker.range(holder.peerId, { digest, offset, length });
        const expected = bytes.subarray(offset, length === undefined ? undefined : offset + length);
        assert.equal(answer.blobSize, size);
        assert.equal(answer.offset, offset);
        assert.equal(answer.length, expected.length);
        assert.deepEqual(await bytesOf(answer.body), new Uint8Array(expected), `${offset}+${length}`);
      }
    });

    it('gives an empty blob', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = shelf.put(new Uint8Array(0));
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      assert.deepEqual(
        (await holdersOf(asker.ask(digest))).map((found) => found.size),
        [0],
      );
      await using answer = await asker.range(holder.peerId, { digest, offset: 0 });
      assert.equal(answer.blobSize, 0);
      assert.deepEqual(await bytesOf(answer.body), new Uint8Array(0));
    });

    it('says not-found for a blob the peer has not, and closes what it opened', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      await assert.rejects(
        asker.range(holder.peerId, { digest: absent, offset: 0 }),
        peerFailure('not-found'),
      );
      assert.equal(shelf.open_, 0);
    });

    it('says unreachable for a peer it is not connected to', async () => {
      await using world = await createWorld();
      const asker = await world.node(createMemoryShelf());
      const stranger = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf';
      await assert.rejects(asker.range(stranger, { digest: absent, offset: 0 }), peerFailure('unreachable'));
    });

    it('frees the file when the reader leaves in the middle, and answers the next request', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const big = someBytes(4 << 20, 2);
      const digest = shelf.put(big);
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      {
        await using answer = await asker.range(holder.peerId, { digest, offset: 0 });
        for await (const part of answer.body) if (part.length > 0) break;
      }
      await using again = await asker.range(holder.peerId, { digest, offset: 4 << 19, length: 1000 });
      assert.deepEqual(await bytesOf(again.body), big.slice(4 << 19, (4 << 19) + 1000));
    });

    it('stops with the reason of its signal', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = shelf.put(bytes);
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      const reason = new Error('enough');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(
        asker.range(holder.peerId, { digest, offset: 0, signal }),
        (error) => error === reason,
      );
    });

    it('knows a peer as proven once its bytes were verified', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = shelf.put(bytes);
      const holder = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      const proven = async (): Promise<boolean[]> =>
        (await holdersOf(asker.ask(digest))).map((found) => found.proven);
      assert.deepEqual(await proven(), [false]);
      asker.judge(holder.peerId, { kind: 'verified', digest, bytes: size, ms: 100 });
      assert.deepEqual(await proven(), [true]);
    });

    it('bans who sent wrong bytes: it is listed, and neither asked nor read again', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = shelf.put(bytes);
      const liar = await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      asker.judge(liar.peerId, { kind: 'wrong-bytes', digest });
      // The status of a network in another thread comes a moment later.
      await eventually('it is listed', () => asker.status().banned.length === 1);
      const { banned } = asker.status();
      assert.deepEqual(
        banned.map(({ peerId, reason, digest }) => ({ peerId, reason, digest })),
        [{ peerId: liar.peerId, reason: 'wrong-bytes', digest }],
      );
      assert.ok((banned[0]?.until ?? 0) > (banned[0]?.at ?? 0));
      assert.deepEqual(await holdersOf(asker.ask(digest)), []);
      await assert.rejects(asker.range(liar.peerId, { digest, offset: 0 }), peerFailure('unreachable'));
    });

    it('tells when a peer connects', async () => {
      await using world = await createWorld();
      const first = await world.node(createMemoryShelf());
      const connected = first.peerConnected();
      const second = await world.node(createMemoryShelf());
      await connected;
      await eventually('it is listed', () => first.status().state === 'connected');
      assert.deepEqual(
        first.status().peers.map((peer) => peer.peerId),
        [second.peerId],
      );
    });

    it('does not ask a peer again for what it had not', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      await world.node(shelf);
      const asker = await world.node(createMemoryShelf());
      assert.deepEqual(await holdersOf(asker.ask(digestOf(bytes))), []);
      const digest = shelf.put(bytes);
      assert.deepEqual(await holdersOf(asker.ask(digest)), [], 'the negative answer is remembered');
    });

    it('asks who said no again when nobody else has it: what was being fetched is there soon after', async () => {
      await using world = await createWorld();
      const shelf = createMemoryShelf();
      const digest = digestOf(bytes);
      let fetched = false;
      const fetching = { ...shelf, size: () => (fetched ? size : undefined) };
      const holder = await world.node(fetching);
      const asker = await world.node(createMemoryShelf());
      assert.deepEqual(await holdersOf(asker.ask(digest)), []);
      fetched = true;
      world.added?.(digest, size);
      assert.deepEqual(await holdersOf(asker.ask(digest)), [], 'as long as there are other sources');
      const found = await eventually('it is asked again', async () => {
        const [first] = await holdersOf(asker.ask(digest, { inNeed: true }));
        return first;
      });
      assert.equal(found.peerId, holder.peerId);
    });

    it('is closed twice without harm', async () => {
      await using world = await createWorld();
      const node = await world.node(createMemoryShelf());
      await node[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
    });
  });
}
