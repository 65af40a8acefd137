import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Candidate, type Pair, sameCandidate } from '../../../src/core/belief/candidate.ts';
import { createVoters, pair } from './world.ts';

/** What the upstream really had: one candidate for each moment of 0..59. */
const history = fc
  .tuple(
    fc.boolean(),
    fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.constant('same') }, fc.constant('change'), fc.constant('remove')),
      {
        minLength: 60,
        maxLength: 60,
      },
    ),
  )
  .map(([withSerials, steps]) => {
    let serial = 1;
    let now: Candidate = pair(withSerials ? serial : 0, serial);
    return steps.map((step): Candidate => {
      if (step === 'remove') now = 'absent';
      if (step === 'change') {
        serial += 1;
        now = pair(withSerials ? serial : 0, serial);
      }
      return now;
    });
  });
const lie = fc.oneof(
  fc.constant('absent' as const),
  fc.nat(59).map((moment) => ({ replay: moment })),
  fc.tuple(fc.nat(100), fc.integer({ min: 200, max: 203 })).map(([serial, content]) => pair(serial, content)),
  fc.tuple(fc.nat(59), fc.nat(2000)).map(([moment, serial]) => ({ replay: moment, serial })),
);
const cast = fc
  .record({ k: fc.integer({ min: 2, max: 4 }), honest: fc.integer({ min: 0, max: 3 }), liars: fc.nat(3) })
  .map(({ k, honest, liars }) => ({ k, honest: k + honest, liars: Math.min(liars, k - 1) }))
  .map((found) => ({ ...found, honest: Math.min(found.honest, 5 - found.liars) }))
  .filter(({ k, honest }) => honest >= k);
const acts = fc.array(
  fc.record({
    voter: fc.nat(4),
    at: fc.nat(58),
    lag: fc.nat(6),
    lie,
    pageLag: fc.nat(3),
    complete: fc.boolean(),
  }),
  { maxLength: 40 },
);

test('fewer than k liars can neither introduce nor roll back nor remove nor make young, and k honest voters settle it', () => {
  fc.assert(
    fc.property(history, cast, acts, (truth, { k, honest, liars }, unordered) => {
      const voters = createVoters(k, honest + liars);
      const last = new Map<string, number>();
      const done = new Set<string>();
      const byMoment = [...unordered].sort((a, b) => a.at - b.at);
      let floor = 0;
      const check = (now: number): void => {
        const believed = voters.foo();
        if (believed === undefined) return;
        const [choice, at] = believed;
        assert.ok(
          truth.slice(at, now + 1).some((real) => sameCandidate(real, choice)),
          'the upstream had it at T or later',
        );
        if (choice !== 'absent') {
          assert.ok(choice.serial >= floor, 'no way back');
          floor = choice.serial;
        }
      };
      const asMap = (said: Candidate): Record<string, Pair> => (said === 'absent' ? {} : { foo: said });
      for (const act of byMoment) {
        const id = voters.ids[act.voter % voters.ids.length]!;
        const at = Math.max(last.get(id) ?? 0, act.at - act.lag);
        last.set(id, at);
        if (voters.ids.indexOf(id) >= honest) {
          let said: Candidate;
          if (act.lie === 'absent' || !('replay' in act.lie)) said = act.lie;
          else {
            const old = truth[act.lie.replay]!;
            said = old === 'absent' || !('serial' in act.lie) ? old : { ...old, serial: act.lie.serial };
          }
          voters.says(id, at, asMap(said));
        } else {
          // A page that lags behind the list is marked stale.
          const seen = truth[Math.max(0, at - act.pageLag)]!;
          const stale = sameCandidate(seen, truth[at]!) ? [] : ['foo'];
          const complete = act.complete || done.has(id);
          if (complete) done.add(id);
          voters.says(id, at, asMap(seen), { stale, complete });
        }
        check(act.at);
      }
      for (const id of voters.ids.slice(0, honest)) {
        voters.says(id, 59, asMap(truth[59]!));
        check(59);
      }
      assert.deepEqual(voters.foo(), [truth[59], 59]);
    }),
    { numRuns: 2000 },
  );
});
