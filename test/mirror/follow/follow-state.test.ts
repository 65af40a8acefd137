import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { StorageFullError, UnavailableError } from '../../../src/core/errors.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import {
  createLevelFollowStates,
  createMemoryFollowStates,
  type FollowState,
  type FollowStates,
} from '../../../src/mirror/follow/follow-state.ts';
import { openDiskIndexMaps } from '../../../src/store/index-map/disk-index-maps.ts';
import type { IndexMaps, StagedChange } from '../../../src/store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { type LevelDatabase, openRawLevel, wrapLevel } from '../../../src/store/level-database.ts';
import { createFollowWorld, policyOf, serialOf, START, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

async function openLevel(path: string): Promise<LevelDatabase> {
  const raw = openRawLevel(path);
  await raw.open();
  return wrapLevel(raw, path, createFactEmitter());
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'follow-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function entriesOf(state: FollowState, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of state.entries(prefix))
    found.push(`${key}=${Buffer.from(value).toString()}`);
  return found;
}

async function checkContract(states: FollowStates): Promise<void> {
  const [one, other] = [states.scope('one'), states.scope('other')];
  const value = (text: string): Buffer => Buffer.from(text);
  await one.write([
    ['name/b', value('2')],
    ['name/a', value('1')],
    ['names', value('no')],
    ['time', value('3')],
  ]);
  await other.write([['name/a', value('elsewhere')]]);
  assert.deepEqual(await entriesOf(one, 'name/'), ['name/a=1', 'name/b=2']);
  assert.deepEqual(await entriesOf(other, ''), ['name/a=elsewhere']);
  assert.equal(Buffer.from((await one.get('time')) ?? '').toString(), '3');
  assert.equal(await other.get('time'), undefined);
  await one.write([
    ['name/a', undefined],
    ['name/b', value('4')],
  ]);
  assert.deepEqual(await entriesOf(one, 'name/'), ['name/b=4']);
}

test('a state in memory keeps scopes apart and lists by prefix', () =>
  checkContract(createMemoryFollowStates()));

test('a state on disk keeps scopes apart and lists by prefix', () =>
  withFolder(async (folder) => {
    await using db = await openLevel(folder);
    await checkContract(createLevelFollowStates(db));
  }));

test('a follower on disk goes on where it was', () =>
  withFolder(async (folder) => {
    const world = createFollowWorld();
    const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1), bar: pair(2) });
    const policy = policyOf(2, doubles);
    const facts = createFactEmitter();
    const before: unknown[] = [];
    {
      await using db = await openLevel(join(folder, 'level'));
      await using maps = await openDiskIndexMaps({ path: join(folder, 'maps'), facts });
      const states = createLevelFollowStates(db);
      const one = await world.follower(policy, { connected: names, maps, states });
      await world.until(() => one.follower.status().voters.every(({ seq }) => seq === 0));
      await nodes[0].says({ set: { foo: pair(3) } });
      await nodes[1].says({ set: { foo: pair(3) }, stale: ['bar'] });
      await world.until(() => one.follower.status().voters.filter(({ seq }) => seq === 1).length === 2);
      for (const name of ['foo', 'bar', 'none'])
        before.push(await one.follower.believe(parseProjectName(name)));
      await one.close();
    }
    await using db = await openLevel(join(folder, 'level'));
    await using maps = await openDiskIndexMaps({ path: join(folder, 'maps'), facts });
    const states = createLevelFollowStates(db);
    const again = await world.follower(policy, { maps, states, peerId: 'again' });
    const after = [];
    for (const name of ['foo', 'bar', 'none'])
      after.push(await again.follower.believe(parseProjectName(name)));
    assert.deepEqual(after, before);
    const [foo] = after;
    assert.equal(foo && serialOf(foo), 3);
    // The leaf hashes and the tail of the log came back too: it goes on by deltas.
    world.connect('again', names[2] as string);
    await nodes[2].says({ set: { foo: pair(3) } });
    await world.until(() => again.follower.status().voters[2]?.seq === 1);
    await again.close();
  }));

test('what could not be written is not believed, and is taken later', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const states = createMemoryFollowStates();
  let full = false;
  const failing: FollowStates = {
    scope(name) {
      const state = states.scope(name);
      return {
        ...state,
        async write(writes) {
          if (full && writes.some(([key]) => key.startsWith('view/'))) throw new Error('disk full');
          await state.write(writes);
        },
      };
    },
  };
  const one = await world.follower(policy, { connected: names, states: failing });
  await world.settle();
  full = true;
  await world.clock.advance(60_000);
  for (const node of nodes) await node.says({ set: { foo: pair(2) } });
  await world.settle();
  const foo = await one.believes('foo');
  assert.deepEqual(foo.kind === 'page' && [foo.serial, foo.since], [1, START]);
  assert.ok(one.told.some(({ name }) => name === 'program:failed'));
  full = false;
  await world.clock.advance(31_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.follower[Symbol.asyncDispose]();
  const again = await world.follower(policy, { maps: one.maps, states, peerId: 'again' });
  assert.equal(serialOf(await again.believes('foo')), 2);
  await again.close();
});

test('where the map’s change fails after what is believed was written, what was believed before is told until it is made', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(4) });
  const policy = policyOf(2, doubles);
  const maps = createMemoryIndexMaps();
  const disk = { full: false };
  const one = await world.follower(policy, { connected: names, maps: fillable(maps, disk) });
  await world.settle();
  // Of foo 5 is believed with a vote of the past that b has gone on from; after a's next record nobody remembers 5.
  for (const [node, serial] of [
    [nodes[0], 5],
    [nodes[1], 5],
    [nodes[1], 6],
  ] as const) {
    await world.clock.advance(1000);
    await node.says({ set: { foo: pair(serial) } });
    await world.settle();
  }
  assert.equal(serialOf(await one.believes('foo')), 5);
  disk.full = true;
  await world.clock.advance(1000);
  await nodes[0].says({ set: { foo: pair(6) } });
  await world.settle();
  assert.ok(one.told.some(({ name }) => name === 'program:failed'));
  assert.equal(serialOf(await one.believes('foo')), 5);
  await world.clock.advance(31_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 5, 'and tried again');
  disk.full = false;
  await world.clock.advance(31_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 6);
  await nodes[0].says({ set: { foo: pair(7) } });
  await nodes[2].says({ set: { foo: pair(7) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 7, 'and it goes on');
  await one.follower[Symbol.asyncDispose]();
});

for (const key of ['misconduct/', 'excluded'])
  test(`a proof of misconduct counts when it is told again where ${key} could not be written before`, async () => {
    const world = createFollowWorld();
    const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
    const policy = policyOf(2, doubles);
    const states = createMemoryFollowStates();
    let full = true;
    const failing: FollowStates = {
      scope(name) {
        const state = states.scope(name);
        return {
          ...state,
          async write(writes) {
            if (full && writes.some(([one]) => one.startsWith(key))) throw new StorageFullError('full');
            await state.write(writes);
          },
        };
      },
    };
    const two = await world.follower(policy, { connected: names });
    const one = await world.follower(policy, { connected: [two.peerId], states: failing });
    await world.settle();
    const forked = await doubles[0].fork(1);
    const liar = world.serve(forked, 'liar');
    await nodes[0].says({ set: { foo: pair(2) } });
    await world.settle();
    world.connect(two.peerId, liar.peerId);
    await forked.sign({ at: world.clock.now(), set: { foo: pair(3) } });
    await liar.index.publish(forked.announcement());
    await world.settle();
    assert.equal(two.follower.status().misconduct.length, 1);
    assert.deepEqual(one.follower.status().misconduct, []);
    full = false;
    await world.clock.advance(31_000);
    await world.settle();
    assert.equal(one.follower.status().misconduct.length, 1);
    assert.equal(one.follower.status().voters[0]?.excluded, true);
    assert.equal(one.told.filter(({ name }) => name === 'misconduct:proven').length, 1);
    await one.follower[Symbol.asyncDispose]();
    const again = await world.follower(policy, { maps: one.maps, states, peerId: 'again' });
    assert.equal(again.follower.status().misconduct.length, 1);
    await again.close();
    await two.close();
  });

/** Its maps change no more while the disk is full. */
function fillable(maps: IndexMaps, disk: { full: boolean }): IndexMaps {
  const over = <T extends object>(target: T, changed: Partial<T>): T =>
    new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(key in changed ? changed : target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  const held = (staged: StagedChange): StagedChange => ({
    ...staged,
    async commit() {
      if (disk.full) throw new StorageFullError('the disk is full');
      await staged.commit();
    },
  });
  return over(maps, {
    view(name) {
      const map = maps.view(name);
      return over(map, {
        stage: async (delta, options) => held(await map.stage(delta, options)),
        stageLeaves: async (leaves, options) => held(await map.stageLeaves(leaves, options)),
      });
    },
  });
}

test('a record that was refused for its time is refused after a restart too, while a later one waits', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(1, doubles.slice(0, 1));
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  await world.clock.advance(1000);
  await doubles[0].sign({ at: START - 50_000, set: { foo: pair(2) } });
  // Nobody has the list of names.
  await nodes[0].says({ record: { stale: 'a'.repeat(64) as Digest } });
  await world.settle();
  assert.equal(one.refused()['RECORD_OUT_OF_ORDER'], 1);
  const before = await one.believes('foo');
  assert.deepEqual(before.kind === 'page' && [before.serial, before.since], [1, START]);
  await one.close();
  const again = await world.follower(policy, {
    peerId: 'again',
    states: one.states,
    maps: one.maps,
    connected: names,
  });
  await world.settle();
  assert.deepEqual(await again.believes('foo'), before);
  assert.equal(again.follower.status().voters[0]?.seq, 0);
  await again.close();
});

test('a map that is damaged on disk is mended from peers', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const bin = binNumber(parseProjectName('foo'));
  let damaged = true;
  for (const view of one.maps.views()) {
    const map = one.maps.view(view);
    const get = map.get.bind(map);
    map.get = async (name) => {
      if (damaged) throw new UnavailableError('bin of the index map is missing');
      return get(name);
    };
  }
  const [missing, add] = [one.maps.missing.bind(one.maps), one.maps.add.bind(one.maps)];
  one.maps.missing = (leaves) => (damaged ? [bin] : missing(leaves));
  one.maps.add = async (bins) => {
    const all = [...bins];
    if (all.some(([number]) => number === bin)) damaged = false;
    await add(all);
  };
  assert.equal(serialOf(await one.believes('foo')), 'unknown');
  await world.settle();
  assert.equal(damaged, false);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});
