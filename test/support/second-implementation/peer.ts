/**
 * A peer of Fondue on stock js-libp2p, written from docs/protocol.md alone: imports nothing from `src/`. Asks as an opener
 * does and checks every answer as the page says.
 */
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Connection, Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import {
  type AnswerValue,
  encodeRequest,
  FULL_DATA,
  readAnswer,
  type RequestValue,
  Violation,
} from './frames.ts';

export interface SecondPeer extends AsyncDisposable {
  readonly peerId: string;
  /** The peer id's multihash. */
  readonly id: Uint8Array;
  readonly connection: Connection;
  openBlobStream(): Promise<BlobStream>;
}

export async function connectSecondPeer(address: string): Promise<SecondPeer> {
  const libp2p = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    // A reader that pauses then holds the sender up after one window.
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 256 * 1024 } })],
    services: { identify: identify(), ping: ping() },
  });
  const connection = await libp2p.dial(multiaddr(address));
  return {
    peerId: libp2p.peerId.toString(),
    id: libp2p.peerId.toMultihash().bytes,
    connection,
    openBlobStream: async () => createBlobStream(await connection.newStream('/fondue/blob/1.0.0')),
    async [Symbol.asyncDispose]() {
      connection.abort(new Error('the test is over'));
      await libp2p.stop();
    },
  };
}

type Get = RequestValue & { kind: 'get' };

export interface BlobStream {
  send(bytes: Uint8Array): void;
  /** The next frame; undefined when the acceptor closed its side. Rejects when it reset the stream. */
  next(): Promise<AnswerValue | undefined>;
  ask(request: RequestValue): Promise<AnswerValue | undefined>;
  /** The whole answer to a GET: the bytes, or what was said instead (with the bytes before it). */
  get(request: Partial<Get> & { digest: string }): Promise<{ bytes: Buffer; end: AnswerValue }>;
  cancel(): void;
  closeWrite(): Promise<void>;
  /** Takes no more bytes until `next` is called. */
  pause(): void;
  /** Resolves when the acceptor reset the stream, with all that came before. */
  readonly reset: Promise<void>;
}

export function getOf(request: Partial<Get> & { digest: string }): Get {
  return { kind: 'get', offset: 0, length: null, deadlineMs: 0, priority: 0, ...request };
}

function createBlobStream(stream: Stream): BlobStream {
  let unread: Buffer = Buffer.alloc(0);
  let ended: 'closed' | 'reset' | undefined;
  let wake = (): void => {};
  const wasReset = Promise.withResolvers<void>();
  stream.addEventListener('message', ({ data }) => {
    unread = Buffer.concat([unread, data.subarray()]);
    wake();
  });
  stream.addEventListener('remoteCloseWrite', () => {
    ended ??= 'closed';
    wake();
  });
  stream.addEventListener('close', ({ error }) => {
    if (error !== undefined) {
      ended ??= 'reset';
      wasReset.resolve();
    }
    wake();
  });
  const next = async (): Promise<AnswerValue | undefined> => {
    for (;;) {
      const found = readAnswer(unread);
      if (found !== undefined) {
        unread = found.rest;
        return found.value;
      }
      if (ended === 'reset') throw new Error('the stream was reset');
      if (ended === 'closed') return undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      if (stream.readStatus === 'paused') stream.resume();
      await woken;
    }
  };
  const ask = async (request: RequestValue): Promise<AnswerValue | undefined> => {
    stream.send(encodeRequest(request));
    return next();
  };
  return {
    send: (bytes) => void stream.send(bytes),
    next,
    ask,
    async get(request) {
      const wanted = getOf(request);
      const first = await ask(wanted);
      if (first === undefined) throw new Error('closed before an answer');
      if (first.kind !== 'ok') return { bytes: Buffer.alloc(0), end: first };
      if (first.offset !== wanted.offset) throw new Violation('OK with another offset');
      if (first.length !== Math.min(wanted.length ?? Infinity, first.blobSize - wanted.offset))
        throw new Violation('OK with another length');
      const parts: Buffer[] = [];
      for (let left = first.length; left > 0;) {
        const answer = await next();
        if (answer?.kind === 'error') return { bytes: Buffer.concat(parts), end: answer };
        if (answer?.kind !== 'data') throw new Violation('neither DATA nor ERROR');
        if (answer.bytes.length !== Math.min(FULL_DATA, left)) throw new Violation('DATA not full');
        parts.push(answer.bytes);
        left -= answer.bytes.length;
      }
      return { bytes: Buffer.concat(parts), end: first };
    },
    cancel: () => stream.abort(new Error('cancelled')),
    closeWrite: () => stream.close(),
    pause: () => stream.pause(),
    reset: wasReset.promise,
  };
}
