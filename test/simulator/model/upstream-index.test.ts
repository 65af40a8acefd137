import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { readPageJson } from '../../../src/core/read-page-json.ts';
import { contentKey } from '../../../src/simulator/model/content-key.ts';
import { createLyingReading } from '../../../src/simulator/model/lying-reading.ts';
import { INDEX_URL, UpstreamIndex, type IndexChange } from '../../../src/simulator/model/upstream-index.ts';
import type { Misbehaviour } from '../../../src/simulator/scenario/scenario.ts';

const flask = parseProjectName('flask');
const numpy = parseProjectName('numpy');

function createIndex(seed = 1): { index: UpstreamIndex; changes: IndexChange[] } {
  const index = new UpstreamIndex({ seed, run: 0, now: () => Date.UTC(2026, 0, 1) });
  const changes: IndexChange[] = [];
  index.onChange((change) => changes.push(change));
  return { index, changes };
}

const read = (body: Uint8Array) => readPageJson(body, { url: INDEX_URL, project: flask, strict: true });

test('a page is one that the program reads, and every file has the bytes that its page promises', () => {
  const { index } = createIndex();
  for (const size of [1, 1000, 70_000]) index.addFile(flask, size);
  const { files } = read(index.page(flask)?.body ?? Buffer.of());
  assert.equal(files.length, 3);
  for (const { url, sha256, size } of files) {
    const file = index.fileAt(url);
    assert.ok(file);
    const bytes = index.bytesOf(file);
    assert.equal(bytes.length, size);
    assert.equal(hash('sha256', bytes), sha256);
  }
});

test('files of two names, and of two seeds, differ', () => {
  const { index } = createIndex();
  const digests = [index.addFile(flask, 100).digest, index.addFile(flask, 100).digest];
  digests.push(createIndex(2).index.addFile(flask, 100).digest);
  assert.equal(new Set(digests).size, 3);
  assert.equal(createIndex().index.addFile(flask, 100).digest, digests[0]);
});

test('every change raises the serial of its page and of the list, is in the changelog, and is told', () => {
  const { index, changes } = createIndex();
  const file = index.addFile(flask, 10);
  index.addFile(numpy, 10);
  index.removeFile(file);
  index.quarantine(numpy);
  index.quarantine(numpy);
  index.quarantine(numpy, false);
  assert.deepEqual(
    changes.map(({ kind, page }) => [kind, page.project]),
    [
      ['file-added', flask],
      ['file-added', numpy],
      ['file-removed', flask],
      ['quarantined', numpy],
      ['released', numpy],
    ],
  );
  const serials = changes.map(({ page }) => page.serial);
  assert.deepEqual(
    serials,
    serials.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(serials).size, 5);
  assert.deepEqual(
    index.changesSince(serials[1] ?? 0).map(({ serial }) => serial),
    serials.slice(2),
  );
  const list = JSON.parse(Buffer.from(index.list().body).toString()) as {
    meta: { '_last-serial': number };
    projects: { name: string; '_last-serial': number }[];
  };
  assert.equal(list.meta['_last-serial'], index.serial);
  assert.deepEqual(list.projects, [
    { '_last-serial': serials[2], name: 'flask' },
    { '_last-serial': serials[4], name: 'numpy' },
  ]);
});

test('a removed file is gone from its page and from its URL, and a quarantined project lists nothing', () => {
  const { index } = createIndex();
  const file = index.addFile(flask, 10);
  index.addFile(flask, 10);
  index.removeFile(file);
  assert.equal(index.fileAt(file.url), undefined);
  assert.equal(index.fileOf(file.digest), file);
  assert.deepEqual(
    read(index.page(flask)?.body ?? Buffer.of()).files.map(({ filename }) => filename),
    ['flask-2.0.tar.gz'],
  );
  index.quarantine(flask);
  const page = read(index.page(flask)?.body ?? Buffer.of());
  assert.deepEqual(page.files, []);
  assert.deepEqual(page.raw['project-status'], { status: 'quarantined' });
});

test('the content key of a page is that of what was read of it', () => {
  const { index } = createIndex();
  index.addFile(flask, 10);
  const page = index.page(flask);
  assert.equal(contentKey(read(page?.body ?? Buffer.of()).files), page?.content);
});

test('a lying publisher reads the index of before, from the first day, or with hashes that no file has', () => {
  const { index } = createIndex();
  index.addFile(flask, 10);
  const first = index.serial;
  index.addFile(flask, 10);
  const since = index.serial;
  index.addFile(flask, 10);
  index.addFile(numpy, 10);
  const reading = (...lies: Misbehaviour[]) =>
    createLyingReading(index, { does: (one) => lies.includes(one), since: () => since, first });
  const filesSeen = (...lies: Misbehaviour[]) =>
    read(reading(...lies).page(flask)?.body ?? Buffer.of()).files;
  assert.equal(filesSeen().length, 3);
  assert.equal(filesSeen('stale').length, 2);
  assert.equal(filesSeen('rolled-back').length, 1);
  assert.equal(reading('stale').list().serial, since);
  assert.equal(reading('stale').page(numpy), undefined);
  assert.deepEqual(
    reading('stale')
      .changesSince(first)
      .map(({ serial }) => serial),
    [since],
  );
  for (const { sha256 } of filesSeen('forged')) assert.equal(index.fileOf(sha256 as never), undefined);
});
