/** Files come from peers when the upstream's host of files is away, and the status says to the byte who gave what. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { type FakePypi, startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { askAsStranger } from '../support/peer-process.ts';

const sizes = [1, 100_000, 3_000_000, 12_000_000];
const files = sizes.map((extraBytes, i) => makeWheel({ name: `thing-${i}`, extraBytes }));
const total = files.reduce((sum, file) => sum + file.size, 0);
const address = (node: NodeProcess): string => node.ready.multiaddrs[0]!;

async function fetchAll(node: NodeProcess, wanted: readonly FakeFile[] = files): Promise<void> {
  for (const file of wanted) {
    assert.equal((await download(`${node.index}${file.project}/`, { headers: jsonPage })).status, 200);
    const answer = await download(fileUrl(node.ready.gateway, file));
    assert.deepEqual(
      [answer.status, answer.sha256],
      [200, file.sha256],
      answer.body.toString('latin1', 0, 500),
    );
  }
}

/** The first node has everything and the file host is gone; the second knows the first. */
async function pair(
  pypi: FakePypi,
  args: { readonly first?: readonly string[]; readonly second?: readonly string[] },
): Promise<{ first: NodeProcess; second: NodeProcess } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await startNode({ upstream: pypi.url, args: args.first ?? [] }));
  await fetchAll(first);
  await pypi.files.down();
  const bootstrap = ['--bootstrap', address(first)];
  const second = stack.use(
    await startNode({ upstream: pypi.url, args: [...bootstrap, ...(args.second ?? [])] }),
  );
  await eventually('the two are connected', async () => (await second.status()).network.connections === 1);
  const owned = stack.move();
  return { first, second, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('with the file host down the second node gets every file from the first, and both count the bytes', async () => {
  await using pypi = await startFakePypi({ files });
  await using nodes = await pair(pypi, {});
  const { first, second } = nodes;
  await fetchAll(second);
  const counted = await eventually('all blobs are counted', async () => {
    const status = await second.status();
    return status.fetched.blobs.peer === files.length && status;
  });
  assert.deepEqual(counted.fetched.bytes, { peer: total, upstream: 0 });
  const { peer, upstream } = counted.served.bytes;
  assert.equal(peer, total);
  assert.ok(upstream > 0 && upstream < 10_000, `pages: ${upstream} bytes`);
  assert.equal(counted.served.bytes.disk, 0);

  await fetchAll(second);
  const warm = await eventually('the second round is counted', async () => {
    const status = await second.status();
    return status.served.requests === 4 * files.length && status;
  });
  assert.ok(warm.served.bytes.disk >= total && warm.served.bytes.disk < total + 10_000);
  assert.equal(warm.served.bytes.peer, total);
  assert.deepEqual(warm.fetched.bytes, { peer: total, upstream: 0 });

  await eventually('the first has counted what it gave', async () => {
    const { network } = await first.status();
    assert.ok(network.uploadedBytes <= total, `${network.uploadedBytes} of ${total} bytes`);
    return network.uploadedBytes === total;
  });
  const { network: seen } = await second.status();
  assert.deepEqual(
    seen.peers.map(({ peerId }) => peerId),
    [first.ready.peerId],
  );
});

/** Clients that get nothing wait 12 s: together. */
suite('where no peer gives', { concurrency: true }, () => {
  test('what the first evicted or never had is not found there: 503, not a wrong file', async () => {
    await using pypi = await startFakePypi({ files });
    await using nodes = await pair(pypi, {});
    const other = makeWheel({ name: 'other', extraBytes: 70_000 });
    pypi.addFile(other);
    const { second } = nodes;
    assert.equal((await download(`${second.index}other/`, { headers: jsonPage })).status, 200);
    const answer = await download(fileUrl(second.ready.gateway, other));
    assert.equal(answer.status, 503);
    assert.match(String(answer.headers['retry-after']), /^\d+$/);
  });

  for (const [who, args] of [
    ['the first shares with none', { first: ['--share', 'none'] }],
    ['the second asks none', { second: ['--ask', 'none'] }],
  ] as const) {
    test(`when ${who}, nothing crosses`, async () => {
      await using pypi = await startFakePypi({ files });
      await using nodes = await pair(pypi, args);
      const [, file] = files as [FakeFile, FakeFile];
      const answer = await download(fileUrl(nodes.second.ready.gateway, file));
      assert.equal(answer.status, 503);
      const [given, got] = [await nodes.first.status(), await nodes.second.status()];
      assert.equal(given.network.uploadedBytes, 0);
      assert.deepEqual(got.fetched.bytes, { peer: 0, upstream: 0 });
      if (!('first' in args)) return;
      const answers = await askAsStranger(address(nodes.first), [file.sha256]);
      assert.deepEqual(
        answers.map(({ have, answer: told }) => have ?? told),
        [[null], 'not-found'],
      );
    });
  }
});

test('a stranger gets what is public, whole and right, and a node that has nothing asks nobody on its behalf', async () => {
  await using pypi = await startFakePypi({ files });
  await using holder = await startNode({ upstream: pypi.url });
  await using empty = await startNode({ upstream: pypi.url, args: ['--bootstrap', address(holder)] });
  await fetchAll(holder);
  await fetchAll(empty, []);
  await download(`${empty.index}${files[1]!.project}/`, { headers: jsonPage });
  pypi.clearRequests();

  const digests = files.map((file) => file.sha256);
  const [have, ...gets] = await askAsStranger(address(holder), [...digests, 'f'.repeat(64)]);
  assert.deepEqual(have?.['have'], [...files.map((file) => file.size), null]);
  for (const [i, file] of files.entries()) {
    assert.deepEqual([gets[i]?.['answer'], gets[i]?.['sha256']], ['ok', file.sha256]);
  }
  assert.equal(gets.at(-1)?.['answer'], 'not-found');

  const [nothing, ...refused] = await askAsStranger(address(empty), digests);
  assert.deepEqual(nothing?.['have'], [null, null, null, null]);
  for (const answer of refused) assert.equal(answer['answer'], 'not-found');
  assert.deepEqual(pypi.requests, []);
  const status = await empty.status();
  assert.deepEqual([status.store.blobs, status.store.partials], [0, 0]);
  assert.deepEqual(status.fetched.bytes, { peer: 0, upstream: 0 });
});
