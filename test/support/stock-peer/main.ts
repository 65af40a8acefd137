/**
 * A peer that only asks: stock js-libp2p and the wire format of docs/protocol.md written anew, nothing from `src/`. Dials,
 * asks HAVE for all digests, then GETs each whole one after the other, and prints a JSON line for every answer:
 *   {"peerId"}   {"have":[size or null,...],"load"}   {"get","answer":"ok|not-found|busy|error|reset","size","bytes","sha256"}
 *
 *   node test/support/stock-peer/main.ts --dial MULTIADDR --digests 9f..,a0.. [--bytes-per-second N] [--only have|get]
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const { values } = parseArgs({
  options: {
    dial: { type: 'string' },
    digests: { type: 'string', default: '' },
    'bytes-per-second': { type: 'string' },
    only: { type: 'string' },
  },
});
const digests = values.digests.split(',');
const rate = values['bytes-per-second'] === undefined ? undefined : Number(values['bytes-per-second']);
const none = 2n ** 64n - 1n;
const say = (line: object): void => console.log(JSON.stringify(line));

interface Frame {
  readonly type: number;
  readonly body: Buffer;
}

const frame = (type: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type * 2 ** 24 + body.length);
  return Buffer.concat([head, body]);
};

/** Frames as they come; the sender is held up while nobody asks for the next one. Undefined at the stream's end. */
function frames(stream: Stream): () => Promise<Frame | undefined> {
  const ready: Frame[] = [];
  let unread = Buffer.alloc(0);
  let ended = false;
  let resuming = false;
  let wake = (): void => {};
  // A pause inside resume() is half undone: it is done afterwards.
  const pauseIfFull = (): void => {
    if (!resuming && ready.length > 4 && stream.readStatus === 'readable') stream.pause();
  };
  stream.addEventListener('message', (event) => {
    unread = Buffer.concat([unread, event.data.subarray()]);
    while (unread.length >= 4 && unread.length >= 4 + unread.readUIntBE(1, 3)) {
      const body = unread.subarray(4, 4 + unread.readUIntBE(1, 3));
      ready.push({ type: unread.readUInt8(0), body });
      unread = unread.subarray(4 + body.length);
    }
    pauseIfFull();
    wake();
  });
  stream.addEventListener('close', () => {
    ended = true;
    wake();
  });
  return async () => {
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) return next;
      if (ended) return undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      resuming = true;
      if (stream.readStatus === 'paused') stream.resume();
      resuming = false;
      pauseIfFull();
      await woken;
    }
  };
}

async function have(stream: Stream): Promise<void> {
  const next = frames(stream);
  const count = Buffer.alloc(2);
  count.writeUInt16BE(digests.length);
  stream.send(frame(0x01, Buffer.concat([count, ...digests.map((digest) => Buffer.from(digest, 'hex'))])));
  const answer = await next();
  if (answer?.type !== 0x81) return say({ have: undefined, answer: answer?.type });
  const sizes = digests.map((_, i) => answer.body.readBigUInt64BE(1 + i * 8));
  say({ have: sizes.map((size) => (size === none ? null : Number(size))), load: answer.body[0] });
}

async function get(stream: Stream, digest: string): Promise<object> {
  const next = frames(stream);
  const request = Buffer.alloc(53);
  Buffer.from(digest, 'hex').copy(request);
  request.writeBigUInt64BE(none, 40);
  request.writeUInt32BE(30_000, 48);
  stream.send(frame(0x02, request));
  const first = await next();
  const names: Record<number, string> = { 0x90: 'not-found', 0x91: 'busy', 0x92: 'error' };
  if (first === undefined) return { get: digest, answer: 'reset', bytes: 0 };
  if (first.type !== 0x82) return { get: digest, answer: names[first.type] ?? String(first.type), bytes: 0 };
  const size = Number(first.body.readBigUInt64BE(0));
  const hash = createHash('sha256');
  const started = performance.now();
  let bytes = 0;
  while (bytes < size) {
    const data = await next();
    if (data?.type !== 0x83) return { get: digest, answer: names[data?.type ?? 0] ?? 'reset', size, bytes };
    hash.update(data.body);
    bytes += data.body.length;
    const early = rate === undefined ? 0 : (bytes / rate) * 1000 - (performance.now() - started);
    if (early > 1) await delay(early);
  }
  return { get: digest, answer: 'ok', size, bytes, sha256: hash.digest('hex') };
}

const node = await createLibp2p({
  // It aborts a connection on the first ping that is late, as it is under a busy transfer.
  connectionMonitor: { abortConnectionOnPingFailure: false },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  // A read buffer below twice the window aborts streams whose reader pauses.
  streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 4 << 20, maxReadBufferLength: 8 << 20 } })],
  services: { identify: identify(), ping: ping() },
});
const connection = await node.dial(multiaddr(values.dial));
say({ peerId: node.peerId.toString() });
const open = (): Promise<Stream> => connection.newStream('/fondue/blob/1.0.0');
if (values.only !== 'get') {
  const stream = await open();
  await have(stream);
  await stream.close();
}
if (values.only !== 'have') {
  for (const digest of digests) {
    const stream = await open();
    say(await get(stream, digest));
    await stream.close().catch(() => {});
  }
}
await node.stop();
process.exit(0);
