/** A running node's admin socket as its callers see it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { callAdmin } from '../../src/cli/admin-client.ts';
import { openAdminSocket } from '../../src/dashboard/admin-socket.ts';
import type { Administration } from '../../src/mirror/administration.ts';
import type { NodeFile } from '../../src/node-file.ts';
import { temporaryFolder } from '../support/disk-store.ts';

test('a node that is stopped is told of after ten seconds, and not waited for', async (t) => {
  await using folder = await temporaryFolder();
  const adminSocket = join(folder.path, 'admin.sock');
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(adminSocket);
  await once(server, 'listening');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const node = { pid: 7, gateway: '', adminSocket } as NodeFile;
  const call = callAdmin(node, 'status', undefined);
  const failed = assert.rejects(call, /\(pid 7\) does not answer: nothing came for 10 s; it may be stopped/);
  await once(server, 'connection');
  t.mock.timers.tick(10_000);
  await failed;
  t.mock.timers.reset();
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('the head of an answer comes before its action is done', { timeout: 10_000 }, async () => {
  await using folder = await temporaryFolder();
  const done = Promise.withResolvers<never>();
  done.promise.catch(() => undefined);
  const administration = { status: () => done.promise } as unknown as Administration;
  await using socket = await openAdminSocket(join(folder.path, 'admin.sock'), administration);
  const call = request({ socketPath: socket.path, path: '/status', method: 'POST' }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  done.reject(new Error('over'));
  let text = '';
  for await (const chunk of response) text += String(chunk);
  assert.match(text, /over/);
});
