import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { ScenarioError } from '../../../src/simulator/scenario/problems.ts';
import { placeHosts } from '../../../src/simulator/scenario/hosts.ts';

const base = `name: x
nodes: {count: 30, regions: {eu: 0.5, na: 0.5}}
faults: [{id: split, at: 1m, for: 5m, partition: [even, odd]}]
`;

const read = (sweep: string) => readScenario(`${base}sweep: ${sweep}\n`, 'x.yaml');

function problemOf(sweep: string): string {
  try {
    read(sweep);
  } catch (error) {
    assert.ok(error instanceof ScenarioError, String(error));
    return error.problems
      .map(({ line, column, message, fix }) => `${line}:${column} ${message}; ${fix}`)
      .join('\n');
  }
  return '';
}

test('the first key of the file turns slowest, and values keep their order', () => {
  const { points } = read('{/network/loss: [1%, 0%], /faults/0/for: [30s, 2m, 15m]}');
  assert.deepEqual(
    points.map(({ index, settings, scenario }) => [
      index,
      settings.map(({ value }) => value).join(' '),
      scenario.network.loss,
      (scenario.faults[0]?.for ?? 0) / 1e6,
    ]),
    [
      [0, '1% 30s', 0.01, 30],
      [1, '1% 2m', 0.01, 120],
      [2, '1% 15m', 0.01, 900],
      [3, '0% 30s', 0, 30],
      [4, '0% 2m', 0, 120],
      [5, '0% 15m', 0, 900],
    ],
  );
  assert.deepEqual(
    points[4]?.settings.map(({ pointer }) => pointer),
    ['/network/loss', '/faults/0/for'],
  );
});

test('zip pairs its lists and is one axis at its place in the file', () => {
  const { points, axes } = read(
    '{/replication: [1, 2], zip: {/faults/0/for: [30s, 2m], /faults/0/at: [1m, 3m]}, /network/jitter: [0%, 5%]}',
  );
  assert.deepEqual(axes.map(({ pointers, steps }) => [pointers, steps]), [
    [['/replication'], [['1'], ['2']]],
    [['/faults/0/for', '/faults/0/at'], [['30s', '1m'], ['2m', '3m']]],
    [['/network/jitter'], [['0%'], ['5%']]],
  ]); // prettier-ignore
  assert.deepEqual(
    points.map(({ settings }) => settings.map(({ value }) => value).join(' ')),
    [
      '1 30s 1m 0%',
      '1 30s 1m 5%',
      '1 2m 3m 0%',
      '1 2m 3m 5%',
      '2 30s 1m 0%',
      '2 30s 1m 5%',
      '2 2m 3m 0%',
      '2 2m 3m 5%',
    ],
  );
});

test('a value may be a whole map or list, and may stand where the file says nothing', () => {
  const { points, scenario } = read(
    '{/churn: [none, {session: 1h, downtime: 5m}], /hosts/home/inbound: [filtered, open]}',
  );
  assert.equal(scenario.churn, undefined);
  assert.deepEqual(
    points.map((point) => point.scenario.churn?.session),
    [undefined, undefined, { kind: 'fixed', value: 3600e6 }, { kind: 'fixed', value: 3600e6 }],
  );
  assert.equal(points[1]?.scenario.hosts.get('home')?.inbound, 'open');
  assert.equal(points[2]?.settings[0]?.value, '{ session: 1h, downtime: 5m }');
});

test('points do not see one another, nor does the scenario see them', () => {
  const { points, scenario } = read(
    '{/faults/0/mode: [reject, blackhole], /network: [{loss: 1%}, {jitter: 1%}]}',
  );
  assert.deepEqual(scenario.network.loss, 0.001);
  assert.deepEqual(
    points.map(({ scenario }) => [scenario.network.loss, scenario.network.jitter]),
    [
      [0.01, 0.05],
      [0.001, 0.01],
      [0.01, 0.05],
      [0.001, 0.01],
    ],
  );
});

test('run r of two points has the same hosts', () => {
  const [first, second] = read('{/network/loss: [0%, 1%]}').points;
  assert.ok(first && second);
  assert.deepEqual(placeHosts(first.scenario, 3), placeHosts(second.scenario, 3));
  assert.notDeepEqual(placeHosts(first.scenario, 3), placeHosts(first.scenario, 4));
});

test('a value that a point cannot have is an error at its place in the list, once', () => {
  assert.match(
    problemOf('{/network/loss: [0%, 3, 1%], /replication: [1, 2]}'),
    /^4:29 "3" is not a percentage[^\n]*$/,
  );
  assert.match(problemOf('{/replication: [3, 31]}'), /^4:27 31 copies of a file[^\n]*$/);
  assert.match(problemOf('{/network/los: [1%]}'), /"los" is no key of the network; did you mean "loss"/);
});

test('a sweep that cannot be is an error that says why', () => {
  assert.match(problemOf('{network/loss: [1%]}'), /is no JSON Pointer; write \/network\/loss/);
  assert.match(problemOf('{/faults/1/for: [1m]}'), /the list has no item 1; items are 0 to 0/);
  assert.match(problemOf('{/name/x: [1m]}'), /"\/name\/x" cannot be swept; all points are one scenario/);
  assert.match(problemOf('{/seed: [1, 2]}'), /points share their random streams.*use "runs"/);
  assert.match(problemOf('{/network/loss: 1%}'), /"1%" is not a list of values/);
  assert.match(problemOf('{/network/loss: []}'), /is not a list of values/);
  assert.match(problemOf('[1]'), /a list is not a sweep/);
  assert.match(
    problemOf('{zip: {/network/loss: [1%], /network/jitter: [1%, 2%]}}'),
    /different lengths: 1, 2/,
  );
  assert.match(problemOf('{zip: {/network/loss: [1%]}}'), /not what "zip" pairs/);
  assert.match(problemOf('{/network: [{loss: 1%}], /network/loss: [1%]}'), /set the same value/);
  const hundred = `[${Array.from({ length: 100 }, (_, i) => `${i}%`).join()}]`;
  assert.match(
    problemOf(`{/network/loss: ${hundred}, /network/jitter: ${hundred}, /replication: [1, 2]}`),
    /20000 points; keep it to 10000/,
  );
});
