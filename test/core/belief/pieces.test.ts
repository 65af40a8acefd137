import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Beliefs } from '../../../src/core/belief/beliefs.ts';
import type { Pair } from '../../../src/core/belief/candidate.ts';
import type { HistoryRecord } from './history-model.ts';
import { pair, touchedBetween, viewOf } from './world.ts';

const NAMES = ['bar', 'baz', 'foo', 'qux', 'quux'];
const IDS = ['a', 'b', 'c'];
/** So few that votes are forgotten while a record is being accepted. */
const few = { perName: 2, perVoter: 3 };

const entry: fc.Arbitrary<Pair | undefined> = fc.option(
  fc.tuple(fc.nat(3), fc.nat(1)).map(([serial, content]) => pair(serial, content)),
  { nil: undefined },
);
const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('record' as const),
      voter: fc.nat(2),
      later: fc.nat(2),
      entries: fc.array(entry, { minLength: NAMES.length, maxLength: NAMES.length }),
      stale: fc.subarray(NAMES, { maxLength: 1 }),
      complete: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('vote' as const), name: fc.constantFrom(...NAMES), entry }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('let-go' as const) }) },
);
const world = fc.record({ k: fc.integer({ min: 1, max: 3 }), events: fc.array(event, { maxLength: 25 }) });

function create(k: number): Beliefs {
  const beliefs = new Beliefs(k, few);
  for (const id of [...IDS, 'own']) beliefs.addVoter({ id, slot: id });
  return beliefs;
}

function stateOf(beliefs: Beliefs): unknown {
  return {
    believed: NAMES.map((name) => beliefs.believed(name)),
    kept: NAMES.map((name) => beliefs.keptName(name)),
    size: beliefs.size,
  };
}

/** Plays it with pieces of `most` names; `between` is called before the first (0) and after each. */
function play(
  { k, events }: typeof world extends fc.Arbitrary<infer T> ? T : never,
  most: number,
  watch: (beliefs: Beliefs, piece: number, change: 'record' | 'let-go') => void,
): unknown[] {
  const beliefs = create(k);
  const records = new Map<string, HistoryRecord>();
  let now = 100;
  return events.map((happened) => {
    now += 1;
    let piece = 0;
    const between = (): void => {
      if (happened.type !== 'vote') watch(beliefs, piece++, happened.type);
    };
    between();
    if (happened.type === 'record') {
      const id = IDS[happened.voter] as string;
      const before = records.get(id);
      const found = NAMES.flatMap((name, at): [string, Pair][] => {
        const one = happened.entries[at];
        return one === undefined ? [] : [[name, one]];
      });
      const record: HistoryRecord = {
        at: Math.max(before?.at ?? 0, now - happened.later * 3),
        map: new Map(found),
        stale: new Set(happened.stale),
        complete: happened.complete || (before?.complete ?? false),
      };
      const touched = before === undefined ? NAMES : touchedBetween(before, record);
      records.set(id, record);
      const acceptance = beliefs.begin(id, viewOf(record));
      assert.ok(acceptance !== undefined);
      for (const _ of acceptance.prepare()) between();
      for (let at = 0; at < touched.length; at += most) {
        acceptance.touch(touched.slice(at, at + most));
        between();
      }
      for (const _ of acceptance.finish()) between();
      between();
      acceptance.done();
    } else if (happened.type === 'vote') {
      beliefs.vote('own', happened.name, { candidate: happened.entry ?? 'absent', at: now });
    } else {
      const end = beliefs.endBases();
      for (let at = 0; at < NAMES.length; at += most) {
        end?.touch(NAMES.slice(at, at + most));
        between();
      }
      for (const _ of end?.finish() ?? []) between();
    }
    const changed = beliefs.takeChanged().sort();
    return { happened, changed, ...(stateOf(beliefs) as object) };
  });
}

test('how a record is cut into pieces changes nothing that is believed, kept or written', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 1, max: 4 }), (random, most) => {
      assert.deepEqual(
        play(random, most, () => {}),
        play(random, Infinity, () => {}),
      );
    }),
    { numRuns: 1500 },
  );
});

test('between the pieces what was believed and kept before is told; while bases go, what is believed stays', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 1, max: 4 }), (random, most) => {
      let before: ReturnType<typeof told> | undefined;
      play(random, most, (beliefs, piece, change) => {
        const now = told(beliefs);
        if (piece === 0) before = now;
        else assert.deepEqual(change === 'record' ? now : { ...now, kept: before?.kept }, before);
      });
    }),
    { numRuns: 1500 },
  );
});

function told(beliefs: Beliefs): { believed: unknown[]; kept: string[] } {
  return {
    believed: NAMES.map((name) => beliefs.believed(name)),
    kept: [...beliefs.keptNames()].sort(),
  };
}

test('what comes and goes while one record is accepted is not written down', () => {
  const beliefs = create(2);
  const names = Array.from({ length: 50 }, (_, at) => `name-${at}`);
  const record = (at: number, content: number): HistoryRecord => {
    return {
      at,
      map: new Map(names.map((name) => [name, pair(1, content)])),
      stale: new Set(),
      complete: true,
    };
  };
  for (const id of IDS) beliefs.accept(id, viewOf(record(10, 1)), []);
  beliefs.letBasesGo([]);
  beliefs.takeChanged();
  // Each name is open until the three votes that are remembered are those of the names after it.
  beliefs.accept('c', viewOf(record(20, 2)), names);
  assert.deepEqual(beliefs.takeChanged().sort(), names.slice(-3).sort());
});
