/** Two libp2p nodes in this process, connected over loopback, each with the blob service; for tests of the real streams. */
import { noise } from '@chainsafe/libp2p-noise';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import type { Clock } from '../../src/core/clock.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { BLOB_PROTOCOL } from '../../src/network/blob-protocol/frames.ts';
import {
  createBlobService,
  type BlobService,
  type BlobServiceOptions,
} from '../../src/network/libp2p/blob-service.ts';
import { createNoiseCrypto } from '../../src/network/libp2p/noise-crypto.ts';
import { systemClock, systemRandomness } from '../../src/system-clock.ts';
import { createMemoryShelf, type MemoryShelf } from './memory-shelf.ts';

export interface Ban {
  readonly peerId: string;
  readonly reason: string;
  readonly ms: number | undefined;
}

export interface BlobNode extends AsyncDisposable {
  readonly libp2p: Libp2p;
  readonly peerId: string;
  readonly shelf: MemoryShelf;
  readonly service: BlobService;
  readonly bans: readonly Ban[];
}

export interface BlobNodeOptions {
  readonly clock?: Clock;
  readonly lan?: boolean;
  readonly share?: BlobServiceOptions['share'];
  readonly uploadLimit?: number;
}

export async function createBareNode(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise({ crypto: createNoiseCrypto(systemRandomness) })],
    streamMuxers: [
      yamux({
        maxInboundStreams: 600,
        maxOutboundStreams: 600,
        maxEarlyStreams: 600,
        streamOptions: { maxStreamWindowSize: 4 << 20, maxReadBufferLength: 8 << 20 },
      }),
    ],
    connectionMonitor: { enabled: false },
  });
}

export async function createBlobNode(options: BlobNodeOptions = {}): Promise<BlobNode> {
  const libp2p = await createBareNode();
  const shelf = createMemoryShelf();
  const bans: Ban[] = [];
  const service = createBlobService({
    libp2p,
    shelf,
    clock: options.clock ?? systemClock,
    randomness: systemRandomness,
    facts: createFactEmitter(),
    uploadLimit: options.uploadLimit,
    share: options.share ?? 'all',
    isLan: () => options.lan ?? true,
    isRemembered: () => false,
    ban: (peerId, reason, _digest, ms) => void bans.push({ peerId, reason, ms }),
    isBanned: (peerId) => bans.some((ban) => ban.peerId === peerId),
  });
  await service.ready;
  return {
    libp2p,
    peerId: libp2p.peerId.toString(),
    shelf,
    service,
    bans,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await stopNow(libp2p);
    },
  };
}

/** Without waiting for streams that the other side leaves open. */
export async function stopNow(libp2p: Libp2p): Promise<void> {
  for (const connection of libp2p.getConnections()) connection.abort(new Error('the test is over'));
  await libp2p.stop();
}

export async function connect(from: Libp2p, to: Libp2p): Promise<Connection> {
  return from.dial(to.getMultiaddrs());
}

/** A stream of the blob protocol that speaks for itself: for peers that misbehave. */
export async function rawStream(from: Libp2p, to: Libp2p): Promise<Stream> {
  const connection = await connect(from, to);
  return connection.newStream(BLOB_PROTOCOL, { maxOutboundStreams: 1000 });
}

/** Everything that comes on a stream until `bytes` are there or it closes. */
export function receive(stream: Stream, bytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(Buffer.concat(parts));
    if (stream.status !== 'open') return done();
    stream.addEventListener('message', ({ data }) => {
      parts.push(data.subarray().slice());
      length += data.byteLength;
      if (length >= bytes) done();
    });
    stream.addEventListener('close', done);
    stream.addEventListener('end', done);
    return undefined;
  });
}

export function closed(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.status !== 'open') resolve();
    stream.addEventListener('close', () => resolve());
  });
}
