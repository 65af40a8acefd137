/**
 * What a node that nobody asks anything costs its owner at 16 connections: 5 MB an hour and 0.5 % of a core at most, from
 * some minutes of real processes on one network of namespaces. `TEST_IDLE_SECONDS`: how many seconds are measured.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { createSegments, namespacesMissing, segmentBytes } from '../support/namespaces.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';

const CONNECTIONS = 16;
const BYTES_AN_HOUR = 5e6;
const SHARE_OF_A_CORE = 0.005;
const seconds = Number(process.env['TEST_IDLE_SECONDS'] ?? 600);
/** What a start leaves to do: joining the DHT, looking for peers, compiling. */
const SETTLE = 60;

/** Of all its threads, in seconds; the kernel counts hundredths. */
function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test(
  'an idle node with 16 connections costs at most 5 MB an hour and 0.5 % of a core',
  { skip: namespacesMissing() },
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const segments = stack.use(createSegments());
    // Nobody is there: an upstream that is never asked.
    const upstream = `http://${segments.address}:9/simple/`;
    const start = async (args: readonly string[]): Promise<NodeProcess> => {
      const { command, address, reachedAt } = segments.host('west');
      const at = { command, gateway: `${reachedAt}:0`, listen: `/ip4/${address}/tcp/0` };
      return stack.use(await startNode({ upstream, at, args }));
    };
    const seed = await start(['--no-mdns']);
    const bootstrap = ['--bootstrap', seed.ready.multiaddrs[0] ?? ''];
    const node = await start(bootstrap);
    // Who knows 8 others leaves the bootstrap: the 16 are beside it.
    for (let i = 0; i < CONNECTIONS; i++) await start(bootstrap);
    const connections = async (): Promise<number> => (await node.status()).network.connections;
    await eventually('it has its connections', async () => (await connections()) >= CONNECTIONS, 300_000);
    await delay(SETTLE * 1000);

    const { pid } = node.ready;
    const before = { bytes: segmentBytes(pid), time: processorTime(pid), at: performance.now() };
    await delay(seconds * 1000);
    const elapsed = (performance.now() - before.at) / 1000;
    const bytesAnHour = ((segmentBytes(pid) - before.bytes) / elapsed) * 3600;
    const share = (processorTime(pid) - before.time) / elapsed;
    const held = await connections();
    t.diagnostic(
      `${held} connections, ${Math.round(elapsed)} s: ${(bytesAnHour / 1e6).toFixed(2)} MB an hour, ${(share * 100).toFixed(2)} % of a core`,
    );
    assert.ok(held >= CONNECTIONS, `${held} connections are left`);
    assert.ok(bytesAnHour <= BYTES_AN_HOUR, `${Math.round(bytesAnHour)} bytes an hour`);
    assert.ok(share <= SHARE_OF_A_CORE, `${(share * 100).toFixed(2)} % of a core`);
  },
);
