/** What an upstream may cost: memory, time, requests. Each test fails without its bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { bytesOf, goodFile, goodPage, startPypi, thing, until, upstreamError } from './pypi-context.ts';

const MB = 1_000_000;

test('a page of 100 MB is refused before it is read', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', { kind: 'huge', bytes: 100 * MB });
  await upstreamError(context.upstream.page(thing), /has 100000000 bytes; at most 33554432 are read/);
  await until(() => context.pypi.active.now === 0);
  assert.ok(context.pypi.requests[0]!.bytes < 10 * MB);
});

test('a page of 100 MB that does not say its length is left at the bound, without growing memory', async () => {
  await using context = await startPypi();
  const { pypi, upstream } = context;
  await goodPage(upstream);
  pypi.fault('thing', { kind: 'huge', bytes: 100 * MB });
  pypi.fault('thing', 'page-chunked');
  const before = process.memoryUsage().arrayBuffers;
  await Promise.all([
    upstreamError(upstream.page(thing), /has more than 33554432 bytes/),
    upstreamError(upstream.page(thing), /has more than 33554432 bytes/),
  ]);
  await until(() => pypi.active.now === 0);
  assert.ok(pypi.requests.every((request) => request.bytes < 60 * MB));
  const growth = process.memoryUsage().arrayBuffers - before;
  assert.ok(growth < 3 * limits.page.encodedBytes, `${growth} bytes`);
});

test('a gzip bomb is left at the bound of what it unpacks to', async () => {
  await using context = await startPypi();
  const { pypi, upstream } = context;
  pypi.fault('thing', { kind: 'bomb', bytes: 200 * MB });
  await upstreamError(upstream.page(thing), /unpacks to more than 33554432 bytes/);
  assert.ok(pypi.requests[0]!.bytes < 2 * MB);
  assert.ok(process.memoryUsage().rss < 700 * MB);
});

test('a file that says it has more than 16 GiB is refused', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', `file-length=${limits.file.bytes + 1}`);
  await upstreamError(context.upstream.file(context.url), /files of at most 17179869184 are read/);
});

test('headers without end are an error', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', { kind: 'header', name: 'x-long', value: 'x'.repeat(40_000) });
  await upstreamError(context.upstream.page(thing), /gave no answer/);
});

test('redirects are followed five times and no more', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: '/simple/thing/' }, { times: 5 });
  await goodPage(context.upstream);
  context.pypi.clearRequests();
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: '/simple/thing/' });
  await upstreamError(context.upstream.page(thing), /redirects more than 5 times/);
  assert.equal(context.pypi.requests.length, 6);
});

test('an upstream that accepts and never answers is an error after the limit, for every call', async () => {
  const clock = createFakeClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream, url } = context;
  pypi.fault({}, 'hang');
  const errors = [
    upstreamError(upstream.page(thing), /said nothing for 60 s/),
    upstreamError(upstream.file(url), /said nothing for 60 s/),
    upstreamError(upstream.fileInfo(url), /said nothing for 60 s/),
    upstreamError(upstream.projectList(), /said nothing for 60 s/),
  ];
  await until(() => pypi.active.now === 4);
  assert.equal(upstream.status().state, 'unknown');
  await clock.advance(limits.upstream.headersTime);
  await Promise.all(errors);
  assert.equal(upstream.status().state, 'unreachable');
  await until(() => pypi.active.now === 0);
  assert.equal(clock.pending, 0);
});

test('a caller that leaves says nothing of the upstream, unless it waited long', async () => {
  const clock = createFakeClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream } = context;
  pypi.fault({}, 'hang');
  for (const [wait, state] of [
    [limits.upstream.connectTime - 1, 'unknown'],
    [limits.upstream.connectTime, 'unreachable'],
  ] as const) {
    const leaving = new AbortController();
    const call = assert.rejects(upstream.page(thing, { signal: leaving.signal }), /^Error: gone$/);
    await until(() => pypi.active.now === 1);
    await clock.advance(wait);
    leaving.abort(new Error('gone'));
    await call;
    assert.equal(upstream.status().state, state);
    assert.equal(upstream.status().lastError === undefined, state === 'unknown');
    await until(() => pypi.active.now === 0);
  }
});

test('a body that falls silent is an error after the limit, however slowly it is read', async () => {
  const clock = createFakeClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream, url } = context;
  pypi.fault('thing', { kind: 'stall', seconds: 1000, after: 50_000 });
  const file = await upstream.file(url);
  const iterator = file!.body[Symbol.asyncIterator]();
  let got = (await iterator.next()).value?.length ?? 0;
  // The reader's own pause is not the upstream's silence.
  await clock.advance(limits.upstream.bodyIdle * 2);
  while (got < 50_000) got += (await iterator.next()).value?.length ?? 0;
  const silent = upstreamError(Promise.resolve(iterator.next()), /said nothing for 30 s/);
  await until(() => clock.pending > 0);
  await clock.advance(limits.upstream.bodyIdle);
  await silent;
  await until(() => pypi.active.now === 0);
});

test('a page that drips for ever is an error after its limit in all', async () => {
  const clock = createFakeClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream } = context;
  pypi.fault('thing', { kind: 'drip', bytesPerSecond: 40 });
  const slow = upstreamError(upstream.page(thing), /was not read within 120 s/);
  await until(() => (pypi.requests[0]?.bytes ?? 0) > 4);
  for (let i = 0; i < 12; i++) {
    const before = pypi.requests[0]!.bytes;
    await until(() => pypi.requests[0]!.bytes > before);
    await clock.advance(limits.upstream.pageTime / 12);
  }
  await slow;
});

test('files never take the places of pages', async () => {
  const files = Array.from({ length: 8 }, (_, i) => makeWheel({ name: 'thing', version: `${i}.0` }));
  await using context = await startPypi({
    files,
    fileUrls: 'path',
    upstream: { limits: { parallel: 4, bulk: 3 } },
  });
  const { pypi, upstream } = context;
  pypi.fault({ what: 'file' }, { kind: 'slow-first-byte', seconds: 100 });
  const leaving = new AbortController();
  const transfers = files.map((file) => upstream.file(pypi.fileUrl(file), { signal: leaving.signal }));
  await until(() => pypi.active.now === 3);
  await goodPage(upstream);
  await Promise.all([goodPage(upstream), goodPage(upstream), goodPage(upstream)]);
  assert.equal(pypi.requests.filter((request) => request.path.startsWith('/packages/')).length, 3);
  leaving.abort(new Error('gone'));
  for (const result of await Promise.allSettled(transfers)) assert.equal(result.status, 'rejected');
});

test('one origin is asked by no more requests and connections than allowed, and all are answered', async () => {
  await using context = await startPypi({ latencyMs: 2, upstream: { limits: { parallel: 4, bulk: 3 } } });
  const { pypi, upstream, url } = context;
  const work = Array.from({ length: 60 }, (_, i) =>
    i % 2 === 0 ? goodPage(upstream) : goodFile(upstream.file(url, { offset: 199_000 })),
  );
  await Promise.all(work);
  assert.equal(pypi.requests.length, 60);
  assert.ok(pypi.index.connections.accepted <= 4, `${pypi.index.connections.accepted} to the index`);
  assert.ok(pypi.files.connections.accepted <= 4, `${pypi.files.connections.accepted} to the files`);
  assert.ok(pypi.active.most <= 8);
});

test('48 files and 16 pages of one origin are under way at once: uv asks for up to 50 files', async () => {
  await using context = await startPypi({ fileUrls: 'path' });
  const { pypi, upstream, url } = context;
  const leaving = new AbortController();
  const { signal } = leaving;
  pypi.fault({}, 'hang');
  const work = [
    ...Array.from({ length: 60 }, () => upstream.file(url, { signal })),
    ...Array.from({ length: 16 }, () => upstream.page(thing, { signal })),
  ];
  await until(() => pypi.active.now === 64);
  leaving.abort(new Error('gone'));
  for (const result of await Promise.allSettled(work)) assert.equal(result.status, 'rejected');
  assert.equal(pypi.requests.filter(({ path }) => path.startsWith('/simple/')).length, 16);
  assert.equal(pypi.active.most, 64);
});

test('a connection is used again', async () => {
  await using context = await startPypi();
  for (let i = 0; i < 5; i++) await goodPage(context.upstream);
  assert.equal(context.pypi.index.connections.accepted, 1);
});

test('closing ends what is under way', async () => {
  await using context = await startPypi();
  const { pypi, upstream, url } = context;
  pypi.fault({ what: 'page' }, 'hang');
  pypi.fault({ what: 'file' }, { kind: 'stall', seconds: 1000, after: 50_000 });
  const page = upstreamError(upstream.page(thing), /the node is stopping/);
  const file = await upstream.file(url);
  const reading = upstreamError(bytesOf(file!.body), /the node is stopping/);
  await until(() => pypi.active.now === 2);
  await upstream[Symbol.asyncDispose]();
  await Promise.all([page, reading]);
});
