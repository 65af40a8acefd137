/** What a change of many names leaves on disk when it breaks off, wherever that is. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { Beliefs } from '../../../src/core/belief/beliefs.ts';
import {
  createLevelFollowStates,
  createMemoryFollowStates,
  type FollowState,
} from '../../../src/mirror/follow/follow-state.ts';
import {
  type ChangingBeliefs,
  readBeliefs,
  readNames,
  WrittenChange,
} from '../../../src/mirror/follow/written-beliefs.ts';
import { openLevel } from '../../../src/store/open-level.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { pair } from '../../core/belief/world.ts';

/** More than three writes of them. */
const NAMES = Array.from({ length: 7000 }, (_, at) => `name-${at}`);
const everything = async (id: string) => ({ id, covers: () => true });
const HEAD = Buffer.from('the new head');

/** All names are kept, with this serial; but for every tenth where `some`. */
function believing(serial: number, some: boolean): Beliefs {
  const beliefs = new Beliefs(1);
  beliefs.addVoter({ id: 'own', slot: 'own' });
  for (const [at, name] of NAMES.entries())
    if (!some || at % 10 !== 0)
      beliefs.vote('own', name, { candidate: pair(serial, serial), at: 1000 + serial });
  return beliefs;
}

async function write(state: FollowState, beliefs: Beliefs): Promise<number> {
  const changing = inThree(beliefs);
  const change = new WrittenChange(state, changing);
  await change.lay();
  changing.turn();
  await change.lay();
  changing.turn();
  const { writes, finish } = await change.prepare();
  await state.write([['head', HEAD], ...writes]);
  await finish();
  return writes.length;
}

/** A change of all names that goes on in three steps, the last a small one. */
function inThree(beliefs: Beliefs): ChangingBeliefs & { turn(): void } {
  const steps = [NAMES.length, NAMES.length - 100];
  let [taken, changed] = [0, 3000];
  return {
    get changed() {
      return changed - taken;
    },
    takeChanged: () => NAMES.slice(taken, (taken = changed)),
    turn: () => void (changed = steps.pop() ?? changed),
    keptName: (name) => beliefs.keptName(name),
    keptBases: () => beliefs.keptBases(),
    excludedSlots: () => beliefs.excludedSlots(),
  };
}

/** What is read, and what stands beside it. */
async function held(state: FollowState): Promise<{ names: unknown; head: boolean; left: number }> {
  await readBeliefs(state, everything);
  const names = new Map<string, unknown>();
  for await (const some of readNames(state)) for (const [name, kept] of some) names.set(name, kept);
  let left = 0;
  for await (const _ of state.entries('next')) left++;
  return { names, head: (await state.get('head')) !== undefined, left };
}

function breaking(state: FollowState, after: number): FollowState {
  let writes = 0;
  return {
    get: (key) => state.get(key),
    entries: (prefix) => state.entries(prefix),
    async write(all) {
      if (++writes > after) throw new Error('the disk is gone');
      await state.write(all);
    },
  };
}

test('a change of many names is there whole or not at all, wherever it broke off, and nothing is left beside it', async () => {
  const [before, after] = [believing(1, false), believing(2, true)];
  const kept = (beliefs: Beliefs) =>
    new Map(
      NAMES.flatMap((name) => {
        const one = beliefs.keptName(name);
        return one === undefined ? [] : [[name, JSON.parse(JSON.stringify(one)) as unknown]];
      }),
    );
  const [old, young] = [kept(before), kept(after)];
  assert.deepEqual([old.size, young.size], [7000, 6300]);
  const outcomes = new Set<boolean>();
  for (let writes = 0, whole = false; !whole; writes++) {
    const state = createMemoryFollowStates().scope('s');
    await write(state, before);
    await state.write([['head', undefined]]);
    whole = await write(breaking(state, writes), after).then(
      () => true,
      () => false,
    );
    const { names, head, left } = await held(state);
    assert.equal(left, 0);
    assert.deepEqual(names, head ? young : old, `broken off after ${writes} writes`);
    outcomes.add(head);
    assert.ok(writes < 20);
  }
  assert.equal(outcomes.size, 2);
});

test('the write that makes them count is a small one, and so is each of the others', async () => {
  const beliefs = believing(1, false);
  const state = createMemoryFollowStates().scope('s');
  const sizes: number[] = [];
  const watched: FollowState = {
    ...breaking(state, Infinity),
    async write(all) {
      sizes.push(all.length);
      await state.write(all);
    },
  };
  assert.ok((await write(watched, beliefs)) < 10);
  assert.ok(Math.max(...sizes) <= 4096, `${Math.max(...sizes)} keys in one write`);
});

test('on disk a change of many names is read again as it was written', async () => {
  await using folder = await temporaryFolder();
  const deps = { clock: createFakeClock(), facts: createFactEmitter() };
  await using db = await openLevel(join(folder.path, 'state'), deps);
  const state = createLevelFollowStates(db).scope('s');
  await write(state, believing(1, false));
  await write(breaking(state, 5), believing(2, true)).catch(() => undefined);
  await write(state, believing(3, true));
  const { names, left } = await held(state);
  assert.deepEqual([(names as Map<string, unknown>).size, left], [6300, 0]);
});
