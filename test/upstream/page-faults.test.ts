/** Each fault of an upstream's page, while several calls read it: the whole page or an UpstreamError, never absence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakePypiOptions } from '../support/fake-pypi/fake-pypi.ts';
import type { Fault } from '../support/fake-pypi/faults.ts';
import { goodPage, startPypi, thing, upstreamError } from './pypi-context.ts';

const CALLS = 4;
type Faults = readonly (string | Fault)[];

const mended: [string, Faults, FakePypiOptions?][] = [
  ['503 once', ['page-503-once=0']],
  ['502 once', ['page-502-once']],
  ['504 once', ['page-504-once']],
  ['a reset before the answer', ['reset-page-once=0']],
  ['text/plain', ['page-type=text/plain']],
  ['application/json', ['page-type=application/json']],
  ['no type', ['page-type=']],
  ['the type of HTML for JSON', ['page-type=text/html']],
  ['the type of JSON for HTML', ['html-only', 'page-type=application/vnd.pypi.simple.v1+json']],
  ['no type for HTML', ['html-only', 'page-type=']],
  ['HTML only', ['html-only']],
  ['gzip', ['page-encoding=gzip']],
  ['unasked zstd', ['force-encoding=zstd'], { gzip: false }],
  ['brotli', ['page-encoding=br']],
  ['deflate', ['page-encoding=deflate']],
  ['redirect 301', ['page-redirect=301']],
  ['redirect 302', ['page-redirect=302']],
  ['redirect 308', ['page-redirect=308']],
  ['chunks', ['page-chunked']],
  ['JSON that ends with the connection', ['page-until-close']],
  ['HTML that ends with the connection', ['html-only', 'page-until-close']],
  ['a slow first byte', ['page-delay=0.05']],
  ['a slow body', ['page-drip=20000'], { gzip: false }],
];

for (const [name, faults, options] of mended) {
  test(`a page is whole in spite of ${name}`, async () => {
    await using context = await startPypi(options);
    const { pypi, upstream } = context;
    const good = await goodPage(upstream);
    for (const fault of faults) pypi.fault({ project: 'thing', what: 'page' }, fault);
    for (const page of await Promise.all(Array.from({ length: CALLS }, () => goodPage(upstream)))) {
      assert.equal(page.format, faults.includes('html-only') ? 'html' : 'json');
      if (page.format === 'json') assert.deepEqual(page.body, good.body);
      else assert.match(Buffer.from(page.body).toString(), /thing-1\.0-py3-none-any\.whl.*<\/html>/s);
    }
  });
}

const refused: [string, Faults, RegExp, (number | undefined)?, FakePypiOptions?][] = [
  ['400', ['page-400'], /answered 400/, 400],
  ['401', ['page-401'], /answered 401/, 401],
  ['403', ['page-403'], /answered 403/, 403],
  ['418', ['page-418'], /answered 418/, 418],
  ['429', ['page-429'], /answered 429/, 429],
  ['500', ['page-500'], /answered 500/, 500],
  ['503 always', ['page-503'], /answered 503/, 503],
  ['204', [{ kind: 'status', status: 204 }], /answered 204/, 204],
  ['304 without a condition', [{ kind: 'status', status: 304 }], /answered 304/, 304],
  ['a captive portal', ['page-captive-portal'], /HTML that is no page/, 200],
  [
    'HTML under the type of JSON',
    [{ kind: 'body', body: '<!doctype html><html><h1>Sorry</h1></html>' }],
    /HTML that is no page/,
    200,
  ],
  ['another JSON', [{ kind: 'body', body: '{"error": "no such thing"}' }], /names no files/, 200],
  ['an empty body', [{ kind: 'body', body: '' }], /answered with nothing/, 200],
  ['a plain text', [{ kind: 'body', body: 'default backend', type: 'text/plain' }], /no page/, 200],
  ['a version too new', ['page-type=application/vnd.pypi.simple.v2+json'], /v2\+json, which is too new/, 200],
  ['a cut', ['cut-page=100'], /broke off/],
  ['a cut of plain JSON', ['cut-page=100'], /broke off/, undefined, { gzip: false }],
  ['a cut inside chunks', ['page-chunked', 'cut-page=100'], /broke off/, undefined, { gzip: false }],
  ['a reset', ['reset-page=100'], /broke off/, undefined, { gzip: false }],
  ['a length that is too long', ['page-length=5000'], /broke off/, undefined, { gzip: false }],
  ['JSON without its end', ['page-truncate=20'], /cut off/, 200],
  ['HTML without its end', ['html-only', 'page-truncate=30'], /HTML that is cut off/, 200],
  [
    'HTML cut by the connection',
    ['html-only', 'page-until-close', 'cut-page=300'],
    /cut off/,
    200,
    { gzip: false },
  ],
  ['gzip cut by the connection', ['page-until-close', 'cut-page=100'], /not the gzip that it says/, 200],
  [
    'zstd cut by the connection',
    ['page-encoding=zstd', 'page-until-close', 'cut-page=100'],
    /not the zstd/,
    200,
  ],
  [
    'brotli cut by the connection',
    ['page-encoding=br', 'page-until-close', 'cut-page=100'],
    /not the br/,
    200,
  ],
  ['a coding that is not there', ['page-false-encoding=gzip'], /not the gzip/, 200, { gzip: false }],
  ['an unknown coding', ['page-false-encoding=compress'], /encoded as "compress"/, 200, { gzip: false }],
  [
    'many codings',
    [{ kind: 'false-encoding', coding: 'gzip, gzip, gzip' }],
    /encoded as/,
    200,
    { gzip: false },
  ],
  [
    'a redirect in circles',
    [{ kind: 'redirect', status: 302, to: '/simple/thing/' }],
    /redirects more than 5/,
    302,
  ],
  [
    'a redirect to nowhere',
    [{ kind: 'header', name: 'x', value: 'y' }, 'page-302'],
    /redirects to "nowhere"/,
    302,
  ],
  [
    'a redirect to a file',
    [{ kind: 'redirect', status: 302, to: 'file:///etc/passwd' }],
    /only http and https/,
  ],
];

for (const [name, faults, message, status, options] of refused) {
  test(`a page is refused for ${name}`, async () => {
    await using context = await startPypi({ upstream: { limits: { attempts: 2 } }, ...options });
    const { pypi, upstream } = context;
    await goodPage(upstream);
    for (const fault of faults) pypi.fault({ project: 'thing', what: 'page' }, fault);
    await Promise.all(
      Array.from({ length: CALLS }, async () => {
        const error = await upstreamError(upstream.page(thing), message);
        assert.equal(error.status, status);
      }),
    );
    assert.match(upstream.status().lastError ?? '', message);
    pypi.clearFaults();
    await goodPage(upstream);
  });
}

test('a 404 or 410 of the page itself is absence, also behind a redirect', async () => {
  await using context = await startPypi();
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-404');
  assert.equal((await upstream.page(thing)).kind, 'absent');
  pypi.clearFaults();
  pypi.fault('thing', 'page-410');
  assert.equal((await upstream.page(thing)).kind, 'absent');
  pypi.clearFaults();
  pypi.fault('thing', { kind: 'redirect', status: 302, to: '/simple/nobody/' });
  assert.equal((await upstream.page(thing)).kind, 'absent');
});

test('a 404 at a place that a redirect without TLS led to is not absence', async () => {
  await using context = await startPypi();
  await using portal = await startPypi();
  context.pypi.fault('thing', { kind: 'redirect', status: 302, to: `${portal.pypi.url}nobody/` });
  const error = await upstreamError(context.upstream.page(thing), /answered 404/);
  assert.equal(error.status, 404);
});
