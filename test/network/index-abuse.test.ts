/** Peers that misbehave on `/fondue/index/1.0.0`, over real streams, on either side. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { PeerError, type PeerFailure } from '../../src/core/errors.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import type { IndexHandler } from '../../src/network/index-channel.ts';
import { createIndexClient } from '../../src/network/libp2p/index-client.ts';
import {
  encodeBusy,
  encodeEnd,
  encodeIndexError,
  encodeIndexRequest,
  indexFrame,
  INDEX_PROTOCOL,
  refusalOf,
} from '../../src/network/libp2p/index-frames.ts';
import { createIndexServer } from '../../src/network/libp2p/index-server.ts';
import { createSweeper } from '../../src/network/libp2p/sweeper.ts';
import { answerOf } from '../contracts/index-channel.ts';
import { closed, connect, createBareNode, receive, stopNow } from '../support/blob-pair.ts';
import { eventually } from '../support/eventually.ts';
import { createSkippingClock } from '../support/skipping-clock.ts';

const ask = Buffer.from('ask');
const { indexChannel } = limits;

async function* echo(_from: string, request: Uint8Array): AsyncGenerator<Uint8Array> {
  yield request;
}

function head(type: number, length: number): Uint8Array {
  return Uint8Array.of(type, length >> 16, (length >> 8) & 255, length & 255);
}

/** A node of ours that answers and asks, and how far its clock has come. */
async function ours(handler: IndexHandler = echo) {
  const libp2p = await createBareNode();
  const clock = createSkippingClock(1);
  const facts = createFactEmitter();
  const sweeper = createSweeper(clock);
  const violations: string[] = [];
  const deps = {
    clock,
    facts,
    sweeper,
    isBanned: () => false,
    onViolation: (_peerId: string, { message }: Error) => void violations.push(message),
  };
  const server = createIndexServer({ ...deps, gate: undefined });
  const client = createIndexClient({ ...deps, libp2p });
  server.serve(handler);
  await libp2p.handle(INDEX_PROTOCOL, (stream, connection) => server.accept(stream, connection), {
    maxInboundStreams: indexChannel.streamsPerConnection,
  });
  return {
    libp2p,
    clock,
    server,
    client,
    violations,
    peerId: libp2p.peerId.toString(),
    /** Lets time pass in steps, so that what is watched each second is watched. */
    async pass(ms: number) {
      for (let gone = 0; gone < ms; gone += 1000) {
        clock.skip(1000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async [Symbol.asyncDispose]() {
      sweeper[Symbol.dispose]();
      await stopNow(libp2p);
    },
  };
}

async function stranger(serve?: (stream: Stream) => void): Promise<AsyncDisposable & { libp2p: Libp2p }> {
  const libp2p = await createBareNode();
  if (serve) await libp2p.handle(INDEX_PROTOCOL, (stream) => serve(stream));
  return { libp2p, [Symbol.asyncDispose]: () => stopNow(libp2p) };
}

async function rawStream(from: Libp2p, to: Libp2p): Promise<Stream> {
  const [open] = from.getConnections(to.peerId);
  const connection = open ?? (await connect(from, to));
  return connection.newStream(INDEX_PROTOCOL, { maxOutboundStreams: 1000 });
}

/** As much of a stream as is looked at before its request is whole. */
class UnfinishedStream extends EventTarget {
  status = 'open';
  readonly writeStatus = 'writable';
  readonly remoteWriteStatus = 'writable';
  readonly readBufferLength = 0;
  readonly writeBufferLength = 0;
  readonly writableNeedsDrain = false;

  say(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  abort(): void {
    if (this.status !== 'open') return;
    this.status = 'aborted';
    this.dispatchEvent(new Event('close'));
  }
}

function failsWith(failure: PeerFailure, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PeerError, String(error));
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    return true;
  };
}

describe('a peer that asks', () => {
  it('is cut off for a request that is too large, empty, of another type, or followed by more', async () => {
    await using node = await ours();
    await using peer = await stranger();
    const whole = encodeIndexRequest(ask);
    for (const [bytes, why] of [
      [head(indexFrame.request, 65_537), /65537 bytes: 1 to 65536/],
      [head(indexFrame.request, 0), /0 bytes/],
      [head(0x02, 10), /0x02 is not due/],
      [head(indexFrame.data, 10), /0x83 is not due/],
      [Buffer.concat([whole, whole]), /after the request/],
    ] as const) {
      const stream = await rawStream(peer.libp2p, node.libp2p);
      stream.send(bytes);
      await closed(stream);
      assert.match(node.violations.pop() ?? 'none', why);
    }
  });

  it('is cut off with half a request, when its time is over or when it stops there', async () => {
    await using node = await ours();
    await using peer = await stranger();
    const half = encodeIndexRequest(Buffer.alloc(100)).subarray(0, 50);
    const quiet = await rawStream(peer.libp2p, node.libp2p);
    quiet.send(half);
    const stopped = await rawStream(peer.libp2p, node.libp2p);
    stopped.send(half);
    await stopped.close();
    await closed(stopped);
    assert.equal(quiet.status, 'open');
    await node.pass(indexChannel.requestTime + 2000);
    await closed(quiet);
    assert.deepEqual(node.violations, []);
  });

  it('has at most so many streams, and those that it never uses are closed', async () => {
    await using node = await ours();
    await using peer = await stranger();
    const streams: Stream[] = [];
    for (let i = 0; i < indexChannel.streamsPerConnection + 5; i++)
      streams.push(await rawStream(peer.libp2p, node.libp2p));
    await eventually(
      'the rest is refused',
      () => streams.filter(({ status }) => status === 'open').length === indexChannel.streamsPerConnection,
    );
    await node.pass(indexChannel.requestTime + 2000);
    await Promise.all(streams.map(closed));
    const stream = await rawStream(peer.libp2p, node.libp2p);
    stream.send(encodeIndexRequest(ask));
    assert.equal((await receive(stream, 11)).subarray(4, 7).toString(), 'ask');
  });

  it('cannot take the room of others by requests that are never whole: a peer has 256 KiB of it', async () => {
    await using node = await ours();
    await using peer = await stranger();
    await using other = await stranger();
    const streams: Stream[] = [];
    for (let i = 0; i < 16; i++) {
      const stream = await rawStream(peer.libp2p, node.libp2p);
      stream.send(head(indexFrame.request, 65_536));
      streams.push(stream);
    }
    const open = (): number => streams.filter(({ status }) => status === 'open').length;
    await eventually('16 claim 1 MiB, 4 fit', () => open() === 4);
    assert.deepEqual(node.violations, []);
    const whole = encodeIndexRequest(Buffer.alloc(65_536));
    const stream = await rawStream(other.libp2p, node.libp2p);
    stream.send(whole);
    assert.ok((await receive(stream, 65_536)).length >= 65_536, 'another is answered');
    await node.pass(indexChannel.requestTime + 2000);
    await eventually('all are cut', () => open() === 0);
    const again = await rawStream(peer.libp2p, node.libp2p);
    again.send(whole);
    assert.ok((await receive(again, 65_536)).length >= 65_536, 'the room was given back');
  });

  it('cannot make us hold more than 8 MiB of such requests, with all its friends', async () => {
    await using node = await ours();
    const streams: UnfinishedStream[] = [];
    for (let i = 0; i < 40; i++) {
      const connection = { remotePeer: { toString: () => `friend${i}` } } as Connection;
      for (let n = 0; n < 4; n++) {
        const stream = new UnfinishedStream();
        node.server.accept(stream as unknown as Stream, connection);
        stream.say(head(indexFrame.request, 65_536));
        streams.push(stream);
      }
    }
    const open = (): number => streams.filter(({ status }) => status === 'open').length;
    assert.equal(open(), 128, '160 claim 10 MiB');
    await node.pass(indexChannel.requestTime + 2000);
    assert.equal(open(), 0);
  });

  it('is told BUSY while 32 answers are on their way to others', async () => {
    const go = Promise.withResolvers<void>();
    let running = 0;
    await using node = await ours(async function* (_from, request) {
      running++;
      await go.promise;
      yield request;
    });
    const peers = await Promise.all(Array.from({ length: 9 }, () => ours()));
    try {
      const answers: Promise<Buffer>[] = [];
      for (const { libp2p, client } of peers) {
        await connect(node.libp2p, libp2p);
        await eventually('both see it', () => libp2p.getConnections().length === 1);
        if (running === indexChannel.answers) break;
        for (let i = 0; i < 4; i++) answers.push(answerOf(client.request(node.peerId, ask)));
        await eventually('they are being answered', () => running === answers.length);
      }
      const late = peers[8] as (typeof peers)[0];
      await assert.rejects(answerOf(late.client.request(node.peerId, ask)), failsWith('busy', /is busy/));
      go.resolve();
      assert.equal((await Promise.all(answers)).length, indexChannel.answers);
      assert.equal((await answerOf(late.client.request(node.peerId, ask))).toString(), 'ask');
    } finally {
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
    }
  });

  it('is told BUSY when it floods us with requests, until it has been quiet for a while', async () => {
    await using node = await ours();
    await using peer = await ours();
    await connect(peer.libp2p, node.libp2p);
    const one = async (): Promise<string> => {
      try {
        return (await answerOf(peer.client.request(node.peerId, ask))).toString();
      } catch (error) {
        return (error as PeerError).failure;
      }
    };
    const said: string[] = [];
    const began = performance.now();
    while (said.at(-1) !== 'busy' && said.length < 1000) said.push(await one());
    // More than the burst only as far as time went by.
    const allowed =
      indexChannel.requestBurst + ((performance.now() - began) * indexChannel.requestRate) / 1000 + 1;
    assert.ok(
      said.length >= indexChannel.requestBurst && said.length <= allowed + 1,
      `${said.length} of ${allowed}`,
    );
    await node.pass(2000);
    assert.equal(await one(), 'ask');
  });

  it('is cut off when it reads less than 64 KiB in 20 s, and the handler is freed', async () => {
    let freed = 0;
    let made = 0;
    await using node = await ours(async function* () {
      try {
        for (;;) {
          made += 100_000;
          yield new Uint8Array(100_000);
        }
      } finally {
        freed++;
      }
    });
    await using peer = await stranger();
    const stream = await rawStream(peer.libp2p, node.libp2p);
    stream.addEventListener('message', () => stream.pause());
    stream.send(encodeIndexRequest(ask));
    let before = -1;
    await eventually('it stands still', async () => {
      const still = made === before;
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return still && made > 0;
    });
    assert.ok(made < 8_000_000, `${made} bytes were made for who does not read`);
    await node.pass(10_000);
    assert.equal(freed, 0);
    await node.pass(12_000);
    await eventually('it is freed', () => freed === 1);
  });

  it('frees the handler within 100 ms of its reset', async () => {
    const ended = Promise.withResolvers<number>();
    const running = Promise.withResolvers<void>();
    await using node = await ours(async function* (_from, _request, signal) {
      try {
        running.resolve();
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
        yield ask;
      } finally {
        ended.resolve(performance.now());
      }
    });
    await using peer = await stranger();
    const stream = await rawStream(peer.libp2p, node.libp2p);
    stream.send(encodeIndexRequest(ask));
    await running.promise;
    const at = performance.now();
    stream.abort(new Error('enough'));
    const took = (await ended.promise) - at;
    assert.ok(took < 100, `${took} ms`);
  });

  it('hears ERROR 6 when our handler takes too long, and the handler is told to stop', async () => {
    let stopped = false;
    await using node = await ours(async function* (_from, _request, signal) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      stopped = true;
      yield ask;
    });
    await using peer = await ours();
    await connect(peer.libp2p, node.libp2p);
    const answer = answerOf(peer.client.request(node.peerId, ask));
    answer.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await node.pass(indexChannel.handlerIdle - 3000);
    assert.equal(stopped, false);
    await node.pass(5000);
    await assert.rejects(answer, failsWith('deadline', /error 6/));
    assert.ok(stopped);
  });

  it('gets nothing over a relayed connection, and is asked nothing over one', async () => {
    await using node = await ours();
    const aborted: string[] = [];
    const relayed = { limits: { bytes: 1n }, remotePeer: node.libp2p.peerId } as unknown as Connection;
    const stream = { abort: ({ message }: Error) => void aborted.push(message) } as unknown as Stream;
    node.server.accept(stream, relayed);
    assert.deepEqual(aborted, ['not over a relay']);
    const client = createIndexClient({
      clock: node.clock,
      facts: createFactEmitter(),
      sweeper: createSweeper(node.clock),
      isBanned: () => false,
      onViolation: () => undefined,
      libp2p: { getConnections: () => [{ ...relayed, status: 'open' }] },
    });
    await assert.rejects(
      answerOf(client.request(node.peerId, ask)),
      failsWith('unreachable', /not connected/),
    );
  });
});

describe('a peer that answers', () => {
  const asked = async (serve: (stream: Stream) => void) => {
    const node = await ours();
    const peer = await stranger(serve);
    await connect(node.libp2p, peer.libp2p);
    const answer = answerOf(node.client.request(peer.libp2p.peerId.toString(), ask));
    answer.catch(() => undefined);
    return {
      node,
      answer,
      async [Symbol.asyncDispose]() {
        await node[Symbol.asyncDispose]();
        await peer[Symbol.asyncDispose]();
      },
    };
  };

  it('is left for frames that break their bounds, and it counts against it', async () => {
    for (const [bytes, why] of [
      [head(indexFrame.data, 65_504), /65504 bytes/],
      [head(indexFrame.data, 0), /0 bytes/],
      [head(indexFrame.end, 1), /1 bytes/],
      [head(indexFrame.error, 203), /203 bytes/],
      [head(0x99, 1), /0x99 is not due/],
      [encodeBusy(99), /BUSY for 99 ms/],
    ] as const) {
      await using one = await asked((stream) => void stream.send(bytes));
      await assert.rejects(one.answer, failsWith('protocol', why));
      assert.equal(one.node.violations.length, 1);
    }
  });

  it(
    'cannot fill the memory of who is slow to take its answer, by single bytes',
    { timeout: 30_000 },
    async () => {
      const part = Buffer.concat([head(indexFrame.data, 65_503), Buffer.alloc(65_503)]);
      let sending: Stream | undefined;
      await using node = await ours();
      await using peer = await stranger((stream) => {
        sending = stream;
        stream.send(Buffer.concat([...Array.from({ length: 24 }, () => part), part.subarray(0, 4)]));
      });
      await connect(node.libp2p, peer.libp2p);
      const body = node.client.request(peer.libp2p.peerId.toString(), ask)[Symbol.asyncIterator]();
      await body.next();
      const paused = (): Stream | undefined =>
        node.libp2p
          .getConnections()
          .flatMap(({ streams }) => streams)
          .find(({ readStatus }) => readStatus === 'paused');
      await eventually('we pause', () => paused() !== undefined && sending !== undefined);
      const stream = paused();
      for (let sent = 0; sent < 6000; sent++) sending?.send(new Uint8Array(1));
      await eventually('all came', () => stream?.readBufferLength === 6000);
      await node.pass(1000);
      assert.equal(stream?.status, 'aborted');
      await assert.rejects(
        async () => {
          while (!(await body.next()).done);
        },
        failsWith('protocol', /6000 bytes came in 6000 pieces/),
      );
    },
  );

  it('cannot write on the terminal of who reads why it refused', () => {
    const content = encodeIndexError(4, '\u001b[2Jgone\u202e\r\nall \u2066good').subarray(4);
    const { message } = refusalOf('p', indexFrame.error, content);
    assert.equal(message, 'p says error 4:  [2Jgone   all  good');
  });

  it('is read to the end of its answer and no further', async () => {
    const frame = Buffer.concat([head(indexFrame.data, 3), ask, encodeEnd(), head(indexFrame.data, 3), ask]);
    await using one = await asked((stream) => void stream.send(frame));
    assert.equal((await one.answer.catch(() => ask)).toString(), 'ask');
    assert.match(one.node.violations[0] ?? 'none', /after the answer/);
  });

  it('is given up when it breaks off, and when it sends nothing for 40 s', async () => {
    await using broken = await asked((stream) => {
      stream.send(Buffer.concat([head(indexFrame.data, 3), ask]));
      void stream.close();
    });
    await assert.rejects(broken.answer, failsWith('reset', /before its answer/));
    await using silent = await asked(
      (stream) => void stream.send(Buffer.concat([head(indexFrame.data, 3), ask])),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await silent.node.pass(indexChannel.answerIdle + 2000);
    await assert.rejects(silent.answer, failsWith('deadline', /nothing for/));
    assert.deepEqual(silent.node.violations, []);
  });

  it('costs us at most 8 MiB while we do not read', async () => {
    let sent = 0;
    const frame = Buffer.concat([head(indexFrame.data, 65_503), Buffer.alloc(65_503)]);
    await using node = await ours();
    await using peer = await stranger((stream) => {
      const fill = (): void => {
        while (stream.status === 'open' && sent < 60_000_000) {
          sent += frame.length;
          if (!stream.send(frame)) break;
        }
        if (sent >= 60_000_000) stream.send(encodeEnd());
      };
      stream.addEventListener('drain', fill);
      fill();
    });
    await connect(node.libp2p, peer.libp2p);
    const answer = node.client.request(peer.libp2p.peerId.toString(), ask)[Symbol.asyncIterator]();
    let taken = (await answer.next()).value?.length ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(sent < 12_000_000, `${sent} bytes were taken from it`);
    for (let next = await answer.next(); next.done !== true; next = await answer.next())
      taken += next.value.length;
    assert.ok(taken >= 59_000_000, `${taken}`);
  });
});
