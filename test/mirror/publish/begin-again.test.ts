/** A publisher that begins again while its upstream is down: what was no vote before is none now. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { failure } from './fake-index.ts';
import { createWorld, MINUTE, type World } from './publisher-world.ts';

const NAMES = ['flask', 'p1', 'p2', 'p3'];

/** Imported all but p3, whose page cannot be read; and flask has a newer page that cannot be read either. */
async function behind(): Promise<World> {
  const world = await createWorld();
  for (const name of NAMES) world.index.change(name);
  world.index.fail = (_what, project) => (project === 'p3' ? failure(500) : undefined);
  await world.start();
  await world.run(8000);
  world.index.change('flask');
  world.index.fail = (_what, project) => (project === 'p3' || project === 'flask' ? failure(500) : undefined);
  await world.run(2 * MINUTE);
  const { complete, count } = world.record;
  assert.deepEqual([complete, count, await world.stale()], [true, 3, ['flask', 'p3']]);
  return world;
}

describe('a publisher that begins again while its upstream is down', () => {
  it('still names stale what it could not read: neither the old page nor absence is a vote', async () => {
    await using world = await behind();
    await world.stop();
    const { observedAt, seq } = world.record;
    world.index.fail = () => failure();
    await world.start();
    await world.run(3 * MINUTE);
    assert.ok(world.record.seq > seq, 'it signs');
    assert.equal(world.record.observedAt, observedAt);
    assert.deepEqual(await world.stale(), ['flask', 'p3']);
    world.index.fail = () => undefined;
    await world.run(5 * MINUTE);
    assert.equal(world.record.stale, null, 'until it was read');
    assert.equal(world.record.count, 4);
  });

  it('names no more stale what its list of projects has no more', async () => {
    await using world = await behind();
    await world.stop();
    world.index.fail = () => failure();
    await world.start({}, ['flask', 'p1']);
    await world.run(3 * MINUTE);
    assert.deepEqual(await world.stale(), ['flask']);
  });

  it('signs nothing before it has looked where the list of stale names is lost', async () => {
    await using world = await behind();
    await world.stop();
    const { seq } = world.record;
    world.index.fail = () => failure();
    const { store } = world;
    await world.start({
      store: {
        open: async () => undefined,
        stat: (digest) => store.stat(digest),
        openPartial: (digest, options) => store.openPartial(digest, options),
        pin: (digest) => store.pin(digest),
        unpin: (digest) => store.unpin(digest),
      },
    });
    await world.run(3 * MINUTE);
    assert.equal(world.record.seq, seq);
    world.index.fail = (what) => (what === 'page' ? failure(500) : undefined);
    await world.run(3 * MINUTE);
    assert.ok(world.record.seq > seq);
    assert.deepEqual(
      await world.stale(),
      ['flask', 'p3'].map(parseProjectName),
      'as the list of projects says',
    );
  });
});
