import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cutCounters,
  faultBands,
  healedCuts,
  reconvergeTimes,
} from '../../../src/simulator/run/cut-measures.ts';
import { cutSides } from '../../../src/simulator/run/cut-sides.ts';
import { Dials } from '../../../src/simulator/run/dials.ts';
import { Reconvergence } from '../../../src/simulator/run/reconvergence.ts';
import type { Topology } from '../../../src/simulator/run/topology.ts';
import type { Scenario, WithinAssert } from '../../../src/simulator/scenario/scenario.ts';
import { advanced, down, second, signed, up } from '../../support/simulator/events.ts';

const links = (heal: number | undefined, cuts: number[]) => ({
  healOf: (id: string) => (id === 'split' && heal !== undefined ? heal * second : undefined),
  cutInstants: () => cuts.map((s) => s * second),
});
function scenario(within?: number, fault?: string): Scenario {
  const asked: Partial<WithinAssert> = { after: { event: 'heal', fault }, within: (within ?? 0) * second };
  return {
    warmup: 0,
    faults: [
      { id: 'split', kind: 'partition', at: 100 * second, for: 50 * second },
      { id: 'late', kind: 'crash', at: 900 * second, for: undefined },
    ],
    assert: { within: within === undefined ? [] : [asked] },
  } as unknown as Scenario;
}

test('the traces of a cut are looked for as long as an assert gives it, until another cut or the end', () => {
  const settled = (
    ...[made, given, end]: [Scenario, ReturnType<typeof links>, number]
  ): (number | undefined)[] => healedCuts(made, given, end * second).map((cut) => cut.settled / second);
  assert.deepEqual(settled(scenario(), links(150, [100]), 800), [450]);
  assert.deepEqual(settled(scenario(60, 'split'), links(150, [100]), 800), [210]);
  assert.deepEqual(settled(scenario(60), links(150, [100]), 800), [210]);
  assert.deepEqual(settled(scenario(60, 'other'), links(150, [100]), 800), [450]);
  assert.deepEqual(settled(scenario(60), links(150, [100, 170]), 800), [170]);
  assert.deepEqual(settled(scenario(60), links(150, [100]), 180), [180]);
  assert.deepEqual(settled(scenario(60), links(150, [100]), 150), []);
  assert.deepEqual(settled(scenario(60), links(undefined, [100]), 800), []);
});

test('the area of D is that of the cut and the window, less what it was in as much time before', () => {
  const cuts = healedCuts(scenario(60), links(150, [100]), 800 * second);
  const area = (points: { at: number; value: number | undefined }[]): number | undefined =>
    cuts
      .flatMap((cut) => cutCounters(cut, points, new Dials()))
      .find(({ metric }) => metric === 'divergence_area(split)')?.value;
  const point = (s: number, value: number | undefined) => ({ at: s * second, value });
  // 0.5 for 60 of 110 s; before 0.1, known for 100 s alone.
  const area1 = area([point(0, 0.1), point(100, 0.5), point(160, 0)]);
  assert.ok(Math.abs((area1 ?? 0) - (30 - 11)) < 1e-9);
  assert.ok(Math.abs(area([point(0, 0.2)]) ?? 1) < 1e-9);
  // Nothing was known before: there is nothing to compare with.
  assert.equal(area([point(0, undefined), point(100, 0.5)]), undefined);
});

test('each node’s time to reconverge is a value, a failure, or censored by its death', () => {
  const reconvergence = new Reconvergence();
  const tell = (s: number, event: Parameters<Reconvergence['observe']>[1]): void =>
    reconvergence.observe(s * second, event);
  for (const node of [0, 1, 2, 3]) tell(0, up(node));
  tell(10, signed(0, 5));
  tell(170, advanced(1, 0, 5));
  tell(180, down(2));
  tell(190, down(1));
  const topology = { wholeAfter: () => 7 * second } as unknown as Topology;
  const [cut] = healedCuts(scenario(), links(150, [100]), 400 * second);
  assert.ok(cut);
  const [nodes, whole] = reconvergeTimes(cut, { reconvergence, topology });
  assert.deepEqual(nodes?.values, [
    { kind: 'observed', value: 0, node: 0 },
    // It died before it had held on for 30 s.
    { kind: 'censored', bound: 40 * second, node: 1 },
    { kind: 'censored', bound: 30 * second, node: 2 },
    { kind: 'failed', node: 3 },
  ]);
  assert.deepEqual(whole?.values, [{ kind: 'observed', value: 7 * second }]);
});

test('bands are there for faults that began, no longer than the run', () => {
  const bands = faultBands(scenario(), 120 * second).map(({ id, intervals }) => [id, intervals]);
  assert.deepEqual(bands, [['split', [{ from: 100 * second, to: 120 * second }]]]);
});

test('sides are named as the scenario names them; who is in none stands apart', () => {
  const groupOf = new Map([
    [-1, 0],
    [0, 0],
    [1, 1],
    [2, 1],
  ]);
  const sides = cutSides(
    {
      fault: { id: 'split', kind: 'partition', groups: [['region:eu', 'node:3'], ['rest']] },
      membership: {
        groupOf: (id: number) => groupOf.get(id),
        members: [
          [-1, 0],
          [1, 2],
        ],
        join: () => undefined,
      },
      bridge: new Set([5]),
    } as never,
    { from: 0, heal: undefined },
  );
  assert.deepEqual([0, 1, 2, 5, 7].map(sides.sideOf), [
    'region:eu + node:3',
    'rest',
    'rest',
    'the bridge',
    'the others',
  ]);
  assert.deepEqual(sides.sides, ['region:eu + node:3', 'rest']);
  assert.equal(sides.until, Infinity);
});
