import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Beliefs } from '../../../src/core/belief/beliefs.ts';
import type { Candidate, Pair } from '../../../src/core/belief/candidate.ts';
import type { Scope } from '../../../src/core/belief/voter-view.ts';
import { HistoryModel, type HistoryRecord } from './history-model.ts';
import { pair, touchedBetween, viewOf, wholeIndex } from './world.ts';

const NAMES = ['bar', 'baz', 'foo'];
const unlimited = { perName: Infinity, perVoter: Infinity };
const listOfTwo: Scope = { id: 'two', covers: (name) => name !== 'baz' };

const entry: fc.Arbitrary<Pair | undefined> = fc.option(
  fc.tuple(fc.nat(3), fc.nat(1)).map(([serial, content]) => pair(serial, content)),
  { nil: undefined },
);
const voterIndex = fc.nat(4);
/** Few names, pairs and moments, so that everything meets everything. */
const event = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('record' as const),
      voter: voterIndex,
      later: fc.nat(3),
      changes: fc.array(fc.tuple(fc.constantFrom(...NAMES), entry), { maxLength: 2 }),
      stale: fc.subarray(NAMES, { maxLength: 1 }),
      complete: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('vote' as const),
      voter: fc.nat(5),
      name: fc.constantFrom(...NAMES),
      candidate: entry.map((found): Candidate => found ?? 'absent'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('exclude' as const), voter: voterIndex }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('let-go' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('look-again' as const), most: fc.nat(3) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly voters: number;
  readonly k: number;
  readonly sharedSlot: boolean;
  readonly narrow: boolean;
  readonly events: readonly Event[];
}
const world: fc.Arbitrary<World> = fc.record({
  voters: fc.integer({ min: 3, max: 5 }),
  k: fc.integer({ min: 1, max: 4 }),
  /** a and b are a key and its successor. */
  sharedSlot: fc.boolean(),
  /** c signs for a list of two names only. */
  narrow: fc.boolean(),
  events: fc.array(event, { maxLength: 40 }),
});

/** `voter` says `changes`, at once. */
const says = (voter: number, changes: [string, Pair | undefined][] = [], complete = false): Event => ({
  type: 'record',
  voter,
  later: 0,
  changes,
  stale: [],
  complete,
});

/** Plays a world on both; `check` is called after each event. */
function play(
  { voters, k, sharedSlot, narrow, events }: World,
  check: (compact: Beliefs, model: HistoryModel, now: number) => void,
): Beliefs {
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, voters);
  const slotOf = (id: string): string => (sharedSlot && id === 'b' ? 'a' : id);
  const scopeOf = (id: string): Scope => (narrow && id === 'c' ? listOfTwo : wholeIndex);
  const create = (): Beliefs => {
    const beliefs = new Beliefs(k, unlimited);
    for (const id of ids) beliefs.addVoter({ id, slot: slotOf(id) });
    beliefs.addVoter({ id: 'own', slot: 'own' });
    return beliefs;
  };
  let compact = create();
  const model = new HistoryModel(k, NAMES);
  for (const id of ids) model.addVoter(id, slotOf(id), scopeOf(id).covers);
  model.addVoter('own', 'own', () => true);
  const records = new Map<string, HistoryRecord>();
  const excluded = new Set<string>();
  const written = new Map<string, NonNullable<ReturnType<Beliefs['keptName']>>>();
  let now = 100;
  for (const happened of events) {
    now += 1;
    if (happened.type === 'record') {
      const id = ids[happened.voter % ids.length]!;
      const before = records.get(id);
      const map = new Map(before?.map);
      for (const [name, found] of happened.changes)
        if (found !== undefined && scopeOf(id).covers(name)) map.set(name, found);
        else map.delete(name);
      const record: HistoryRecord = {
        at: Math.max(before?.at ?? 0, now - happened.later * 3),
        map,
        stale: new Set(happened.stale),
        complete: happened.complete || (before?.complete ?? false),
      };
      if (excluded.has(slotOf(id))) continue;
      const touched = touchedBetween(before, record);
      if (before?.complete !== record.complete && new Set(ids.map(slotOf)).size >= 2 * k)
        touched.push(
          ...NAMES.filter((name) =>
            [...records.values()].some((other) => other.map.get(name) !== map.get(name)),
          ),
        );
      compact.accept(id, viewOf(record, scopeOf(id)), touched);
      model.accept(id, record);
      records.set(id, record);
    } else if (happened.type === 'vote') {
      compact.vote('own', happened.name, { candidate: happened.candidate, at: now });
      model.vote('own', happened.name, { candidate: happened.candidate, at: now });
    } else if (happened.type === 'exclude') {
      const slot = slotOf(ids[happened.voter % ids.length]!);
      if (!excluded.has(slot)) {
        excluded.add(slot);
        compact.exclude(slot);
        model.exclude(slot);
      }
    } else if (happened.type === 'let-go') {
      compact.letBasesGo(
        NAMES.filter((name) => {
          const covering = ids.filter((id) => records.has(id) && scopeOf(id).covers(name));
          const said = covering.map((id) => {
            const record = records.get(id)!;
            if (record.stale.has(name)) return 'none';
            return record.map.get(name) ?? (record.complete ? 'absent' : 'none');
          });
          const left = new Set(covering.map(slotOf).filter((slot) => !excluded.has(slot)));
          return left.size < k || said.includes('none') || said.some((one) => one !== said[0]);
        }),
      );
    } else if (happened.type === 'look-again') {
      for (const _ of compact.letGo(happened.most));
    } else {
      for (const name of compact.keptNames()) assert.ok(written.has(name), `${name} was not written down`);
      const next = create();
      next.restore(
        {
          names: written,
          bases: compact.keptBases(),
          excluded: compact.excludedSlots(),
          views: [...records].map(([voter, record]) => ({ voter, view: viewOf(record, scopeOf(voter)) })),
        },
        (id) => (id === 'two' ? listOfTwo : wholeIndex),
      );
      compact = next;
    }
    for (const name of compact.takeChanged()) {
      const kept = compact.keptName(name);
      if (kept === undefined) written.delete(name);
      else written.set(name, JSON.parse(JSON.stringify(kept)) as typeof kept);
    }
    check(compact, model, now);
  }
  return compact;
}

test('the compact form believes exactly what the whole history says, through exclusions and restarts', () => {
  fc.assert(
    fc.property(world, (random) => {
      play(random, (compact, model) => {
        for (const name of NAMES) assert.deepEqual(compact.believed(name), model.kept.get(name), name);
      });
    }),
    { numRuns: 3000 },
  );
});

test('a name that is told twice to be touched counts once', () => {
  // A goes back in serial, so that its entry is no vote, and then removes the project; its map becomes whole by the same
  // record, so that names are touched a second time.
  const events = [
    says(0, [['foo', pair(1, 0)]]),
    says(0, [['foo', pair(0, 1)]]),
    says(1, [['foo', pair(0, 1)]]),
    says(0, [['foo', undefined]], true),
  ];
  play({ voters: 4, k: 2, sharedSlot: false, narrow: false, events }, (compact, model) => {
    assert.deepEqual(compact.believed('foo'), model.kept.get('foo'));
  });
});

test('what the maps say again is no longer written down, and so not believed with an old T after a restart', () => {
  const events: Event[] = [
    says(0),
    says(1, [['bar', pair(0, 0)]]),
    { type: 'let-go' },
    says(1),
    { type: 'exclude', voter: 1 },
    { type: 'restart' },
  ];
  play({ voters: 3, k: 1, sharedSlot: false, narrow: false, events }, (compact, model) => {
    assert.deepEqual(compact.believed('bar'), model.kept.get('bar'));
  });
});

test('T, serial and floor never go down, and k slots held what is believed at T or later', () => {
  fc.assert(
    fc.property(world, (random) => {
      const before = new Map<string, { at: number; floor: number }>();
      play(random, (compact, model) => {
        for (const name of NAMES) {
          const belief = compact.believed(name);
          const last = before.get(name);
          if (belief === undefined) {
            assert.equal(last, undefined, 'what was decided stays');
            continue;
          }
          assert.ok(last === undefined || (belief.at >= last.at && belief.floor >= last.floor));
          if (belief.choice !== 'absent') assert.equal(belief.choice.serial, belief.floor);
          assert.ok(model.wasHeld(name, belief.choice, belief.at));
          before.set(name, belief);
        }
      });
    }),
    { numRuns: 1000 },
  );
});

test('once the voters agree and time has passed, nothing is kept but the floors of removed projects', () => {
  fc.assert(
    fc.property(world, fc.array(entry, { minLength: 3, maxLength: 3 }), (random, last) => {
      const calm = { ...random, k: Math.min(random.k, 2), narrow: false };
      const voters = [...Array(calm.voters).keys()];
      // Above every serial that was played, so that nobody goes back.
      const changes = NAMES.flatMap((name, at): [string, Pair][] => {
        const found = last[at];
        return found === undefined ? [] : [[name, { ...found, serial: 4 }]];
      });
      const agree = (list: typeof changes): Event[] =>
        voters.map((voter) => ({
          type: 'record',
          voter,
          later: 0,
          changes: list,
          stale: [],
          complete: true,
        }));
      const compact = play(
        {
          ...calm,
          events: [
            ...random.events.filter((one) => one.type !== 'exclude'),
            ...agree(NAMES.map((name): [string, undefined] => [name, undefined]) as never),
            ...agree(changes),
            ...agree([]),
            ...agree([]),
            ...agree([]),
            { type: 'let-go' },
          ],
        },
        () => {},
      );
      const { active, votes, bases } = compact.size;
      assert.deepEqual({ active, votes, bases }, { active: 0, votes: 0, bases: 0 });
      for (const name of compact.keptNames()) assert.equal(compact.believed(name)?.choice, 'absent');
    }),
    { numRuns: 500 },
  );
});
