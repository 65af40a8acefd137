import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { joinedPort } from '../../src/network/thread/joined-port.ts';

type Message = string | Uint8Array<ArrayBuffer>;

function channel() {
  const { port1, port2 } = new MessageChannel();
  const ours = joinedPort<Message, Message>(port1);
  const theirs = joinedPort<Message, Message>(port2);
  const heard: Message[] = [];
  theirs.onMessage((message) => heard.push(message));
  let crossed = 0;
  port2.on('message', () => crossed++);
  return {
    ours,
    theirs,
    heard,
    crossed: () => crossed,
    async arrived(count: number) {
      while (heard.length < count) await once(port2, 'message');
    },
    [Symbol.dispose]: () => port1.close(),
  };
}

it('posts the first message of a turn at once and joins the others, in order, with their buffers', async () => {
  using ends = channel();
  const bytes = new Uint8Array([1, 2]);
  const late = new Uint8Array([3]);
  ends.ours.post(bytes, [bytes.buffer]);
  assert.equal(bytes.length, 0, 'it is on its way already, and its buffer with it');
  ends.ours.post('b');
  await Promise.resolve();
  ends.ours.post(late, [late.buffer]);
  process.nextTick(() => ends.ours.post('d'));
  await ends.arrived(4);
  assert.deepEqual(ends.heard, [new Uint8Array([1, 2]), 'b', new Uint8Array([3]), 'd']);
  assert.equal(late.length, 0, 'transferred, not copied');
  assert.equal(ends.crossed(), 2);
});

it('goes on in every turn, and posts nothing that nobody posted', async () => {
  using ends = channel();
  for (const [count, message] of ['a', 'b', 'c'].entries()) {
    ends.ours.post(message);
    await ends.arrived(count + 1);
    await turn();
  }
  assert.deepEqual(ends.heard, ['a', 'b', 'c']);
  assert.equal(ends.crossed(), 3);
});
