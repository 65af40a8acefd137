import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { readNodeFile, writeNodeFile } from '../src/node-file.ts';
import { temporaryFolder } from './support/disk-store.ts';

test('a node runs where its process lives and its socket listens', async () => {
  await using folder = await temporaryFolder();
  assert.equal(await readNodeFile(folder.path), undefined);
  const adminSocket = join(folder.path, 'admin.sock');
  const server = createServer().listen(adminSocket);
  await once(server, 'listening');
  const content = { pid: process.pid, gateway: 'http://127.0.0.1:1', adminSocket };
  await writeNodeFile(folder.path, content);
  assert.deepEqual(await readNodeFile(folder.path), content);
  server.close();
  await once(server, 'close');
  // What kill -9 leaves once the number is another process's.
  assert.equal(await readNodeFile(folder.path), undefined);
});

test(
  "another user's folder is said to be that, not to hold no node",
  { skip: process.getuid?.() === 0 && 'root reads everything' },
  async () => {
    await using folder = await temporaryFolder();
    await writeNodeFile(folder.path, { pid: process.pid, gateway: '', adminSocket: '' });
    await chmod(join(folder.path, 'node.json'), 0);
    await assert.rejects(readNodeFile(folder.path), /is another user's.*cannot be read/);
  },
);
