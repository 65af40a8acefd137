/** Crowds: fifty clients of one file while the node is killed, and ten thousand connections that ask nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { startNode } from '../support/node-process.ts';

const MB = 1_000_000;
const CLIENTS = 50;
const IDLE = 10_000;

test('kill -9 while fifty clients read one cold 20 MB file: nobody has a wrong whole, and the next node goes on from there', async () => {
  await using folder = await temporaryFolder();
  const file = makeWheel({ name: 'crowd', extraBytes: 20 * MB });
  await using pypi = await startFakePypi({ files: [file], bytesPerSecond: 10 * MB });
  const dataDir = join(folder.path, 'data');
  const read = (gateway: string, onBytes: (bytes: number) => void = () => {}) =>
    Promise.all(
      Array.from({ length: CLIENTS }, () =>
        download(fileUrl(gateway, file), { keep: false, onBytes }).catch(() => undefined),
      ),
    );
  {
    await using node = await startNode({ upstream: pypi.url, dataDir, args: ['--no-mdns'] });
    const answers = await read(node.ready.gateway, (bytes) => {
      if (bytes > 10 * MB) node.child.kill('SIGKILL');
    });
    await node.stop('SIGKILL');
    assert.ok(
      answers.every((answer) => answer?.complete !== true),
      'all were cut off',
    );
    assert.equal(pypi.requestsFor(file.path).length, 1);
  }
  assert.deepEqual((await checkFolder(dataDir, true)).blobs, []);
  pypi.clearRequests();
  await using node = await startNode({ upstream: pypi.url, dataDir, args: ['--no-mdns'] });
  for (const answer of await read(node.ready.gateway)) {
    assert.deepEqual([answer?.status, answer?.complete, answer?.sha256], [200, true, file.sha256]);
  }
  const ranges = pypi.requestsFor(file.path).map(({ headers }) => String(headers['range']));
  assert.equal(ranges.length, 1);
  assert.ok(Number(/^bytes=(\d+)-$/.exec(ranges[0] ?? '')?.[1]) >= 4 * MB, ranges[0]);
  await eventually('the blob, and nothing else', async () => {
    const { blobs, partials } = await checkFolder(dataDir);
    return blobs.length === 1 && partials.length === 0;
  });
});

const mostFiles = Number(
  execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim().replace('unlimited', '1e9'),
);

test(
  '10,000 idle connections cost the node no memory to speak of and a client nothing',
  { skip: mostFiles < IDLE + 2000 && `no more than ${mostFiles} files may be open here` },
  async (t) => {
    const file = makeWheel({ name: 'thing', extraBytes: 300_000 });
    await using pypi = await startFakePypi({ files: [file] });
    await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
    const url = fileUrl(node.ready.gateway, file);
    assert.equal((await download(url)).sha256, file.sha256);
    const before = (await node.status()).process.rssBytes;
    const sockets: Socket[] = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const times: number[] = [];
    while (sockets.length < IDLE) {
      sockets.push(
        ...(await Promise.all(
          Array.from({ length: 200 }, async () => {
            const socket = connect(Number(new URL(url).port), '127.0.0.1');
            socket.on('error', () => {});
            await once(socket, 'connect');
            return socket;
          }),
        )),
      );
      const answer = await download(url);
      assert.equal(answer.sha256, file.sha256);
      times.push(answer.ms);
    }
    const slowest = Math.max(...times);
    await eventually(
      'the oldest have made room',
      () => sockets.filter(({ closed }) => !closed).length <= 1024,
    );
    const more = (await node.status()).process.rssBytes - before;
    t.diagnostic(
      `the slowest of ${times.length} downloads took ${slowest.toFixed(0)} ms; ${(more / MB).toFixed(0)} MB more`,
    );
    assert.ok(slowest < 2000, `${slowest} ms`);
    assert.ok(more < 60 * MB, `${more} bytes`);
  },
);
