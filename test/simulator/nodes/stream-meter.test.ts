/** The meter on libp2p's own streams: it counts what is sent, sees gossip as it is handed on, and takes nothing away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RPC } from '@libp2p/gossipsub/message';
import type { MultiaddrConnection, Stream } from '@libp2p/interface';
import { streamPair } from '@libp2p/utils';
import { createStreamMeter } from '../../../src/simulator/nodes/stream-meter.ts';

function create() {
  const seen = { wire: 0, sent: [] as [string, number][], gossip: [] as string[] };
  const meter = createStreamMeter({
    wire: (bytes) => (seen.wire += bytes),
    sent: (protocol, bytes) => void seen.sent.push([protocol, bytes]),
    gossip: (data) => void seen.gossip.push(Buffer.from(data).toString()),
  });
  return { seen, meter };
}

async function pair(protocol: string): Promise<{ outbound: Stream; inbound: Stream }> {
  const [outbound, inbound] = await streamPair();
  for (const stream of [outbound, inbound]) stream.protocol = protocol;
  return { outbound, inbound };
}

/** The next bytes that the program is given. */
function received(stream: Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.addEventListener(
      'message',
      ({ data }) => resolve(Buffer.from(data.subarray()).toString('latin1')),
      {
        once: true,
      },
    );
  });
}

test('bytes and pieces that a stream sends are told with its protocol', async () => {
  const { seen, meter } = create();
  const { outbound, inbound } = await pair('/fondue/blob/1.0.0');
  meter.trackProtocolStream(outbound);
  const arrives = received(inbound);
  outbound.send(Buffer.from('hello'));
  assert.equal(await arrives, 'hello');
  assert.deepEqual(seen.sent, [['/fondue/blob/1.0.0', 5]]);
  assert.deepEqual(seen.gossip, []);
});

test('what came before the program listens is still there for it, and is seen when it is handed on', async () => {
  const { seen, meter } = create();
  const { outbound, inbound } = await pair('/meshsub/1.2.0');
  const rpc = RPC.encode({ messages: [{ topic: 't', data: Buffer.from('head') }] });
  const bytes = Buffer.concat([Buffer.from([rpc.length]), rpc]);
  outbound.send(bytes);
  await new Promise((resolve) => setImmediate(resolve));
  meter.trackProtocolStream(inbound);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen.gossip, []);
  assert.equal(await received(inbound), bytes.toString('latin1'));
  assert.deepEqual(seen.gossip, ['head']);
});

test('of a connection all is counted that it takes, and no more', () => {
  const { seen, meter } = create();
  let room = 3;
  const connection = {
    sendData: (data: { byteLength: number }) => {
      const sentBytes = Math.min(room, data.byteLength);
      room -= sentBytes;
      return { sentBytes, canSendMore: room > 0 };
    },
  };
  meter.trackMultiaddrConnection(connection as unknown as MultiaddrConnection);
  assert.deepEqual(connection.sendData({ byteLength: 2 }), { sentBytes: 2, canSendMore: true });
  connection.sendData({ byteLength: 2 });
  connection.sendData({ byteLength: 2 });
  assert.equal(seen.wire, 3);
});

test('libp2p finds all it may ask of one who measures, and what it traces stays as it was', () => {
  const { meter } = create();
  const call = (): number => 7;
  assert.equal(meter.traceFunction('x', call), call);
  for (const made of [
    meter.registerMetricGroup('a'),
    meter.registerCounterGroup('b'),
    meter.registerSummaryGroup('c'),
    meter.registerHistogramGroup('d'),
  ])
    made.reset();
});
