/** What a node may weigh: 150 MB after a minute's rest alone, 400 MB with 1 GB going to 8 slow clients and 8 slow peers. Linux only. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { download, fileUrl } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, fileFromDisk } from '../support/fake-pypi/wheel.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { startStranger } from '../support/peer-process.ts';

const MB = 1_000_000;
const onLinux = process.platform === 'linux' ? false : 'reads /proc';

/** Resident bytes of the process with all its threads, and of its children. */
function resident(pid: number): number {
  const own = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const below = children.filter((child) => child !== '').map((child) => resident(Number(child)));
  return Number(own?.[1] ?? 0) * 1024 + below.reduce((sum, bytes) => sum + bytes, 0);
}

async function bigFile(folder: string, size: number): Promise<FakeFile> {
  const path = join(folder, 'huge-1.0.tar.gz');
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const hash = createHash('sha256');
  const out = createWriteStream(path);
  for (let at = 0; at < size; at += 8 * MB) {
    const bytes = cipher.update(Buffer.alloc(Math.min(8 * MB, size - at)));
    hash.update(bytes);
    if (!out.write(bytes)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  return fileFromDisk(path, { sha256: hash.digest('hex') });
}

/** Takes `rate` bytes a second until it is told to stop. */
async function slowClient(url: string, rate: number, signal: AbortSignal): Promise<number> {
  const request = get(url, { agent: false });
  request.on('error', () => {});
  signal.addEventListener('abort', () => request.destroy());
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let bytes = 0;
  const started = performance.now();
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      const early = (bytes / rate) * 1000 - (performance.now() - started);
      if (early > 5) await delay(early, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return bytes;
}

/** The most it ever weighed until it is told to stop. */
async function highest(node: NodeProcess, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    most = Math.max(most, resident(node.ready.pid));
    await delay(100);
  }
  return most;
}

test('60 s after its start, alone, a node weighs at most 150 MB', { skip: onLinux }, async (t) => {
  await using pypi = await startFakePypi();
  await using node = await startNode({ upstream: pypi.url });
  await delay(60_000);
  const bytes = resident(node.ready.pid);
  t.diagnostic(`${Math.round(bytes / MB)} MB`);
  assert.ok(bytes <= 150 * MB, `${Math.round(bytes / MB)} MB`);
});

for (const when of ['cold', 'warm'] as const) {
  test(
    `serving a ${when} 1 GB file to 8 slow clients and 8 slow peers takes at most 400 MB`,
    { skip: onLinux },
    async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'fondue-memory-'));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const file = await bigFile(folder, 1000 * MB);
      await using pypi = await startFakePypi({ files: [file] });
      await using node = await startNode({ upstream: pypi.url });
      const url = fileUrl(node.ready.gateway, file);
      if (when === 'warm') {
        const answer = await download(url, { keep: false });
        assert.equal(answer.sha256, file.sha256);
        await eventually('it is stored', async () => (await node.status()).store.blobs === 1, 60_000);
      }
      const stop = new AbortController();
      // From the first request on: the fetch itself counts.
      const weighed = highest(node, stop.signal);
      const clients = Array.from({ length: 8 }, () => slowClient(url, 2 * MB, stop.signal));
      await using stack = new AsyncDisposableStack();
      if (when === 'cold') {
        // Only whole verified blobs are given to peers.
        await eventually('it is stored', async () => (await node.status()).store.blobs === 1, 120_000);
      }
      const peers = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const options = { bytesPerSecond: MB, only: 'get' } as const;
          return stack.use(await startStranger(node.ready.multiaddrs[0]!, [file.sha256], options));
        }),
      );
      await eventually(
        '8 peers are given it',
        async () => (await node.status()).network.uploadedBytes > 8 * MB,
        60_000,
      );
      await delay(30_000);
      const status = await node.status();
      stop.abort();
      const most = await weighed;
      const got = await Promise.all(clients);
      t.diagnostic(`${Math.round(most / MB)} MB; ${JSON.stringify(status.network)}`);
      assert.ok(most <= 400 * MB, `${Math.round(most / MB)} MB`);
      for (const bytes of got) assert.ok(bytes > 10 * MB, `a client got ${bytes} bytes`);
      assert.deepEqual(
        peers.map((peer) => peer.lines),
        peers.map(() => []),
        'none was turned away',
      );
    },
  );
}
