/** `fondue status` beside a running node: what a person reads of it, asked anew and not as it was a second ago. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fondue, startNode, type StatusObject } from '../support/node-process.ts';
import { eventually } from '../support/eventually.ts';

test('says where the node is, for clients and for the --bootstrap of others, and who its peers are', async () => {
  await using pypi = await startFakePypi();
  const args = ['--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0'];
  await using first = await startNode({ upstream: pypi.url, args });
  const { multiaddrs, dataDir, gateway, peerId } = first.ready;
  assert.equal(multiaddrs.length, 2);
  const status = async (...more: string[]): Promise<string> => {
    const { exit, stdout, stderr } = await fondue(['status', '--data-dir', dataDir, ...more]);
    assert.deepEqual([exit, stderr], [0, '']);
    return stdout;
  };
  const text = await status();
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  const row = (name: string): string[] =>
    rows.filter(([label]) => label === name).map(([, value]) => value ?? '');
  assert.deepEqual(row('gateway'), [`${gateway}/simple/`]);
  assert.deepEqual(row('peer'), [peerId]);
  assert.deepEqual(row('address'), multiaddrs);
  assert.match(text, /^network +alone: 0 peers/m);

  await using second = await startNode({
    upstream: pypi.url,
    args: ['--no-mdns', '--bootstrap', multiaddrs[1] ?? ''],
  });
  await eventually('they meet', async () => (await second.status()).network.state === 'connected');
  const { network } = JSON.parse(await status('--json')) as StatusObject;
  assert.deepEqual(
    network.peers.map((peer) => peer.peerId),
    [second.ready.peerId],
  );
});

test('says that no node runs there, and what to do', async () => {
  const { exit, stderr } = await fondue(['status', '--data-dir', '/nonexistent/fondue']);
  assert.equal(exit, 1);
  assert.match(stderr, /no node runs on .*fondue[^]*fondue up/);
});
