/** However many clients ask for one cold file, the upstream is asked once, and every one of them gets the right bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { type NodeProcess, startNode, type StatusObject } from '../support/node-process.ts';

const MB = 1_000_000;
const clients = 50;

/** An upstream's rate at which all 50 are there long before the end. */
const bytesPerSecond = 15 * MB;

test('50 clients at once for a cold 20 MB file that no page was asked for: one upstream fetch, 50 right answers', async () => {
  const file = makeWheel({ name: 'big', extraBytes: 20 * MB });
  await using pypi = await startFakePypi({ files: [file], bytesPerSecond });
  await using node = await startNode({ upstream: pypi.url });
  const answers = await Promise.all(
    Array.from({ length: clients }, () => download(fileUrl(node.ready.gateway, file), { keep: false })),
  );
  for (const answer of answers) assertWhole(answer, file);
  assert.equal(pypi.requestsFor(file.path).length, 1);
  assert.equal(pypi.requestsFor('/simple/big/').length, 1);
  const { fetched, served } = await counted(node, clients);
  assert.deepEqual(fetched, {
    bytes: { peer: 0, upstream: file.size },
    blobs: { peer: 0, upstream: 1 },
    discardedBytes: 0,
  });
  assert.equal(served.requests, clients);
  assert.equal(served.bytes.disk + served.bytes.peer + served.bytes.upstream, clients * file.size);
});

test('the upstream cuts once in the middle: the rest is asked for from there, and no client notices', async () => {
  const file = makeWheel({ name: 'cut', extraBytes: 20 * MB });
  await using pypi = await startFakePypi({ files: [file], bytesPerSecond });
  pypi.fault('cut', `cut-file-once=${10 * MB}`);
  await using node = await startNode({ upstream: pypi.url });
  const answers = await Promise.all(
    Array.from({ length: clients }, () => download(fileUrl(node.ready.gateway, file), { keep: false })),
  );
  for (const answer of answers) assertWhole(answer, file);
  const requests = pypi.requestsFor(file.path);
  assert.deepEqual(
    requests.map((request) => [request.status, request.headers['range']]),
    [
      [200, undefined],
      [206, `bytes=${10 * MB}-`],
    ],
  );
  const { fetched } = await counted(node, clients);
  assert.equal(fetched.bytes.upstream, file.size);
});

test('ranges among the clients join the same fetch', async () => {
  const file = makeWheel({ name: 'parts', extraBytes: 20 * MB });
  await using pypi = await startFakePypi({ files: [file], bytesPerSecond });
  await using node = await startNode({ upstream: pypi.url });
  await download(`${node.index}parts/`, { headers: jsonPage });
  const ranges: (readonly [string | undefined, number, number])[] = [
    [undefined, 0, file.size],
    ['bytes=0-0', 0, 1],
    [`bytes=${5 * MB}-${6 * MB - 1}`, 5 * MB, 6 * MB],
    [`bytes=${19 * MB}-`, 19 * MB, file.size],
    ['bytes=-70000', file.size - 70_000, file.size],
    [`bytes=${file.size - 1}-`, file.size - 1, file.size],
  ];
  const bytes = file.bytes();
  await Promise.all(
    Array.from({ length: clients }, async (_, i) => {
      const [range, start, end] = ranges[i % ranges.length]!;
      const headers: Record<string, string> = range === undefined ? {} : { range };
      const answer = await download(fileUrl(node.ready.gateway, file), { headers });
      assert.equal(answer.status, range === undefined ? 200 : 206, range);
      assert.ok(answer.complete, range);
      assert.ok(answer.body.equals(bytes.subarray(start, end)), `${range}: ${answer.body.length} bytes`);
    }),
  );
  assert.equal(pypi.requestsFor(file.path).length, 1);
});

test('half of the clients leave in the middle: the others get the file of the same fetch', async () => {
  const file = makeWheel({ name: 'left', extraBytes: 20 * MB });
  await using pypi = await startFakePypi({ files: [file], bytesPerSecond });
  await using node = await startNode({ upstream: pypi.url });
  const url = fileUrl(node.ready.gateway, file);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      if (i % 2 === 1) return download(url, { keep: false });
      const leave = new AbortController();
      const onBytes = (bytes: number): void => {
        if (bytes > i * 0.5 * MB) leave.abort();
      };
      return download(url, { keep: false, signal: leave.signal, onBytes }).catch(() => undefined);
    }),
  );
  for (const [i, answer] of answers.entries()) if (i % 2 === 1) assertWhole(answer!, file);
  assert.equal(pypi.requestsFor(file.path).length, 1);
});

function assertWhole(answer: Answer, file: { readonly sha256: string; readonly size: number }): void {
  assert.equal(answer.status, 200);
  assert.ok(answer.complete);
  assert.equal(answer.headers['content-length'], String(file.size));
  assert.equal(answer.sha256, file.sha256);
}

/** The last bytes go to the client before they are on disk and counted. */
function counted(node: NodeProcess, requests: number): Promise<StatusObject> {
  return eventually('a blob and its requests are counted', async () => {
    const status = await node.status();
    return status.fetched.blobs.upstream > 0 && status.served.requests >= requests && status;
  });
}
