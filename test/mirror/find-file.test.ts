import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest, type Digest } from '../../src/core/digest.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';
import { createFindFile, type FindFile } from '../../src/mirror/find-file.ts';
import type { FileLookup } from '../../src/mirror/mirror.ts';
import type { BlobStat } from '../../src/store/blob-store.ts';
import {
  absentAnswer,
  createPageNode,
  entry,
  failure,
  foo,
  hang,
  pageAnswer,
  sha,
  timed,
  type PageNode,
  type PageNodeOptions,
} from './scripted-upstream.ts';

const WHEEL = 'foo-1.0-py3-none-any.whl';
const known = parseDigest(sha(1));
const strange = parseDigest(sha(77));

interface FileNode extends PageNode, FindFile {
  readonly held: Set<Digest>;
}

function createFileNode(options: PageNodeOptions & { private?: boolean } = {}): FileNode {
  const pages = createPageNode(options);
  const held = new Set<Digest>();
  const find = createFindFile({
    pages,
    catalog: pages.catalog,
    store: {
      stat: (digest) => (held.has(digest) ? ({ digest, size: 5 } as BlobStat) : undefined),
      visibility: () => undefined,
    },
    clock: pages.clock,
    isPrivate: createProjectMatcher(options.patterns ?? []),
    private: options.private ?? false,
  });
  pages.upstream.answer = () => pageAnswer(pages.clock, { serial: 10 });
  return { ...pages, ...find, held };
}

function ref(lookup: FileLookup): Extract<FileLookup, { kind: 'file' }>['ref'] {
  assert.equal(lookup.kind, 'file', JSON.stringify(lookup));
  return lookup.ref;
}

test('a digest from a lock file made elsewhere is found through the page of its filename', async () => {
  const node = createFileNode();
  const found = ref(await node.findFile(known, WHEEL));
  assert.deepEqual(
    [found.project, found.url, found.digest],
    [foo, `https://files.test/packages/aa/bb/1/${WHEEL}`, known],
  );
  assert.equal(found.file?.filename, WHEEL);
});

test('a kept page that lists the file is enough, however old, with a hanging upstream', async () => {
  const node = createFileNode();
  await node.project(foo);
  await node.clock.advance(3_600_000_000);
  node.upstream.answer = hang;
  const { value, ms } = await timed(node.clock, node.findFile(known, WHEEL));
  assert.equal(ref(value).digest, known);
  assert.equal(ms, 0);
});

test('a digest that a kept page lacks is looked for on a newer one before it is absent', async () => {
  const node = createFileNode();
  await node.project(foo);
  const files = [entry(WHEEL, 1), entry('foo-2.0-py3-none-any.whl', 77)];
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 11, files });
  assert.equal(ref(await node.findFile(strange, 'foo-2.0-py3-none-any.whl')).digest, strange);
});

test('a digest that a current page lacks is absent, also when the disk holds it', async () => {
  const node = createFileNode();
  node.held.add(strange);
  assert.equal((await node.findFile(strange, WHEEL)).kind, 'absent');
});

test('a file of a quarantined project is absent although the disk holds it', async () => {
  const node = createFileNode();
  await node.project(foo);
  node.held.add(known);
  await node.clock.advance(660_000);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 11, files: [] });
  await node.project(foo);
  assert.equal((await node.findFile(known, WHEEL)).kind, 'absent');
});

test('clients that ask for what is not there cannot make us ask at their rate', async () => {
  const node = createFileNode();
  for (let i = 0; i < 50; i++) assert.equal((await node.findFile(strange, WHEEL)).kind, 'absent');
  assert.ok(node.upstream.calls.length <= 2, `${node.upstream.calls.length} requests`);
});

test('a kept page that lacks the digest proves nothing while the upstream is down: disk and peers are tried', async () => {
  const node = createFileNode();
  await node.project(foo);
  node.upstream.answer = () => {
    throw failure();
  };
  const { value } = await timed(node.clock, node.findFile(strange, WHEEL));
  assert.deepEqual([ref(value).url, ref(value).digest, ref(value).file], ['', strange, undefined]);
});

test('a held file whose page cannot be had is served within 300 ms', async () => {
  const node = createFileNode();
  node.held.add(strange);
  node.upstream.answer = hang;
  const { value, ms } = await timed(node.clock, node.findFile(strange, WHEEL));
  assert.equal(ref(value).url, '');
  assert.ok(ms < 300, `${ms} ms`);
});

for (const [what, answer, ms] of [
  ['hangs', hang, 6000],
  ['fails', () => Promise.reject(failure()), 2000],
] as const) {
  test(`with an upstream that ${what} peers get most of the patience, and nearly all once that is known`, async () => {
    const node = createFileNode();
    node.upstream.answer = answer;
    const first = await timed(node.clock, node.findFile(strange, WHEEL));
    assert.deepEqual([ref(first.value).url, first.ms], ['', ms]);
    const second = await timed(node.clock, node.findFile(strange, 'bar-1.0-py3-none-any.whl'));
    assert.equal(ref(second.value).url, '');
    assert.ok(second.ms <= 300, `${second.ms} ms`);
  });
}

test('a page that comes on the second try is in time for a lock file', async () => {
  const node = createFileNode();
  let tries = 0;
  node.upstream.answer = () => {
    if (++tries === 1) throw failure(503);
    return pageAnswer(node.clock);
  };
  assert.notEqual(ref((await timed(node.clock, node.findFile(known, WHEEL))).value).url, '');
});

test('a digest of a project that is absent is absent', async () => {
  const node = createFileNode();
  node.upstream.answer = () => absentAnswer(node.clock);
  assert.equal((await node.findFile(strange, WHEEL)).kind, 'absent');
});

test('an absence that is only repeated makes no file absent', async () => {
  const node = createFileNode();
  node.upstream.answer = () => absentAnswer(node.clock);
  await node.project(foo);
  await node.clock.advance(3_600_000);
  node.upstream.answer = () => {
    throw failure();
  };
  const { value } = await timed(node.clock, node.findFile(strange, WHEEL));
  assert.equal(ref(value).url, '');
});

test('an old sdist is looked for in every project that its name fits', async () => {
  const node = createFileNode();
  const right = parseProjectName('foo-bar');
  node.upstream.answer = ({ project }) =>
    project === right
      ? pageAnswer(node.clock, { name: 'foo-bar', files: [entry('foo-bar-1.0-2.tar.gz', 77)] })
      : absentAnswer(node.clock);
  assert.equal(ref(await node.findFile(strange, 'foo-bar-1.0-2.tar.gz')).project, right);
});

test('a digest seen on a page is found under any filename', async () => {
  const node = createFileNode();
  await node.project(foo);
  await node.settled();
  assert.equal(ref(await node.findFile(known, 'renamed.bin')).filename, WHEEL);
});

test('a filename that tells no project is unknown', async () => {
  const node = createFileNode();
  assert.equal((await node.findFile(strange, 'x.bin')).kind, 'unknown');
  assert.equal(node.upstream.calls.length, 0);
});

test('files of private names are absent at once; nothing leaves, not even the other names that would fit', async () => {
  const node = createFileNode({ patterns: ['acme-*'] });
  for (const filename of ['acme_tool-1.0-py3-none-any.whl', 'acme-tool-1.0-2.tar.gz']) {
    node.held.add(strange);
    assert.equal((await node.findFile(strange, filename)).kind, 'absent');
    assert.equal((await node.findByPath(`/packages/aa/bb/cc/${filename}`)).kind, 'absent');
  }
  assert.equal((await node.findDirect(parseProjectName('acme-tool'), 'x.whl')).kind, 'absent');
  assert.equal(node.upstream.calls.length, 0);
});

test('files of a private upstream are private', async () => {
  const node = createFileNode({ private: true });
  assert.equal(ref(await node.findFile(known, WHEEL)).private, true);
});

test("PyPI's own path leads to the file, also when the upstream serves it under a prefix", async () => {
  const node = createFileNode();
  const url = `https://mirror.test/pypi/packages/aa/bb/cc/${WHEEL}`;
  node.upstream.answer = () => pageAnswer(node.clock, { files: [entry(WHEEL, 1, { url })] });
  assert.equal(ref(await node.findByPath(`/packages/aa/bb/cc/${WHEEL}`)).url, url);
  assert.equal((await node.findByPath(`/packages/aa/bb/dd/${WHEEL}`)).kind, 'absent');
});

test('a path whose page cannot be had is unknown', async () => {
  const node = createFileNode();
  node.upstream.answer = () => {
    throw failure();
  };
  const { value } = await timed(node.clock, node.findByPath(`/packages/aa/bb/cc/${WHEEL}`));
  assert.equal(value.kind, 'unknown');
});

test('a file without a sha256 is found by project and name, and has no digest', async () => {
  const node = createFileNode();
  const files = [entry('foo-0.1.tar.gz', 1, { hashes: { md5: '0'.repeat(32) } })];
  node.upstream.answer = () => pageAnswer(node.clock, { files });
  const found = ref(await node.findDirect(foo, 'foo-0.1.tar.gz'));
  assert.equal(found.digest, undefined);
  assert.equal((await node.findDirect(foo, 'foo-0.2.tar.gz')).kind, 'absent');
});
