/** 404 only for what the upstream itself said does not exist; whatever else goes wrong is 503 with Retry-After. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, download, fileUrl, jsonPage } from '../support/download.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import type { Fault } from '../support/fake-pypi/faults.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';

const page = (index: string, name: string): Promise<Answer> =>
  download(`${index}${name}/`, { headers: jsonPage });

function assertUnavailable(answer: Answer, what: string): void {
  assert.equal(answer.status, 503, `${what}: ${answer.body.toString()}`);
  assert.match(String(answer.headers['retry-after']), /^[1-9]\d?$/, what);
  assert.equal(answer.headers['cache-control'], 'no-store', what);
}

test("the upstream's 404 on a name never seen is passed on, and repeated without asking again", async () => {
  await using pypi = await startFakePypi();
  await using node = await startNode({ upstream: pypi.url });
  for (const _ of [1, 2, 3]) assert.equal((await page(node.index, 'no-such-thing')).status, 404);
  assert.equal(pypi.requestsFor('/simple/no-such-thing/').length, 1);
});

test('a 404 on a name with a kept page is not believed at once: page and file stay', async () => {
  const file = makeWheel({ name: 'kept', extraBytes: 50_000 });
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url, args: ['--page-ttl', '1s'] });
  const first = await page(node.index, 'kept');
  assert.equal(first.status, 200);
  assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
  pypi.removeProject('kept');
  await delay(1100); // The page's time to live.
  for (const _ of [1, 2, 3]) {
    const again = await page(node.index, 'kept');
    assert.deepEqual([again.status, again.body], [200, first.body]);
  }
  assert.ok(pypi.requestsFor('/simple/kept/').some((request) => request.status === 404));
  assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
});

const portal = '<!doctype html><title>Hotel</title><a href="/login">Log in to the Wi-Fi</a>';
const failures: readonly (readonly [string, Fault])[] = [
  ['500', { kind: 'status', status: 500 }],
  ['502', { kind: 'status', status: 502 }],
  ['503', { kind: 'status', status: 503, retryAfter: 1 }],
  ['401', { kind: 'status', status: 401 }],
  ['403', { kind: 'status', status: 403 }],
  ['407', { kind: 'status', status: 407 }],
  ['429', { kind: 'status', status: 429, retryAfter: 1 }],
  ['a captive portal', { kind: 'body', type: 'text/html', body: portal }],
  ['HTML called JSON', { kind: 'body', body: portal }],
  ['an empty answer', { kind: 'body', body: '' }],
  ['JSON that is cut', { kind: 'truncate', bytes: 40 }],
  [
    'a page of another project',
    { kind: 'body', body: '{"meta":{"api-version":"1.1"},"name":"other","files":[]}' },
  ],
  [
    'a version of the API that nobody knows',
    { kind: 'body', body: '{"meta":{"api-version":"2.0"},"name":"x","files":[]}' },
  ],
  ['a list instead of an object', { kind: 'body', body: '[]' }],
  ['a reset before any answer', { kind: 'reset', after: 0 }],
  ['a reset in the page', { kind: 'reset', after: 60 }],
  ['a redirect to itself for ever', { kind: 'redirect', status: 302, to: '/simple/round/' }],
];

/** Clients that get nothing wait 12 s: together. */
suite('what cannot be found out', { concurrency: true }, () => {
  test('every other way to fail at a page never seen is 503 with Retry-After, never 404', async () => {
    const files = failures.map((_, i) => makeWheel({ name: `fails-${i}` }));
    await using pypi = await startFakePypi({ files });
    pypi.fault({ path: '/simple/round/' }, { kind: 'redirect', status: 302, to: '/simple/round/' });
    for (const [i, [, fault]] of failures.entries())
      pypi.fault({ project: `fails-${i}`, what: 'page' }, fault);
    await using node = await startNode({ upstream: pypi.url });
    await Promise.all(
      failures.map(async ([what], i) => assertUnavailable(await page(node.index, `fails-${i}`), what)),
    );
  });

  test('an upstream that refuses connections: 503 for the unknown, and the kept page with no-store', async () => {
    const file = makeWheel({ name: 'kept', extraBytes: 50_000 });
    await using pypi = await startFakePypi({ files: [file] });
    await using node = await startNode({ upstream: pypi.url, args: ['--page-ttl', '1s'] });
    assert.equal((await page(node.index, 'kept')).status, 200);
    await pypi.down();
    const [unknown, fileOfKept, noHash] = await Promise.all([
      page(node.index, 'unknown'),
      download(fileUrl(node.ready.gateway, file)),
      download(fileUrl(node.ready.gateway, { sha256: '0'.repeat(64), filename: 'unknown-1.0.tar.gz' })),
    ]);
    assertUnavailable(unknown, 'page');
    assertUnavailable(fileOfKept, 'file');
    assertUnavailable(noHash, 'file of an unknown page');
    const kept = await page(node.index, 'kept');
    assert.deepEqual([kept.status, kept.headers['cache-control']], [200, 'no-store']);
  });

  test('something that is no web server at all: 503', async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('220 mail.example ESMTP\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    await using node = await startNode({
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`,
    });
    assertUnavailable(await page(node.index, 'anything'), 'page');
  });
});

test('a file that the page names and the file host lacks is an honest error, not an empty or wrong file', async () => {
  const file = makeWheel({ name: 'gone', extraBytes: 50_000 });
  await using pypi = await startFakePypi({ files: [file] });
  pypi.fault({ project: 'gone', what: 'file' }, { kind: 'status', status: 404 });
  await using node = await startNode({ upstream: pypi.url });
  assert.equal((await page(node.index, 'gone')).status, 200);
  const answer = await download(fileUrl(node.ready.gateway, file));
  assert.ok(answer.status === 404 || answer.status === 503, String(answer.status));
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.match(answer.body.toString(), /gone-1\.0-py3-none-any\.whl/);
  assert.doesNotMatch(answer.body.toString(), /does not name it/, 'the page does name it');
});

test('a digest that a fresh page lacks is 404; one in another case or length is no path', async () => {
  const file = makeWheel({ name: 'known' });
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  const absent = await download(fileUrl(node.ready.gateway, { ...file, sha256: 'f'.repeat(64) }));
  assert.equal(absent.status, 404, absent.body.toString());
  for (const sha256 of ['F'.repeat(64), 'f'.repeat(63), 'g'.repeat(64)]) {
    const answer = await download(fileUrl(node.ready.gateway, { ...file, sha256 }));
    assert.ok(answer.status === 400 || answer.status === 404, `${sha256}: ${answer.status}`);
  }
});
