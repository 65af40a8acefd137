/** Files and projects that publishers took back, as `/files` finds them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { refuseRetracted } from '../../../src/mirror/believed/withhold.ts';
import { createFindFile } from '../../../src/mirror/find-file.ts';
import type { FileLookup } from '../../../src/mirror/mirror.ts';
import { createMemoryCatalog } from '../../../src/store/memory-catalog.ts';
import { entry, foo, sha } from '../scripted-upstream.ts';
import { createBelievedNode, somePage } from './believed-node.ts';

const digest = sha(1) as Digest;
const filename = 'foo-1.0.tar.gz';

test('a file that was taken back, or whose project was, is absent by digest and by path, asked for or found', async () => {
  const taken = new Set<string>();
  const ref = { project: foo, filename, url: '', digest, size: 1, private: false, file: undefined };
  const asked: string[] = [];
  const found = async (what: string): Promise<FileLookup> => {
    asked.push(what);
    return { kind: 'file', ref };
  };
  const find = refuseRetracted(
    { findFile: () => found('file'), findByPath: () => found('path'), findDirect: () => found('direct') },
    (subject) => taken.has(subject),
  );
  const kinds = async (): Promise<string[]> => [
    (await find.findFile(digest, filename)).kind,
    (await find.findByPath(`/packages/aa/bb/cc/${filename}`)).kind,
    (await find.findDirect(foo, filename)).kind,
  ];
  assert.deepEqual(await kinds(), ['file', 'file', 'file']);
  taken.add('foo');
  assert.deepEqual(await kinds(), ['absent', 'absent', 'absent']);
  taken.clear();
  taken.add(digest);
  asked.length = 0;
  assert.deepEqual(await kinds(), ['absent', 'absent', 'absent']);
  // By its digest nobody needs to be asked.
  assert.deepEqual(asked, ['path', 'direct']);
});

test('a held file of a removed or emptied project is absent; one that an aged page lacks is found by its digest', async () => {
  const node = createBelievedNode();
  const catalog = createMemoryCatalog();
  await catalog.putFileOrigins([[digest, { project: foo, filename }]]);
  const store = { stat: () => ({ digest, size: 1 }) as never, visibility: () => 'public' as const };
  const find = createFindFile({
    pages: node,
    catalog,
    store,
    clock: node.clock,
    isPrivate: () => false,
    private: false,
  });
  const kind = async (): Promise<string> => (await find.findFile(digest, filename)).kind;
  const listed = somePage(node.clock, { serial: 7, files: [entry(filename, 1)] });
  const other = somePage(node.clock, { serial: 8, files: [entry('foo-2.0.tar.gz', 2)] });
  const empty = somePage(node.clock, { serial: 9, files: [] });
  for (const page of [listed, other, empty]) await node.hold(page);
  node.believe(listed);
  assert.equal(await kind(), 'file');
  node.believe(other);
  assert.equal(await kind(), 'absent');
  const hour = 3_600_000;
  // A release that came meanwhile is not known here.
  node.believe(other, hour);
  assert.equal(await kind(), 'file');
  node.believe(empty, hour);
  assert.equal(await kind(), 'absent');
  node.head.put(foo, { kind: 'absent', since: node.clock.now() - hour, floor: 0 });
  assert.equal(await kind(), 'absent');
  node.head.put(parseProjectName('foo'), { kind: 'unknown', reason: 'nobody agrees' });
  assert.equal(await kind(), 'file');
});
