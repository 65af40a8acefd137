/** A whole node whose network's thread ends by an error that nobody caught, as a bug in libp2p would end it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { configure, createNode } from '../../src/index.ts';
import { download, fileUrl } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';

it('goes on serving from disk and upstream, and is back among its peers as the same peer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fondue-death-'));
  const [kept, cold] = [makeWheel({ name: 'kept' }), makeWheel({ name: 'cold' })];
  await using pypi = await startFakePypi({ files: [kept, cold] });
  const settings = {
    upstream: pypi.url,
    gateway: '127.0.0.1:0',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
  };
  const start = async (name: string, more: object) => {
    const worker = once(process, 'worker');
    const node = await createNode(configure({ ...settings, 'data-dir': join(folder, name), ...more }));
    const [thread] = (await worker) as [Worker];
    return { node, thread };
  };
  {
    const first = await start('first', {});
    await using neighbour = first.node;
    const { node, thread } = await start('second', { bootstrap: neighbour.multiaddrs() });
    await using _ = node;
    const failures: string[] = [];
    node.facts.on('program:failed', ({ message }) => failures.push(message));
    await eventually('they meet', () => node.status().network.state === 'connected');
    assert.equal((await download(fileUrl(node.gateway, kept))).status, 200);
    const addresses = node.multiaddrs();
    const verdict = { kind: 'wrong-bytes', digest: cold.sha256 };
    const liar = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf';
    thread.postMessage([{ kind: 'judge', peerId: liar, verdict }], []);
    await eventually('it is banned', () => node.status().network.banned.length === 1);
    const { banned } = node.status().network;

    // `once` would reject with the thread's error.
    const exited = new Promise((resolve) => thread.once('exit', resolve));
    // Nothing that the other side says is checked: this throws in its listener.
    thread.postMessage({ kind: 'shelf', added: undefined, removed: [] }, []);
    await exited;
    await eventually('it is known', () => node.status().network.state === 'off');
    assert.equal((await download(fileUrl(node.gateway, kept))).sha256, kept.sha256);
    assert.equal((await download(fileUrl(node.gateway, cold))).sha256, cold.sha256);
    assert.match(failures.join(), /^the network's thread ended[^]*TypeError/);

    await eventually('it is back', () => node.status().network.state === 'connected', 20_000);
    await eventually('its neighbour knows it', () => {
      const { peers } = neighbour.status().network;
      return peers.length === 1 && peers[0]?.peerId === node.peerId;
    });
    assert.equal(failures.length, 1);
    assert.deepEqual(node.multiaddrs(), addresses);
    assert.deepEqual(node.status().network.banned, banned);
    await pypi.files.down();
    assert.equal((await download(fileUrl(neighbour.gateway, kept))).sha256, kept.sha256);
    await eventually('it was counted', () => neighbour.status().fetched.blobs.peer === 1);
  }
  await rm(folder, { recursive: true });
});
