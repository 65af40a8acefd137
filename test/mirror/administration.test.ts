/** Fetching ahead, pins, and verification, on a node whose page and upstream are scripted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../src/core/clock.ts';
import type { Digest } from '../../src/core/digest.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { ProjectFile, ProjectPage } from '../../src/core/project-page.ts';
import type { WantedFile } from '../../src/core/wanted-file.ts';
import type { Administration, Progress } from '../../src/mirror/administration.ts';
import type { FileRef, Mirror } from '../../src/mirror/mirror.ts';
import { collect, pin, unpin } from '../../src/mirror/retain.ts';
import { verifyStore } from '../../src/mirror/verify-store.ts';
import { warm } from '../../src/mirror/warm.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import type { UpstreamStatus } from '../../src/upstream/upstream.ts';
import { createFileNode, digestOf, refOf, someBytes } from './file-node.ts';

const foo = parseProjectName('foo');

const urlOf = (name: string): string => `https://files.test/${name}`;

/** Files `name -> bytes`, all on the page of foo; the upstream gives each under its own URL. */
function setUp(
  named: Record<string, { bytes: Uint8Array; yanked?: boolean; noHash?: boolean }>,
  quotaBytes = 1e9,
) {
  const node = createFileNode({ quotaBytes });
  const file = node.upstream.file.bind(node.upstream);
  const broken = new Set<string>();
  node.upstream.file = (url, request) => {
    const name = url.slice('https://files.test/'.length);
    const bytes = named[name]?.bytes;
    node.upstream.next.unshift(broken.has(name) || bytes === undefined ? { absent: true } : { bytes });
    return file(url, request);
  };
  const files: ProjectFile[] = Object.entries(named).map(([filename, { bytes, yanked = false, noHash }]) => ({
    filename,
    url: urlOf(filename),
    sha256: noHash ? undefined : digestOf(bytes),
    hashes: {},
    size: bytes.length,
    coreMetadata: undefined,
    raw: { filename, url: urlOf(filename), yanked },
  }));
  const page = { name: foo, format: 'json', url: 'https://x/', files, raw: {} } as ProjectPage;
  const served = { page, version: digestOf(someBytes(1)), serial: undefined, coreMetadata: () => undefined };
  const mirror: Pick<Mirror, 'project' | 'findFile' | 'openFile'> = {
    project: async (name) =>
      name === foo
        ? { kind: 'page', served, ageSeconds: 0, freshSeconds: 600, stale: false, source: 'upstream' }
        : { kind: 'absent', ageSeconds: 0, freshSeconds: 600 },
    findFile: async (digest) => {
      const found = files.find(({ sha256 }) => sha256 === digest);
      if (found === undefined) return { kind: 'absent' };
      const { filename, url, sha256, size } = found;
      const ref: FileRef = { ...refOf(someBytes(1)), filename, url, digest: sha256, size };
      return { kind: 'file', ref };
    },
    openFile: (ref, options) => node.openFile(ref, options),
  };
  const catalog = createMemoryCatalog();
  const { store, clock } = node;
  const state = { upstream: 'ok' as UpstreamStatus['state'] };
  const upstream = { status: () => ({ ...node.upstream.status(), state: state.upstream }) };
  const deps = { mirror, catalog, store, clock, upstream };
  const administration: Omit<Administration, 'status'> = {
    warm: (wanted, options) => warm(deps, wanted, options),
    pin: (wanted, options) => pin(deps, wanted, options),
    unpin: (wanted, options) => unpin(deps, wanted, options),
    collect: (bytes) => collect(deps, bytes),
    verify: (options) => verifyStore(deps, options),
  };
  return { node, administration, store, catalog, broken, state };
}

const release = (version?: string, digests: Digest[] = []): WantedFile => ({
  kind: 'release',
  project: foo,
  version,
  digests,
});
const wheel = (seed: number) => ({ bytes: someBytes(50_000 + seed, seed) });

test('warm fetches all files of a pinned release, in any spelling, and says how far it is', async () => {
  const { node, administration, store } = setUp({
    'foo-1.0-py3-none-any.whl': wheel(1),
    'foo-1.0.tar.gz': wheel(2),
    'foo-2.0-py3-none-any.whl': wheel(3),
  });
  const seen: Progress[] = [];
  const outcome = await node.until(
    administration.warm([release('1')], { onProgress: (one) => void seen.push(one) }),
  );
  assert.deepEqual(outcome, { files: 2, bytes: 100_003, failures: [] });
  assert.equal(store.totals().blobs, 2);
  assert.deepEqual(
    seen.map(({ done, total, ok }) => ({ done, total, ok })),
    [
      { done: 1, total: 2, ok: true },
      { done: 2, total: 2, ok: true },
    ],
  );
});

test('without a version the newest release that is neither yanked nor a pre-release is meant', async () => {
  const { node, administration, store } = setUp({
    'foo-1.9-py3-none-any.whl': wheel(1),
    'foo-1.10-py3-none-any.whl': wheel(2),
    'foo-2.0rc1-py3-none-any.whl': wheel(3),
    'foo-3.0-py3-none-any.whl': { ...wheel(4), yanked: true },
  });
  await node.until(administration.warm([release()]));
  assert.deepEqual(
    [...store.list()].map(({ digest }) => digest),
    [digestOf(wheel(2).bytes)],
  );
});

test('digests of a requirement choose among the files of its release', async () => {
  const { node, administration, store } = setUp({
    'foo-1.0-py3-none-any.whl': wheel(1),
    'foo-1.0.tar.gz': wheel(2),
  });
  await node.until(administration.warm([release('1.0', [digestOf(wheel(2).bytes)])]));
  assert.deepEqual(
    [...store.list()].map(({ digest }) => digest),
    [digestOf(wheel(2).bytes)],
  );
});

test('one file that fails does not stop the others, and each failure says what and why', async () => {
  const { node, administration, broken } = setUp({
    'foo-1.0-py3-none-any.whl': wheel(1),
    'foo-1.0-py2-none-any.whl': wheel(2),
    'foo-1.0.tar.gz': { ...wheel(3), noHash: true },
  });
  broken.add('foo-1.0-py2-none-any.whl');
  const wanted: WantedFile[] = [
    release('1.0'),
    release('7'),
    { kind: 'release', project: parseProjectName('nope'), version: undefined, digests: [] },
    { kind: 'blob', digest: digestOf(someBytes(3)) },
    { kind: 'file', digest: digestOf(someBytes(4)), filename: 'bar-1-py3-none-any.whl' },
  ];
  const { files, failures } = await node.until(administration.warm(wanted));
  assert.equal(files, 1);
  assert.equal(failures.length, 6, failures.join('\n'));
  assert.ok(failures.some((line) => /foo-1\.0-py2.*does not have it/.test(line)));
  assert.ok(failures.some((line) => /foo-1\.0\.tar\.gz.*no sha256/.test(line)));
  assert.ok(failures.some((line) => /nope.*no project/.test(line)));
});

test('what does not fit is a failure that says what to do', async () => {
  const { node, administration } = setUp({ 'foo-1.0-py3-none-any.whl': wheel(1) }, 10_000);
  const { files, failures } = await node.until(administration.warm([release('1.0')]));
  assert.equal(files, 0);
  assert.match(failures[0] ?? '', /--quota/);
});

test('a pin holds at once, also for what cannot be fetched now', async () => {
  const { node, administration, store, broken } = setUp({ 'foo-1.0-py3-none-any.whl': wheel(1) });
  broken.add('foo-1.0-py3-none-any.whl');
  const digest = digestOf(wheel(1).bytes);
  const wanted: WantedFile[] = [{ kind: 'file', digest, filename: 'foo-1.0-py3-none-any.whl' }];
  assert.equal((await node.until(administration.pin(wanted))).failures.length, 1);
  assert.deepEqual(store.pins(), [digest]);
  broken.clear();
  assert.deepEqual(await node.until(administration.pin(wanted)), { files: 1, bytes: 50_001, failures: [] });
  assert.deepEqual(await node.until(administration.pin(wanted)), { files: 1, bytes: 50_001, failures: [] });
  await administration.collect(0);
  assert.equal(store.totals().blobs, 1);
  assert.deepEqual(await administration.unpin([release('1.0')]), { files: 1, bytes: 50_001, failures: [] });
  assert.deepEqual(await administration.collect(0), { files: 1, bytes: 50_001, failures: [] });
});

test('a file that nobody gives is waited for a minute, and 12 s while the upstream is known to be down', async () => {
  for (const [upstream, most] of [
    ['ok', 60],
    ['unreachable', 12],
  ] as const) {
    const { node, administration, state } = setUp({ 'foo-1.0-py3-none-any.whl': wheel(1) });
    state.upstream = upstream;
    node.upstream.file = () => Promise.withResolvers<never>().promise;
    const begun = node.clock.monotonic();
    const { failures } = await node.until(administration.warm([release('1.0')]));
    assert.equal(failures.length, 1);
    const seconds = (node.clock.monotonic() - begun) / 1000;
    assert.ok(seconds > most - 1 && seconds < most + 2, `${upstream}: ${seconds} s`);
  }
});

for (const [minutes, failures] of [
  [1, []],
  [11, ['foo-1.0.tar.gz: the disk did not make it durable within 10 minutes']],
] as const) {
  test(`a file that a slow disk takes ${minutes} min to make durable is not said to have no room`, async () => {
    const { node, administration, store } = setUp({ 'foo-1.0.tar.gz': wheel(2) });
    const open = store.openPartial.bind(store);
    store.openPartial = async (...given) => {
      const partial = await open(...given);
      const commit = partial.commit.bind(partial);
      partial.commit = async (how) => {
        await sleep(node.clock, minutes * 60_000);
        return commit(how);
      };
      return partial;
    };
    const outcome = await node.until(administration.warm([release('1.0')]));
    const [files, bytes] = failures.length > 0 ? [0, 0] : [1, 50_002];
    assert.deepEqual(outcome, { files, bytes, failures });
  });
}

test('verify finds what has changed, and what is pinned but missing, and fetches both anew', async () => {
  const { node, administration, store, catalog } = setUp({
    'foo-1.0-py3-none-any.whl': wheel(1),
    'foo-1.0.tar.gz': wheel(2),
    'foo-2.0.tar.gz': wheel(3),
  });
  await node.until(administration.warm([release('1.0')]));
  const [changed, lost] = [digestOf(wheel(1).bytes), digestOf(wheel(3).bytes)];
  await catalog.putFileOrigins([
    [changed, { project: foo, filename: 'foo-1.0-py3-none-any.whl' }],
    [lost, { project: foo, filename: 'foo-2.0.tar.gz' }],
  ]);
  await store.pin(lost);
  const verify = store.verify.bind(store);
  store.verify = async (digest, options) => {
    if (digest !== changed) return verify(digest, options);
    await store.delete(digest);
    return 'corrupt';
  };
  const seen: Progress[] = [];
  const report = await node.until(administration.verify({ onProgress: (one) => void seen.push(one) }));
  assert.deepEqual(report, { files: 1, bytes: 50_002, failures: [], corrupt: 1, repaired: 2 });
  assert.ok(store.stat(changed) && store.stat(lost));
  assert.equal(seen.at(-1)?.done, 3);
  assert.equal(seen.at(-1)?.total, 3);
});

test('verify fetches anew what is gone from the disk, and leaves alone what was evicted meanwhile', async () => {
  const { node, administration, store, catalog } = setUp({
    'foo-1.0-py3-none-any.whl': wheel(1),
    'foo-1.0.tar.gz': wheel(2),
  });
  await node.until(administration.warm([release('1.0')]));
  const [first, second] = [...store.list()].map(({ digest }) => digest);
  assert.ok(first !== undefined && second !== undefined);
  for (const [seed, filename] of [
    [1, 'foo-1.0-py3-none-any.whl'],
    [2, 'foo-1.0.tar.gz'],
  ] as const)
    await catalog.putFileOrigins([[digestOf(wheel(seed).bytes), { project: foo, filename }]]);
  const asked: Digest[] = [];
  store.verify = async (digest) => {
    asked.push(digest);
    // As the store does where a file has vanished; the other one is evicted at the same time.
    await store.delete(first);
    await store.delete(second);
    return 'missing';
  };
  const report = await node.until(administration.verify());
  assert.deepEqual(asked, [first]);
  assert.deepEqual([report.repaired, report.corrupt, report.failures], [1, 0, []]);
  assert.ok(store.stat(first) !== undefined && store.stat(second) === undefined);
});

test('what cannot be mended stays a failure', async () => {
  const { node, administration, store, broken } = setUp({ 'foo-1.0-py3-none-any.whl': wheel(1) });
  await node.until(administration.warm([release('1.0')]));
  broken.add('foo-1.0-py3-none-any.whl');
  store.verify = async (digest) => (await store.delete(digest), 'corrupt');
  const checking = administration.verify();
  const report = await node.until(checking, 4_000_000);
  assert.equal(report.corrupt, 1);
  assert.equal(report.repaired, 0);
  assert.match(report.failures[0] ?? '', /its bytes had changed, and not fetched anew/);
});

test('a blob of which no page is known is repaired from peers, by digest', async () => {
  const { node, administration, store } = setUp({});
  const bytes = someBytes(3000, 77);
  node.peer('peer', bytes);
  await store.pin(digestOf(bytes));
  const report = await node.until(administration.verify());
  assert.equal(report.repaired, 1);
});
