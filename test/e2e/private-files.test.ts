/** What is private is served here and to nobody else: peers that ask for it by digest are told what they are told of nothing. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';
import { askAsStranger } from '../support/peer-process.ts';

const file = makeWheel({ name: 'acme-secrets', extraBytes: 100_000 });
const digests = [file.sha256, 'f'.repeat(64)];

test('a file of an upstream with credentials, asked for by digest by a stranger, is not found', async () => {
  const auth = { user: 'anna', password: 'p@ss/word' };
  await using pypi = await startFakePypi({ files: [file], auth, fileUrls: 'path' });
  const upstream = new URL(pypi.url);
  upstream.username = auth.user;
  upstream.password = encodeURIComponent(auth.password);
  await using node = await startNode({ upstream: upstream.href });
  assert.equal((await download(`${node.index}acme-secrets/`, { headers: jsonPage })).status, 200);
  const own = await download(fileUrl(node.ready.gateway, file));
  assert.deepEqual([own.status, own.sha256], [200, file.sha256]);
  const [have, ...gets] = await askAsStranger(node.ready.multiaddrs[0]!, digests);
  assert.deepEqual(have?.['have'], [null, null]);
  assert.deepEqual(
    gets.map(({ answer }) => answer),
    ['not-found', 'not-found'],
  );
  const status = await node.status();
  assert.doesNotMatch(`${JSON.stringify(status)} ${node.stderr()}`, /p@ss|p%40ss|anna/);
});

test('a file of an upstream that its owner calls private from now on is not found by a stranger, offline neither', async () => {
  await using pypi = await startFakePypi({ files: [file], fileUrls: 'path' });
  const dataDir = await mkdtemp(join(tmpdir(), 'fondue-private-'));
  try {
    {
      await using node = await startNode({ upstream: pypi.url, dataDir });
      assert.equal((await download(fileUrl(node.ready.gateway, file))).status, 200);
      const [have] = await askAsStranger(node.ready.multiaddrs[0]!, digests);
      assert.deepEqual(have?.['have'], [file.size, null]);
      await node.stop();
    }
    for (const args of [['--private-upstream'], ['--private-upstream', '--offline']]) {
      await using node = await startNode({ upstream: pypi.url, dataDir, args });
      // Before its page or itself is asked for here, and after.
      for (let i = 0; i < 2; i++) {
        const [have, ...gets] = await askAsStranger(node.ready.multiaddrs[0]!, digests);
        assert.deepEqual(have?.['have'], [null, null]);
        assert.deepEqual(
          gets.map(({ answer }) => answer),
          ['not-found', 'not-found'],
        );
        const own = await download(fileUrl(node.ready.gateway, file));
        assert.deepEqual([own.status, own.sha256], [200, file.sha256]);
      }
      assert.equal((await node.status()).network.providerRecords, 0);
      assert.match(node.stderr(), /neither shared with peers nor asked of them/);
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('offline, a file of a private upstream is asked of no peer', async () => {
  await using pypi = await startFakePypi({ files: [file], fileUrls: 'path' });
  await using holder = await startNode({ upstream: pypi.url });
  const [address = ''] = holder.ready.multiaddrs;
  assert.equal((await download(fileUrl(holder.ready.gateway, file))).status, 200);
  for (const [flag, expected] of [
    ['--no-private-upstream', 200],
    ['--private-upstream', 503],
  ] as const) {
    await using asker = await startNode({
      upstream: pypi.url,
      args: ['--offline', flag, '--bootstrap', address],
    });
    await eventually('they are connected', async () => (await asker.status()).network.connections === 1);
    const byDigest = `${asker.ready.gateway}/files/${file.sha256}/${file.filename}`;
    assert.equal((await download(byDigest)).status, expected, flag);
  }
});

test('an upstream other than PyPI whose files are shared is named at the start, with how to keep them', async () => {
  await using pypi = await startFakePypi({ files: [file], fileUrls: 'path' });
  await using node = await startNode({ upstream: pypi.url });
  await eventually('it is said', () => /are shared with peers; --private-upstream keeps/.test(node.stderr()));
});

test('a file that a peer has is not asked of it by a node whose upstream has credentials', async () => {
  await using pypi = await startFakePypi({ files: [file], fileUrls: 'path' });
  await using holder = await startNode({ upstream: pypi.url });
  assert.equal((await download(fileUrl(holder.ready.gateway, file))).sha256, file.sha256);
  await using pypiLocked = await startFakePypi({
    files: [file],
    fileUrls: 'path',
    auth: { user: 'u', password: 'p' },
  });
  const locked = pypiLocked.url.replace('//', '//u:p@');
  await using asker = await startNode({
    upstream: locked,
    args: ['--bootstrap', holder.ready.multiaddrs[0]!],
  });
  await eventually('they are connected', async () => (await asker.status()).network.connections === 1);
  const got = await download(fileUrl(asker.ready.gateway, file));
  assert.equal(got.sha256, file.sha256);
  // Never asked of a peer that has it: not even its digest leaves.
  const counted = await eventually('the fetch is counted', async () => {
    const { fetched } = await asker.status();
    return fetched.blobs.upstream + fetched.blobs.peer === 1 && fetched;
  });
  assert.deepEqual(counted.bytes, { peer: 0, upstream: file.size });
  const [have, given] = await askAsStranger(holder.ready.multiaddrs[0]!, [file.sha256]);
  assert.deepEqual([have?.['have'], given?.['answer']], [[file.size], 'ok']);
  await eventually('the stranger alone was given it', async () => {
    const { uploadedBytes } = (await holder.status()).network;
    assert.ok(uploadedBytes <= file.size);
    return uploadedBytes === file.size;
  });
});

test('a name on the private list is 404 at once, and nothing of it reaches the upstream', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url, args: ['--private', 'acme-*'] });
  const { gateway } = node.ready;
  for (const url of [
    `${node.index}acme-secrets/`,
    `${node.index}ACME_Secrets/`,
    fileUrl(gateway, file),
    `${fileUrl(gateway, file)}.metadata`,
    `${gateway}${file.path}`,
    `${gateway}/direct/acme-secrets/${file.filename}`,
    `${gateway}/pypi/acme-secrets/json`,
  ]) {
    const { status } = await download(url, { headers: jsonPage });
    assert.ok(status === 404 || status === 302, `${url}: ${status}`);
  }
  assert.deepEqual(pypi.requests, []);
  const [have, get] = await askAsStranger(node.ready.multiaddrs[0]!, [file.sha256]);
  assert.deepEqual([have?.['have'], get?.['answer']], [[null], 'not-found']);
});
