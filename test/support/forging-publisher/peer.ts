/**
 * A peer on stock js-libp2p that answers about the index and gives blobs, and gossips. Written from docs/protocol.md alone: imports
 * nothing from `src/`.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { noise } from '@chainsafe/libp2p-noise';
import { decode } from '@ipld/dag-cbor';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { encodeAnswer, frame, FULL_DATA, readRequest } from '../second-implementation/frames.ts';
import type { ForgingPublisher, Question } from './publisher.ts';

const TOPIC = '/fondue/index/1';
const [REQUEST, DATA, END] = [0x01, 0x83, 0x93];

/** What it does, as the tests change it. */
export interface PeerBehaviour {
  /** Whose questions it answers; also of a fork. */
  publishers: ForgingPublisher[];
  /** By lower-case hex digest. */
  readonly blobs: Map<string, Buffer>;
  /** Of these it sends other bytes of the same length. */
  readonly garbled: Set<string>;
  /** What it answers "heads" with, whatever is asked. */
  heads?: Buffer | undefined;
}

export interface ForgingPeer extends AsyncDisposable {
  readonly peerId: string;
  readonly address: string;
  readonly behaviour: PeerBehaviour;
  /** Questions of the index channel so far: what was asked. */
  readonly asked: string[];
  /** Digests that were asked for with GET. */
  readonly given: string[];
  readonly connections: number;
  dial(address: string): Promise<void>;
  /** To the node that listens, once it does. */
  gossip(message: Uint8Array): Promise<void>;
}

export async function createForgingPeer(publishers: readonly ForgingPublisher[]): Promise<ForgingPeer> {
  const behaviour: PeerBehaviour = { publishers: [...publishers], blobs: new Map(), garbled: new Set() };
  const [asked, given]: string[][] = [[], []];
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        allowedTopics: [TOPIC],
        globalSignaturePolicy: 'StrictNoSign',
        msgIdFn: ({ data }) => createHash('sha256').update(data).digest().subarray(0, 20),
        ignoreDuplicatePublishError: true,
      }),
    },
  });
  const { pubsub } = node.services;
  await node.handle(
    '/fondue/index/1.0.0',
    (stream) => void answerIndex(stream).catch(() => stream.abort(new Error('no'))),
    {
      maxInboundStreams: 64,
    },
  );
  await node.handle(
    '/fondue/blob/1.0.0',
    (stream) => void answerBlobs(stream).catch(() => stream.abort(new Error('no'))),
    {
      maxInboundStreams: 64,
    },
  );
  pubsub.subscribe(TOPIC);

  async function answerIndex(stream: Stream): Promise<void> {
    const bytes = await firstFrame(stream);
    if (bytes.readUInt8(0) !== REQUEST) throw new Error('no request');
    const question = decode<Question>(bytes.subarray(4));
    asked!.push(question.q);
    const parts =
      question.q === 'heads' && behaviour.heads !== undefined
        ? [behaviour.heads]
        : behaviour.publishers.flatMap((publisher) => publisher.answer(question));
    const answer = Buffer.concat(parts.flatMap((part) => [u32(part.length), part]));
    for (let at = 0; at < answer.length; at += FULL_DATA)
      await send(stream, frame(DATA, answer.subarray(at, at + FULL_DATA)));
    await send(stream, frame(END, Buffer.alloc(0)));
    await stream.close();
  }

  async function answerBlobs(stream: Stream): Promise<void> {
    for await (const request of requestsOf(stream)) {
      if (request.kind === 'have') {
        const sizes = request.digests.map((digest) => behaviour.blobs.get(digest)?.length ?? null);
        await send(stream, encodeAnswer({ kind: 'have', load: 0, sizes }));
        continue;
      }
      const blob = request.kind === 'get' ? behaviour.blobs.get(request.digest) : undefined;
      if (request.kind !== 'get' || blob === undefined) {
        const unknown = request.kind === 'unknown';
        await send(
          stream,
          encodeAnswer(unknown ? { kind: 'error', code: 2, text: '' } : { kind: 'not-found' }),
        );
        continue;
      }
      given!.push(request.digest);
      const { offset } = request;
      const length = Math.min(request.length ?? Infinity, blob.length - offset);
      const bytes = Buffer.from(blob.subarray(offset, offset + length));
      if (behaviour.garbled.has(request.digest)) bytes.fill('lies ');
      await send(stream, encodeAnswer({ kind: 'ok', blobSize: blob.length, offset, length }));
      for (let at = 0; at < length; at += FULL_DATA)
        await send(stream, encodeAnswer({ kind: 'data', bytes: bytes.subarray(at, at + FULL_DATA) }));
    }
  }

  return {
    peerId: node.peerId.toString(),
    address: node.getMultiaddrs()[0]?.toString() ?? '',
    behaviour,
    asked: asked!,
    given: given!,
    get connections() {
      return node.getConnections().length;
    },
    async dial(address) {
      await node.dial(multiaddr(address));
    },
    async gossip(message) {
      // Of the two streams that this takes nothing is told; what is published before goes nowhere, and is not sent again.
      const { streamsOutbound } = pubsub as unknown as { streamsOutbound: ReadonlyMap<string, unknown> };
      const isHeard = (): boolean =>
        pubsub.getSubscribers(TOPIC).some((peer) => streamsOutbound.has(peer.toString()));
      while (!isHeard()) await delay(10);
      await pubsub.publish(TOPIC, message);
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
    },
  };
}

/** What comes, until the other side has no more to say. */
async function* chunksOf(stream: Stream): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield Buffer.from(chunk.subarray());
}

async function firstFrame(stream: Stream): Promise<Buffer> {
  let unread: Buffer = Buffer.alloc(0);
  for await (const chunk of chunksOf(stream)) {
    unread = Buffer.concat([unread, chunk]);
    if (unread.length >= 4 && unread.length >= 4 + unread.readUIntBE(1, 3)) return unread;
  }
  throw new Error('half a request');
}

async function* requestsOf(stream: Stream) {
  let unread: Buffer = Buffer.alloc(0);
  for await (const chunk of chunksOf(stream)) {
    unread = Buffer.concat([unread, chunk]);
    for (let found = readRequest(unread); found !== undefined; found = readRequest(unread)) {
      unread = found.rest;
      yield found.value;
    }
  }
  await stream.close();
}

/** Resolves when more may be sent. */
async function send(stream: Stream, bytes: Buffer): Promise<void> {
  if (stream.status !== 'open') throw new Error('the reader went');
  if (stream.send(bytes)) return;
  await new Promise((resolve) => {
    stream.addEventListener('drain', resolve, { once: true });
    stream.addEventListener('close', resolve, { once: true });
  });
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
