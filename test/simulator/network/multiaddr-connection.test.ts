/** The twin of @libp2p/tcp's connection, where it must not be stricter than a real socket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { Uint8ArrayList } from 'uint8arraylist';
import { SimulatedConnection } from '../../../src/simulator/network/multiaddr-connection.ts';
import { silentLogger } from '../../../src/simulator/nodes/silent-logger.ts';
import { connectedPair } from '../../support/simulated-pair.ts';

function connectionOf(world: Awaited<ReturnType<typeof connectedPair>>): SimulatedConnection {
  return new SimulatedConnection({
    kernel: world.kernel,
    socket: world.a.socket,
    remoteAddr: multiaddr('/ip4/20.0.1.7/tcp/8382'),
    direction: 'outbound',
    log: silentLogger.forComponent('test'),
  });
}

test('what is written to a socket that was reset a moment ago is lost without an error, as with a real one', async () => {
  const world = await connectedPair();
  const connection = connectionOf(world);
  world.act(world.b, () => world.b.socket.reset());
  await world.pass(1000);
  world.act(world.a, () => {
    assert.equal(world.a.socket.open, false);
    const sent = connection.sendData(new Uint8ArrayList(new Uint8Array(10)));
    assert.deepEqual(sent, { sentBytes: 10, canSendMore: false });
  });
});
