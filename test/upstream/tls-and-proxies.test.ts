/** HTTPS with an authority of our own, and proxies: by CONNECT for https, by forwarding for http. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createFakeClock } from '../support/fake-clock.ts';
import { goodFile, goodPage, startPypi, thing, until, upstreamError } from './pypi-context.ts';

const noOpenssl =
  spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here to make a certificate';
const folder = mkdtempSync(join(tmpdir(), 'fondue-tls-'));
after(() => rmSync(folder, { recursive: true }));

/** A certificate that is its own authority. */
function makeCertificate(name: string): { key: Buffer; cert: Buffer; caFile: string } {
  const [keyFile, caFile] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:pypi.test,IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-days', '2', ...key, '-keyout', keyFile, '-out', caFile, ...subject],
    {
      stdio: 'ignore',
    },
  );
  return { key: readFileSync(keyFile), cert: readFileSync(caFile), caFile };
}

interface Proxy extends AsyncDisposable {
  readonly url: string;
  readonly seen: { method: string; target: string; authorization: string | undefined }[];
  /** Takes CONNECT and says nothing. */
  mute: boolean;
}

/** Sends every tunnel to loopback, whatever name was asked for. */
async function startProxy(): Promise<Proxy> {
  const seen: Proxy['seen'] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    const target = request.url ?? '';
    seen.push({ method: 'GET', target, authorization: request.headers['proxy-authorization'] });
    const { headers, method } = request;
    httpRequest(target, { headers, method }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('connect', (request, client: Socket) => {
    seen.push({
      method: 'CONNECT',
      target: request.url ?? '',
      authorization: request.headers['proxy-authorization'],
    });
    if (proxy.mute) return;
    const onward = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    sockets.add(onward);
    for (const socket of [onward, client]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    mute: false,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

const none = { https: undefined, http: undefined, no: undefined };

test(
  'an https upstream is read with the authority that was given, and refused without',
  { skip: noOpenssl },
  async () => {
    const tls = makeCertificate('mirror');
    await using stranger = await startPypi({ tls });
    await upstreamError(stranger.upstream.page(thing), /gave no answer: self-signed certificate/);
    await using context = await startPypi({ tls, upstream: { caFiles: [tls.caFile] } });
    await goodPage(context.upstream);
    await goodFile(context.upstream.file(context.url));
    assert.match(context.url, /^https:/);
  },
);

test('an https upstream is never left for http, by redirect or by link', { skip: noOpenssl }, async () => {
  const tls = makeCertificate('mirror');
  await using plain = await startPypi();
  await using context = await startPypi({ tls, upstream: { caFiles: [tls.caFile] } });
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: `${plain.pypi.url}thing/` });
  await upstreamError(context.upstream.page(thing), /is refused: the upstream is read with TLS/);
  await upstreamError(context.upstream.file(plain.url), /is refused: the upstream is read with TLS/);
  assert.equal(plain.pypi.requests.length, 0);
});

test('a 404 behind a redirect to another origin under TLS is absence', { skip: noOpenssl }, async () => {
  const tls = makeCertificate('mirror');
  await using other = await startPypi({ tls });
  await using context = await startPypi({ tls, upstream: { caFiles: [tls.caFile] } });
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: `${other.pypi.url}nobody/` });
  assert.equal((await context.upstream.page(thing)).kind, 'absent');
});

test(
  'an https upstream is reached through HTTPS_PROXY, which resolves its name',
  { skip: noOpenssl },
  async () => {
    const tls = makeCertificate('mirror');
    await using proxy = await startProxy();
    await using target = await startPypi({ tls });
    const url = target.pypi.url.replace('127.0.0.1', 'pypi.test');
    const proxied = { ...none, https: proxy.url.replace('//', '//user:p%40ss@') };
    await using context = await startPypi({ upstream: { url, proxy: proxied, caFiles: [tls.caFile] } });
    await goodPage(context.upstream);
    await goodPage(context.upstream);
    assert.deepEqual(proxy.seen, [
      {
        method: 'CONNECT',
        target: `pypi.test:${target.pypi.index.port}`,
        authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
      },
    ]);
  },
);

test('an http upstream is reached through HTTP_PROXY, unless NO_PROXY names it', async () => {
  await using proxy = await startProxy();
  const hostAndPort = proxy.url.slice('http://'.length);
  await using context = await startPypi({ upstream: { proxy: { ...none, http: hostAndPort } } });
  await goodPage(context.upstream);
  await goodFile(context.upstream.file(context.url));
  assert.deepEqual(
    proxy.seen.map(({ target }) => target),
    [`${context.pypi.url}thing/`, context.url],
  );
  await using direct = await startPypi({
    upstream: { proxy: { ...none, http: proxy.url, no: 'pypi.org, 127.0.0.1' } },
  });
  await goodPage(direct.upstream);
  assert.equal(proxy.seen.length, 2);
});

test('HTTP_PROXY is not for https, nor HTTPS_PROXY for http', { skip: noOpenssl }, async () => {
  const tls = makeCertificate('mirror');
  await using proxy = await startProxy();
  await using secure = await startPypi({
    tls,
    upstream: { caFiles: [tls.caFile], proxy: { ...none, http: proxy.url } },
  });
  await goodPage(secure.upstream);
  await using plain = await startPypi({ upstream: { proxy: { ...none, https: proxy.url } } });
  await goodPage(plain.upstream);
  assert.deepEqual(proxy.seen, []);
});

test('a proxy that is away or says nothing is an error that names what was wanted', async () => {
  const clock = createFakeClock();
  await using proxy = await startProxy();
  proxy.mute = true;
  const upstream = { url: 'https://pypi.test/simple/', proxy: { ...none, https: proxy.url } };
  await using context = await startPypi({ clock, upstream });
  const silent = upstreamError(
    context.upstream.page(thing),
    /pypi\.test\/simple\/thing\/ said nothing for 60 s/,
  );
  await until(() => proxy.seen.length === 1);
  await clock.advance(60_000);
  await silent;
  const nowhere = { ...none, https: 'http://127.0.0.1:1' };
  await using other = await startPypi({ upstream: { ...upstream, proxy: nowhere } });
  await upstreamError(
    other.upstream.page(thing),
    /pypi\.test\/simple\/thing\/ gave no answer: .*127\.0\.0\.1:1/,
  );
});
