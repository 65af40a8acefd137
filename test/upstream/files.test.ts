/** Files and their ranges: what is told always belongs to the bytes that are given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Fault } from '../support/fake-pypi/faults.ts';
import { makeFile } from '../support/fake-pypi/wheel.ts';
import { bytesOf, goodFile, goodPage, startPypi, until, upstreamError, wheel } from './pypi-context.ts';

const bytes = wheel.bytes();
const etag = `"${wheel.sha256}"`;

test('a file comes as it is, without coding, with its size and validator', async () => {
  await using context = await startPypi();
  const file = await goodFile(context.upstream.file(context.url));
  assert.deepEqual(file.bytes, bytes);
  assert.deepEqual([file.size, file.offset, file.etag], [bytes.length, 0, etag]);
  assert.equal(context.pypi.requests[0]?.headers['accept-encoding'], 'identity');
  assert.equal(context.pypi.requests[0]?.headers['range'], undefined);
});

test('a range goes with If-Range, but never with a weak validator', async () => {
  await using context = await startPypi();
  const ask = (validator: string): Promise<unknown> =>
    goodFile(context.upstream.file(context.url, { offset: 5, length: 2, etag: validator }));
  await ask(etag);
  await ask('W/"x"');
  const [strong, weak] = context.pypi.requests;
  assert.deepEqual([strong?.headers['range'], strong?.headers['if-range']], ['bytes=5-6', etag]);
  assert.deepEqual([weak?.headers['range'], weak?.headers['if-range']], ['bytes=5-6', undefined]);
});

test('an upstream without ranges gives the file from its start', async () => {
  await using context = await startPypi({ ranges: false });
  const file = await goodFile(context.upstream.file(context.url, { offset: 100, etag }));
  assert.deepEqual([file.offset, file.size], [0, bytes.length]);
  assert.deepEqual(file.bytes, bytes);
});

test('a file that changed between two ranges comes anew from its start', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', 'changed');
  const file = await goodFile(context.upstream.file(context.url, { offset: 100, etag }));
  assert.equal(file.offset, 0);
  assert.notEqual(file.etag, etag);
  assert.deepEqual(file.bytes, wheel.poisoned());
});

test('a range of a changed file is refused although the upstream ignored If-Range', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', { kind: 'header', name: 'etag', value: '"other"' });
  await upstreamError(context.upstream.file(context.url, { offset: 100, etag }), /has changed/);
});

test('a length that is longer than the file ends with the file', async () => {
  await using context = await startPypi();
  const file = await goodFile(context.upstream.file(context.url, { offset: 10, length: bytes.length * 2 }));
  assert.deepEqual(file.bytes, bytes.subarray(10));
  const all = await goodFile(context.upstream.file(context.url, { suffix: bytes.length * 2 }));
  assert.deepEqual([all.offset, all.bytes.length], [0, bytes.length]);
});

for (const [name, faults, message, status] of [
  ['another range than asked', ['wrong-range=1'], /answered a request for bytes=10-29 with bytes 11-30/, 206],
  [
    'a 206 without a range',
    [{ kind: 'header', name: 'content-range', value: undefined }],
    /with no range that can be read/,
    206,
  ],
  [
    'a range whose length is another',
    [{ kind: 'header', name: 'content-length', value: '7' }],
    /says 7 bytes for a range of 20/,
    206,
  ],
  [
    'an encoded range',
    [{ kind: 'header', name: 'content-encoding', value: 'gzip' }],
    /answered a request for/,
    206,
  ],
  ['401', ['file-401'], /answered 401/, 401],
  ['403', ['file-403'], /answered 403/, 403],
  ['500', ['file-500'], /answered 500/, 500],
  ['503 always', ['file-503'], /answered 503/, 503],
  ['416', ['file-416'], /answered 416/, 416],
] as [string, (string | Fault)[], RegExp, number][]) {
  test(`a file is refused for ${name}`, async () => {
    await using context = await startPypi();
    for (const fault of faults) context.pypi.fault({ project: 'thing', what: 'file' }, fault);
    const call = context.upstream.file(context.url, { offset: 10, length: 20 });
    assert.equal((await upstreamError(call, message)).status, status);
  });
}

test('a range beyond the end is an error with its status', async () => {
  await using context = await startPypi();
  const call = context.upstream.file(context.url, { offset: bytes.length });
  assert.equal((await upstreamError(call)).status, 416);
});

for (const fault of ['file-404', 'file-410']) {
  test(`${fault} is nothing`, async () => {
    await using context = await startPypi();
    context.pypi.fault('thing', fault);
    assert.equal(await context.upstream.file(context.url), undefined);
    assert.equal(await context.upstream.fileInfo(context.url), undefined);
  });
}

for (const [name, fault] of [
  ['cut', 'cut-file=50000'],
  ['reset', 'reset-file=50000'],
  ['cut inside chunks', 'chunked'],
  ['shorter than its length', 'file-length=300000'],
] as const) {
  test(`a file that is ${name} throws after the bytes that came, for each that reads it`, async () => {
    await using context = await startPypi();
    if (fault === 'chunked') context.pypi.fault('thing', 'cut-file=50000');
    context.pypi.fault({ project: 'thing', what: 'file' }, fault);
    await Promise.all(
      [1, 2, 3].map(async () => {
        const file = await context.upstream.file(context.url);
        const got: Uint8Array[] = [];
        const read = async (): Promise<void> => {
          for await (const chunk of file!.body) got.push(chunk);
        };
        await upstreamError(read(), /broke off/);
        const all = Buffer.concat(got);
        assert.deepEqual(all, bytes.subarray(0, all.length));
        if (name !== 'reset') assert.ok(all.length >= 50_000);
      }),
    );
  });
}

test('flipped, poisoned, short and long files are passed on: their hash tells', async () => {
  await using context = await startPypi();
  for (const [fault, size] of [
    ['file-flip', bytes.length],
    ['file-poison', bytes.length],
    ['file-truncate=10', bytes.length - 10],
    ['file-longer=10', bytes.length + 10],
  ] as const) {
    context.pypi.fault('thing', fault);
    const file = await goodFile(context.upstream.file(context.url));
    assert.equal(file.size, size);
    assert.equal(file.bytes.length, size);
    assert.notDeepEqual(file.bytes, bytes);
    context.pypi.clearFaults();
  }
});

test('a file that is encoded although identity was asked comes decoded, without a size that would be a lie', async () => {
  await using context = await startPypi();
  for (const coding of ['gzip', 'zstd'] as const) {
    context.pypi.fault('thing', { kind: 'encoding', coding });
    const file = await goodFile(context.upstream.file(context.url, { offset: 100 }));
    assert.deepEqual([file.size, file.offset, file.etag], [undefined, 0, undefined]);
    assert.deepEqual(file.bytes, bytes);
    context.pypi.clearFaults();
  }
});

test('a .tar.gz that is called gzip-encoded is the file as it is sent', async () => {
  const sdist = makeFile('thing-1.0.tar.gz', gzipSync('a tar'));
  await using context = await startPypi({ files: [sdist] });
  context.pypi.fault('thing', { kind: 'false-encoding', coding: 'gzip' });
  const file = await goodFile(context.upstream.file(context.pypi.fileUrl(sdist)));
  assert.deepEqual(file.bytes, sdist.bytes());
  assert.equal(file.size, sdist.size);
});

test('a chunked range with more or fewer bytes than it says throws', async () => {
  await using context = await startPypi();
  for (const [range, message] of [
    ['bytes 10-99/100', /sends more than 90 bytes/],
    ['bytes 10-299999/300000', /ended after \d+ of 299990 bytes/],
  ] as const) {
    context.pypi.fault('thing', 'file-chunked');
    context.pypi.fault('thing', { kind: 'header', name: 'content-range', value: range });
    await upstreamError(goodFile(context.upstream.file(context.url, { offset: 10 })), message);
    context.pypi.clearFaults();
  }
});

test('the size of a chunked file is not known', async () => {
  await using context = await startPypi();
  context.pypi.fault('thing', 'file-chunked');
  const file = await goodFile(context.upstream.file(context.url));
  assert.equal(file.size, undefined);
  assert.deepEqual(file.bytes, bytes);
});

for (const [name, options, faults, ranges, requests] of [
  ['by HEAD', {}, [], true, 1],
  ['by one byte where HEAD is 405', { head: false }, [], true, 2],
  ['by one byte where HEAD is 403', {}, [{ kind: 'status', status: 403 }], true, 2],
  ['by one byte where HEAD is 501', {}, [{ kind: 'status', status: 501 }], true, 2],
  ['by one byte where HEAD has no length', {}, ['head-chunked'], true, 2],
  ['by a whole answer where there are neither HEAD nor ranges', { head: false, ranges: false }, [], false, 2],
] as [string, object, (string | Fault)[], boolean, number][]) {
  test(`the size of a file is found ${name}`, async () => {
    await using context = await startPypi(options);
    for (const fault of faults) context.pypi.fault({ project: 'thing', what: 'file', method: 'HEAD' }, fault);
    const info = await context.upstream.fileInfo(context.url);
    assert.deepEqual(info, { size: bytes.length, ranges, etag });
    assert.equal(context.pypi.requests.length, requests);
  });
}

test('a failing HEAD is an error', async () => {
  await using context = await startPypi();
  context.pypi.fault({ project: 'thing', method: 'HEAD' }, { kind: 'status', status: 500 });
  assert.equal((await upstreamError(context.upstream.fileInfo(context.url))).status, 500);
});

test('a reader that leaves ends the transfer, and one that is slow holds it back', async () => {
  await using context = await startPypi();
  const { pypi, upstream, url } = context;
  pypi.fault('thing', { kind: 'longer', bytes: 200_000_000 });
  const file = await upstream.file(url);
  let got = 0;
  for await (const chunk of file!.body) {
    got += chunk.length;
    if (got > 1_000_000) break;
  }
  await until(() => pypi.active.now === 0);
  assert.ok(pypi.requests[0]!.bytes < 50_000_000, `${pypi.requests[0]!.bytes} bytes were sent`);
  assert.equal(pypi.requests[0]!.ended, false);
});

test('a file that is disposed without being read frees its place', async () => {
  await using context = await startPypi({ upstream: { limits: { parallel: 1, bulk: 1 } } });
  const { pypi, upstream, url } = context;
  pypi.fault('thing', { kind: 'longer', bytes: 50_000_000 });
  for (let i = 0; i < 3; i++) {
    await using file = await upstream.file(url);
    assert.ok(file);
  }
  await until(() => pypi.active.now === 0);
});

test('an aborted caller ends the transfer with its reason', async () => {
  await using context = await startPypi();
  const { pypi, upstream, url } = context;
  pypi.fault('thing', { kind: 'stall', seconds: 100, after: 1000 });
  const leaving = new AbortController();
  const file = await upstream.file(url, { signal: leaving.signal });
  const reading = bytesOf(file!.body);
  await until(() => pypi.requests[0]!.bytes >= 1000);
  leaving.abort(new Error('gone'));
  await assert.rejects(reading, /^Error: gone$/);
  await until(() => pypi.active.now === 0);
  assert.equal(upstream.status().state, 'unknown');
});

test('a file host that is away says nothing of the index', async () => {
  await using context = await startPypi();
  const { pypi, upstream, url } = context;
  await goodPage(upstream);
  await pypi.files.down();
  await upstreamError(upstream.file(url), /gave no answer: connect ECONNREFUSED/);
  assert.equal(upstream.status().state, 'ok');
  assert.match(upstream.status().lastError ?? '', /ECONNREFUSED/);
  await pypi.files.up();
  await goodFile(upstream.file(url));
});
