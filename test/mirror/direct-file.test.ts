/** Files without a sha256: passed through, never kept, shared or asked of peers. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { ProjectFile } from '../../src/core/project-page.ts';
import { createFileNode, opened, refOf, same, someBytes } from './file-node.ts';

const KiB = 1024;
const whole = someBytes(500 * KiB, 31);
const md5 = createHash('md5').update(whole).digest('hex');
const direct = (hashes: Record<string, string> = {}) =>
  refOf(whole, { digest: undefined, file: { hashes } as unknown as ProjectFile });

test('it is streamed from the upstream each time, and neither kept nor asked of peers', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const peer = node.peer('peer', whole);
  same((await node.get(direct())).bytes, whole);
  same((await node.get(direct())).bytes, whole);
  assert.equal(node.upstream.requests.length, 2);
  assert.equal(node.store.totals().blobs + node.store.totals().partials, 0);
  assert.equal(peer.asked.length, 0);
  assert.equal(node.upstream.active, 0);
});

test('where the page gives an md5 it is checked before the last byte goes out', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  same((await node.get(direct({ md5 }))).bytes, whole);
  const wrong = whole.slice();
  wrong[3] = (wrong[3] ?? 0) ^ 1;
  node.upstream.script = { bytes: wrong };
  const got = await node.get(direct({ md5 }));
  assert.equal((got.error as { code?: string }).code, 'INTEGRITY');
  assert.ok(got.bytes.length < whole.length);
});

test('a cut or stalled transfer is gone on with at the byte reached', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.upstream.next.push({ bytes: whole, cutAt: 100_000 }, { bytes: whole, stallAt: 50_000 });
  const got = await node.get(direct({ md5 }));
  same(got.bytes, whole);
  assert.deepEqual(
    node.upstream.requests.map(({ offset }) => offset),
    [0, 100_000, 150_000],
  );
  assert.ok(got.gap < 10_000, `${got.gap}`);
});

test('a file that has changed between two requests is not sewn together', async () => {
  await using node = createFileNode({ script: { bytes: someBytes(500 * KiB, 32), etag: '"two"' } });
  node.upstream.next.push({ bytes: whole, cutAt: 200_000 });
  const got = await node.get(direct());
  assert.equal((got.error as { code?: string }).code, 'INTEGRITY');
});

test('an upstream without ranges is read again and skipped', async () => {
  await using node = createFileNode({ script: { bytes: whole, ranges: false } });
  node.upstream.next.push({ bytes: whole, ranges: false, cutAt: 200_000 });
  same((await node.get(direct({ md5 }))).bytes, whole);
});

test('a range is asked of the upstream as a range', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const got = await node.get(direct({ md5 }), { offset: 400 * KiB });
  same(got.bytes, whole.subarray(400 * KiB));
  assert.equal(node.upstream.requests[0]?.offset, 400 * KiB);
  const file = opened(await node.until(node.openFile(direct(), { offset: 400 * KiB })));
  assert.equal(await file.knownSize(), whole.length);
  await file[Symbol.asyncDispose]();
});

test('404 is absent; an upstream that is down or silent is unknown', async () => {
  await using node = createFileNode({ script: { absent: true } });
  assert.equal((await node.get(direct())).answer.kind, 'absent');
  node.upstream.script = { status: 503 };
  assert.equal((await node.get(direct(), { wait: 3000 })).answer.kind, 'unknown');
  node.upstream.script = { latency: Infinity };
  assert.equal((await node.get(direct(), { wait: 3000 })).answer.kind, 'unknown');
  await using offline = createFileNode({ offline: true });
  assert.equal((await offline.get(direct())).answer.kind, 'unknown');
});

test('a slow client holds the upstream back and is no stall', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const file = opened(await node.until(node.openFile(direct())));
  await node.clock.advance(60_000);
  assert.equal(node.upstream.requests.length, 1);
  assert.ok(file.available < 300 * KiB, `${file.available}`);
  const buffer = new Uint8Array(64 * KiB);
  for (let offset = 0; offset < whole.length;) offset += await node.until(file.read(buffer, offset));
  assert.equal(node.upstream.requests.length, 1);
  await file[Symbol.asyncDispose]();
});

test('a client that leaves ends its request, also one that gives nothing', async () => {
  await using node = createFileNode({ script: { bytes: whole, stallAt: 200_000 } });
  const file = opened(await node.until(node.openFile(direct())));
  assert.equal(node.upstream.active, 1);
  await file[Symbol.asyncDispose]();
  await node.clock.advance(10);
  assert.equal(node.upstream.active, 0);
});
