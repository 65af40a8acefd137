/** What peers that serve us may do, over real streams: a scripted peer answers by hand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Libp2p, Stream } from '@libp2p/interface';
import { encodeAnswer, type BlobAnswer } from '../../src/network/blob-protocol/answers.ts';
import { BLOB_PROTOCOL } from '../../src/network/blob-protocol/frames.ts';
import { createRequestInbox, type InboxEntry } from '../../src/network/blob-protocol/request-inbox.ts';
import { bytesOf, peerFailure } from '../contracts/peer-network.ts';
import { connect, createBareNode, createBlobNode, stopNow, type BlobNode } from '../support/blob-pair.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { digestOf, someBytes } from '../support/memory-shelf.ts';

type Script = (request: InboxEntry, stream: Stream, count: number) => void;

/** A client of ours, connected to a peer that answers each request as the script says. */
async function withPeer(
  script: Script,
  test: (client: BlobNode, peerId: string, clock: FakeClock, peer: Libp2p) => Promise<void>,
): Promise<void> {
  const clock = createFakeClock();
  await using client = await createBlobNode({ clock });
  const peer = await createBareNode();
  let count = 0;
  await peer.handle(BLOB_PROTOCOL, (stream) => {
    const inbox = createRequestInbox();
    stream.addEventListener('message', ({ data }) => {
      inbox.push(data.subarray().slice());
      for (let request = inbox.take(); request; request = inbox.take()) script(request, stream, ++count);
    });
  });
  try {
    await connect(client.libp2p, peer);
    await test(client, peer.peerId.toString(), clock, peer);
  } finally {
    await stopNow(peer);
  }
}

const bytes = someBytes(100_000);
const digest = digestOf(bytes);
const frame = (answer: BlobAnswer): Uint8Array => encodeAnswer(answer);
const data = (part: Uint8Array): Uint8Array =>
  Buffer.concat([
    Buffer.from([0x83, part.length >>> 16, (part.length >>> 8) & 255, part.length & 255]),
    part,
  ]);
const ok = (length = bytes.length, blobSize = length): Uint8Array =>
  frame({ kind: 'ok', blobSize, offset: 0, length });

describe('a peer that serves us', () => {
  const refusals: [string, BlobAnswer, Parameters<typeof peerFailure>[0]][] = [
    ['not-found', { kind: 'not-found' }, 'not-found'],
    ['busy', { kind: 'busy', retryMs: 700 }, 'busy'],
    ['unreadable', { kind: 'error', code: 4, text: 'disk' }, 'unreadable'],
    ['late', { kind: 'error', code: 6, text: 'late' }, 'deadline'],
  ];
  for (const [name, answer, failure] of refusals)
    it(`says ${name} and the stream is used again`, async () => {
      const streams = new Set<Stream>();
      await withPeer(
        (_, stream) => {
          streams.add(stream);
          stream.send(frame(answer));
        },
        async (client, peerId) => {
          for (let i = 0; i < 3; i++)
            await assert.rejects(client.service.range(peerId, { digest, offset: 0 }), peerFailure(failure));
          assert.equal(streams.size, 1);
          assert.equal(client.service.record(peerId).load, failure === 'busy' ? 255 : 0);
          assert.equal(client.bans.length, 0);
        },
      );
    });

  it('breaks the stream before any answer byte: asked once more on a new stream, no blame', async () => {
    await withPeer(
      (_, stream, count) => {
        if (count === 1) stream.abort(new Error('restart'));
        else
          stream.send(Buffer.concat([ok(), data(bytes.subarray(0, 65_503)), data(bytes.subarray(65_503))]));
      },
      async (client, peerId) => {
        const answer = await client.service.range(peerId, { digest, offset: 0 });
        assert.equal(digestOf(await bytesOf(answer.body)), digest);
        assert.equal(client.bans.length, 0);
      },
    );
  });

  it('ends the first stream together with its negotiation: noticed at once, asked again on another', async () => {
    const clock = createFakeClock();
    await using client = await createBlobNode({ clock });
    const peer = await createBareNode();
    let streams = 0;
    await peer.handle(BLOB_PROTOCOL, (stream) => {
      if (++streams % 2 === 1) return void stream.close();
      stream.addEventListener('message', ({ data }) => {
        const inbox = createRequestInbox();
        inbox.push(data.subarray().slice());
        const have = inbox.take()?.kind === 'have';
        stream.send(frame(have ? { kind: 'have', load: 0, sizes: [7] } : { kind: 'not-found' }));
      });
    });
    try {
      await connect(client.libp2p, peer);
      const peerId = peer.peerId.toString();
      assert.deepEqual((await client.service.have(peerId, [digest], {})).sizes, [7]);
      await assert.rejects(client.service.range(peerId, { digest, offset: 0 }), peerFailure('not-found'));
      assert.equal(streams, 4);
    } finally {
      await stopNow(peer);
    }
  });

  it('breaks it each time: an error after two', async () => {
    let asked = 0;
    await withPeer(
      (_, stream, count) => {
        asked = count;
        stream.abort(new Error('no'));
      },
      async (client, peerId) => {
        await assert.rejects(client.service.range(peerId, { digest, offset: 0 }), peerFailure('reset'));
        assert.equal(asked, 2);
      },
    );
  });

  it('breaks it in the middle: what came is given, then reset, and it is not asked again', async () => {
    let asked = 0;
    await withPeer(
      (_, stream, count) => {
        asked = count;
        stream.send(Buffer.concat([ok(), data(bytes.subarray(0, 65_503))]));
        void stream.close().then(() => stream.abort(new Error('gone')));
      },
      async (client, peerId) => {
        const answer = await client.service.range(peerId, { digest, offset: 0 });
        await assert.rejects(bytesOf(answer.body), peerFailure('reset'));
        assert.equal(asked, 1);
      },
    );
  });

  it('ends its answer with ERROR between DATA', async () => {
    await withPeer(
      (_, stream) => {
        const error = frame({ kind: 'error', code: 4, text: 'disk' });
        stream.send(Buffer.concat([ok(), data(bytes.subarray(0, 65_503)), error]));
      },
      async (client, peerId) => {
        const answer = await client.service.range(peerId, { digest, offset: 0 });
        let got = 0;
        await assert.rejects(async () => {
          for await (const part of answer.body) got += part.length;
        }, peerFailure('unreadable'));
        assert.equal(got, 65_503);
      },
    );
  });

  it('sends one byte and no more: given up after 20 s, the stream is reset', async () => {
    await withPeer(
      (_, stream) => void stream.send(Buffer.concat([ok(), data(bytes.subarray(0, 65_503)).subarray(0, 5)])),
      async (client, peerId, clock) => {
        const answer = await client.service.range(peerId, { digest, offset: 0 });
        const body = answer.body[Symbol.asyncIterator]();
        assert.equal((await body.next()).value?.length, 1);
        const stopped = assert.rejects(async () => body.next(), peerFailure('deadline'));
        await clock.advance(19_000);
        await clock.advance(3000);
        await stopped;
      },
    );
  });

  it(
    'sends byte by byte while we pause: cut off before a window of them fills the memory',
    { timeout: 30_000 },
    async () => {
      const frame65k = data(someBytes(65_503));
      let sending: Stream | undefined;
      await withPeer(
        (_, stream) => {
          sending = stream;
          // What makes us pause, and the head of a frame that comes in crumbs.
          stream.send(
            Buffer.concat([
              ok(2 << 20),
              ...Array.from({ length: 17 }, () => frame65k),
              frame65k.subarray(0, 4),
            ]),
          );
        },
        async (client, peerId, clock) => {
          const answer = await client.service.range(peerId, { digest, offset: 0 });
          const paused = (): Stream | undefined =>
            client.libp2p
              .getConnections()
              .flatMap(({ streams }) => streams)
              .find(({ readStatus, protocol }) => protocol === BLOB_PROTOCOL && readStatus === 'paused');
          while (!paused()) await new Promise((resolve) => setImmediate(resolve));
          const stream = paused();
          assert.ok(stream && sending);
          for (let sent = 0; sent < 6000; sent++) sending.send(new Uint8Array(1));
          while (stream.readBufferLength < 6000) await new Promise((resolve) => setImmediate(resolve));
          await clock.advance(1000);
          assert.equal(stream.status, 'aborted');
          await assert.rejects(bytesOf(answer.body), peerFailure('protocol'));
        },
      );
    },
  );

  it('never answers at all: given up after 20 s', async () => {
    const arrived = Promise.withResolvers<void>();
    await withPeer(
      () => arrived.resolve(),
      async (client, peerId, clock) => {
        const range = assert.rejects(
          client.service.range(peerId, { digest, offset: 0 }),
          peerFailure('deadline'),
        );
        await arrived.promise;
        await clock.advance(22_000);
        await range;
      },
    );
  });

  it('says another size in OK than in HAVE, three times: banned for an hour', async () => {
    await withPeer(
      (request, stream) =>
        void stream.send(request.kind === 'have' ? frame({ kind: 'have', load: 3, sizes: [99_999] }) : ok()),
      async (client, peerId) => {
        await client.service.have(peerId, [digest], {});
        for (let i = 0; i < 3; i++)
          await assert.rejects(client.service.range(peerId, { digest, offset: 0 }), peerFailure('protocol'));
        assert.deepEqual(client.bans, [{ peerId, reason: 'protocol', ms: 3_600_000 }]);
        await assert.rejects(client.service.range(peerId, { digest, offset: 0 }), peerFailure('unreachable'));
      },
    );
  });

  it('sends more DATA than it promised: reset, and the reader gets no byte too much', async () => {
    await withPeer(
      (_, stream) =>
        void stream.send(Buffer.concat([ok(5), data(bytes.subarray(0, 5)), data(bytes.subarray(5, 10))])),
      async (client, peerId) => {
        const answer = await client.service.range(peerId, { digest, offset: 0 }).catch(() => undefined);
        const got = answer && (await bytesOf(answer.body).catch(() => undefined));
        assert.ok(got === undefined || got.length <= 5);
      },
    );
  });

  it('gives false leaves: they are handed on as what it says, and convict nobody', async () => {
    const lie = new Uint8Array(32).fill(7);
    await withPeer(
      (_, stream) => void stream.send(frame({ kind: 'leaves', total: 1, from: 0, hashes: [lie] })),
      async (client, peerId) => {
        const answer = await client.service.leaves(peerId, { digest, from: 0, count: 1 }, {});
        assert.deepEqual(
          answer.hashes.map((hash) => Buffer.from(hash).toString('hex')),
          ['07'.repeat(32)],
        );
        assert.equal(client.bans.length, 0);
      },
    );
  });

  it('gets the questions of many callers in one request', async () => {
    const asked: number[] = [];
    await withPeer(
      (request, stream) => {
        assert.equal(request.kind, 'have');
        if (request.kind !== 'have') return;
        asked.push(request.digests.length);
        stream.send(frame({ kind: 'have', load: 1, sizes: request.digests.map((_, i) => i) }));
      },
      async (client, peerId) => {
        const callers = Array.from({ length: 40 }, (_, i) =>
          client.service.have(peerId, [digestOf(someBytes(1, i))], {}),
        );
        const answers = await Promise.all(callers);
        assert.deepEqual(
          answers.map((answer) => answer.sizes.length),
          Array.from({ length: 40 }, () => 1),
        );
        assert.ok(asked.length <= 3, `${asked.length} requests`);
      },
    );
  });

  it('is left by a caller whose signal aborts, with its reason; others get their answers', async () => {
    const arrived = Promise.withResolvers<Stream>();
    await withPeer(
      (_, stream, count) => {
        if (count === 1) arrived.resolve(stream);
        else stream.send(frame({ kind: 'have', load: 0, sizes: [2] }));
      },
      async (client, peerId) => {
        const leave = new AbortController();
        const first = client.service.have(peerId, [digest], { signal: leave.signal });
        const stream = await arrived.promise;
        const reason = new Error('enough');
        leave.abort(reason);
        await assert.rejects(first, (error) => error === reason);
        const second = client.service.have(peerId, [digest], {});
        stream.send(frame({ kind: 'have', load: 0, sizes: [1] }));
        assert.deepEqual((await second).sizes, [2], 'not the answer to the first');
      },
    );
  });

  it('disconnects: everything that waits fails', async () => {
    const arrived = Promise.withResolvers<void>();
    await withPeer(
      () => arrived.resolve(),
      async (client, peerId, _, peer) => {
        const range = assert.rejects(client.service.range(peerId, { digest, offset: 0 }), (error) =>
          ['reset', 'unreachable'].includes((error as { failure: string }).failure),
        );
        await arrived.promise;
        await peer.stop();
        await range;
      },
    );
  });

  it('is reached only through a relay: neither asked nor answered over it', async () => {
    await using client = await createBlobNode();
    await using server = await createBlobNode();
    const held = server.shelf.put(bytes);
    const here = await connect(client.libp2p, server.libp2p);
    const ask = () => client.service.have(server.peerId, [held], {});
    const relayed = { limits: { bytes: 1n << 17n } };
    Object.assign(here, relayed);
    await assert.rejects(ask, peerFailure('unreachable'));
    Object.assign(here, { limits: undefined });
    assert.deepEqual((await ask()).sizes, [bytes.length]);
    const [there] = server.libp2p.getConnections(client.libp2p.peerId);
    Object.assign(there as object, relayed);
    // Reset at once, or a moment later.
    await assert.rejects(client.service.range(server.peerId, { digest: held, offset: 0 }), (error) =>
      ['busy', 'reset'].includes((error as { failure: string }).failure),
    );
    assert.deepEqual(server.shelf.opened, []);
  });

  it('was convicted of wrong bytes: banned', async () => {
    await using client = await createBlobNode();
    client.service.judge('liar', { kind: 'wrong-bytes', digest });
    assert.deepEqual(client.bans, [{ peerId: 'liar', reason: 'wrong-bytes', ms: undefined }]);
    client.service.judge('honest', { kind: 'verified', digest, bytes: 5, ms: 1 });
    assert.equal(client.service.record('honest').proven, true);
  });
});
