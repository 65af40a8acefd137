import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { createPageRenderings } from '../../src/gateway/page-renderings.ts';
import { createMirrorDouble, digestOf, makePage } from './mirror-double.ts';
import { startGateway } from './test-gateway.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const HTML_TYPE = 'application/vnd.pypi.simple.v1+html';
const flask = makePage('flask', [{}, { filename: 'flask-1.0.tar.gz' }]);

test('a page comes as JSON or HTML, whichever the client asks for', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  for (const [accept, type] of [
    [JSON_TYPE, JSON_TYPE],
    [HTML_TYPE, HTML_TYPE],
    ['text/html', 'text/html; charset=utf-8'],
    [`${JSON_TYPE}, ${HTML_TYPE}; q=0.1, text/html; q=0.01`, JSON_TYPE],
    ['application/vnd.pypi.simple.latest+json', JSON_TYPE],
  ] as const) {
    const { status, headers, text } = await node.ask('/simple/flask/', { headers: { accept } });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], type);
    if (type === JSON_TYPE) assert.equal(JSON.parse(text).files.length, 2);
    else assert.match(text, /<a href=/);
  }
});

test('links lead to the gateway, relative and encoded; a file without sha256 leads to /direct/', async () => {
  await using node = await startGateway();
  const filename = 'we+ird #1-1.0.zip';
  const plain = makePage('weird', [{ filename }, { filename: 'weird-2.0.zip', sha256: undefined }]);
  node.mirror.putPage(plain);
  const { text } = await node.ask('/simple/weird/', { headers: { accept: JSON_TYPE } });
  const urls: string[] = JSON.parse(text).files.map(({ url }: { url: string }) => url);
  assert.deepEqual(urls, [
    `../../files/${digestOf(filename)}/we%2Bird%20%231-1.0.zip`,
    '../../direct/weird/weird-2.0.zip',
  ]);
  const resolved = new URL(urls[0] ?? '', `${node.gateway.url}/simple/weird/`);
  assert.equal(resolved.pathname, `/files/${digestOf(filename)}/we%2Bird%20%231-1.0.zip`);
});

test('provenance is led through the gateway where the page names one', async () => {
  await using node = await startGateway();
  const page = makePage('flask', [{}]);
  const [file] = page.files;
  assert.ok(file);
  const withProvenance = { ...file, raw: { ...file.raw, provenance: 'https://pypi.example/integrity/x' } };
  node.mirror.putPage({ ...page, files: [withProvenance] });
  const { text } = await node.ask('/simple/flask/', { headers: { accept: JSON_TYPE } });
  const { provenance } = JSON.parse(text).files[0];
  assert.equal(provenance, '../../integrity/flask/1.0/flask-1.0-py3-none-any.whl/provenance');
});

test('who accepts none of our types gets 406', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const { status, headers } = await node.ask('/simple/flask/', { headers: { accept: 'image/png' } });
  assert.equal(status, 406);
  assert.equal(headers['cache-control'], 'no-store');
});

test('names that are not normal and missing slashes are redirected with 302, query kept', async () => {
  await using node = await startGateway();
  for (const [path, target] of [
    ['/simple/Flask/', '/simple/flask/'],
    ['/simple/Zope.Interface/?x=1', '/simple/zope-interface/?x=1'],
    ['/simple/flask', '/simple/flask/'],
    ['/simple/Flask_Login?a=b&c', '/simple/flask-login/?a=b&c'],
    ['/simple', '/simple/'],
    ['/pypi/Flask/json', '/pypi/flask/json'],
    ['/pypi/Flask/1.0/json', '/pypi/flask/1.0/json'],
  ] as const) {
    const { status, headers } = await node.ask(path);
    assert.equal(status, 302, path);
    const url = new URL(headers.location ?? '', `${node.gateway.url}${path}`);
    assert.equal(url.pathname + url.search, target);
  }
  assert.deepEqual(node.mirror.asked, [], 'nothing is looked up for a redirect');
});

test('a fresh page tells its age, its serial, where it is from, and what is left of its time', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask, { ageSeconds: 100.2, freshSeconds: 499.8, source: 'upstream' });
  const { headers } = await node.ask('/simple/flask/', { headers: { accept: JSON_TYPE } });
  assert.equal(headers['cache-control'], 'max-age=499, public');
  assert.equal(headers.age, '101', 'never younger than the truth');
  assert.equal(headers['fondue-index-age'], '101');
  assert.equal(headers['fondue-source'], 'upstream');
  assert.equal(headers['x-pypi-last-serial'], '12345');
  assert.equal(headers.vary, 'Accept, Accept-Encoding');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['access-control-allow-origin'], undefined);
});

test('a stale page says no-store and keeps its true age', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask, { ageSeconds: 9000, freshSeconds: 0, stale: true }, { serial: undefined });
  const { status, headers } = await node.ask('/simple/flask/', { headers: { accept: JSON_TYPE } });
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers.age, '9000');
  assert.equal(headers['x-pypi-last-serial'], undefined);
});

test('ETags are strong, differ by format and coding, stay with the version, and give 304', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const tags = new Set<string>();
  for (const accept of [JSON_TYPE, HTML_TYPE, 'text/html']) {
    for (const coding of ['identity', 'gzip', 'zstd']) {
      const headers = { accept, 'accept-encoding': coding };
      const first = await node.ask('/simple/flask/', { headers });
      const etag = first.headers.etag ?? '';
      assert.match(etag, /^"[^"]+"$/);
      tags.add(etag);
      const again = await node.ask('/simple/flask/', {
        headers: { ...headers, 'if-none-match': `"x", ${etag}` },
      });
      assert.equal(again.status, 304);
      assert.equal(again.body.length, 0);
      assert.equal(again.headers.etag, etag);
      assert.equal(again.headers['cache-control'], 'max-age=590, public');
      assert.equal(again.headers.vary, 'Accept, Accept-Encoding');
    }
  }
  assert.equal(tags.size, 9);
  node.mirror.putPage(flask, {}, { version: digestOf('changed') });
  const [etag = ''] = tags;
  const changed = { accept: JSON_TYPE, 'if-none-match': etag };
  assert.equal((await node.ask('/simple/flask/', { headers: changed })).status, 200);
});

test('gzip and zstd come when asked for, zstd never unasked, and hold the same page', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const get = async (coding: string | undefined): Promise<[string | undefined, string]> => {
    const headers = { accept: JSON_TYPE, ...(coding === undefined ? {} : { 'accept-encoding': coding }) };
    const answer = await node.ask('/simple/flask/', { headers });
    const used = answer.headers['content-encoding'];
    assert.equal(Number(answer.headers['content-length']), answer.body.length);
    const { body } = answer;
    return [
      used,
      (used === 'gzip' ? gunzipSync(body) : used === 'zstd' ? zstdDecompressSync(body) : body).toString(),
    ];
  };
  const [none, plain] = await get(undefined);
  assert.equal(none, undefined);
  assert.deepEqual(await get('gzip, deflate'), ['gzip', plain]);
  assert.deepEqual(await get('gzip, deflate, zstd'), ['zstd', plain]);
  assert.deepEqual(await get('GZIP'), ['gzip', plain]);
  assert.deepEqual(await get('*'), ['gzip', plain]);
});

test('HEAD of a page has the headers of GET and no body', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const headers = { accept: JSON_TYPE };
  const get = await node.ask('/simple/flask/', { headers });
  const head = await node.ask('/simple/flask/', { headers, method: 'HEAD' });
  const { date: _a, ...fromGet } = get.headers;
  const { date: _b, ...fromHead } = head.headers;
  assert.deepEqual(fromHead, fromGet);
  assert.equal(head.body.length, 0);
});

test('404 is said of an absent project only; what cannot be known is 503 with a small Retry-After', async () => {
  await using node = await startGateway();
  node.mirror.putAnswer('gone', { kind: 'absent', ageSeconds: 5, freshSeconds: 5 });
  node.mirror.putAnswer('hidden', {
    kind: 'unknown',
    reason: 'pypi.org answers 500',
    retryAfterSeconds: 2.5,
  });
  node.mirror.putAnswer('odd', { kind: 'unknown', reason: 'x', retryAfterSeconds: 86_400 });
  const gone = await node.ask('/simple/gone/');
  assert.equal(gone.status, 404);
  assert.match(gone.text, /"gone" does not exist/);
  const hidden = await node.ask('/simple/hidden/');
  assert.equal(hidden.status, 503);
  assert.equal(hidden.headers['retry-after'], '3');
  assert.match(hidden.text, /page of "hidden".*pypi.org answers 500.*ask again in 3 s/);
  assert.ok(Number((await node.ask('/simple/odd/')).headers['retry-after']) <= 30);
  for (const { headers } of [gone, hidden]) {
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
  }
});

test('a failure of the program itself is 500, says nothing of its inside, and is reported', async () => {
  await using node = await startGateway();
  node.mirror.putAnswer('broken', async () => {
    throw new TypeError('secret of the inside');
  });
  const { status, text } = await node.ask('/simple/broken/');
  assert.equal(status, 500);
  assert.doesNotMatch(text, /secret/);
  assert.equal(node.reported.length, 1);
});

test('what clients send decides how long the mirror may take and whether it revalidates', async () => {
  await using node = await startGateway();
  node.mirror.putPage(flask);
  const patience = async (headers: Record<string, string>): Promise<[number, boolean | undefined]> => {
    node.mirror.asked.length = 0;
    await node.ask('/simple/flask/', { headers });
    const { wait = 0, noCache } = node.mirror.asked[0]?.patience ?? {};
    return [Math.ceil(wait / 1000), noCache];
  };
  assert.deepEqual(await patience({}), [12, false]);
  assert.deepEqual(await patience({ 'user-agent': 'pip/26.3 {"installer": "uv/"}' }), [12, false]);
  assert.deepEqual(await patience({ 'user-agent': 'uv/0.13.9' }), [25, false]);
  assert.deepEqual(await patience({ 'user-agent': 'pdm/2.29.3 CPython/3.11.7' }), [60, false]);
  assert.deepEqual(await patience({ 'cache-control': 'max-age=0' }), [12, false]);
  assert.deepEqual(await patience({ 'cache-control': 'No-Cache' }), [12, true]);
  assert.deepEqual(await patience({ 'cache-control': 'max-age=0, no-cache' }), [12, true]);
});

test('a client that leaves while the page is being fetched aborts its own wait', async () => {
  await using node = await startGateway();
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const { promise: asked, resolve: started } = Promise.withResolvers<void>();
  node.mirror.putAnswer('slow', (patience) => {
    started();
    return new Promise((_resolve, reject) => {
      patience?.signal?.addEventListener('abort', () => {
        resolve();
        reject(patience.signal?.reason as Error);
      });
    });
  });
  const { socket } = node.raw('GET /simple/slow/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await asked;
  socket.destroy();
  await left;
  assert.deepEqual(node.reported, []);
});

test('a page is rendered once however many ask at once, and again only when it changes', async () => {
  await using node = await startGateway();
  let rendered = 0;
  const coreMetadata = (): undefined => void rendered++;
  node.mirror.putPage(flask, {}, { coreMetadata });
  const headers = { accept: JSON_TYPE, 'accept-encoding': 'gzip' };
  await Promise.all(Array.from({ length: 20 }, () => node.ask('/simple/flask/', { headers })));
  await node.ask('/simple/flask/', { headers: { accept: JSON_TYPE } });
  assert.equal(rendered, flask.files.length);
  node.mirror.putPage(flask, {}, { coreMetadata, version: digestOf('next') });
  await node.ask('/simple/flask/', { headers });
  assert.equal(rendered, 2 * flask.files.length);
});

test('who asks while a page is being compressed gets the one that is being made', async () => {
  const renderings = createPageRenderings(1e6);
  const served = createMirrorDouble().putPage(flask);
  for (const coding of ['gzip', 'zstd', 'identity'] as const) {
    const asked = Array.from({ length: 10 }, () => renderings.body(served, 'json', coding));
    assert.equal(new Set(await Promise.all(asked)).size, 1, 'the same bytes, not equal ones');
  }
});

test('renderings that are kept stay within their bound', async () => {
  const renderings = createPageRenderings(100_000);
  const mirror = createMirrorDouble();
  for (let i = 0; i < 50; i++) {
    const served = mirror.putPage(
      makePage(
        `p${i}`,
        Array.from({ length: 50 }, (_, n) => ({ filename: `p${i}-${n}.zip` })),
      ),
    );
    const body = await renderings.body(served, 'json', 'identity');
    assert.ok(body.length > 5000);
    assert.ok(renderings.bytes <= 100_000);
  }
});

test('names that are no project names are 400 and reach nobody', async () => {
  await using node = await startGateway();
  for (const path of [
    '/simple/-x-/',
    '/simple/a%20b/',
    '/simple/<script>/',
    '/simple//flask/',
    '/pypi/.x/json',
  ]) {
    const { status, headers, text } = await node.ask(path);
    assert.equal(status, 400, path);
    assert.match(headers['content-type'] ?? '', /^text\/plain|^application\/json/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.notEqual(text, '');
  }
  assert.deepEqual(node.mirror.asked, []);
});

test('below a project page there is nothing', async () => {
  await using node = await startGateway();
  assert.equal((await node.ask('/simple/flask/x')).status, 404);
  assert.equal((await node.ask('/simple/flask/x/y/')).status, 404);
});

test('the list of projects is streamed, and a failure in its middle is a broken connection', async () => {
  await using node = await startGateway();
  let returned = false;
  async function* list(fail: boolean): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from('{"projects":[');
      if (fail) throw new Error('the disk broke');
      yield Buffer.from(']}');
    } finally {
      returned = true;
    }
  }
  let fail = false;
  node.mirror.override({
    projectList: async () => ({
      kind: 'list',
      body: list(fail),
      coding: 'identity',
      version: 'v1',
      ageSeconds: 100,
      stale: false,
    }),
  });
  const good = await node.ask('/simple/', { headers: { accept: JSON_TYPE } });
  assert.equal(good.text, '{"projects":[]}');
  assert.equal(good.headers['cache-control'], 'max-age=500, public');
  assert.equal(good.broken, undefined);
  const head = await node.ask('/simple/', { headers: { accept: JSON_TYPE }, method: 'HEAD' });
  assert.equal(head.status, 200);
  fail = true;
  returned = false;
  const bad = await node.ask('/simple/', { headers: { accept: JSON_TYPE } });
  assert.notEqual(bad.broken, undefined);
  assert.ok(returned);
});

test('the list of projects has a validator for each form, and what is not sent is closed', async () => {
  await using node = await startGateway();
  let open = 0;
  const asked: unknown[] = [];
  async function* list(): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.alloc(0);
      yield gzipSync('{"projects":[]}');
    } finally {
      open--;
    }
  }
  node.mirror.override({
    async projectList(_, wanted) {
      asked.push(wanted?.coding);
      open++;
      const body = list();
      await body.next();
      const coding = wanted?.coding === 'gzip' ? 'gzip' : 'identity';
      return { kind: 'list', body, coding, version: 'v1', ageSeconds: 100, stale: false };
    },
  });
  const headers = { accept: JSON_TYPE, 'accept-encoding': 'gzip' };
  const packed = await node.ask('/simple/', { headers });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.equal(packed.headers['vary'], 'Accept, Accept-Encoding');
  assert.equal(gunzipSync(packed.body).toString(), '{"projects":[]}');
  const plain = await node.ask('/simple/', { headers: { accept: JSON_TYPE } });
  assert.equal(plain.headers['content-encoding'], undefined);
  const page = await node.ask('/simple/', { headers: { accept: HTML_TYPE, 'accept-encoding': 'gzip' } });
  const text = await node.ask('/simple/', { headers: { accept: 'text/html', 'accept-encoding': 'gzip' } });
  const etags = [packed, plain, page, text].map((answer) => answer.headers['etag']);
  assert.equal(new Set(etags).size, 4, String(etags));
  for (const etag of etags) assert.match(String(etag), /^"/);
  const same = await node.ask('/simple/', { headers: { ...headers, 'if-none-match': String(etags[0]) } });
  assert.deepEqual([same.status, same.text, same.headers['etag']], [304, '', etags[0]]);
  assert.equal(same.headers['vary'], 'Accept, Accept-Encoding');
  const other = await node.ask('/simple/', { headers: { ...headers, 'if-none-match': String(etags[1]) } });
  assert.equal(other.status, 200);
  // The list cannot be had compressed now: it comes as it is, and says so.
  const fallen = await node.ask('/simple/', { headers: { accept: JSON_TYPE, 'accept-encoding': 'zstd' } });
  assert.equal(fallen.headers['content-encoding'], undefined);
  assert.equal(fallen.headers['etag'], etags[1]);
  const head = await node.ask('/simple/', { headers, method: 'HEAD' });
  assert.equal(head.headers['etag'], etags[0]);
  assert.equal(open, 0, 'every list is closed');
  assert.equal(asked.at(-1), 'gzip');
});

test('a redirect never leads off the gateway, whatever the name', async () => {
  await using node = await startGateway();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary-ascii', maxLength: 30 }), async (name) => {
      const url = `/simple/${encodeURIComponent(name)}`;
      const { statusCode, headers } = await node.gateway.inject({ url, headers: { host: 'localhost' } });
      if (statusCode !== 302) return;
      const target = new URL(String(headers['location']), `http://localhost${url}`);
      assert.equal(target.host, 'localhost');
      assert.match(target.pathname, /^\/simple\/([a-z0-9-]+\/)?$/);
    }),
    { numRuns: 300 },
  );
});
