import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { ScenarioError, type Problem } from '../../../src/simulator/scenario/problems.ts';
import type { Scenario } from '../../../src/simulator/scenario/scenario.ts';

const read = (text: string): Scenario => readScenario(text, 'x.yaml').scenario;

function problemsOf(text: string): readonly Problem[] {
  try {
    readScenario(text, 'x.yaml');
  } catch (error) {
    assert.ok(error instanceof ScenarioError, String(error));
    return error.problems;
  }
  return [];
}

/** `line:column message; fix` of the only problem. */
function problemOf(text: string): string {
  const problems = problemsOf(text);
  assert.equal(problems.length, 1, JSON.stringify(problems, undefined, 1));
  const { line, column, message, fix } = problems[0] as Problem;
  return `${line}:${column} ${message}; ${fix}`;
}

const small = 'name: x\nnodes: {count: 10}\n';

/** The block of the design page. */
const page = `
name: atlantic-split
seed: 1
runs: 10
nodes: {count: 100, regions: {eu: 0.5, na: 0.4, as: 0.1}, profiles: {home: 0.8, server: 0.2}}
network: {latency: regions10, jitter: 5%, loss: 0.1%}
churn: {session: {weibull: {shape: 0.5, mean: 4h}}, downtime: {lognormal: {median: 30m, sigma: 1}}}
workload: {publishers: 3, snapshots: {every: 60s}, pip: {rate: 2/s, per: network, popularity: {zipf: 1.1}}, new_files: {every: 30s}}
faults:
  - {id: split, at: 10m, for: 15m, partition: [["region:na"], [rest]], mode: blackhole}
  - {id: alone, at: 40m, for: 5m, isolate: ["role:publisher"]}
assert:
  never: [wrong_bytes, index_rollback, age_understated]
  within: {converged: {after: heal(split), within: 5m}}
sweep: {/network/loss: [0%, 0.1%, 1%], /faults/0/for: [30s, 2m, 15m, 2h]}
`;

test("the design's example is read as it is meant", () => {
  const { scenario, points } = readScenario(page, 'page.yaml');
  assert.equal(scenario.runs, 10);
  assert.deepEqual([...scenario.nodes.regions], [['eu', 0.5], ['na', 0.4], ['as', 0.1]]); // prettier-ignore
  assert.deepEqual(scenario.churn, {
    session: { kind: 'weibull', shape: 0.5, mean: 4 * 3600e6 },
    downtime: { kind: 'lognormal', median: 1800e6, sigma: 1 },
    rejoin: { address: 'keep', state: 'keep' },
    among: ['!role:publisher & !role:bootstrap'],
  });
  assert.deepEqual(scenario.workload.pip, {
    rate: 2,
    per: 'network',
    popularity: { zipf: 1.1 },
    among: ['all'],
  });
  assert.deepEqual(scenario.faults, [
    {
      id: 'split',
      at: 600e6,
      for: 900e6,
      kind: 'partition',
      groups: [['region:na'], ['rest']],
      bridge: undefined,
      mode: { kind: 'blackhole' },
    },
    {
      id: 'alone',
      at: 2400e6,
      for: 300e6,
      kind: 'isolate',
      group: ['role:publisher'],
      mode: { kind: 'blackhole' },
    },
  ]);
  assert.deepEqual(scenario.assert.within, [
    { condition: 'converged', after: { event: 'heal', fault: 'split' }, within: 300e6, share: 1 },
  ]);
  assert.equal(points.length, 12);
});

test('what a scenario does not say has a default', () => {
  const scenario = read(small);
  assert.equal(scenario.warmup, 600e6);
  assert.equal(scenario.duration, 600e6);
  assert.equal(scenario.security, 'plaintext');
  assert.equal(scenario.cpu, 'reference');
  assert.equal(scenario.policy.threshold, 2);
  assert.equal(scenario.replication, 3);
  assert.equal(scenario.churn, undefined);
  assert.equal(scenario.nodes.regions.size, 10);
  assert.equal(scenario.hosts.get('home')?.inbound, 'filtered');
  assert.equal(scenario.hosts.get('server')?.inbound, 'open');
  assert.equal(scenario.network.latency.oneWay[0]?.[0], 10_000);
  // Two nodes can be dialled: of those are the bootstraps; three publishers need others too.
  assert.deepEqual(scenario.nodes.bootstraps, { count: 2, among: ['profile:server'] });
  assert.deepEqual(scenario.workload.publishers, { count: 3, among: ['all'] });
});

test('without publishers nodes read the upstream themselves', () => {
  assert.equal(read(`${small}workload: {publishers: 0}`).policy.threshold, 0);
});

test('the duration is the last end of a fault and as long as the asserts look after it', () => {
  const faults = 'faults: [{id: a, at: 10m, for: 5m, isolate: "node:1"}, {at: 20m, crash: "node:2"}]\n';
  assert.equal(read(small + faults).duration, 25 * 60e6);
  const within = 'assert: {within: {converged: {after: heal(a), within: 2m}}}';
  assert.equal(read(small + faults + within).duration, (22 * 60 + 30) * 1e6);
});

test('latency is a table, one time for all, or a one-way matrix', () => {
  assert.deepEqual(read(`${small}network: {latency: 50ms}`).network.latency, {
    table: undefined,
    regions: ['world'],
    oneWay: [[50_000]],
  });
  const matrix = '{a: {a: 1ms, b: 20ms}, b: {b: 2ms, a: 30ms}}';
  assert.deepEqual(read(`${small}network: {latency: ${matrix}}`).network.latency, {
    table: undefined,
    regions: ['a', 'b'],
    oneWay: [[1000, 20_000], [30_000, 2000]], // prettier-ignore
  });
  assert.match(
    problemOf(`${small}network:\n  latency: {a: {a: 1ms, b: 2ms}, b: {b: 1ms}}`),
    /^4:37 the row of b lacks a; /,
  );
  assert.match(problemOf(`${small}network: {latency: regions11}`), /is no latency table; write regions10/);
});

test('a profile says what it changes, the rest is as home or server', () => {
  const { hosts } = read(`${small}hosts: {home: {inbound: open}, server: {up: unlimited}}`);
  assert.deepEqual(hosts.get('home'), { inbound: 'open', up: 2_500_000, down: 12_500_000 });
  assert.deepEqual(hosts.get('server'), { inbound: 'open', up: Infinity, down: 125_000_000 });
});

test('an unknown key names file, line, column and the nearest known key', () => {
  const [problem] = problemsOf(`${small}network:\n  los: 1%\n`);
  assert.deepEqual(
    { ...problem, fix: problem?.fix.split(' Known')[0] },
    {
      file: 'x.yaml',
      line: 4,
      column: 3,
      pointer: '/network/los',
      message: '"los" is no key of the network',
      fix: 'did you mean "loss"?',
    },
  );
  assert.match(
    problemOf(`${small}sweeps: {}`),
    /^3:1 "sweeps" is no key of a scenario; did you mean "sweep"\?/,
  );
});

test('the same key twice is an error where it stands the second time', () => {
  assert.equal(problemOf(`${small}seed: 1\nseed: 2`), '4:1 the key is there twice; keep one of the two');
  assert.match(
    problemOf(`${small}network: {loss: 0%, jitter: 0%, loss: 1%}`),
    /^3:33 the key is there twice/,
  );
});

test('every problem is reported, in the order of the file', () => {
  const text = `name: Bad Name
seeed: 1
nodes: {count: 0}
network: {loss: 5}
faults:
  - {at: 10, isolate: all}
  - {at: 1m, crash: all, restart: all}
  - {at: 1m, isolate: "regin:eu"}
assert: {never: [wrong_byte]}
`;
  const problems = problemsOf(text);
  assert.deepEqual(
    problems.map(({ line }) => line),
    [1, 2, 3, 4, 6, 7, 8, 9],
  );
  try {
    readScenario(text, 'x.yaml');
  } catch (error) {
    assert.ok(error instanceof ScenarioError);
    assert.equal(error.message.split('\n').length, 8);
    assert.match(error.message, /^x\.yaml:1:7: \/name: "Bad Name" is not /);
    assert.equal(error.fault, 'usage');
  }
});

const mistakes: [string, string, RegExp][] = [
  ['no name', 'nodes: {count: 1}', /^1:1 a scenario needs "name"; add "name"/],
  ['a list in place of a map', `${small}network: [1]`, /^3:10 a list is not the network; write a map/],
  ['nothing in place of a map', `${small}network:`, /^3:\d+ nothing is not the network/],
  ['a time without a unit', `${small}warmup: 10`, /^3:9 "10" is not a time with its unit.*it has no unit/],
  ['a share that is too large', `${small}network: {loss: 101%}`, /"101%" is out of range/],
  ['shares that do not sum to one', 'name: x\nnodes: {count: 9, regions: {eu: 0.5, na: 0.4}}', /^2:\d+ the shares sum to 0.9/],
  ['a region that the table lacks', 'name: x\nnodes: {count: 9, regions: {nb: 1}}', /no region "nb"; did you mean "na"/],
  ['a profile that nobody has', `${small}hosts: {hom: {inbound: open}}`, /^3:\d+ no node has the profile "hom"; did you mean "home"/],
  ['more publishers than nodes', `${small}workload: {publishers: 11}`, /11 publishers among 10 nodes/],
  ['more publishers than the region has', `name: x\nnodes: {count: 10, regions: {eu: 0.9, na: 0.1}}\nworkload: {publishers: {count: 3, among: "region:na"}}`, /3 publishers among 1 nodes that are region:na/],
  [
    'more publishers than any draw of the nodes has',
    `name: x\nnodes: {count: 10, regions: {eu: 0.9, na: 0.1}}\nworkload: {publishers: {count: 2, among: "region:na & odd"}}`,
    /2 publishers among [01] nodes that are region:na & odd/,
  ],
  ['a role placed by a role', `${small}workload: {publishers: {count: 3, among: "role:bootstrap"}}`, /cannot say where a role is placed/],
  ['a majority of more than all', `${small}policy: {threshold: 4}`, /^3:\d+ 4 of 3 publishers cannot agree; write 1 to 3/],
  ['more copies than nodes', `${small}replication: 11`, /11 copies of a file need as many nodes/],
  ['two faults of one id', `${small}faults: [{id: a, at: 1m, crash: "node:1"}, {id: a, at: 1m, crash: "node:2"}]`, /faults 0 and 1 are both "a"/],
  ['a fault after the end', `${small}duration: 5m\nfaults: [{id: a, at: 6m, crash: "node:1"}]`, /begins at 6m, when the run of 5m is over/],
  ['a fault that does nothing', `${small}faults: [{at: 1m}]`, /a fault does nothing; give it exactly one of/],
  ['a word of another fault', `${small}faults: [{at: 1m, crash: "node:1", skew: 5s}]`, /^3:\d+ "skew" has no meaning for crash; remove it; it belongs to clock/],
  ['one-way as a mode', `${small}faults: [{at: 1m, isolate: "node:1", mode: one-way}]`, /write "one-way: A -> B"/],
  ['flaky without its times', `${small}faults: [{at: 1m, isolate: "node:1", mode: flaky}]`, /add flaky: \{up: 10s, down: 5s\}/],
  ['flaky and reject', `${small}faults: [{at: 1m, isolate: "node:1", mode: reject, flaky: {up: 1s, down: 1s}}]`, /a cut is reject or flaky, not both/],
  ['flapping in microseconds', `${small}faults: [{at: 1m, isolate: "node:1", flaky: {up: 5us, down: 1s}}]`, /out of range/],
  ['a clock without its skew', `${small}faults: [{at: 1m, clock: "node:1"}]`, /"clock" needs "skew"/],
  ['a liar without its lie', `${small}faults: [{at: 1m, byzantine: "node:1"}]`, /"byzantine" needs "behaviour"/],
  ['an arrow with one end', `${small}faults: [{at: 1m, one-way: "even"}]`, /not of the form "A -> B"/],
  ['an empty group', `${small}faults: [{at: 1m, isolate: "even & odd"}]`, /group 0 \(even & odd\) is empty/],
  ['a group that the nodes do not fill', `${small}faults: [{at: 1m, isolate: "fraction:0.01"}]`, /group 0 \(fraction:0.01\) is empty/],
  ['a node that is not there', `${small}faults: [{at: 1m, isolate: "node:10"}]`, /there is no node 10; nodes are 0 to 9/],
  ['two groups that share a host', `${small}faults: [{at: 1m, partition: [even, "node:0-2", rest]}]`, /node 0 \(\w+, \w+\) is in group 0 \(even\) and in group 1 \(node:0-2\)/],
  ['a second rest', `${small}faults: [{at: 1m, partition: [even, rest, rest]}]`, /a second "rest"/],
  ['rest among the workload', `${small}workload: {pip: {among: rest}}`, /"rest" is what other groups leave/],
  ['nodes that no group has', `${small}faults: [{at: 1m, partition: ["node:0", "node:1"]}]`, /8 nodes are in no group.*add the group \[rest\]/],
  ['a heal of nobody', `${small}assert: {within: {converged: {after: heal(a), within: 1m}}}`, /there is no fault "a"; add a fault/],
  ['a heal of a crash', `${small}faults: [{id: a, at: 1m, for: 1m, crash: "node:1"}]\nassert: {within: {converged: {after: heal(a), within: 1m}}}`, /cuts no link, so it has no heal; write end\(a\)/],
  ['a heal that never comes', `${small}faults: [{id: a, at: 1m, isolate: "node:1"}]\nassert: {within: {converged: {after: heal(a), within: 1m}}}`, /"a" never ends; give the fault "for"/],
  ['agreement without publishers', `${small}workload: {publishers: 0}\nfaults: [{id: a, at: 1m, for: 1m, isolate: "node:1"}]\nassert: {within: {converged: {after: heal(a), within: 1m}}}`, /without publishers there is nothing to agree on/],
  ['a graph after what is no heal', `${small}faults: [{id: a, at: 1m, for: 1m, crash: "node:1"}]\nassert: {within: {reconverge_topology: {after: end(a), within: 1m}}}`, /a graph is whole again after a heal; write heal\(a\)/],
  ['a run that ends too early', `${small}duration: 5m\nfaults: [{id: a, at: 1m, for: 2m, isolate: "node:1"}]\nassert: {within: {converged: {after: heal(a), within: 5m}}}`, /before this can be decided at 510s; leave "duration" out/],
  ['look-ups that nobody makes', `${small}workload: {pip: none}\nassert: {at_least: {lookup_all: 90%}}`, /without workload.pip nothing is looked up/],
  ['a tag', `${small}faults: [{at: 1m, isolate: !even}]`, /put quotes around it/],
  ['an alias', `name: &n x\nnodes: {count: 1}\nseed: *n`, /^3:7 an alias of YAML/],
  ['two documents', `${small}---\n${small}`, /one scenario a file/],
  ['no YAML', 'name: [', /not YAML 1.2/],
]; // prettier-ignore

for (const [what, text, expected] of mistakes) {
  test(`an error says what and where: ${what}`, () => assert.match(problemOf(text), expected));
}

test('what fails in every run is said once, what fails in a later run with its number', () => {
  assert.match(problemOf(`${small}runs: 5\nfaults: [{at: 1m, isolate: "even & odd"}]`), /is empty; /);
  // Of ten nodes two are in na; in some draw neither is even.
  const rare = 'name: x\nruns: 100\nnodes: {count: 10, regions: {eu: 0.8, na: 0.2}}\n';
  assert.match(
    problemOf(`${rare}faults: [{at: 1m, isolate: "region:na & even"}]`),
    /is empty \(in run \d+\); /,
  );
});

test('a file that is too large or nests too deep is refused and not read', () => {
  assert.match(problemOf(`${small}# ${'x'.repeat(2 ** 20)}`), /the file is too large/);
  assert.ok(problemsOf(`a: ${'['.repeat(200_000)}`).length > 0);
});

test('a key of the prototype is as unknown as any other', () => {
  assert.match(problemOf(`${small}constructor: 1`), /"constructor" is no key of a scenario/);
  assert.match(problemOf(`${small}__proto__: {seed: 2}`), /"__proto__" is no key of a scenario/);
});
