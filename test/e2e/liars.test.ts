/** Altered disks and lying peers: the client gets right bytes from elsewhere or a broken connection, never a wrong whole. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Answer, download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';
import { alterBlob, checkFolder } from '../support/folder-check.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { startLiar } from '../support/peer-process.ts';

const files = [50_000, 2_000_000, 12_000_000].map((extraBytes, i) =>
  makeWheel({ name: `blob-${i}`, extraBytes }),
);
const address = (node: NodeProcess): string => node.ready.multiaddrs[0]!;

async function get(node: NodeProcess, file: FakeFile): Promise<Answer | undefined> {
  await download(`${node.index}${file.project}/`, { headers: jsonPage });
  return download(fileUrl(node.ready.gateway, file)).catch(() => undefined);
}

function assertNeverWrong(answer: Answer | undefined, file: FakeFile): void {
  if (answer === undefined || answer.status !== 200 || !answer.complete) return;
  assert.equal(answer.sha256, file.sha256, 'a wrong file that looks whole');
}

async function connected(node: NodeProcess): Promise<void> {
  await eventually('a peer is connected', async () => (await node.status()).network.connections > 0);
}

for (const restart of [false, true]) {
  const when = restart ? 'while it was stopped' : 'while it runs';
  test(`blobs altered on the first node's disk ${when} never reach a client of the second, and are taken out of service`, async () => {
    await using pypi = await startFakePypi({ files });
    await using stack = new AsyncDisposableStack();
    let first = stack.use(await startNode({ upstream: pypi.url }));
    for (const file of files) assert.equal((await get(first, file))?.sha256, file.sha256);
    await eventually(
      'all are stored',
      async () => (await checkFolder(first.ready.dataDir)).blobs.length === 3,
    );
    if (restart) assert.equal(await first.stop(), 0);
    for (const file of files) await alterBlob(first.ready.dataDir, file.sha256);
    if (restart) first = stack.use(await startNode({ upstream: pypi.url, dataDir: first.ready.dataDir }));
    await using second = await startNode({ upstream: pypi.url, args: ['--bootstrap', address(first)] });
    await connected(second);
    for (const file of files) {
      const answer = await get(second, file);
      assertNeverWrong(answer, file);
      const again = answer?.complete === true ? answer : await get(second, file);
      assert.equal(again?.sha256, file.sha256, 'the upstream has it');
    }
    await checkFolder(second.ready.dataDir);
    const status = await eventually('the first knows', async () => {
      const found = await first.status();
      return found.store.corruptBlobs > 0 && found;
    });
    assert.ok(status.store.blobs < 3);
  });
}

test("a blob altered on the node's own disk does not reach its own clients either: the upstream's bytes take its place", async () => {
  await using pypi = await startFakePypi({ files });
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await startNode({ upstream: pypi.url }));
  for (const file of files) assert.equal((await get(first, file))?.sha256, file.sha256);
  await eventually('all are stored', async () => (await checkFolder(first.ready.dataDir)).blobs.length === 3);
  const { dataDir } = first.ready;
  const alterAll = async (): Promise<void> => {
    for (const file of files) await alterBlob(dataDir, file.sha256);
  };
  const askAll = async (node: NodeProcess): Promise<void> => {
    for (const file of files) {
      const answer = await get(node, file);
      assertNeverWrong(answer, file);
      const again = answer?.complete === true ? answer : await get(node, file);
      assert.equal(again?.sha256, file.sha256);
    }
  };
  await alterAll();
  await askAll(first);
  assert.equal(await first.stop(), 0);
  await alterAll();
  const second = stack.use(await startNode({ upstream: pypi.url, dataDir }));
  await askAll(second);
  const { store } = await second.status();
  assert.equal(store.corruptBlobs, files.length);
  await eventually('the folder is sound', () => checkFolder(dataDir).catch(() => undefined));
});

/** Clients that get nothing wait 12 s: together. */
suite('with no other source, or a slow one', { concurrency: true }, () => {
  test('an altered blob with no other source is an error for clients of either node, never a wrong whole', async () => {
    await using pypi = await startFakePypi({ files });
    await using first = await startNode({ upstream: pypi.url });
    for (const file of files) assert.equal((await get(first, file))?.sha256, file.sha256);
    await eventually(
      'all are stored',
      async () => (await checkFolder(first.ready.dataDir)).blobs.length === 3,
    );
    await pypi.files.down();
    for (const file of files) await alterBlob(first.ready.dataDir, file.sha256);
    await using second = await startNode({ upstream: pypi.url, args: ['--bootstrap', address(first)] });
    await connected(second);
    await Promise.all(
      files.map(async (file) => {
        const answer = await get(second, file);
        assert.ok(answer === undefined || answer.status === 503 || !answer.complete, `${answer?.status}`);
      }),
    );
    await checkFolder(second.ready.dataDir);
  });

  for (const upstreamHasIt of [true, false]) {
    const outcome = upstreamHasIt ? 'the client gets the right bytes' : 'the client gets an error';
    test(`a peer that sends garbage is banned, and ${outcome}`, async () => {
      await using pypi = await startFakePypi({ files, latencyMs: 20 });
      if (!upstreamHasIt) pypi.fault({ host: 'files' }, { kind: 'status', status: 503 });
      else pypi.fault({ host: 'files' }, { kind: 'slow-first-byte', seconds: 1 });
      await using node = await startNode({ upstream: pypi.url });
      await using liar = await startLiar(address(node), files, 'garbage');
      await connected(node);
      const [file] = files as [FakeFile];
      const answer = await get(node, file);
      assertNeverWrong(answer, file);
      if (upstreamHasIt) assert.equal(answer?.sha256, file.sha256);
      else assert.equal(answer?.status ?? 503, 503);
      assert.ok(liar.lines.length > 0, 'it was asked');
      const { network, fetched } = await eventually('the liar is banned', async () => {
        const status = await node.status();
        return status.network.banned.length > 0 && status;
      });
      const [ban] = network.banned;
      assert.deepEqual(
        { peerId: ban?.peerId, reason: ban?.reason, digest: ban?.digest },
        { peerId: liar.peerId, reason: 'wrong-bytes', digest: file.sha256 },
      );
      assert.ok(fetched.discardedBytes > 0);
      assert.equal(fetched.bytes.peer, 0);
      await eventually('it is disconnected', async () => (await node.status()).network.connections === 0);
      await checkFolder(node.ready.dataDir);
    });
  }
});

test('a peer that sends one byte and then drips does not keep the client waiting', async () => {
  await using pypi = await startFakePypi({ files });
  await using node = await startNode({ upstream: pypi.url });
  await using liar = await startLiar(address(node), files, 'drip');
  await connected(node);
  for (const file of files) {
    const answer = await get(node, file);
    assert.equal(answer?.sha256, file.sha256);
    assert.ok(answer.ms < 8000, `${file.filename} after ${answer.ms} ms`);
  }
  assert.ok(liar.lines.length > 0, 'it was asked');
  const { fetched } = await eventually('all three are counted', async () => {
    const status = await node.status();
    return status.fetched.blobs.upstream === files.length && status;
  });
  assert.equal(
    fetched.bytes.upstream + fetched.bytes.peer,
    files.reduce((sum, file) => sum + file.size, 0),
  );
});
