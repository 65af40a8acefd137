/** What a client may send, or not send, costs other clients nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';

const file = makeWheel({ name: 'thing', extraBytes: 300_000 });
const port = (node: NodeProcess): number => Number(new URL(node.ready.gateway).port);

async function open(node: NodeProcess): Promise<Socket> {
  const socket = connect(port(node), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything that comes for these bytes, until the connection ends or `enough` fits. */
async function talk(node: NodeProcess, bytes: string | Buffer, enough = /\r\n\r\n/): Promise<string> {
  const socket = await open(node);
  let got = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      if (enough.test(got)) resolve();
    });
    socket.on('close', () => resolve());
  });
  socket.write(bytes);
  await done;
  socket.destroy();
  return got;
}

async function assertServes(node: NodeProcess): Promise<void> {
  const answer = await download(fileUrl(node.ready.gateway, file));
  assert.deepEqual([answer.status, answer.sha256], [200, file.sha256]);
}

test('only a Host that is ours is answered; another is 421, as DNS rebinding would send it', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url, args: ['--allow-host', 'mirror.lan'] });
  const status = async (host: string): Promise<string | undefined> => {
    const head = await talk(node, `GET /-/health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return /^HTTP\/1\.1 (\d+)/.exec(head)?.[1];
  };
  const own = port(node);
  for (const host of [
    `127.0.0.1:${own}`,
    `localhost:${own}`,
    `[::1]:${own}`,
    `mirror.lan:${own}`,
    'mirror.lan',
  ]) {
    assert.equal(await status(host), '200', host);
  }
  for (const host of [
    'evil.example',
    `evil.example:${own}`,
    'localhost.evil.example',
    '192.168.1.7',
    'mirror.lan.evil',
  ]) {
    assert.equal(await status(host), '421', host);
  }
});

test('paths that break out, too long, or with NUL are refused and reach neither disk nor upstream', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  for (const path of [
    '/files/../../etc/passwd',
    '/simple/../-/status',
    '/simple/%2e%2e/',
    '/simple/a%2fb/',
    '/files/%00/x.whl',
    `/files/${file.sha256}/..%2f..%2fnode.json`,
    '/packages/../../../../etc/passwd',
    '//etc/passwd',
    '/simple/%zz/',
  ]) {
    const head = await talk(node, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(head, /^HTTP\/1\.1 (400|404) /, path);
    assert.doesNotMatch(head, /root:/, path);
  }
  assert.match(await talk(node, `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`), / 414 /);
  assert.match(
    await talk(node, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`),
    / 431 /,
  );
  assert.match(await talk(node, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'), / 400 /);
  assert.match(await talk(node, 'DELETE /simple/ HTTP/1.1\r\nHost: localhost\r\n\r\n'), / 405 /);
  assert.deepEqual(pypi.requests, []);
  await assertServes(node);
});

test('1,500 idle connections and a further client is served at once', async (t) => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  await assertServes(node);
  const before = (await node.status()).process.rssBytes;
  const sockets: Socket[] = [];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 15; i++) {
    sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => open(node)))));
  }
  const started = performance.now();
  await assertServes(node);
  assert.ok(performance.now() - started < 1000);
  const open_ = (): number => sockets.filter((socket) => !socket.closed).length;
  await eventually('the oldest have made room', () => open_() <= 1024);
  const { rssBytes } = (await node.status()).process;
  assert.ok(rssBytes - before < 60_000_000, `${rssBytes - before} bytes`);
});

test('half-sent requests are told 408 after 10 s, while others are served', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  const started = performance.now();
  const halves = Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      talk(node, i % 2 === 0 ? 'GET /simple/thing/ HTTP/1.1\r\nHost: loc' : 'GET /sim', /never/),
    ),
  );
  for (let i = 0; i < 5; i++) await assertServes(node);
  for (const head of await halves) assert.match(head, /^HTTP\/1\.1 408 /);
  const ms = performance.now() - started;
  assert.ok(ms > 8000 && ms < 16_000, `${ms} ms`);
});

test('ranges that cannot be are 416 with the size; several or malformed ones are answered in full', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  const url = fileUrl(node.ready.gateway, file);
  for (const when of ['cold', 'warm']) {
    const beyond = await download(url, { headers: { range: `bytes=${file.size}-` } });
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${file.size}`], when);
    for (const range of ['bytes=5-2', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,5-6']) {
      const answer = await download(url, { headers: { range } });
      assert.deepEqual([answer.status, answer.sha256], [200, file.sha256], `${when} ${range}`);
    }
  }
});

test('on an address that is not loopback it says so at its start', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url, args: ['--gateway', '0.0.0.0:0'] });
  const answer = await download(`http://127.0.0.1:${port(node)}/simple/thing/`, { headers: jsonPage });
  assert.equal(answer.status, 200);
  await eventually('a warning', () => /everyone who reaches|not loopback|any(one|body)/i.test(node.stderr()));
});

test('what no command knows is wrong usage', async () => {
  for (const args of [['upp'], ['up', 'extra-argument'], ['status', '--nope']]) {
    const { exit } = await fondue(args);
    assert.equal(exit, 2, args.join(' '));
  }
});
