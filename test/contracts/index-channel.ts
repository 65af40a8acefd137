/** What every index channel must do: `memory`, libp2p over loopback, and either behind the thread's messages. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidContentError, PeerError, type PeerFailure } from '../../src/core/errors.ts';
import type { Facts } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import type { IndexChannel, IndexHandler, IndexVerdict } from '../../src/network/index-channel.ts';
import { eventually } from '../support/eventually.ts';
import { valueKey, valueOf } from '../support/index-values.ts';
import { someBytes } from '../support/memory-shelf.ts';

export interface IndexNode {
  readonly peerId: string;
  readonly index: IndexChannel;
  readonly messages: readonly Facts['index:message-received'][];
  close(): PromiseLike<void>;
}

export interface IndexWorld extends AsyncDisposable {
  /** A node that takes part, connected to these and to no other. */
  node(to?: readonly IndexNode[]): Promise<IndexNode>;
}

export async function answerOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  return Buffer.concat(parts);
}

function failsWith(failure: PeerFailure): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PeerError, `PeerError expected, got ${String(error)}`);
    assert.equal(error.failure, failure, error.message);
    return true;
  };
}

/** What a node hears, by its first byte: 1 accepted, 2 ignored, 3 rejected. */
function listen(node: IndexNode): { from: string; message: Buffer }[] {
  const heard: { from: string; message: Buffer }[] = [];
  const verdicts: Record<number, IndexVerdict> = { 1: 'accept', 2: 'ignore', 3: 'reject' };
  node.index.onMessage(async (from, message) => {
    heard.push({ from, message: Buffer.from(message) });
    return verdicts[message[0] ?? 0] ?? 'reject';
  });
  return heard;
}

const probe = Buffer.from('are you there?');

/** From another thread, serving begins a moment later. */
async function serve(server: IndexNode, client: IndexNode, handler: IndexHandler): Promise<void> {
  server.index.serve((from, request, signal) =>
    probe.equals(request) ? nothing() : handler(from, request, signal),
  );
  await eventually('it serves', () =>
    answerOf(client.index.request(server.peerId, probe)).then(
      () => true,
      () => false,
    ),
  );
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

export function testIndexChannel(name: string, createWorld: () => Promise<IndexWorld>): void {
  const ask = Buffer.from('ask');

  describe(name, () => {
    it('knows who takes part, and tells of who comes', async () => {
      await using world = await createWorld();
      const one = await world.node();
      assert.deepEqual(one.index.peers(), []);
      const came: string[] = [];
      const stop = one.index.onPeer((peerId) => came.push(peerId));
      const other = await world.node([one]);
      await eventually('both know', () => one.index.peers().length + other.index.peers().length === 2);
      assert.deepEqual(one.index.peers(), [other.peerId]);
      assert.deepEqual(other.index.peers(), [one.peerId]);
      await eventually('it was told', () => came.length > 0);
      assert.deepEqual(came, [other.peerId]);
      stop();
      const third = await world.node([one]);
      await eventually('a third', () => one.index.peers().includes(third.peerId));
      assert.deepEqual(came, [other.peerId]);
      await third.close();
      await eventually('it left', () => !one.index.peers().includes(third.peerId));
    });

    it('gives answers of any length exactly, however the handler cuts them', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      const seen: { from: string; request: string }[] = [];
      await serve(server, client, async function* (from, request) {
        const text = Buffer.from(request).toString();
        seen.push({ from, request: text });
        const [length = 0, cut = 1] = text.split('/').map(Number);
        const bytes = someBytes(length);
        for (let at = 0; at < length; at += cut) yield bytes.subarray(at, at + cut);
      });
      for (const [length, cut] of [
        [0, 1],
        [1, 1],
        [1000, 7],
        [65_503, 65_503],
        [65_504, 40_000],
        [3_000_000, 1_000_000],
        [1_200_000, 999],
      ] as const) {
        const answer = await answerOf(client.index.request(server.peerId, Buffer.from(`${length}/${cut}`)));
        assert.ok(answer.equals(someBytes(length)), `${length} in pieces of ${cut}`);
      }
      assert.deepEqual(seen[0], { from: client.peerId, request: '0/1' });
    });

    it('carries requests of 1 byte to 64 KiB and no others', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      await serve(server, client, async function* (_from, request) {
        yield request;
      });
      const largest = someBytes(65_536);
      assert.ok((await answerOf(client.index.request(server.peerId, largest))).equals(largest));
      for (const length of [0, 65_537])
        await assert.rejects(
          answerOf(client.index.request(server.peerId, someBytes(length))),
          InvalidContentError,
        );
    });

    it('says busy before anybody serves, unreadable when the handler throws, unreachable for who is not there', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      await assert.rejects(answerOf(client.index.request(server.peerId, ask)), failsWith('busy'));
      await serve(server, client, async function* () {
        yield someBytes(100);
        throw new Error('a secret path');
      });
      await assert.rejects(answerOf(client.index.request(server.peerId, ask)), (error) => {
        assert.doesNotMatch(String(error), /secret/);
        return failsWith('unreadable')(error);
      });
      await server.close();
      await eventually('it is gone', () => client.index.peers().length === 0);
      await assert.rejects(answerOf(client.index.request(server.peerId, ask)), failsWith('unreachable'));
    });

    it('takes no more of an answer than was asked for', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      const freed = Promise.withResolvers<void>();
      await serve(server, client, async function* () {
        try {
          for (;;) yield someBytes(60_000);
        } finally {
          freed.resolve();
        }
      });
      let taken = 0;
      await assert.rejects(async () => {
        for await (const { length } of client.index.request(server.peerId, ask, { limit: 500_000 }))
          taken += length;
      }, failsWith('protocol'));
      assert.ok(taken <= 500_000, `${taken}`);
      await freed.promise;
    });

    it('frees the handler when the reader leaves, when it aborts, and when it goes away', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      let running = 0;
      let aborted = 0;
      await serve(server, client, async function* (_from, _request, signal) {
        running++;
        signal.addEventListener('abort', () => aborted++);
        try {
          yield someBytes(1000);
          for (;;) yield someBytes(200_000);
        } finally {
          running--;
        }
      });
      for await (const _ of client.index.request(server.peerId, ask)) break;
      await eventually('left', () => running === 0 && aborted === 1);
      const leave = new AbortController();
      const reason = new Error('enough');
      await assert.rejects(async () => {
        for await (const _ of client.index.request(server.peerId, ask, { signal: leave.signal }))
          leave.abort(reason);
      }, reason);
      await eventually('aborted', () => running === 0 && aborted === 2);
      const answer = client.index.request(server.peerId, ask)[Symbol.asyncIterator]();
      await answer.next();
      await client.close();
      await eventually('gone', () => running === 0 && aborted === 3);
      await answer.return?.().catch(() => undefined);
    });

    it('waits for a slow reader instead of piling its answer up', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      let yielded = 0;
      await serve(server, client, async function* () {
        for (let i = 0; i < 400; i++) {
          yielded += 100_000;
          yield new Uint8Array(100_000);
        }
      });
      const answer = client.index.request(server.peerId, ask)[Symbol.asyncIterator]();
      let taken = (await answer.next()).value?.length ?? 0;
      let before = -1;
      await eventually('the server stands still', async () => {
        if (yielded === before) return true;
        before = yielded;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return false;
      });
      assert.ok(yielded < 20_000_000, `${yielded} bytes were made for a reader that took ${taken}`);
      for (let next = await answer.next(); next.done !== true; next = await answer.next())
        taken += next.value.length;
      assert.equal(taken, 40_000_000);
    });

    it('answers four requests of a peer at once', async () => {
      await using world = await createWorld();
      const server = await world.node();
      const client = await world.node([server]);
      const go = Promise.withResolvers<void>();
      let running = 0;
      await serve(server, client, async function* (_from, request) {
        running++;
        await go.promise;
        yield request;
      });
      const answers = Array.from({ length: 4 }, () => answerOf(client.index.request(server.peerId, ask)));
      await eventually('four run', () => running === 4);
      await assert.rejects(answerOf(client.index.request(server.peerId, ask)), failsWith('busy'));
      go.resolve();
      for (const answer of await Promise.all(answers)) assert.equal(answer.toString(), 'ask');
      assert.equal((await answerOf(client.index.request(server.peerId, ask))).toString(), 'ask');
    });

    it('passes on what was accepted, and neither what was ignored nor what was rejected', async () => {
      await using world = await createWorld();
      const a = await world.node();
      const b = await world.node([a]);
      const c = await world.node([b]);
      const [heardA, heardB, heardC] = [a, b, c].map(listen) as [
        ReturnType<typeof listen>,
        ReturnType<typeof listen>,
        ReturnType<typeof listen>,
      ];
      assert.ok(!a.index.peers().includes(c.peerId));
      // Until the mesh has formed, what is published may go nowhere.
      let probes = 0;
      await eventually('a probe came through', async () => {
        await a.index.publish(Buffer.from([1, 0, probes++]));
        return heardC.length > 0;
      });
      await a.index.publish(Buffer.from([2, 7]));
      await a.index.publish(Buffer.from([3, 7]));
      await a.index.publish(Buffer.from([1, 7]));
      await eventually('the last came', () => heardC.some(({ message }) => message[1] === 7));
      const marked = (heard: typeof heardA): string[] =>
        heard.filter(({ message }) => message[1] === 7).map(({ message }) => message.toString('hex'));
      assert.deepEqual(marked(heardB).toSorted(), ['0107', '0207', '0307']);
      assert.deepEqual(marked(heardC), ['0107'], 'b passed on what it had not accepted');
      assert.ok(heardC.every(({ from }) => from === b.peerId));
      assert.equal(heardA.length, 0, 'its own');
      assert.deepEqual(
        b.messages.filter(({ verdict }) => verdict !== 'accept').map(({ verdict }) => verdict),
        ['ignore', 'reject'],
      );
    });

    it('leaves a peer that sends what is rejected, and no other', async () => {
      await using world = await createWorld();
      const good = await world.node();
      const bad = await world.node([good]);
      const fine = await world.node([good]);
      const heard = listen(good);
      for (const node of [bad, fine]) listen(node);
      let sent = 0;
      await eventually('it was left', async () => {
        await bad.index.publish(Buffer.from([3, sent++ & 255, sent >> 8]));
        return !good.index.peers().includes(bad.peerId);
      });
      const rejected = good.messages.filter(({ verdict }) => verdict === 'reject');
      assert.ok(rejected.length >= limits.indexChannel.rejects, `${rejected.length}`);
      assert.ok(rejected.length <= heard.length);
      assert.ok(good.index.peers().includes(fine.peerId));
    });

    it('keeps messages to 64 KiB', async () => {
      await using world = await createWorld();
      const one = await world.node();
      const other = await world.node([one]);
      const heard = listen(one);
      listen(other);
      await assert.rejects(other.index.publish(new Uint8Array(65_537)), InvalidContentError);
      const sent: Uint8Array[] = [];
      await eventually('the largest comes', async () => {
        const message = someBytes(65_536, sent.length + 1);
        sent.push(message);
        message[0] = 1;
        await other.index.publish(message);
        return heard.some(({ message: came }) => sent.some((one) => came.equals(one)));
      });
    });

    it('finds in the DHT what another put, the best of what was put, and nothing that breaks the rules', async () => {
      await using world = await createWorld();
      const a = await world.node();
      const b = await world.node([a]);
      const c = await world.node([a, b]);
      const [key, other] = [valueKey(1), valueKey(2)];
      const found = async (node: IndexNode, of: Uint8Array): Promise<string[]> => {
        const values: string[] = [];
        for await (const value of node.index.getValue(of)) values.push(Buffer.from(value).toString('hex'));
        return values;
      };
      const hex = (size: number): string => Buffer.from(valueOf(key, size)).toString('hex');
      await eventually('somebody took it', async () => (await a.index.putValue(key, valueOf(key, 5))) >= 2);
      assert.deepEqual(await found(c, key), [hex(5)]);
      await a.index.putValue(key, valueOf(key, 6));
      // An older one does not take its place.
      await b.index.putValue(key, valueOf(key, 4));
      assert.deepEqual(await found(c, key), [hex(6)]);
      assert.deepEqual(await found(c, other), []);
      await assert.rejects(a.index.putValue(other, valueOf(key, 9)), InvalidContentError);
      await assert.rejects(a.index.putValue(key, new Uint8Array(9000)), InvalidContentError);
      assert.deepEqual(await found(c, other), []);
    });
  });
}
