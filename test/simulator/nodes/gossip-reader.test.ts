import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RPC } from '@libp2p/gossipsub/message';
import fc from 'fast-check';
import { createGossipReader } from '../../../src/simulator/nodes/gossip-reader.ts';

/** As gossipsub writes it: a length, then the RPC. */
function frame(rpc: Partial<RPC>): Buffer {
  const bytes = RPC.encode(rpc);
  const length: number[] = [];
  for (let left = bytes.length; ; left >>>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

function read(pieces: readonly Uint8Array[]): string[] {
  const seen: string[] = [];
  const reader = createGossipReader((data) => void seen.push(Buffer.from(data).toString()));
  for (const piece of pieces) reader(piece);
  return seen;
}

const message = (text: string): RPC.Message => ({ topic: 'topic', data: Buffer.from(text) });
const rpcs: Partial<RPC>[] = [
  { subscriptions: [{ subscribe: true, topic: 'topic' }] },
  { messages: [message('one'), message('two')] },
  { messages: [message('x'.repeat(5000))], control: { graft: [{ topicID: 'topic' }] } as never },
  { messages: [message('one')] },
];
const wanted = ['one', 'two', 'x'.repeat(5000), 'one'];

test('every message of a stream is told, copies too, however the stream is cut into pieces', () => {
  const all = Buffer.concat(rpcs.map(frame));
  assert.deepEqual(read([all]), wanted);
  fc.assert(
    fc.property(fc.array(fc.nat(all.length), { maxLength: 20 }), (cuts) => {
      const ends = [0, ...cuts.sort((a, b) => a - b), all.length];
      assert.deepEqual(read(ends.slice(1).map((end, index) => all.subarray(ends[index], end))), wanted);
    }),
  );
});

test('what is no gossip says nothing, ends and throws nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (pieces) => {
      read(pieces);
    }),
  );
  assert.deepEqual(read([Buffer.alloc(20, 0xff), ...rpcs.map(frame)]), []);
  const tooLong = Buffer.from([0xff, 0xff, 0xff, 0x7f]);
  assert.deepEqual(read([tooLong, ...rpcs.map(frame)]), []);
});
