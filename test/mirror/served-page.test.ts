import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest } from '../../src/core/digest.ts';
import { createMetadataMarks } from '../../src/mirror/metadata-marks.ts';
import type { ServedPage } from '../../src/mirror/mirror.ts';
import { createPageNode, entry, foo, pageAnswer, sha, type PageNode } from './scripted-upstream.ts';

const wheel = parseDigest(sha(1));
const made = parseDigest(sha(500));

async function served(node: PageNode): Promise<ServedPage> {
  const answer = await node.project(foo);
  assert.equal(answer.kind, 'page');
  return answer.served;
}

async function claimOf(
  more: object,
  filename = 'foo-1.0-py3-none-any.whl',
  mark?: typeof made | 'none' | 'unfit',
) {
  const node = createPageNode();
  if (mark !== undefined) await createMetadataMarks(node.catalog).set(foo, wheel, mark);
  node.upstream.answer = () => pageAnswer(node.clock, { files: [entry(filename, 1, more)] });
  const page = await served(node);
  const [file] = page.page.files;
  assert.ok(file);
  return page.coreMetadata(file);
}

const hash = { 'core-metadata': { sha256: sha(9) } };

test("the upstream's hash is passed on", async () => {
  assert.deepEqual(await claimOf(hash), { sha256: sha(9) });
  assert.deepEqual(await claimOf(hash, 'foo-1.0.tar.gz'), { sha256: sha(9) });
});

test('where the upstream says false, nothing is said', async () => {
  assert.equal(await claimOf({ 'core-metadata': false }), undefined);
});

test('where it is silent, or says only true, every wheel has metadata, of any platform; nothing else has', async () => {
  assert.equal(await claimOf({}), true);
  assert.equal(await claimOf({}, 'foo-1.0-cp315-cp315-android_21_arm64_v8a.whl'), true);
  assert.equal(await claimOf({ 'core-metadata': true }), true);
  assert.equal(await claimOf({ 'core-metadata': { md5: '0'.repeat(32) } }), true);
  assert.equal(await claimOf({}, 'foo-1.0.tar.gz'), undefined);
});

test('what cannot be verified is not promised', async () => {
  assert.equal(await claimOf({ hashes: { md5: '0'.repeat(32) } }), undefined);
});

test('a hash learned is said, and a mark that cannot be kept is dropped', async () => {
  assert.deepEqual(await claimOf({}, undefined, made), { sha256: made });
  assert.deepEqual(await claimOf(hash, undefined, made), { sha256: sha(9) });
  assert.equal(await claimOf({}, undefined, 'none'), undefined);
  assert.equal(await claimOf(hash, undefined, 'unfit'), undefined);
});

test('what is learned between two refreshes is said with the next one, and changes the version then', async () => {
  const node = createPageNode();
  node.upstream.answer = () => pageAnswer(node.clock, { etag: '"x"' });
  const before = await served(node);
  await createMetadataMarks(node.catalog).set(foo, wheel, made);
  assert.equal(await served(node), before);
  await node.clock.advance(660_000);
  node.upstream.answer = () => ({ kind: 'not-modified', observedAt: node.clock.now(), serial: undefined });
  const after = await served(node);
  assert.notEqual(after.version, before.version);
  const [file] = after.page.files;
  assert.ok(file);
  assert.deepEqual([before.coreMetadata(file), after.coreMetadata(file)], [true, { sha256: made }]);
  await node.clock.advance(660_000);
  assert.equal(await served(node), after);
});

test('marks made at the same time are all kept', async () => {
  const marks = createMetadataMarks(createPageNode().catalog);
  await Promise.all(Array.from({ length: 20 }, (_, i) => marks.set(foo, parseDigest(sha(i)), 'none')));
  assert.equal((await marks.of(foo)).size, 20);
});
