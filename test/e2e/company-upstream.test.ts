/** An upstream as companies have it: HTTPS with an authority of their own, behind a proxy; named by the usual variables. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';

const noOpenssl =
  spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here to make a certificate';

/** Takes every tunnel to loopback, whatever name it was asked for. */
async function startTunnel(): Promise<AsyncDisposable & { url: string; asked: string[] }> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, socket) => {
    const client = socket as Socket;
    asked.push(request.url ?? '');
    const onward = connect(Number(/\d+$/.exec(request.url ?? '')?.[0]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    for (const one of [client, onward]) sockets.add(one.on('error', () => {}));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test(
  'an upstream with an authority of its own is read through HTTPS_PROXY, and not at all by who was not told of either',
  { skip: noOpenssl },
  async () => {
    await using folder = await temporaryFolder();
    const [keyFile, caFile] = [join(folder.path, 'key'), join(folder.path, 'ca.pem')];
    // prettier-ignore
    execFileSync('openssl', ['req', '-x509', '-days', '2', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', keyFile, '-out', caFile, '-subj', '/CN=company', '-addext', 'subjectAltName=DNS:pypi.test,IP:127.0.0.1'],
      { stdio: 'ignore' });
    const file = makeWheel({ name: 'acme', extraBytes: 100_000 });
    await using pypi = await startFakePypi({
      files: [file],
      fileUrls: 'path',
      tls: { key: readFileSync(keyFile), cert: readFileSync(caFile) },
    });
    await using tunnel = await startTunnel();
    const { port } = new URL(pypi.url);
    const byName = `https://pypi.test:${port}/simple/`;
    const byAddress = `https://127.0.0.1:${port}/simple/`;
    const args = ['--no-mdns'];
    const cases = [
      { upstream: byName, env: { HTTPS_PROXY: tunnel.url, SSL_CERT_FILE: caFile }, works: true },
      { upstream: byAddress, env: { NODE_EXTRA_CA_CERTS: caFile }, works: true },
      { upstream: byAddress, env: {}, works: false },
    ];
    for (const { upstream, env, works } of cases) {
      await using node = await startNode({ upstream, args, env });
      const leave = new AbortController();
      const asked = download(`${node.index}acme/`, { headers: jsonPage, signal: leave.signal });
      if (works) {
        assert.equal((await asked).status, 200);
        const answer = await download(fileUrl(node.ready.gateway, file));
        assert.deepEqual([answer.status, answer.sha256], [200, file.sha256]);
        continue;
      }
      // The client would be told 503 after its 12 s.
      const told = await eventually('it is known not to be reached', async () => {
        const { state, lastError } = (await node.status()).upstream;
        return state === 'unreachable' && (lastError ?? 'nothing');
      });
      assert.match(told, /certificate/i, 'and why');
      leave.abort();
      await assert.rejects(asked);
    }
    assert.ok(tunnel.asked.length > 0);
    assert.deepEqual([...new Set(tunnel.asked)], [`pypi.test:${port}`]);
  },
);
