import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decideAsserts,
  type Measured,
  type Verdict,
} from '../../../src/simulator/scenario/decide-asserts.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import type { Scenario } from '../../../src/simulator/scenario/scenario.ts';

const s = 1e6;

const scenario = (
  asserts: string,
  faults = '[{id: split, at: 100s, for: 60s, partition: [even, odd]}]',
): Scenario =>
  readScenario(`name: x\nnodes: {count: 10}\nfaults: ${faults}\nassert: ${asserts}\n`, 'x.yaml').scenario;

const good: Measured = {
  end: 1000 * s,
  healOf: () => 160 * s,
  cuts: [100 * s],
  effectsOf: () => 5,
  attempts: 7,
  violations: () => 0,
  checks: () => 3,
  timesAfter: () => [1 * s, 20 * s],
  ratio: () => 1,
  drifting: [],
};

function verdictOf(one: Scenario, measured: Partial<Measured> = {}, what?: RegExp): Verdict {
  const { verdict, exitCode, findings } = decideAsserts(one, { ...good, ...measured });
  assert.equal(exitCode, verdict === 'pass' ? 0 : 1);
  if (what === undefined) return verdict;
  const found = findings.filter((finding) => what.test(finding.what));
  assert.equal(found.length, 1, JSON.stringify(findings));
  return (found[0] as { verdict: Verdict }).verdict;
}

const converged = scenario('{within: {converged: {after: heal(split), within: 30s}}}');

test('a run that kept everything passes', () => {
  assert.equal(verdictOf(converged), 'pass');
});

test('one violation of a promise fails the run by its name', () => {
  const violations = (name: string): number => (name === 'index_rollback' ? 1 : 0);
  assert.equal(verdictOf(converged, { violations }), 'fail');
  assert.equal(verdictOf(converged, { violations }, /^never index_rollback$/), 'fail');
  assert.equal(verdictOf(converged, { violations }, /^never wrong_bytes$/), 'pass');
});

test('the limit itself is in time, a microsecond later is not', () => {
  assert.equal(verdictOf(converged, { timesAfter: () => [30 * s] }), 'pass');
  assert.equal(verdictOf(converged, { timesAfter: () => [30 * s + 1] }), 'fail');
  assert.equal(verdictOf(converged, { timesAfter: () => [1 * s, undefined] }), 'fail');
});

test('a share below one lets that many be late', () => {
  const most = scenario('{within: {converged: {after: heal(split), within: 30s, share: 75%}}}');
  assert.equal(verdictOf(most, { timesAfter: () => [1, 1, 1, undefined] }), 'pass');
  assert.equal(verdictOf(most, { timesAfter: () => [1, 1, undefined, undefined] }), 'fail');
});

test('a heal that another cut follows within the limit is not judged, and without any other the run is inconclusive', () => {
  for (const cut of [160, 175, 190]) {
    assert.equal(
      verdictOf(converged, { cuts: [100 * s, cut * s] }, /^converged/),
      'inconclusive',
      `cut at ${cut}`,
    );
    assert.equal(verdictOf(converged, { cuts: [100 * s, cut * s] }), 'inconclusive');
  }
  assert.equal(verdictOf(converged, { cuts: [100 * s, 190 * s + 1] }), 'pass');
  assert.equal(verdictOf(converged, { cuts: [100 * s, 160 * s - 1] }), 'pass');
});

test('a heal that never came, or too late to be judged, is inconclusive', () => {
  assert.equal(verdictOf(converged, { healOf: () => undefined }), 'inconclusive');
  assert.equal(verdictOf(converged, { end: 219 * s }), 'inconclusive');
  assert.equal(verdictOf(converged, { end: 220 * s }), 'pass');
  assert.equal(verdictOf(converged, { timesAfter: () => [] }), 'inconclusive');
});

test('of several heals all that can be judged must hold', () => {
  const faults =
    '[{id: a, at: 100s, for: 60s, isolate: "node:1"}, {id: b, at: 300s, for: 60s, isolate: "node:2"}]';
  const both = scenario('{within: {converged: {after: heal, within: 30s}}}', faults);
  const healOf = (id: string): number => (id === 'a' ? 160 * s : 360 * s);
  const late =
    (at: number) =>
    (_: unknown, event: number): number[] => [event === at * s ? 99 * s : 1];
  assert.equal(verdictOf(both, { healOf }), 'pass');
  assert.equal(verdictOf(both, { healOf, timesAfter: late(160) }), 'fail');
  assert.equal(verdictOf(both, { healOf, timesAfter: late(360) }), 'fail');
  // Nobody after the first excuses nobody after the second.
  const nobodyThenLate = (_: unknown, event: number): number[] => (event === 160 * s ? [] : [99 * s]);
  assert.equal(verdictOf(both, { healOf, timesAfter: nobodyThenLate }), 'fail');
  assert.equal(
    verdictOf(both, { healOf, timesAfter: (_, event) => (event === 160 * s ? [] : [1]) }),
    'inconclusive',
  );
  // The first is followed by a cut: only the second counts.
  assert.equal(verdictOf(both, { healOf, timesAfter: late(160), cuts: [170 * s] }), 'pass');
});

test('after the end of a fault that cuts no link', () => {
  const restart = scenario(
    '{within: {converged: {after: end(r), within: 30s}}}',
    '[{id: r, at: 100s, for: 20s, restart: all}]',
  );
  const seen: number[] = [];
  const timesAfter = (_: unknown, event: number): number[] => (seen.push(event), [1]);
  assert.equal(verdictOf(restart, { timesAfter, healOf: () => undefined, cuts: [] }), 'pass');
  assert.deepEqual(seen, [120 * s]);
});

test('a fault that cut no packet fails the run', () => {
  assert.equal(verdictOf(converged, { effectsOf: () => 0 }, /^fault split$/), 'fail');
  assert.equal(verdictOf(converged, { effectsOf: () => 0 }), 'fail');
});

test('a workload without an attempt fails the run, unless none was asked for', () => {
  assert.equal(verdictOf(converged, { attempts: 0 }), 'fail');
  const quiet = { ...converged, workload: { ...converged.workload, pip: undefined } };
  assert.equal(verdictOf(quiet, { attempts: 0 }), 'pass');
});

test('a run that still drifts after the warm-up fails', () => {
  assert.equal(verdictOf(converged, { drifting: ['routes'] }, /^not_steady$/), 'fail');
  assert.equal(verdictOf(converged, {}, /^not_steady$/), 'pass');
});

test('a share must be reached, and cannot be judged without anything to measure', () => {
  const delivery = scenario('{at_least: {delivery: 95%}}');
  assert.equal(verdictOf(delivery, { ratio: () => 0.95 }), 'pass');
  assert.equal(verdictOf(delivery, { ratio: () => 0.9499 }), 'fail');
  assert.equal(verdictOf(delivery, { ratio: () => undefined }), 'inconclusive');
});

test('failing outweighs inconclusive', () => {
  assert.equal(verdictOf(converged, { healOf: () => undefined, attempts: 0 }), 'fail');
});

test('a promise that nothing put to the test is said to be that', () => {
  const why = (checks: number): string | undefined =>
    decideAsserts(converged, { ...good, checks: () => checks }).findings.find(({ what }) =>
      what.startsWith('never '),
    )?.why;
  assert.equal(why(7), 'not seen in 7 checks');
  assert.equal(why(0), 'nothing put it to the test');
});

test('a condition that holds says after how many of all heals, and for how many nodes', () => {
  const faults =
    '[{id: a, at: 100s, for: 60s, isolate: "node:1"}, {id: b, at: 300s, for: 60s, isolate: "node:2"}]';
  const both = scenario('{within: {converged: {after: heal, within: 30s}}}', faults);
  const healOf = (id: string): number => (id === 'a' ? 160 * s : 360 * s);
  const why = (cuts: number[]): string | undefined =>
    decideAsserts(both, { ...good, healOf, cuts, timesAfter: () => [1, 2, 3] }).findings.find(({ what }) =>
      what.startsWith('converged'),
    )?.why;
  assert.equal(why([]), 'after 2 of 2, 3 nodes or more');
  // The first is followed by a cut: nothing is said of it.
  assert.equal(why([170 * s]), 'after 1 of 2, 3 nodes or more');
});
