/**
 * Nodes with public addresses and nothing said about the DHT, in the simulated world: who can be dialled serves, who cannot
 * does not, and the hosts that were called see it without any connection being lost.
 */
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import { startRunProcess } from '../../src/simulator/run-process.ts';

const child = new URL('../support/simulated-callers-child.ts', import.meta.url);

async function run<T>(name: string, latency = 20): Promise<T> {
  const { stdout } = startRunProcess(child, [name, String(latency)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(stdout as Readable)) as T;
}

describe('with --dht auto', { timeout: 120_000 }, () => {
  it('nodes that can be dialled become servers, all others find them, and what they hold', async () => {
    const { holder, nodes } = await run<{
      holder: string;
      nodes: { inbound: string; server: boolean; connections: number; found: string[] }[];
    }>('mixed');
    const open = nodes.filter(({ inbound }) => inbound === 'open');
    for (const { inbound, server, connections, found } of nodes.slice(0, -1)) {
      assert.equal(server, inbound === 'open', 'who is behind a NAT or a firewall does not serve');
      assert.ok(connections >= open.length - 1, `${connections}: all that can be dialled`);
      assert.deepEqual(found, [holder], 'through records that servers other than the bootstraps have too');
    }
    assert.ok(open.length > 4);
  });

  it('a node that only its caller dialled stays a server for hours, and one behind a firewall is tried once an hour', async () => {
    const { seen, tries, wrong } = await run<{ seen: string[]; tries: number[][]; wrong: unknown[] }>(
      'hours',
    );
    assert.deepEqual(seen, ['+++-'], 'minute by minute, the fourth behind a firewall');
    assert.deepEqual(wrong, [], 'a connection that is closed again leaves nothing behind');
    for (const times of tries.slice(0, 3)) {
      assert.equal(times.length, 3, 'in 129 minutes');
      assert.ok(times.slice(1).every((at, i) => at - times[i]! >= limits.network.dialBackAgain));
    }
  });

  it('a dial back leaves the connection that was there, its streams and gossip as they were, over a slow line too', async () => {
    for (const latency of [20, 250]) {
      const { servers, opened, kept } = await run<{
        servers: boolean[];
        opened: string[][][];
        kept: string[][];
      }>('pair', latency);
      assert.deepEqual(servers, [true, true]);
      assert.deepEqual(opened, [
        [
          ['inbound', 'open'],
          ['outbound', 'closed'],
        ],
        [
          ['outbound', 'open'],
          ['inbound', 'closed'],
        ],
      ]);
      // What look-ups open comes and goes.
      const [seed, caller, ...after] = kept.map((streams) => streams.filter((one) => !one.includes('/kad/')));
      assert.deepEqual(after, [seed, caller]);
      assert.equal(seed?.length, 4, 'blobs and gossip, both ways');
    }
  });
});
