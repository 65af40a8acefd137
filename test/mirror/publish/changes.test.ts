/** How a publisher learns what changed, from whatever its upstream gives, and what it costs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { FakeIndexOptions } from './fake-index.ts';
import { createWorld, MINUTE, type World, type WorldOptions } from './publisher-world.ts';

const DEAR = limits.publish.cheapListBytes + 1;
const flask = parseProjectName('flask');

async function imported(options: WorldOptions = {}, count = 20): Promise<World> {
  const world = await createWorld(options);
  world.index.change('flask');
  for (let i = 1; i < count; i++) world.index.change(`p${i}`);
  await world.start();
  await world.run(5000);
  assert.deepEqual([world.record.complete, world.record.count], [true, options.projects?.length ?? count]);
  world.index.asked.length = 0;
  return world;
}

describe('what a heartbeat costs an unchanged upstream', () => {
  const cases: [string, WorldOptions, { list?: number; page?: number; 'last-serial'?: number }][] = [
    ['a small list: one conditional request', {}, { list: 1 }],
    ['a scope in a small list: one conditional request', { projects: ['flask', 'p1', 'p2'] }, { list: 1 }],
    ['a dear list with a changelog: one call', { padding: DEAR, changelog: true }, { 'last-serial': 1 }],
    [
      'a scope in a dear list with a changelog: one call',
      { padding: DEAR, changelog: true, projects: ['flask', 'p1', 'p2'] },
      { 'last-serial': 1 },
    ],
    ['a dear list without a changelog: none for five minutes', { padding: DEAR }, {}],
    [
      'a scope in a dear list without a changelog: one conditional request a page',
      { padding: DEAR, projects: ['flask', 'p1', 'p2'] },
      { page: 3 },
    ],
    [
      'a scope without serials: the list, and one conditional request a page',
      { serials: false, projects: ['flask', 'p1', 'p2'] },
      { list: 1, page: 3 },
    ],
  ];
  for (const [what, options, expected] of cases) {
    it(what, async () => {
      await using world = await imported(options);
      await world.run(2 * MINUTE);
      world.index.asked.length = 0;
      const before = world.log.size;
      await world.run(MINUTE);
      const costs: Record<string, number> = {};
      for (const one of world.index.asked) {
        costs[one.what] = (costs[one.what] ?? 0) + 1;
        if (one.what === 'page' || one.what === 'list') assert.equal(one.status, 304);
      }
      assert.deepEqual(costs, expected);
      assert.equal(world.log.size, before + 1, 'a heartbeat');
    });
  }
});

describe('a project that changes upstream', () => {
  const upstreams: [string, FakeIndexOptions & { projects?: string[] }][] = [
    ['is found by the list', {}],
    ['is found by the changelog', { padding: DEAR, changelog: true }],
    ['is found by its ETag where a scope is all', { padding: DEAR, projects: ['flask', 'p1'] }],
    ['is found by its ETag where nothing has serials', { serials: false }],
    ['is found by its digest where there are not even ETags', { serials: false, etags: false }],
    ['is found in HTML', { serials: false, etags: false, format: 'html' }],
  ];
  for (const [how, options] of upstreams) {
    it(how, async () => {
      await using world = await imported(options);
      const before = await world.entry(flask);
      world.index.change('flask');
      await world.run(2 * MINUTE + 10_000);
      const after = await world.entry(flask);
      assert.notEqual(after?.digest, before?.digest);
      assert.match((await world.page(flask))?.files[0]?.filename ?? '', /^flask-2/);
      assert.equal(world.record.format, options.format ?? 'json');
    });
  }

  for (const etags of [true, false])
    it(`is stale until a page with the announced serial came, asked for with growing pauses, ${etags ? 'with' : 'without'} ETags`, async () => {
      await using world = await imported({ etags });
      const old = world.index.page(flask);
      world.index.change('flask');
      world.index.pageInstead = (project) => (project === flask ? old : undefined);
      await world.run(2 * MINUTE);
      assert.deepEqual(await world.stale(), ['flask']);
      assert.match((await world.page(flask))?.files[0]?.filename ?? '', /^flask-1/);
      const asked = (): number => world.index.asked.filter(({ project }) => project === flask).length;
      const soon = asked();
      assert.ok(soon >= 4 && soon <= 8, `${soon} requests in two minutes`);
      await world.run(20 * MINUTE);
      assert.ok(asked() - soon <= 5, `${asked() - soon} more in twenty minutes`);
      world.index.pageInstead = () => undefined;
      await world.run(70 * MINUTE);
      assert.equal(world.record.stale, null);
      assert.match((await world.page(flask))?.files[0]?.filename ?? '', /^flask-2/);
    });

  it('an old page replayed is never signed over a newer one', async () => {
    await using world = await imported({ padding: DEAR, projects: ['flask', 'p1'], etags: false });
    const old = world.index.page(flask);
    world.index.change('flask');
    await world.run(2 * MINUTE);
    const entry = await world.entry(flask);
    world.index.pageInstead = (project) => (project === flask ? old : undefined);
    await world.run(5 * MINUTE);
    assert.deepEqual(await world.entry(flask), entry);
  });

  it('without a serial, as archiving is, is found by the sweep within a week', async () => {
    await using world = await imported({ padding: DEAR, changelog: true, interval: 60 * MINUTE }, 3);
    const before = await world.entry(flask);
    world.index.changeSilently(flask, { status: 'archived' });
    for (let hour = 0; hour < 7 * 24 + 2; hour++) await world.clock.advance(60 * MINUTE);
    await world.run(60 * MINUTE);
    const after = await world.entry(flask);
    assert.notEqual(after?.digest, before?.digest);
    assert.equal(after?.serial, before?.serial);
  });
});

describe('a removed project', () => {
  for (const [how, options] of [
    ['by the list', {}],
    ['by the changelog', { padding: DEAR, changelog: true }],
    ['by its page where a scope is all', { padding: DEAR, projects: ['flask', 'p1', 'p2', 'p3', 'p4'] }],
  ] satisfies [string, WorldOptions][]) {
    it(`leaves the map: told ${how}`, async () => {
      await using world = await imported(options);
      world.index.remove(flask);
      await world.run(2 * MINUTE + 10_000);
      assert.equal(await world.entry(flask), undefined);
      assert.equal(world.record.stale, null);
      assert.equal(world.record.complete, true);
    });
  }

  it('does not go for one 404 while it is listed', async () => {
    await using world = await imported();
    world.index.change('flask');
    let answers = 0;
    world.index.pageInstead = (project) =>
      project === flask && answers++ === 0 ? { kind: 'absent', observedAt: world.clock.now() } : undefined;
    await world.run(2 * MINUTE);
    assert.equal(answers, 2);
    for (let seq = 0; seq < world.log.size; seq++) {
      const delta = await world.publisher.index.delta(seq);
      assert.deepEqual(delta && decodeDelta(delta).del, []);
    }
    assert.match((await world.page(flask))?.files[0]?.filename ?? '', /^flask-2/);
  });

  it('stays while its own page cannot be read, as a stale one', async () => {
    await using world = await imported();
    world.index.remove(flask);
    world.index.fail = (_what, project) => {
      if (project === flask) throw new Error('never mind');
      return undefined;
    };
    await world.run(2 * MINUTE);
    assert.notEqual(await world.entry(flask), undefined);
    assert.deepEqual(await world.stale(), ['flask']);
  });
});

describe('a quarantined project', () => {
  it('that the list leaves out offers no files, and offers them again when it is listed again', async () => {
    await using world = await imported();
    world.index.changeSilently(flask, { listed: false });
    await world.run(2 * MINUTE);
    assert.deepEqual((await world.page(flask))?.files, []);
    await world.stop();
    world.index.changeSilently(flask, { listed: true });
    await world.start();
    await world.run(2 * MINUTE);
    assert.equal((await world.page(flask))?.files.length, 1);
  });

  it('that says so itself offers no files', async () => {
    await using world = await imported();
    world.index.change('flask');
    world.index.changeSilently(flask, { status: 'quarantined' });
    await world.run(2 * MINUTE);
    assert.deepEqual((await world.page(flask))?.files, []);
  });

  it('costs no request a heartbeat for being out of the list, whatever else changes', async () => {
    await using world = await imported();
    world.index.changeSilently(flask, { listed: false });
    await world.run(2 * MINUTE);
    world.index.asked.length = 0;
    await world.run(5 * MINUTE);
    assert.equal(world.index.count('page'), 0);
    for (let minute = 0; minute < 5; minute++) {
      world.index.change('p1');
      await world.run(MINUTE);
    }
    const asked = world.index.asked.filter(({ project }) => project === flask).length;
    assert.ok(asked <= 1, `${asked} requests`);
  });
});
