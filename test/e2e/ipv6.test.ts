/** Everything over `::1`: the gateway, its Host check, what is printed, and two nodes that find each other and share. */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, startNode } from '../support/node-process.ts';

const missing = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)
  ? false
  : 'this machine has no ::1';
const at = { command: [], gateway: '[::1]:0', listen: '/ip6/::1/tcp/0' };

test('two nodes that know IPv6 alone serve clients and share a file', { skip: missing }, async () => {
  const file = makeWheel({ name: 'six', extraBytes: 3_000_000 });
  await using pypi = await startFakePypi({ files: [file], fileUrls: 'path' });
  await using holder = await startNode({ upstream: pypi.url, at });
  const { gateway, multiaddrs, dataDir } = holder.ready;
  assert.match(gateway, /^http:\/\/\[::1\]:\d+$/);
  assert.match(multiaddrs.join(), /^\/ip6\/::1\/tcp\/\d+\/p2p\/\w+$/);

  const page = await download(`${holder.index}six/`, { headers: jsonPage });
  assert.equal(page.status, 200);
  assert.equal((await download(fileUrl(gateway, file))).sha256, file.sha256);
  const variables = await fondue(['env', '--data-dir', dataDir, '--json']);
  assert.equal(JSON.parse(variables.stdout).PIP_INDEX_URL, `${gateway}/simple/`);
  const status = await fondue(['status', '--data-dir', dataDir, '--json']);
  assert.equal(JSON.parse(status.stdout).gateway, gateway);

  await using asker = await startNode({ upstream: pypi.url, at: at, args: ['--bootstrap', multiaddrs[0]!] });
  await eventually('they are connected', async () => (await asker.status()).network.connections === 1);
  assert.equal((await download(`${asker.index}six/`, { headers: jsonPage })).status, 200);
  pypi.fault({ what: 'file' }, 'hang');
  assert.equal((await download(fileUrl(asker.ready.gateway, file))).sha256, file.sha256);
  const { bytes } = await eventually('the fetch is counted', async () => {
    const { fetched } = await asker.status();
    return fetched.blobs.peer === 1 && fetched;
  });
  assert.equal(bytes.peer, file.size);
});

test('before a node runs, the lines for clients lead to a URL that can be opened', async () => {
  for (const [given, url] of [
    ['[::1]:8381', 'http://[::1]:8381/simple/'],
    ['[::]:8381', 'http://[::1]:8381/simple/'],
    ['0.0.0.0:8381', 'http://127.0.0.1:8381/simple/'],
  ] as const) {
    const { stdout } = await fondue([
      'env',
      '--data-dir',
      '/nonexistent/fondue',
      '--gateway',
      given,
      '--json',
    ]);
    assert.equal(JSON.parse(stdout).UV_DEFAULT_INDEX, url);
  }
});
