/** Nodes on one LAN that nobody told of each other: mDNS alone brings them together, and what one has the other gets from it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { createSegments, namespacesMissing } from '../support/namespaces.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';

test(
  'two nodes that know no address find each other by mDNS within a minute and share; one with --no-mdns stays alone',
  { skip: namespacesMissing() },
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const segments = stack.use(createSegments());
    const file = makeWheel({ name: 'neighbour', extraBytes: 3_000_000 });
    const pypi = stack.use(await startFakePypi({ files: [file], address: segments.address }));
    const start = async (segment: 'west' | 'east', ...args: string[]): Promise<NodeProcess> => {
      const { command, address, reachedAt } = segments.host(segment);
      // What a LAN's router gives with the lease.
      const [program = '', ...inside] = command;
      execFileSync(program, [...inside, 'ip', 'route', 'add', 'default', 'dev', 'eth0']);
      const at = { command, gateway: `${reachedAt}:0`, listen: `/ip4/${address}/tcp/0` };
      return stack.use(await startNode({ upstream: pypi.url, at, args }));
    };
    const first = await start('west');
    assert.equal((await download(fileUrl(first.ready.gateway, file))).sha256, file.sha256);
    const quiet = await start('east', '--no-mdns');
    const began = performance.now();
    const second = await start('east');
    await eventually(
      'the two are connected',
      async () => {
        const { peers } = (await second.status()).network;
        return peers.some(({ peerId }) => peerId === first.ready.peerId);
      },
      60_000,
    );
    t.diagnostic(`connected ${((performance.now() - began) / 1000).toFixed(1)} s after the start`);
    await pypi.files.down();
    assert.equal((await download(`${second.index}neighbour/`, { headers: jsonPage })).status, 200);
    const answer = await download(fileUrl(second.ready.gateway, file));
    assert.deepEqual([answer.status, answer.sha256], [200, file.sha256]);
    const { fetched } = await eventually('it is counted', async () => {
      const status = await second.status();
      return status.fetched.blobs.peer === 1 && status;
    });
    assert.deepEqual(fetched.bytes, { peer: file.size, upstream: 0 });
    // Longer than the others needed.
    await delay(Math.min(10_000, performance.now() - began));
    assert.equal((await quiet.status()).network.connections, 0);
  },
);
