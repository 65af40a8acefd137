/** What a request for a page says, and what is told of its answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { fixturesMissing } from '../support/fixtures.ts';
import { bytesOf, goodPage, startPypi, thing, upstreamError, USER_AGENT } from './pypi-context.ts';

test('a request names the program and asks for JSON, HTML and every coding', async () => {
  await using context = await startPypi();
  await goodPage(context.upstream);
  const [request] = context.pypi.requests;
  assert.equal(request?.path, '/simple/thing/');
  assert.equal(request.headers['user-agent'], USER_AGENT);
  assert.match(String(request.headers['accept']), /^application\/vnd\.pypi\.simple\.v1\+json, .*text\/html/);
  assert.equal(request.headers['accept-encoding'], 'gzip, deflate, br, zstd');
  assert.equal(request.headers['if-none-match'], undefined);
  assert.equal(request.headers['cache-control'], undefined);
});

test('the index URL may lack its slash', async () => {
  await using context = await startPypi();
  await using other = await startPypi({ upstream: { url: context.pypi.url.slice(0, -1) } });
  assert.equal(other.upstream.pageUrl(thing), `${context.pypi.url}thing/`);
  await goodPage(other.upstream);
});

test('ETag and Last-Modified come back as conditions, and a change is a new page', async () => {
  await using context = await startPypi({ lastModified: true });
  const { pypi, upstream } = context;
  const { etag, lastModified, serial } = await goodPage(upstream);
  assert.ok(etag && lastModified && serial);
  const again = await upstream.page(thing, { validators: { etag, lastModified } });
  assert.equal(again.kind, 'not-modified');
  assert.equal(pypi.requests[1]?.headers['if-none-match'], etag);
  assert.equal(pypi.requests[1]?.headers['if-modified-since'], lastModified);
  pypi.setStatus('thing', 'archived');
  const changed = await upstream.page(thing, { validators: { etag, lastModified } });
  assert.ok(changed.kind === 'page' && changed.etag !== etag && Number(changed.serial) > Number(serial));
  assert.equal(upstream.status().notModified, 1);
  assert.equal(upstream.status().requests, 3);
});

test('an upstream without validators is asked in full', async () => {
  await using context = await startPypi({ etag: false, serial: false });
  const page = await goodPage(context.upstream);
  assert.deepEqual([page.etag, page.lastModified, page.serial], [undefined, undefined, undefined]);
});

test('noCache asks caches on the way to look again', async () => {
  await using context = await startPypi();
  await context.upstream.page(thing, { noCache: true });
  assert.equal(context.pypi.requests[0]?.headers['cache-control'], 'no-cache');
});

test('an answer is as old as the start of its request minus its Age, 304 and 404 too', async () => {
  const clock = createFakeClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream } = context;
  pypi.fault('*', 'page-age=3600');
  const page = await goodPage(upstream);
  assert.equal(page.observedAt, clock.now() - 3_600_000);
  const same = await upstream.page(thing, { validators: { etag: page.etag } });
  assert.deepEqual([same.kind, same.observedAt], ['not-modified', clock.now() - 3_600_000]);
  const absent = await upstream.page(parseProjectName('nobody'));
  assert.deepEqual([absent.kind, absent.observedAt], ['absent', clock.now() - 3_600_000]);
  pypi.fault({ what: 'list' }, 'list-age=60');
  const list = await upstream.projectList();
  assert.equal(list?.observedAt, clock.now() - 60_000);
  await bytesOf(list.body);
  pypi.clearFaults();
  pypi.fault('thing', 'page-age=-5');
  assert.equal((await goodPage(upstream)).observedAt, clock.now());
});

test('a redirected page has its final URL', async () => {
  await using context = await startPypi();
  await using other = await startPypi();
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: `${other.pypi.url}thing/` });
  assert.equal((await goodPage(context.upstream)).url, `${other.pypi.url}thing/`);
});

test('every page of the fixtures is read in both formats', { skip: fixturesMissing() }, async () => {
  await using context = await startPypi({ files: fixtureProjects() });
  const list = await context.upstream.projectList();
  const { projects } = JSON.parse((await bytesOf(list!.body)).toString()) as { projects: { name: string }[] };
  assert.ok(projects.length > 60);
  const read = (): Promise<unknown> =>
    Promise.all(projects.map(({ name }) => goodPage(context.upstream, parseProjectName(name))));
  await read();
  context.pypi.fault('*', 'html-only');
  await read();
});

test('a list of projects that is cut off is never taken for a short one', async () => {
  await using context = await startPypi({ gzip: false });
  const { pypi, upstream } = context;
  const list = async (): Promise<Buffer> => bytesOf((await upstream.projectList())!.body);
  assert.match((await list()).toString(), /"thing"/);
  for (const [fault, message] of [
    ['list-truncate=3', /cut off/],
    ['cut-list=30', /broke off/],
    ['list-captive-portal', /no list|cut off/],
  ] as const) {
    pypi.fault('*', 'list-type=application/vnd.pypi.simple.v1+json');
    pypi.fault({ what: 'list' }, fault);
    if (fault === 'list-captive-portal')
      pypi.fault({ what: 'list' }, { kind: 'header', name: 'content-type', value: 'application/json' });
    await upstreamError(list(), message);
    pypi.clearFaults();
  }
  pypi.fault({ what: 'list' }, 'list-404');
  assert.equal(await upstream.projectList(), undefined);
});
