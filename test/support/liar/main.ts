/**
 * A peer that lies, for the demo and the tests: stock js-libp2p and the wire format of docs/protocol.md written anew, nothing
 * from `src/`. It says that it holds every blob of `--blobs digest=size,...` and sends other bytes of that length, or as
 * `--how` says. First line on standard output: `{"peerId","multiaddrs"}`; then one line for each GET it answered.
 *
 *   node test/support/liar/main.ts --dial MULTIADDR --blobs 9f..=126163 [--how garbage|drip]
 */
import { parseArgs } from 'node:util';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Stream } from '@libp2p/interface';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const { values } = parseArgs({
  options: {
    dial: { type: 'string' },
    blobs: { type: 'string', default: '' },
    how: { type: 'string', default: 'garbage' },
  },
});
const sizes = new Map(values.blobs.split(',').map((entry) => entry.split('=') as [string, string]));
const none = 2n ** 64n - 1n;

const frame = (type: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type * 2 ** 24 + body.length);
  return Buffer.concat([head, body]);
};
const u64 = (...numbers: bigint[]): Buffer => {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeBigUInt64BE(number, index * 8);
  return bytes;
};

async function send(stream: Stream, bytes: Buffer): Promise<void> {
  if (stream.status !== 'open') return;
  if (!stream.send(bytes)) {
    await new Promise((resolve) => {
      stream.addEventListener('drain', resolve, { once: true });
      stream.addEventListener('close', resolve, { once: true });
    });
  }
}

async function answer(stream: Stream, type: number, body: Buffer): Promise<void> {
  if (type === 0x01) {
    const count = body.readUInt16BE(0);
    const answers: bigint[] = [];
    for (let index = 0; index < count; index++) {
      const digest = body.subarray(2 + index * 32, 34 + index * 32).toString('hex');
      const size = sizes.get(digest);
      answers.push(size === undefined ? none : BigInt(size));
    }
    return send(stream, frame(0x81, Buffer.concat([Buffer.of(0), u64(...answers)])));
  }
  if (type !== 0x02) return;
  const digest = body.subarray(0, 32).toString('hex');
  const size = BigInt(sizes.get(digest) ?? 0);
  if (size === 0n) return send(stream, frame(0x90, Buffer.alloc(0)));
  const offset = body.readBigUInt64BE(32);
  const asked = body.readBigUInt64BE(40);
  const length = asked > size - offset ? size - offset : asked;
  console.log(JSON.stringify({ get: digest, offset: Number(offset), length: Number(length) }));
  await send(stream, frame(0x82, u64(size, offset, length)));
  if (values.how === 'drip') return send(stream, frame(0x83, Buffer.of(0x50)));
  for (let left = Number(length); left > 0; left -= 65_503) {
    await send(stream, frame(0x83, Buffer.alloc(Math.min(left, 65_503), 'lies, damned lies and mirrors. ')));
  }
}

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({ protocol: '/fondue/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper }),
  },
});
await node.handle(
  '/fondue/blob/1.0.0',
  (stream) => {
    let unread = Buffer.alloc(0);
    let turn = Promise.resolve();
    stream.addEventListener('message', (event) => {
      unread = Buffer.concat([unread, event.data.subarray()]);
      while (unread.length >= 4 && unread.length >= 4 + unread.readUIntBE(1, 3)) {
        const type = unread.readUInt8(0);
        const body = unread.subarray(4, 4 + unread.readUIntBE(1, 3));
        unread = unread.subarray(4 + body.length);
        turn = turn.then(() => answer(stream, type, Buffer.from(body)));
      }
    });
  },
  { maxInboundStreams: 256 },
);
if (values.dial !== undefined) await node.dial(multiaddr(values.dial));
console.log(JSON.stringify({ peerId: node.peerId.toString(), multiaddrs: node.getMultiaddrs().map(String) }));
