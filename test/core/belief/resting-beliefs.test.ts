/** Packed beliefs against a map, and what rested before a change while it goes on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Belief } from '../../../src/core/belief/believe.ts';
import { RestingBeliefs } from '../../../src/core/belief/resting-beliefs.ts';
import { pair } from './world.ts';

const names = Array.from({ length: 40 }, (_, at) => `name-${'x'.repeat(at)}${at}`);
const belief: fc.Arbitrary<Belief | undefined> = fc.oneof(
  fc.constant(undefined),
  fc
    .record({ at: fc.nat(3), floor: fc.nat(3) })
    .map(({ at, floor }): Belief => ({ choice: 'absent', at, floor })),
  fc.record({ at: fc.nat(3), serial: fc.nat(3) }).map(({ at, serial }): Belief => {
    return { choice: pair(serial, serial), at, floor: serial };
  }),
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('set' as const), name: fc.constantFrom(...names), belief }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('delete' as const), name: fc.constantFrom(...names) }),
  },
  // Chunks fill, and empty again.
  { weight: 2, arbitrary: fc.record({ type: fc.constant('many' as const), from: fc.nat(9), belief }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('none-of' as const), from: fc.nat(9), but: fc.nat(2000) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('begin' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('end' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('renew' as const) }) },
);

function many(from: number): string[] {
  return Array.from({ length: 5000 }, (_, at) => `many-${from}-${at}`);
}

function check(packed: RestingBeliefs, model: Map<string, Belief | undefined>): void {
  assert.equal(packed.size, model.size);
  assert.deepEqual(new Set(packed.names()), new Set(model.keys()));
  for (const name of [...names, ...many(0).slice(0, 9)]) {
    assert.equal(packed.has(name), model.has(name), name);
    assert.deepEqual(packed.get(name), model.has(name) ? { belief: model.get(name) } : undefined, name);
  }
}

test('it holds what a map holds, and tells what it held when a change began', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const packed = new RestingBeliefs();
      const model = new Map<string, Belief | undefined>();
      let before: Map<string, Belief | undefined> | undefined;
      const set = (name: string, belief: Belief | undefined): void => {
        packed.delete(name);
        packed.add(name, belief);
        model.set(name, belief);
      };
      for (const one of steps) {
        if (one.type === 'set') set(one.name, one.belief);
        if (one.type === 'many') for (const name of many(one.from)) set(name, one.belief);
        if (one.type === 'delete') {
          packed.delete(one.name);
          model.delete(one.name);
        }
        if (one.type === 'none-of')
          for (const [at, name] of many(one.from).entries()) {
            if (one.but > 0 && at % one.but === 0) continue;
            packed.delete(name);
            model.delete(name);
          }
        if (one.type === 'renew') {
          const seen: string[] = [];
          for (const name of packed.names()) {
            seen.push(name);
            set(name, model.get(name));
          }
          assert.deepEqual(seen.sort(), [...model.keys()].sort(), 'each once, though all move meanwhile');
        }
        if (one.type === 'begin' && before === undefined) {
          packed.begin();
          before = new Map(model);
        }
        if (one.type === 'end' && before !== undefined) {
          packed.end();
          before = undefined;
        }
        if (before === undefined) continue;
        assert.deepEqual(new Set(packed.namesBefore()), new Set(before.keys()));
        for (const name of [...names, ...before.keys().take(20), ...many(1).slice(0, 9)])
          assert.deepEqual(
            packed.restedBefore(name),
            before.has(name) ? { belief: before.get(name) } : undefined,
            name,
          );
      }
      check(packed, model);
    }),
    { numRuns: 60 },
  );
});

test('the longest resting come first, and one that rests anew comes last', () => {
  const packed = new RestingBeliefs();
  for (const name of ['b', 'a', 'c']) packed.add(name, undefined);
  packed.delete('b');
  packed.add('b', undefined);
  assert.deepEqual([...packed.names()], ['a', 'c', 'b']);
  assert.deepEqual([...packed.names().take(1)], ['a']);
});

test('all of them looked at anew while a change goes on take no more room, as long as they stay what they were', () => {
  const packed = new RestingBeliefs();
  const all = [1, 2, 3, 4].flatMap(many);
  for (const name of all) packed.add(name, { choice: pair(1, 1), at: 1, floor: 1 });
  const full = packed.bytes;
  packed.begin();
  let most = 0;
  for (const name of packed.names()) {
    const rested = packed.get(name);
    packed.delete(name);
    packed.add(name, rested?.belief);
    most = Math.max(most, packed.bytes);
  }
  assert.ok(most < 1.5 * full, `${most} bytes, where they took ${full}`);
  assert.equal([...packed.namesBefore()].length, all.length);
  packed.end();
});

test('what is left of many that went takes no more than a few of their bytes', () => {
  const packed = new RestingBeliefs();
  const all = many(1);
  for (let round = 0; round < 40; round++)
    for (const name of all)
      packed.add(`${name}-${round}`, { choice: pair(round, round), at: round, floor: round });
  const full = packed.bytes;
  assert.ok(full < 110 * packed.size, `${full} bytes for ${packed.size} names`);
  for (let round = 0; round < 40; round++)
    for (const [at, name] of all.entries()) if (at % 50 !== 0) packed.delete(`${name}-${round}`);
  assert.equal(packed.size, 40 * 100);
  assert.ok(packed.bytes < full / 8, `${packed.bytes} bytes of ${full}`);
  assert.deepEqual(packed.get(`${all[50] ?? ''}-7`)?.belief, { choice: pair(7, 7), at: 7, floor: 7 });
});
