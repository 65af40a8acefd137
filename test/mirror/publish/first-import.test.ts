/** A publisher's first import: order, records on the way, and going on after a kill. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { failure } from './fake-index.ts';
import { createWorld, MINUTE, type WorldOptions } from './publisher-world.ts';

const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);

describe("a publisher's first import", () => {
  it('reads each listed project once and then signs one complete record', async () => {
    await using world = await createWorld();
    for (const name of many(30)) world.index.change(name);
    await world.start();
    await world.run(3000);
    assert.equal(world.index.count('page'), 30);
    assert.equal(world.index.count('list'), 1);
    const { complete, count, serial, scope, format, fileOrigin, apiVersion, stale } = world.record;
    assert.deepEqual(
      { complete, count, serial, scope, format, fileOrigin, apiVersion, stale, size: world.log.size },
      {
        complete: true,
        count: 30,
        serial: 130,
        scope: 'all',
        format: 'json',
        fileOrigin: 'https://files.test',
        apiVersion: '1.4',
        stale: null,
        size: 1,
      },
    );
    assert.equal(
      (await world.page(parseProjectName('p7')))?.files[0]?.url,
      '/packages/p7-1.0-py3-none-any.whl',
    );
    assert.equal(world.published.length, 1);
  });

  it('signs what there is every minute, as not complete and without naming the rest stale', async () => {
    await using world = await createWorld();
    for (const name of many(60)) world.index.change(name);
    world.index.latency = 20_000;
    await world.start();
    await world.run(1.7 * MINUTE);
    assert.ok(world.log.size >= 1);
    assert.equal(world.record.complete, false);
    assert.equal(world.record.stale, null);
    assert.ok(world.record.count > 0 && world.record.count < 60);
    await world.run(3 * MINUTE);
    assert.equal(world.record.complete, true);
    assert.equal(world.record.count, 60);
  });

  it('goes in the order of the project list', async () => {
    const projects = ['zeta', 'alpha', 'mid', 'beta'];
    await using world = await createWorld({ projects });
    for (const name of ['alpha', 'beta', 'mid', 'other', 'zeta']) world.index.change(name);
    await world.start();
    await world.run(2000);
    const read = world.index.asked.filter(({ what }) => what === 'page').map(({ project }) => project);
    assert.deepEqual(read, projects);
    assert.notEqual(world.record.scope, 'all');
    assert.equal(await world.entry(parseProjectName('other')), undefined);
  });

  it('begins with the names that this node holds pages of', async () => {
    await using world = await createWorld({ popular: ['p19', 'p5', 'gone'] });
    for (const name of many(20)) world.index.change(name);
    await world.start();
    await world.run(2000);
    const read = world.index.asked.filter(({ what }) => what === 'page').map(({ project }) => project);
    assert.deepEqual(read.slice(0, 3), ['p19', 'p5', 'p0']);
    assert.equal(read.length, 20);
  });

  for (const [what, options] of [
    ['of all', {}],
    ['of a list', { projects: many(60) }],
    ['of a list without serials', { projects: many(60), serials: false }],
  ] satisfies [string, WorldOptions][])
    it(`${what} goes on where it was, reading nothing twice, when it was killed`, async () => {
      await using world = await createWorld(options);
      for (const name of many(60)) world.index.change(name);
      await world.start();
      await world.run(1500);
      await world.stop();
      const before = world.index.count('page');
      assert.ok(before > 10 && before < 60 && world.log.size === 0);
      await world.start();
      await world.run(6000);
      assert.equal(world.index.count('page'), 60);
      assert.deepEqual([world.record.complete, world.record.count], [true, 60]);
    });

  it('begins with no list that is empty', async () => {
    await using world = await createWorld();
    await world.start();
    await world.run(3 * MINUTE);
    assert.equal(world.log.size, 0);
    assert.match(world.seen['publisher:noted']?.[0]?.message ?? '', /empty/);
  });

  it('publishes no private name', async () => {
    await using world = await createWorld({ private: ['acme-*'], projects: ['acme-secret', 'flask'] });
    for (const name of ['acme-secret', 'flask']) world.index.change(name);
    await world.start();
    await world.run(2000);
    assert.equal(world.record.count, 1);
    assert.ok(world.index.asked.every(({ project }) => project !== 'acme-secret'));
  });

  it('is complete although a page cannot be read, which is stale', async () => {
    await using world = await createWorld();
    for (const name of many(5)) world.index.change(name);
    world.index.fail = (_what, project) => (project === 'p3' ? failure(500) : undefined);
    await world.start();
    await world.run(8000);
    assert.equal(world.record.complete, true);
    assert.equal(world.record.count, 4);
    assert.deepEqual(await world.stale(), ['p3']);
  });

  it('a project that leaves the list file leaves the map, and the record has another scope', async () => {
    await using world = await createWorld({ projects: ['a', 'b'] });
    for (const name of ['a', 'b']) world.index.change(name);
    await world.start();
    await world.run(2000);
    const { scope } = world.record;
    await world.stop();
    await world.start({}, ['b']);
    await world.run(8000);
    assert.notEqual(world.record.scope, scope);
    assert.deepEqual([world.record.count, world.record.complete], [1, true]);
  });
});
