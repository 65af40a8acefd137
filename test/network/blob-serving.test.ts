/** What peers may do to the serving side, over real streams. Time is a fake clock's; only the network is real. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { encodeAnswer, errorCode } from '../../src/network/blob-protocol/answers.ts';
import { encodeRequest, type BlobRequest } from '../../src/network/blob-protocol/requests.ts';
import { bytesOf, peerFailure } from '../contracts/peer-network.ts';
import {
  closed,
  connect,
  createBareNode,
  createBlobNode,
  rawStream,
  receive,
  stopNow,
  type BlobNode,
  type BlobNodeOptions,
} from '../support/blob-pair.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { digestOf, someBytes } from '../support/memory-shelf.ts';

const second = 1000;

/** A server with a fake clock, and a peer that speaks the protocol by hand. */
async function withPeer(
  options: BlobNodeOptions,
  test: (
    server: BlobNode,
    peer: Awaited<ReturnType<typeof createBareNode>>,
    clock: FakeClock,
  ) => Promise<void>,
): Promise<void> {
  const clock = createFakeClock();
  await using server = await createBlobNode({ ...options, clock });
  const peer = await createBareNode();
  try {
    await test(server, peer, clock);
  } finally {
    await stopNow(peer);
  }
}

const get = (
  digest: ReturnType<typeof digestOf>,
  rest: Partial<BlobRequest & { kind: 'get' }> = {},
): Uint8Array =>
  encodeRequest({ kind: 'get', digest, offset: 0, length: undefined, deadlineMs: 0, priority: 0, ...rest });

describe('a peer that is served', () => {
  it('never gets a complete wrong whole: the last frame is withheld, ERROR 4, quarantine', async () => {
    await using server = await createBlobNode();
    await using client = await createBlobNode();
    await connect(client.libp2p, server.libp2p);
    for (const size of [1, 65_503, 65_504, 300_000, 1_000_000]) {
      const right = someBytes(size, size);
      const altered = right.slice();
      altered[size >> 1] = (altered[size >> 1] ?? 0) ^ 1;
      const digest = digestOf(right);
      server.shelf.put(altered, digest);
      const answer = await client.service.range(server.peerId, { digest, offset: 0 });
      let got = 0;
      await assert.rejects(async () => {
        for await (const part of answer.body) got += part.length;
      }, peerFailure('unreadable'));
      assert.ok(got < size, `${got} of ${size}`);
      assert.ok(server.shelf.corrupt.includes(digest));
    }
    assert.equal(server.shelf.open_, 0);
  });

  it('gets a small blob that the shelf can give at once without its being opened, hashed all the same', async () => {
    await using server = await createBlobNode();
    await using client = await createBlobNode();
    await connect(client.libp2p, server.libp2p);
    const files = new Map<string, Uint8Array>();
    server.shelf.readWhole = (digest, target) => {
      const bytes = files.get(digest);
      if (bytes) target.set(bytes.subarray(0, target.length));
      return bytes && Math.min(bytes.length, target.length);
    };
    const got = async (digest: Digest, offset = 0): Promise<Buffer> => {
      const answer = await client.service.range(server.peerId, { digest, offset });
      return Buffer.from(await bytesOf(answer.body));
    };
    for (const size of [1, 65_503, 65_504, 200_000]) {
      const bytes = someBytes(size, size);
      const digest = server.shelf.put(bytes);
      files.set(digest, bytes);
      assert.ok(Buffer.from(bytes).equals(await got(digest)), `${size}`);
      assert.deepEqual(server.shelf.opened, [], 'not opened');
      const altered = bytes.slice();
      altered[size >> 1] = (altered[size >> 1] ?? 0) ^ 1;
      files.set(digest, altered);
      await assert.rejects(got(digest), peerFailure('unreadable'));
      assert.equal(server.shelf.corrupt.at(-1), digest);
      server.shelf.put(bytes);
      files.set(digest, bytes.subarray(1));
      assert.ok(Buffer.from(bytes).equals(await got(digest)), 'what it has not whole is opened');
      files.set(digest, bytes);
      await got(digest, 1);
      assert.equal(server.shelf.opened.splice(0).length, 2, 'and a part, which no hash can vouch for');
    }
    assert.equal(server.service.totals().activeGets, 0);
  });

  it('gets an error for a file that is shorter than it should be, which is reported', async () => {
    await withPeer({}, async (server, peer) => {
      const bytes = someBytes(200_000);
      const digest = server.shelf.put(bytes);
      const { open } = server.shelf;
      server.shelf.open = async (wanted) => {
        const reader = await open(wanted);
        return reader && { ...reader, size: 300_000 };
      };
      const stream = await rawStream(peer, server.libp2p);
      stream.send(get(digest, { offset: 1 }));
      const answer = await receive(stream, 1);
      assert.equal(answer[0], 0x92);
      assert.equal(answer.readUInt16BE(4), 4);
      assert.deepEqual(server.shelf.corrupt, [digest]);
    });
  });

  it('is told NOT_FOUND for what is absent or private without a file being touched, and makes us fetch nothing', async () => {
    await withPeer({}, async (server, peer) => {
      const stream = await rawStream(peer, server.libp2p);
      const digest = digestOf(someBytes(10));
      stream.send(get(digest));
      assert.equal((await receive(stream, 4)).toString('hex'), '90000000');
      stream.send(encodeRequest({ kind: 'leaves', digest, from: 0, count: 1 }));
      assert.equal((await receive(stream, 4)).toString('hex'), '90000000');
      assert.deepEqual(server.shelf.opened, []);
    });
  });

  for (const [share, lan, sees] of [
    ['none', true, false],
    ['lan', false, false],
    ['lan', true, true],
  ] as const)
    it(`${sees ? 'sees' : 'does not see'} what we hold with share ${share}, being ${lan ? '' : 'not '}on the LAN`, async () => {
      await using server = await createBlobNode({ share, lan });
      await using client = await createBlobNode();
      await connect(client.libp2p, server.libp2p);
      const digest = server.shelf.put(someBytes(1000));
      const { sizes } = await client.service.have(server.peerId, [digest], {});
      assert.deepEqual(sizes, [sees ? 1000 : undefined]);
      const range = client.service.range(server.peerId, { digest, offset: 0 });
      if (sees) assert.equal((await bytesOf((await range).body)).length, 1000);
      else {
        await assert.rejects(range, peerFailure('not-found'));
        assert.deepEqual(server.shelf.opened, []);
      }
    });

  it('floods HAVE and hears BUSY after 2,048 digests, then 256 a second; a new connection gives no new burst', async () => {
    const clock = createFakeClock();
    await using server = await createBlobNode({ clock });
    await using client = await createBlobNode();
    await connect(client.libp2p, server.libp2p);
    const digests = Array.from({ length: 256 }, (_, i) => digestOf(someBytes(1, i)));
    const have = () => client.service.have(server.peerId, digests, {});
    for (let i = 0; i < 8; i++) await have();
    await assert.rejects(have(), peerFailure('busy'));
    await client.libp2p.hangUp(server.libp2p.peerId);
    await connect(client.libp2p, server.libp2p);
    await assert.rejects(have(), peerFailure('busy'));
    await clock.advance(second);
    await have();
    await assert.rejects(have(), peerFailure('busy'));
    assert.equal(server.service.totals().busyAnswers, 3);
  });

  it('does not probe by GET faster than by HAVE', async () => {
    await withPeer({}, async (server, peer) => {
      const stream = await rawStream(peer, server.libp2p);
      const wanted = get(digestOf(someBytes(10)));
      const batch = Buffer.concat(Array.from({ length: 512 }, () => wanted));
      for (let i = 0; i < 4; i++) {
        stream.send(batch);
        const answers = await receive(stream, 512 * 4);
        assert.equal(answers.toString('hex'), '90000000'.repeat(512));
      }
      stream.send(wanted);
      assert.equal((await receive(stream, 8))[0], 0x91);
    });
  });

  it('is cut off with a request that is not whole within 5 s', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const stream = await rawStream(peer, server.libp2p);
      const wanted = get(digestOf(someBytes(10)));
      stream.send(wanted);
      stream.send(wanted.subarray(0, 10));
      await receive(stream, 4);
      await clock.advance(4 * second);
      assert.equal(stream.status, 'open');
      await clock.advance(2 * second);
      await closed(stream);
    });
  });

  it('may open 256 streams, and those that it does not use are closed after a minute', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const streams = [];
      for (let i = 0; i < 270; i += 30)
        streams.push(
          ...(await Promise.all(
            Array.from({ length: 30 }, () => rawStream(peer, server.libp2p).catch(() => undefined)),
          )),
        );
      const open = () =>
        server.libp2p
          .getConnections()
          .flatMap((connection) => connection.streams.filter((s) => s.protocol === '/fondue/blob/1.0.0'));
      assert.ok(open().length <= limits.blob.inboundStreams, `${open().length}`);
      // The server has accepted them only a little after the opener heard so.
      await eventually('more than 200 streams', () => open().length > 200);
      assert.ok(open().length <= limits.blob.inboundStreams, `${open().length}`);
      // Some are accepted only now: they get their minute, too.
      for (let rounds = 0; rounds < 5 && open().length > 0; rounds++) {
        await clock.advance(66 * second);
        await server.libp2p.peerStore.all();
      }
      assert.equal(open().length, 0);
    });
  });

  it('keeps its first stream while another is in use', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const control = await rawStream(peer, server.libp2p);
      const bulk = await rawStream(peer, server.libp2p);
      const wanted = get(digestOf(someBytes(10)));
      for (let i = 0; i < 4; i++) {
        await clock.advance(40 * second);
        bulk.send(wanted);
        await receive(bulk, 4);
      }
      control.send(wanted);
      assert.equal((await receive(control, 4)).toString('hex'), '90000000');
    });
  });

  it('is reset for broken frames, and banned for an hour at the third', async () => {
    await withPeer({}, async (server, peer) => {
      for (const [i, hex] of ['01002022', '020000340000', '4000ffff'].entries()) {
        assert.equal(server.bans.length, 0, `after ${i}`);
        const stream = await rawStream(peer, server.libp2p);
        stream.send(Buffer.from(hex, 'hex'));
        await closed(stream);
      }
      assert.deepEqual(server.bans, [{ peerId: peer.peerId.toString(), reason: 'protocol', ms: 3_600_000 }]);
      const refused = await rawStream(peer, server.libp2p);
      await closed(refused);
    });
  });

  it('is reset when more than 64 KiB of requests wait', async () => {
    await withPeer({}, async (server, peer) => {
      const digest = server.shelf.put(someBytes(8 << 20));
      const stream = await rawStream(peer, server.libp2p);
      stream.pause();
      const wanted = get(digest);
      stream.send(Buffer.concat(Array.from({ length: 2000 }, () => wanted)));
      await closed(stream);
      await server.shelf.whenClosed();
    });
  });

  it('hears ERROR 2 for a request of a later version, ERROR 1 for nonsense, ERROR 3 beyond the blob; the stream goes on', async () => {
    await withPeer({}, async (server, peer) => {
      const digest = server.shelf.put(someBytes(5));
      const stream = await rawStream(peer, server.libp2p);
      const nonsense = get(digest);
      nonsense[56] = 9;
      for (const [request, code] of [
        [Buffer.from('3000000568656c6c6f', 'hex'), 2],
        [nonsense, 1],
        [get(digest, { offset: 6 }), 3],
        [encodeRequest({ kind: 'leaves', digest, from: 1, count: 1 }), 3],
      ] as const) {
        stream.send(request);
        const answer = await receive(stream, 6);
        assert.deepEqual([answer[0], answer.readUInt16BE(4)], [0x92, code]);
      }
      stream.send(get(digest));
      const answer = await receive(stream, 28 + 9);
      assert.equal(
        answer.subarray(28).toString('hex'),
        `83000005${Buffer.from(someBytes(5)).toString('hex')}`,
      );
      assert.equal(server.bans.length, 0);
    });
  });

  it('that does not read is reset after 20 s, file and place freed; one that reads is not', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const digest = server.shelf.put(someBytes(16 << 20));
      const stuck = await rawStream(peer, server.libp2p);
      stuck.pause();
      stuck.send(get(digest));
      const reading = await rawStream(peer, server.libp2p);
      reading.send(get(digest));
      await receive(reading, 16 << 20);
      assert.equal(server.service.totals().activeGets, 1);
      await clock.advance(15 * second);
      assert.equal(server.service.totals().activeGets, 1);
      await clock.advance(10 * second);
      await closed(stuck);
      await server.shelf.whenClosed();
      assert.equal(server.service.totals().activeGets, 0);
      assert.equal(reading.status, 'open');
    });
  });

  it('has 2 GETs as a stranger and 8 when it gave verified bytes; one more waits a second and hears BUSY', async () => {
    await withPeer({ lan: false }, async (server, peer, clock) => {
      // More than yamux's largest window: none ends before it is read.
      const digest = server.shelf.put(someBytes(8 << 20));
      const start = async () => {
        const stream = await rawStream(peer, server.libp2p);
        stream.pause();
        stream.send(get(digest));
        return stream;
      };
      const busyAfterWaiting = async () => {
        const stream = await rawStream(peer, server.libp2p);
        const answer = receive(stream, 8);
        stream.send(get(digest));
        // A round trip on a stream opened later: the GET has arrived.
        const probe = await rawStream(peer, server.libp2p);
        probe.send(get(digestOf(someBytes(1))));
        await receive(probe, 4);
        await clock.advance(second);
        assert.equal((await answer)[0], 0x91);
      };
      for (let i = 0; i < 2; i++) await start();
      await busyAfterWaiting();
      assert.equal(server.service.totals().activeGets, 2);
      server.service.judge(peer.peerId.toString(), { kind: 'verified', digest, bytes: 1, ms: 1 });
      for (let i = 0; i < 6; i++) await start();
      await busyAfterWaiting();
      assert.equal(server.service.totals().activeGets, 8);
    });
  });

  it('gets the hashes of chunks, 16 read for one request, and BUSY when it has more read than a few', async () => {
    await withPeer({}, async (server, peer) => {
      const bytes = someBytes((20 << 20) + 5);
      const digest = server.shelf.put(bytes);
      const stream = await rawStream(peer, server.libp2p);
      const leaves = async (from: number, count: number) => {
        stream.send(encodeRequest({ kind: 'leaves', digest, from, count }));
        return receive(stream, 8);
      };
      const first = await leaves(0, 512);
      assert.deepEqual([first[0], first.readUInt32BE(4), first.readUInt16BE(12)], [0x84, 21, 16]);
      assert.equal(first.subarray(14, 46).toString('hex'), digestOf(bytes.subarray(0, 1 << 20)));
      assert.equal(server.shelf.bytesRead, 16 << 20);
      const rest = await leaves(16, 512);
      assert.equal(rest.readUInt16BE(12), 5);
      assert.equal(rest.subarray(14 + 4 * 32).toString('hex'), digestOf(bytes.subarray(20 << 20)));
      const read = server.shelf.bytesRead;
      assert.equal((await leaves(3, 4)).readUInt16BE(12), 4);
      assert.equal(server.shelf.bytesRead, read, 'what was computed is remembered');
      for (let i = 0; i < 2; i++) {
        const other = server.shelf.put(someBytes(100 + i));
        stream.send(encodeRequest({ kind: 'leaves', digest: other, from: 0, count: 1 }));
        assert.equal((await receive(stream, 46))[0], 0x84);
      }
      const fifth = server.shelf.put(someBytes(200));
      stream.send(encodeRequest({ kind: 'leaves', digest: fifth, from: 0, count: 1 }));
      assert.equal((await receive(stream, 8))[0], 0x91);
    });
  });

  it('gets hashes that are remembered no faster than answers to HAVE: they go past the upload limit', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const digest = server.shelf.put(someBytes(16 << 20));
      const stream = await rawStream(peer, server.libp2p);
      const wanted = encodeRequest({ kind: 'leaves', digest, from: 0, count: 16 });
      const answer = async (): Promise<number | undefined> => {
        stream.send(wanted);
        return (await receive(stream, 8))[0];
      };
      assert.equal(await answer(), 0x84, 'computed');
      for (let i = 0; i < limits.blob.haveBurst / 16; i++) assert.equal(await answer(), 0x84);
      assert.equal(await answer(), 0x91);
      await clock.advance(second);
      assert.equal(await answer(), 0x84);
    });
  });

  it('waits for refusals when it asks for them on and on: 1,024 at once, then 64 a second, on whatever stream', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const digest = server.shelf.put(someBytes(1000));
      const { refusalBurst, refusalRate } = limits.blob;
      const unknown = Buffer.from([0x7f, 0, 0, 0]);
      const refusal = encodeAnswer({
        kind: 'error',
        code: errorCode.unknownRequest,
        text: 'unknown request 127',
      });
      let got = 0;
      const ask = async (count: number): Promise<void> => {
        const stream = await rawStream(peer, server.libp2p);
        stream.addEventListener('message', ({ data }) => (got += data.byteLength / refusal.length));
        stream.send(Buffer.concat(Array.from({ length: count }, () => unknown)));
      };
      await ask(2000);
      await eventually('the burst', () => got >= refusalBurst);
      await ask(100);
      const other = await createBareNode();
      try {
        const stream = await rawStream(other, server.libp2p);
        stream.send(get(digest));
        assert.equal((await receive(stream, 4))[0], 0x82, 'others are answered');
      } finally {
        await stopNow(other);
      }
      assert.equal(got, refusalBurst);
      for (let seconds = 1; seconds <= 3; seconds++) {
        await clock.advance(second);
        await eventually('more', () => got >= refusalBurst + seconds * refusalRate - 2);
        assert.ok(got <= refusalBurst + seconds * refusalRate, `${got} after ${seconds} s`);
      }
    });
  });

  it('gets no more than the upload limit allows, whoever asks', async () => {
    await withPeer({ uploadLimit: 400_000 }, async (server, peer, clock) => {
      const digest = server.shelf.put(someBytes(1_000_000));
      const stream = await rawStream(peer, server.libp2p);
      let got = 0;
      stream.addEventListener('message', ({ data }) => (got += data.byteLength));
      stream.send(get(digest));
      const done = receive(stream, 1_000_000);
      const probe = async () => {
        const other = await rawStream(peer, server.libp2p);
        other.send(get(digestOf(someBytes(1))));
        await receive(other, 4);
      };
      await probe();
      assert.ok(got <= 400_000, `${got} at once`);
      await clock.advance(second);
      await probe();
      assert.ok(got <= 800_000 && got >= 400_000, `${got} after a second`);
      await clock.advance(3 * second);
      await done;
    });
  });

  it('leaves in the middle: file and place are free within 100 ms', async () => {
    await using server = await createBlobNode();
    await using client = await createBlobNode();
    await connect(client.libp2p, server.libp2p);
    const digest = server.shelf.put(someBytes(16 << 20));
    const answer = await client.service.range(server.peerId, { digest, offset: 0 });
    for await (const part of answer.body) if (part.length > 0) break;
    const start = performance.now();
    await server.shelf.whenClosed();
    assert.ok(performance.now() - start < 100);
    assert.equal(server.service.totals().activeGets, 0);
  });

  it('hears ERROR 6 when the file does not open in time, and the file is closed when it opens after all', async () => {
    await withPeer({}, async (server, peer, clock) => {
      const digest = server.shelf.put(someBytes(10));
      const { open } = server.shelf;
      const begun = Promise.withResolvers<void>();
      const late = Promise.withResolvers<void>();
      server.shelf.open = async (wanted) => {
        begun.resolve();
        await late.promise;
        return open(wanted);
      };
      const stream = await rawStream(peer, server.libp2p);
      const answer = receive(stream, 6);
      stream.send(get(digest, { deadlineMs: 300 }));
      await begun.promise;
      await clock.advance(300);
      assert.equal((await answer).readUInt16BE(4), 6);
      late.resolve();
      await clock.advance(0);
      assert.equal(server.shelf.open_, 0);
    });
  });
});
