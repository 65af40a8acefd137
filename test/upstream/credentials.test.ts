/** Credentials go to the upstream's own origin and nowhere else; TLS is never left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../../src/core/errors.ts';
import { systemClock, systemRandomness } from '../../src/system-clock.ts';
import { createOfflineUpstream } from '../../src/upstream/offline-upstream.ts';
import { createPypiUpstream } from '../../src/upstream/pypi.ts';
import { createFactEmitter, type Facts } from '../../src/core/facts.ts';
import { goodFile, goodPage, startPypi, thing, upstreamError, wheel } from './pypi-context.ts';

const auth = { user: 'me', password: 'sécret:1' };

test('with credentials the upstream is private, and its own origin gets them for pages and files', async () => {
  await using context = await startPypi({ auth, fileUrls: 'path', upstream: { credentials: auth } });
  assert.equal(context.upstream.private, true);
  await goodPage(context.upstream);
  await goodFile(context.upstream.file(context.url));
  await using open = await startPypi();
  assert.equal(open.upstream.private, false);
});

test('without credentials a 401 is an error', async () => {
  await using context = await startPypi({ auth });
  assert.equal((await upstreamError(context.upstream.page(thing), /answered 401/)).status, 401);
});

test('a redirect to another origin and a file elsewhere do not get the credentials', async () => {
  await using other = await startPypi();
  await using context = await startPypi({ auth, upstream: { credentials: auth } });
  const { pypi, upstream } = context;
  pypi.fault('thing', { kind: 'redirect', status: 302, to: `${other.pypi.url}thing/` });
  await goodPage(upstream);
  await goodFile(upstream.file(other.pypi.fileUrl(wheel)));
  assert.equal(other.pypi.requests.length, 2);
  for (const request of other.pypi.requests) assert.equal(request.headers['authorization'], undefined);
  assert.ok(pypi.requests.every((request) => request.headers['authorization'] !== undefined));
});

test('a URL of a page may not bring credentials of its own', async () => {
  await using context = await startPypi();
  await goodFile(context.upstream.file(context.url.replace('http://', 'http://evil:pass@')));
  assert.equal(context.pypi.requests[0]?.headers['authorization'], undefined);
});

function make(options: object): unknown {
  return createPypiUpstream({
    url: 'https://pypi.org/simple/',
    userAgent: 'x',
    clock: systemClock,
    randomness: systemRandomness,
    ...options,
  });
}

test('what is no URL of an index, a proxy or certificates is a clear error', () => {
  for (const url of ['', 'pypi.org', 'ftp://pypi.org/simple/', 'file:///simple/']) {
    assert.throws(() => make({ url }), ConfigurationError, url);
  }
  for (const https of ['nonsense', 'ftp://proxy/']) {
    assert.throws(
      () => make({ proxy: { https, http: undefined, no: undefined } }),
      ConfigurationError,
      https,
    );
  }
  assert.throws(() => make({ caFiles: ['/nowhere/ca.pem'] }), /\/nowhere\/ca\.pem cannot be used/);
});

test('the state is told when it turns, not each time', async () => {
  const facts = createFactEmitter();
  const told: Facts['upstream:changed'][] = [];
  facts.on('upstream:changed', (fact) => told.push(fact));
  await using context = await startPypi({ upstream: { facts } });
  const { pypi, upstream } = context;
  await goodPage(upstream);
  await goodPage(upstream);
  await pypi.down();
  await upstreamError(upstream.page(thing));
  await upstreamError(upstream.page(thing));
  await pypi.up();
  pypi.fault('thing', 'page-403');
  await upstreamError(upstream.page(thing));
  assert.deepEqual(
    told.map(({ state }) => state),
    ['ok', 'unreachable', 'ok'],
  );
  assert.match(told[1]?.error ?? '', /ECONNREFUSED/);
});

test('offline, every call fails at once and nothing is asked', async () => {
  await using secret = createOfflineUpstream('https://pypi.org/simple/', { private: true });
  assert.equal(secret.private, true);
  await using upstream = createOfflineUpstream('https://pypi.org/simple/', { private: false });
  for (const call of [
    () => upstream.page(thing),
    () => upstream.projectList(),
    () => upstream.file('https://files.pythonhosted.org/x'),
    () => upstream.fileInfo('https://files.pythonhosted.org/x'),
  ]) {
    await upstreamError(call(), /this node is offline/);
  }
  assert.deepEqual([upstream.status().state, upstream.status().requests], ['off', 0]);
  assert.equal(upstream.pageUrl(thing), 'https://pypi.org/simple/thing/');
});
