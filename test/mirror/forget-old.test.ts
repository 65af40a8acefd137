/** What the catalog forgets in the background, and what it must not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import { parseProjectName, type ProjectName } from '../../src/core/project-name.ts';
import { forgetOld } from '../../src/mirror/forget-old.ts';
import { createMetadataMarks } from '../../src/mirror/metadata-marks.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import type { UpstreamStatus } from '../../src/upstream/upstream.ts';
import { keptPage } from '../contracts/catalog.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf, someBytes } from './file-node.ts';

const DAY = 86_400_000;

function setUp(start?: number) {
  const clock = createFakeClock(start);
  const facts = createFactEmitter();
  const store = createMemoryBlobStore({ clock, facts, quotaBytes: 1e9 });
  const catalog = createMemoryCatalog();
  const used = new Set<ProjectName>();
  let state: UpstreamStatus['state'] = 'ok';
  let lastSuccessAt: number | undefined = clock.now();
  const upstream = {
    status: () => ({ url: 'x', state, lastSuccessAt, lastError: undefined, requests: 1, notModified: 0 }),
  };
  const inUse = (project: ProjectName): boolean => used.has(project);
  const forgetting = forgetOld({ catalog, store, upstream, clock, facts, inUse });
  return {
    clock,
    store,
    catalog,
    used,
    facts,
    upstreamIs(next: UpstreamStatus['state'], at: number | undefined) {
      state = next;
      lastSuccessAt = at;
    },
    async hold(seed: number): Promise<Digest> {
      const bytes = someBytes(100, seed);
      await using partial = await store.openPartial(digestOf(bytes));
      await partial.append(bytes, 'https://x');
      await partial.commit({ visibility: 'public' });
      return digestOf(bytes);
    },
    /** One sweep, to its end. */
    async sweep() {
      await clock.advance(limits.catalog.sweepFirst);
      for (let i = 0; i < 20; i++) await clock.advance(limits.catalog.sweepPause);
    },
    [Symbol.asyncDispose]: () => forgetting[Symbol.asyncDispose](),
  };
}

const names = ['a', 'b', 'c', 'd', 'e'].map(parseProjectName);

test('old pages go, with their origins, unless they are in use or a file of theirs is held or pinned', async () => {
  const project = fc.record({
    page: fc.option(fc.integer({ min: 0, max: 200 }), { nil: undefined }),
    files: fc.array(fc.constantFrom('held', 'pinned', 'neither'), { maxLength: 4 }),
    used: fc.boolean(),
  });
  const all = fc.array(project, { minLength: names.length, maxLength: names.length });
  const check = async (worlds: typeof all extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
    await using node = setUp(1000 * DAY);
    const { catalog, store, clock } = node;
    const files: { digest: Digest; what: string; of: number }[] = [];
    for (const [at, world] of worlds.entries()) {
      const name = names[at] as ProjectName;
      if (world.used) node.used.add(name);
      if (world.page !== undefined) await catalog.putPage(name, keptPage(clock.now() - world.page * DAY));
      for (const [index, what] of world.files.entries()) {
        const seed = at * 10 + index;
        const digest = what === 'held' ? await node.hold(seed) : digestOf(someBytes(100, seed));
        if (what === 'pinned') await store.pin(digest);
        await catalog.putFileOrigins([[digest, { project: name, filename: 'f' }]]);
        await catalog.putWheelMetadata(digest, 'none');
        files.push({ digest, what, of: at });
      }
    }
    await node.sweep();
    for (const [at, world] of worlds.entries()) {
      const needed = world.used || world.files.some((what) => what !== 'neither');
      const stays = world.page !== undefined && (needed || world.page < 90);
      const page = await catalog.page(names[at] as ProjectName);
      assert.equal(page?.kind === 'page', stays, `page of ${names[at]}`);
      for (const { digest, what } of files.filter(({ of }) => of === at)) {
        const known = stays || world.used || what !== 'neither';
        assert.equal((await catalog.fileOrigin(digest)) !== undefined, known, `a file of ${names[at]}`);
        assert.equal(await catalog.wheelMetadata(digest), known ? 'none' : undefined);
      }
    }
  };
  await fc.assert(fc.asyncProperty(all, check), { numRuns: 60 });
});

test('nothing goes while it could not be read again', async () => {
  for (const [state, ago] of [
    ['off', undefined],
    ['unreachable', 0],
    ['unknown', undefined],
    ['ok', 2 * DAY],
  ] as const) {
    await using node = setUp(1000 * DAY);
    const { catalog, clock } = node;
    node.upstreamIs(state, ago === undefined ? undefined : clock.now() - ago);
    await catalog.putPage(names[0]!, keptPage(0));
    const digest = digestOf(someBytes(5));
    await catalog.putFileOrigins([[digest, { project: names[1]!, filename: 'f' }]]);
    await node.sweep();
    assert.equal((await catalog.page(names[0]!))?.kind, 'page', state);
    assert.notEqual(await catalog.fileOrigin(digest), undefined);
  }
});

test('what was learned of metadata goes with the page; old absences go, whatever the upstream does', async () => {
  await using node = setUp(1000 * DAY);
  const { catalog, clock } = node;
  const marks = createMetadataMarks(catalog);
  await marks.set(names[0]!, digestOf(someBytes(1)), 'unfit');
  await catalog.putPage(names[0]!, keptPage(0));
  await catalog.putPage(names[1]!, { kind: 'absent', observedAt: clock.now() - 2 * DAY });
  await catalog.putPage(names[2]!, { kind: 'absent', observedAt: clock.now() });
  node.upstreamIs('unreachable', undefined);
  await node.sweep();
  assert.equal(await catalog.page(names[1]!), undefined);
  assert.equal((await catalog.page(names[2]!))?.kind, 'absent');
  assert.equal((await marks.of(names[0]!)).size, 1);
  node.upstreamIs('ok', clock.now() + DAY);
  await clock.advance(limits.catalog.sweepEvery);
  await node.sweep();
  assert.equal(await catalog.page(names[0]!), undefined);
  assert.equal((await marks.of(names[0]!)).size, 0);
});

test('a failure is told, and the next day it is tried again; closing ends it', async () => {
  const node = setUp(1000 * DAY);
  const { catalog, clock } = node;
  const told: string[] = [];
  node.facts.on('storage:full', ({ message }) => void told.push(message));
  await catalog.putPage(names[0]!, keptPage(0));
  const { deletePage } = catalog;
  Object.assign(catalog, { deletePage: () => Promise.reject(new Error('the disk broke')) });
  await node.sweep();
  assert.match(told.join(), /the disk broke/);
  Object.assign(catalog, { deletePage });
  node.upstreamIs('ok', clock.now() + DAY);
  await clock.advance(limits.catalog.sweepEvery);
  await node.sweep();
  assert.equal(await catalog.page(names[0]!), undefined);
  await node[Symbol.asyncDispose]();
  await catalog.putPage(names[0]!, keptPage(0));
  await clock.advance(3 * DAY);
  assert.equal((await catalog.page(names[0]!))?.kind, 'page');
});
