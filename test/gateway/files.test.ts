import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntegrityError, UnavailableError } from '../../src/core/errors.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { someBytes } from '../support/memory-shelf.ts';
import { digestOf, type DoubleFile } from './mirror-double.ts';
import { startGateway } from './test-gateway.ts';

const WHEEL = 'click-8.1.7-py3-none-any.whl';
const small = someBytes(97_000, 3);
const big = someBytes(3 * 1024 * 1024 + 17, 5);

function urlOf({ ref }: DoubleFile): string {
  return `/files/${ref.digest}/${ref.filename}`;
}

test('a file comes whole with the headers that clients rely on, never encoded', async () => {
  await using node = await startGateway();
  for (const bytes of [small, big]) {
    const file = node.mirror.putFile({ filename: `click-${bytes.length}.whl`, bytes, source: 'peer' });
    const headers = { 'accept-encoding': 'gzip, deflate' };
    const answer = await node.ask(urlOf(file), { headers });
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(bytes));
    assert.equal(answer.headers['content-length'], String(bytes.length));
    assert.equal(answer.headers['content-encoding'], undefined);
    assert.equal(answer.headers['accept-ranges'], 'bytes');
    assert.equal(answer.headers.etag, `"${digestOf(bytes)}"`);
    assert.equal(answer.headers['cache-control'], 'max-age=31536000, immutable, public');
    assert.equal(answer.headers['fondue-source'], 'peer');
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.equal(file.opened, 1);
    assert.equal(file.disposed, 1);
  }
});

test('HEAD says size and Accept-Ranges and opens nothing', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small, complete: false });
  const { status, headers, body } = await node.ask(urlOf(file), {
    method: 'HEAD',
    headers: { range: 'bytes=0-1' },
  });
  assert.equal(status, 200);
  assert.equal(headers['content-length'], String(small.length));
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(headers.etag, `"${file.ref.digest}"`);
  assert.equal(body.length, 0);
  assert.equal(file.opened, 0);
});

test('HEAD of a file whose size nobody knows is 200 without a length', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small, size: 'unknown' });
  const { status, headers } = await node.ask(urlOf(file), { method: 'HEAD' });
  assert.equal(status, 200);
  assert.equal(headers['content-length'], undefined);
});

test('ranges fit a model: what a slice of the file would be, for every header', async (t) => {
  await using node = await startGateway({ limits: { smallFile: 50 } });
  const files = [1, 40, 51, 200].map((length) =>
    node.mirror.putFile({ filename: `r-${length}.whl`, bytes: someBytes(length, length) }),
  );
  const number = fc.integer({ min: 0, max: 220 });
  const range = fc.oneof(
    fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b}`),
    number.map((a) => `bytes=${a}-`),
    number.map((n) => `bytes=-${n}`),
    fc.constantFrom('bytes=', 'bytes=x-1', 'items=0-1', 'bytes=0-1,4-5', 'bytes=--1', 'bytes=1'),
  );
  const ifRange = fc.constantFrom(undefined, 'fits', '"other"', 'W/"weak"', 'Sun, 22 Nov 2026 00:00:00 GMT');
  const check = async (file: DoubleFile, header: string, condition: string | undefined): Promise<void> => {
    const bytes = someBytes(file.ref.size ?? 0, file.ref.size);
    const etag = `"${file.ref.digest}"`;
    const extra = condition === undefined ? {} : { 'if-range': condition === 'fits' ? etag : condition };
    const answer = await node.gateway.inject({
      url: urlOf(file),
      headers: { host: 'localhost', range: header, ...extra },
    });
    const counts = condition === undefined || condition === 'fits';
    const [, a, b] = (counts && /^bytes=(\d*)-(\d*)$/.exec(header)) || [];
    const expected = model(a, b, bytes.length);
    assert.equal(answer.statusCode, expected.status);
    assert.equal(answer.headers['content-range'], expected.contentRange);
    if (expected.status === 416) return;
    assert.ok(answer.rawPayload.equals(bytes.subarray(expected.start, expected.end)));
    assert.equal(answer.headers['content-length'], String(expected.end - expected.start));
    assert.equal(answer.headers.etag, etag);
    assert.equal(answer.headers['accept-ranges'], 'bytes');
  };
  await fc.assert(fc.asyncProperty(fc.constantFrom(...files), range, ifRange, check), { numRuns: 400 });
  t.diagnostic('fast-check prints its seed when this fails');
});

interface Expected {
  readonly status: number;
  readonly start: number;
  readonly end: number;
  readonly contentRange: string | undefined;
}

function model(first: string | undefined, last: string | undefined, size: number): Expected {
  const whole = { status: 200, start: 0, end: size, contentRange: undefined };
  const refused = { status: 416, start: 0, end: 0, contentRange: `bytes */${size}` };
  if (first === undefined || last === undefined || (first === '' && last === '')) return whole;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return whole;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end) return refused;
  return { status: 206, start, end, contentRange: `bytes ${start}-${end - 1}/${size}` };
}

test('a range of a big file is cut right at every edge of the copy buffers', async () => {
  const limits = { copyBuffer: 1000, copyMemory: 4000, copyPiece: 100, smallFile: 10 };
  await using node = await startGateway({ limits });
  const bytes = someBytes(10_007, 9);
  const file = node.mirror.putFile({ filename: WHEEL, bytes });
  for (const [a, b] of [
    [0, 999],
    [0, 1000],
    [999, 1000],
    [1, 10_006],
    [5000, 8191],
  ] as const) {
    const { status, body } = await node.ask(urlOf(file), { headers: { range: `bytes=${a}-${b}` } });
    assert.equal(status, 206);
    assert.ok(body.equals(bytes.subarray(a, b + 1)));
  }
});

test('a range beyond the size that the page gives is refused before anything is fetched', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small, complete: false });
  const { status, headers } = await node.ask(urlOf(file), { headers: { range: 'bytes=97000-' } });
  assert.equal(status, 416);
  assert.equal(headers['content-range'], 'bytes */97000');
  assert.equal(file.opened, 0);
});

test('the mirror is told where reading will begin, as far as the header says it', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big });
  const offsetFor = async (range: string, of = file): Promise<unknown> => {
    node.mirror.asked.length = 0;
    await node.ask(urlOf(of), { headers: { range } });
    const opening = node.mirror.asked.find(({ what }) => what === 'openFile');
    return (opening?.patience as { offset?: number } | undefined)?.offset;
  };
  assert.equal(await offsetFor('bytes=1000-2000'), 1000);
  assert.equal(await offsetFor('bytes=500-'), 500);
  assert.equal(await offsetFor('bytes=-10'), big.length - 10);
  assert.equal(await offsetFor('bytes=9-5'), 0, 'no range at all');
  const unsized = node.mirror.putFile({ filename: 'u-1.0.whl', bytes: big, size: 'unknown' });
  unsized.tellSize(big.length);
  for (const [range, offset] of [
    ['bytes=500-', 500],
    ['bytes=-10', 0],
    ['bytes=9-5', 0],
  ] as const)
    assert.equal(await offsetFor(range, unsized), offset);
});

test('If-None-Match with the digest is 304 and opens nothing', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const headers = { 'if-none-match': `"${file.ref.digest}"` };
  const answer = await node.ask(urlOf(file), { headers });
  assert.equal(answer.status, 304);
  assert.equal(answer.headers.etag, `"${file.ref.digest}"`);
  assert.equal(file.opened, 0);
  await node.ask(urlOf(file));
  assert.equal((await node.ask(urlOf(file), { headers })).status, 304, 'from memory too');
});

test('the digest of a URL may be written in capitals', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const { status } = await node.ask(`/files/${file.ref.digest?.toUpperCase()}/${WHEEL}`);
  assert.equal(status, 200);
});

test("a file is found by PyPI's own path, with its metadata", async () => {
  await using node = await startGateway();
  const path = `/packages/ab/cd/${'e'.repeat(60)}/${WHEEL}`;
  node.mirror.putFile({ filename: WHEEL, bytes: small, path });
  node.mirror.putMetadata(WHEEL, metadataOf('Name: click'));
  assert.ok((await node.ask(path)).body.equals(small));
  assert.equal((await node.ask(`${path}.metadata`)).text, 'Name: click');
  assert.equal((await node.ask('/packages/xx/nothing-1.0.zip')).status, 404);
});

test('a file without digest is passed through without ETag and kept by nobody', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({
    filename: 'old 1+2-1.0.zip',
    project: 'old',
    bytes: small,
    direct: true,
  });
  const url = '/direct/old/old%201%2B2-1.0.zip';
  for (let i = 0; i < 2; i++) {
    const { status, headers, body } = await node.ask(url);
    assert.equal(status, 200);
    assert.equal(headers.etag, undefined);
    assert.equal(headers['cache-control'], 'no-cache');
    assert.ok(body.equals(small));
  }
  assert.equal(file.opened, 2);
  const part = await node.ask(url, { headers: { range: 'bytes=10-19' } });
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(small.subarray(10, 20)));
  const conditional = await node.ask(url, { headers: { range: 'bytes=10-19', 'if-range': '"x"' } });
  assert.equal(conditional.status, 200);
});

function metadataOf(
  text: string,
): Awaited<ReturnType<Awaited<ReturnType<typeof startGateway>>['mirror']['metadata']>> {
  return { kind: 'metadata', body: Buffer.from(text), digest: digestOf(text), source: 'upstream' };
}

test('metadata has its own digest as ETag; absent is 404 and unknown 503', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const url = `${urlOf(file)}.metadata`;
  assert.equal((await node.ask(url)).status, 404);
  node.mirror.putMetadata(WHEEL, { kind: 'unknown', reason: 'pypi.org hangs', retryAfterSeconds: 1 });
  const unknown = await node.ask(url);
  assert.equal(unknown.status, 503);
  assert.equal(unknown.headers['retry-after'], '1');
  assert.match(unknown.text, /metadata.*pypi\.org hangs/);
  node.mirror.putMetadata(WHEEL, metadataOf('Name: click\n'));
  const good = await node.ask(url, { headers: { 'accept-encoding': 'zstd,gzip,deflate' } });
  assert.equal(good.text, 'Name: click\n');
  assert.equal(good.headers.etag, `"${digestOf('Name: click\n')}"`);
  assert.equal(good.headers['content-encoding'], undefined);
  const head = await node.ask(url, { method: 'HEAD' });
  assert.equal(head.headers['content-length'], '12');
  const part = await node.ask(url, { headers: { range: 'bytes=-5' } });
  assert.equal(part.text, 'lick\n');
});

test('an unknown file is 503, an absent one 404, a bad digest 400, an incomplete path 404', async () => {
  await using node = await startGateway();
  const digest = 'a'.repeat(64);
  assert.equal((await node.ask(`/files/${digest}/${WHEEL}`)).status, 404);
  node.mirror.override({
    findFile: async () => ({ kind: 'unknown', reason: 'no page of "click" to be had', retryAfterSeconds: 2 }),
  });
  assert.equal((await node.ask(`/files/${digest}/${WHEEL}`)).status, 503);
  assert.equal((await node.ask(`/files/${digest.slice(1)}/${WHEEL}`)).status, 400);
  assert.equal((await node.ask(`/files/${digest}/`)).status, 404);
  assert.equal((await node.ask(`/files/${digest}/a/b`)).status, 404);
});

test("Poetry's no-cache on a range does not make the mirror revalidate anything", async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  await node.ask(urlOf(file), { headers: { range: 'bytes=-10', 'cache-control': 'no-cache' } });
  assert.ok(node.mirror.asked.every(({ patience }) => patience?.noCache !== true));
});

test('a failure before the first byte is 503, whatever it is', async () => {
  await using node = await startGateway();
  const errors = [
    new UnavailableError('every source failed'),
    new IntegrityError({ expected: 'sha256 a', actual: 'sha256 b', source: 'https://files.example' }),
  ];
  for (const [at, error] of errors.entries()) {
    const file = node.mirror.putFile({ filename: `f-${at}.whl`, bytes: big, complete: false });
    file.fail(error);
    const { status, headers, broken } = await node.ask(urlOf(file));
    assert.equal(status, 503);
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(headers['retry-after'] ?? '', /^\d$/);
    assert.equal(broken, undefined);
    assert.equal(file.disposed, 1);
  }
});

test("a file that gives no byte within the client's patience is 503, 12 s for pip and 25 s for uv", async () => {
  const clock = createFakeClock();
  await using node = await startGateway({ clock });
  const cold = node.mirror.putFile({ filename: WHEEL, bytes: big, complete: false });
  for (const [agent, seconds] of [
    ['pip/26.3', 12],
    ['uv/0.13.9', 25],
  ] as const) {
    const waiting = cold.waiting();
    const answer = node.ask(urlOf(cold), { headers: { 'user-agent': agent } });
    await waiting;
    await clock.advance(seconds * 1000 - 1);
    assert.equal(await Promise.race([answer, Promise.resolve('waiting')]), 'waiting');
    await clock.advance(2);
    const { status, text } = await answer;
    assert.equal(status, 503);
    assert.match(text, /gave no byte in time/);
  }
});

test('one budget of patience covers look-up, opening and the first byte', async () => {
  const clock = createFakeClock();
  await using node = await startGateway({ clock });
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const findFile = node.mirror.findFile.bind(node.mirror);
  node.mirror.override({
    findFile: async (...given) => {
      await clock.advance(8000);
      return findFile(...given);
    },
  });
  await node.ask(urlOf(file));
  const opening = node.mirror.asked.find(({ what }) => what === 'openFile');
  assert.equal(opening?.patience?.wait, 4000);
});

test('a size that is only known at the end makes a chunked body, and a range of it 503', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, size: 'unknown', complete: false });
  file.tellSize(undefined);
  const range = await node.ask(urlOf(file), { headers: { range: 'bytes=5-10' } });
  assert.equal(range.status, 503, 'neither 200 in full nor a guess');
  const waiting = file.waiting();
  const whole = node.ask(urlOf(file));
  await waiting;
  file.release(1000);
  await file.waiting();
  file.finish();
  const { status, headers, body, broken } = await whole;
  assert.equal(status, 200);
  assert.equal(headers['content-length'], undefined);
  assert.equal(headers['transfer-encoding'], 'chunked');
  assert.ok(body.equals(big));
  assert.equal(broken, undefined);
});

test('an empty file is an empty answer', async () => {
  await using node = await startGateway({ limits: { smallFile: -1 } });
  const file = node.mirror.putFile({ filename: WHEEL, bytes: new Uint8Array(0) });
  const { status, headers, broken } = await node.ask(urlOf(file));
  assert.equal(status, 200);
  assert.equal(headers['content-length'], '0');
  assert.equal(broken, undefined);
});

test('a small file is read once and then comes from memory, HEAD and ranges too', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  await node.ask(urlOf(file));
  node.mirror.asked.length = 0;
  assert.ok((await node.ask(urlOf(file))).body.equals(small));
  const part = await node.ask(urlOf(file), { headers: { range: 'bytes=5-9' } });
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(small.subarray(5, 10)));
  const head = await node.ask(urlOf(file), { method: 'HEAD' });
  assert.equal(head.headers['content-length'], String(small.length));
  assert.deepEqual(node.mirror.asked, []);
  assert.equal(file.opened, 1);
});

test('memory gives a file only under the filename it was found with', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  await node.ask(urlOf(file));
  assert.equal((await node.ask(`/files/${file.ref.digest}/evil-1.0.whl`)).status, 404);
});

test('a blob that is evicted, corrupt, or whose page changed is not served from memory any more', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const { digest, project } = file.ref;
  assert.ok(digest);
  let opened = 0;
  for (const tell of [
    () => node.facts.emit('blob:evicted', { digest, size: small.length, reason: 'quota' }),
    () => node.facts.emit('blob:corrupt', { digest }),
    () => node.facts.emit('page:refreshed', { project, changed: true }),
  ]) {
    await node.ask(urlOf(file));
    assert.equal(file.opened, ++opened);
    tell();
    await node.ask(urlOf(file));
    assert.equal(file.opened, ++opened);
    node.facts.emit('blob:corrupt', { digest });
  }
});

test('a blob found corrupt while it was being read into memory is not kept there', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  const { digest } = file.ref;
  assert.ok(digest);
  const openFile = node.mirror.openFile.bind(node.mirror);
  node.mirror.override({
    openFile: async (...given) => {
      const answer = await openFile(...given);
      node.facts.emit('blob:corrupt', { digest });
      return answer;
    },
  });
  await node.ask(urlOf(file));
  await node.ask(urlOf(file));
  assert.equal(file.opened, 2);
});

test('after a minute a small file is opened again, so that the store sees it is in use', async () => {
  const clock = createFakeClock();
  await using node = await startGateway({ clock });
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small });
  await node.ask(urlOf(file));
  await clock.advance(59_000);
  await node.ask(urlOf(file));
  assert.equal(file.opened, 1);
  await clock.advance(2000);
  await node.ask(urlOf(file));
  assert.equal(file.opened, 2);
});

test('what is still being fetched is not kept in memory', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: small, complete: false });
  file.release(small.length);
  assert.ok((await node.ask(urlOf(file))).body.equals(small));
  assert.ok((await node.ask(urlOf(file))).body.equals(small));
  assert.equal(file.opened, 2);
});

test('memory of small files stays within its bound', async () => {
  await using node = await startGateway({ limits: { smallFileCache: 250_000 } });
  const files = [1, 2, 3, 4].map((n) =>
    node.mirror.putFile({ filename: `m-${n}.whl`, bytes: someBytes(97_000, n) }),
  );
  for (const file of files) await node.ask(urlOf(file));
  for (const file of files.toReversed()) await node.ask(urlOf(file));
  assert.deepEqual(
    files.map(({ opened }) => opened),
    [2, 2, 1, 1],
  );
});

test('bytes and requests served are told as facts, nothing for HEAD and 304', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, source: 'upstream' });
  let bytes = 0;
  const requests: string[] = [];
  node.facts.on('served:bytes', (fact) => {
    assert.equal(fact.source, 'upstream');
    bytes += fact.bytes;
  });
  node.facts.on('served:request', ({ route, status }) => requests.push(`${route} ${status}`));
  await node.ask(urlOf(file));
  await node.ask(urlOf(file), { headers: { range: 'bytes=0-99' } });
  await node.ask(urlOf(file), { method: 'HEAD' });
  await node.ask(urlOf(file), { headers: { 'if-none-match': `"${file.ref.digest}"` } });
  await node.ask(`${urlOf(file)}.metadata`);
  await node.ask('/-/health');
  assert.equal(bytes, big.length + 100);
  assert.deepEqual(requests, ['file 200', 'file 206', 'file 200', 'file 304', 'metadata 404']);
});
