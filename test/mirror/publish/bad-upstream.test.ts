/** Upstreams that lie, fail or ask to be left alone: a publisher goes on signing, and never says more than it knows. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { failure } from './fake-index.ts';
import { createWorld, MINUTE, type World, type WorldOptions } from './publisher-world.ts';

const flask = parseProjectName('flask');

async function imported(options: WorldOptions = {}, count = 40): Promise<World> {
  const world = await createWorld(options);
  world.index.change('flask');
  for (let i = 1; i < count; i++) world.index.change(`p${i}`);
  await world.start();
  await world.run(8000);
  assert.deepEqual([world.record.complete, world.record.count], [true, count]);
  return world;
}

/** What the next records may not change: nothing was observed, heartbeats go on. */
async function seesNothing(world: World): Promise<void> {
  const before = world.record;
  const size = world.log.size;
  await world.run(5 * MINUTE);
  const { observedAt, signedAt, mapRoot, count, stale } = world.record;
  assert.deepEqual(
    { observedAt, mapRoot, count, stale },
    {
      observedAt: before.observedAt,
      mapRoot: before.mapRoot,
      count: before.count,
      stale: before.stale,
    },
  );
  assert.ok(signedAt > before.signedAt + 3 * MINUTE, 'heartbeats');
  assert.ok(world.log.size >= size + 3);
}

describe('an empty or cut project list', () => {
  const list = (names: readonly string[]): string =>
    JSON.stringify({
      meta: { 'api-version': '1.4', '_last-serial': 9999 },
      projects: names.map((name) => ({ name, '_last-serial': 1 })),
    });
  const names = ['flask', ...Array.from({ length: 39 }, (_, i) => `p${i + 1}`)];
  const lists: [string, () => string][] = [
    ['that is empty', () => list([])],
    ['that is cut off', () => list(names).slice(0, 300)],
    ['that lost more than 1 % of its names', () => list(names.slice(0, 30))],
    ['that is no list', () => '{"message": "hello"}'],
  ];
  for (const [what, text] of lists) {
    it(`${what} counts as an upstream that was not reached`, async () => {
      await using world = await imported();
      world.index.listInstead = text;
      await seesNothing(world);
      assert.equal(world.seen['publisher:noted']?.length, 1, 'told once');
      world.index.listInstead = undefined;
      await world.run(MINUTE);
      assert.ok(world.record.observedAt > world.record.signedAt - 2 * MINUTE);
    });
  }

  it('in HTML without its end counts as an upstream that was not reached', async () => {
    await using world = await imported({ format: 'html', serials: false });
    const whole = world.index.list();
    world.index.listInstead = () => whole.slice(0, -20);
    const before = world.record;
    await world.run(3 * MINUTE);
    assert.deepEqual([world.record.observedAt, world.record.count], [before.observedAt, before.count]);
  });

  it('of a large index may lose single names, each after its own page said so', async () => {
    await using world = await imported();
    for (const name of ['flask', 'p1', 'p2']) world.index.remove(parseProjectName(name));
    await world.run(2 * MINUTE);
    assert.equal(world.record.count, 37);
  });
});

describe('a CDN that answers 200 while the upstream is down', () => {
  it('does not make what is published any younger', async () => {
    await using world = await imported();
    await world.run(MINUTE);
    const { observedAt } = world.record;
    const down = world.clock.now();
    world.index.cachedSince = down;
    await world.run(5 * MINUTE);
    assert.ok(world.record.signedAt >= down + 3 * MINUTE);
    assert.ok(world.record.observedAt <= down, `${world.record.observedAt} is after ${down}`);
    assert.ok(world.record.observedAt >= observedAt);
  });

  it('with a list older than one that was seen says nothing of now', async () => {
    await using world = await imported();
    const old = world.index.list();
    world.index.change('brand-new');
    await world.run(2 * MINUTE);
    const before = world.record;
    world.index.listInstead = () => old;
    await world.run(3 * MINUTE);
    assert.equal(world.record.observedAt, before.observedAt);
    assert.equal(world.record.count, before.count, 'what the old list lacks stays');
    assert.equal((await world.page(parseProjectName('brand-new')))?.files.length, 1);
  });

  it('is seen through by the changelog, which is never cached', async () => {
    await using world = await imported({ changelog: true, padding: limits.publish.cheapListBytes + 1 });
    world.index.cachedSince = world.clock.now() - 24 * 60 * MINUTE;
    await world.run(3 * MINUTE);
    assert.ok(world.record.observedAt > world.record.signedAt - MINUTE);
    world.index.fail = (what) => (what === 'last-serial' ? failure(503) : undefined);
    const { observedAt } = world.record;
    await world.run(12 * MINUTE);
    assert.equal(world.record.observedAt, observedAt);
  });
});

describe('an upstream that fails', () => {
  for (const [how, options] of [
    ['by its list', {}],
    ['by its changelog', { changelog: true, padding: limits.publish.cheapListBytes + 1 }],
  ] satisfies [string, WorldOptions][]) {
    it(`${how} leaves the records as they were, signed anew`, async () => {
      await using world = await imported(options);
      world.index.fail = () => failure(500);
      await seesNothing(world);
    });
  }

  it('never to answer keeps no heartbeat back', async () => {
    await using world = await imported();
    world.index.latency = 60 * MINUTE;
    await seesNothing(world);
  });

  it('to give a page with one key twice has that page stale, and told', async () => {
    await using world = await imported();
    world.index.change('flask');
    const page = world.index.page(flask);
    assert.equal(page.kind, 'page');
    const body = Buffer.from(page.body.toString().replace('"name":', '"name":"other","name":'));
    world.index.pageInstead = (project) => (project === flask ? { ...page, body } : undefined);
    await world.run(2 * MINUTE);
    assert.deepEqual(await world.stale(), ['flask']);
    assert.match(world.seen['publisher:noted']?.[0]?.message ?? '', /flask.*twice/);
  });

  it('to say a serial that a page has must not make it older', async () => {
    await using world = await imported({ etags: false });
    const before = await world.entry(flask);
    world.index.changeSilently(flask, { serial: 5 });
    await world.run(3 * MINUTE);
    assert.deepEqual(await world.entry(flask), before);
  });
});

describe('manners', () => {
  it('never more than 10 requests at once, and never more than 20 begun within a second', async () => {
    await using world = await createWorld();
    for (let i = 0; i < 100; i++) world.index.change(`p${i}`);
    world.index.latency = 400;
    await world.start();
    await world.run(12_000);
    assert.equal(world.record.count, 100);
    assert.equal(world.index.mostActive, 10);
    world.index.latency = 0;
    for (let i = 0; i < 100; i++) world.index.change(`p${i}`);
    world.index.asked.length = 0;
    await world.run(MINUTE + 10_000);
    const begun = world.index.asked.map(({ at }) => at).sort((a, b) => a - b);
    assert.ok(begun.length > 100);
    for (let i = 20; i < begun.length; i++)
      assert.ok(
        (begun[i] as number) - (begun[i - 20] as number) >= 1000,
        `21 requests in ${begun[i]! - begun[i - 20]!} ms`,
      );
  });

  it('Retry-After is honoured: nothing is asked before', async () => {
    await using world = await createWorld();
    for (let i = 0; i < 30; i++) world.index.change(`p${i}`);
    let told = false;
    world.index.fail = (what) => {
      if (what !== 'page' || told) return undefined;
      told = true;
      return failure(429, 5 * MINUTE);
    };
    await world.start();
    await world.run(4000);
    const asked = world.index.count();
    await world.run(4.8 * MINUTE);
    assert.equal(world.index.count(), asked);
    await world.run(MINUTE);
    assert.equal(world.record.count, 30);
  });

  it('an upstream whose pages all fail is asked for a few of them a minute, not for all', async () => {
    await using world = await createWorld();
    for (let i = 0; i < 400; i++) world.index.change(`p${i}`);
    world.index.fail = (what) => (what === 'page' ? failure(500) : undefined);
    await world.start();
    await world.run(5 * MINUTE);
    assert.ok(world.index.count('page') <= 5 * 30, `${world.index.count('page')} requests`);
  });
});
