/** All measures of a run together, from events made by hand: what asserts are judged by, and that each metric has one kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { fixFaults } from '../../../src/simulator/model/run-faults.ts';
import { UpstreamIndex } from '../../../src/simulator/model/upstream-index.ts';
import { FileHolders } from '../../../src/simulator/run/file-holders.ts';
import { RunMeasures } from '../../../src/simulator/run/measure-run.ts';
import { Promises } from '../../../src/simulator/run/promises.ts';
import { Reconvergence } from '../../../src/simulator/run/reconvergence.ts';
import { Topology } from '../../../src/simulator/run/topology.ts';
import { placeHosts } from '../../../src/simulator/scenario/hosts.ts';
import { Links } from '../../../src/simulator/scenario/links.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { upstreamHost } from '../../../src/simulator/scenario/scenario-host.ts';
import {
  advanced,
  began,
  ended,
  fact,
  gossiped,
  linked,
  second,
  signed,
  up,
} from '../../support/simulator/events.ts';

const { scenario } = readScenario(
  `
name: by-hand
nodes: { count: 4, profiles: { server: 1 } }
warmup: 100s
duration: 400s
workload: { publishers: 1 }
policy: { threshold: 1 }
faults:
  - { id: split, at: 100s, for: 50s, partition: [['node:0-1'], ['node:2-3']] }
assert:
  within: { converged: { after: heal(split), within: 60s } }
  at_least: { lookup_all: 50%, lookup_eligible: 60%, delivery: 60%, delivery_reach: 90%, availability: 75% }
`,
  'test.yaml',
);

/** Four servers in a row, 0 publishes and holds the only file; times are seconds after the warm-up. */
function create() {
  const hosts = placeHosts(scenario, 0);
  const links = new Links([...hosts, upstreamHost]);
  const cuts = fixFaults(scenario, hosts, 0);
  for (const cut of cuts) links.begin(cut);
  const index = new UpstreamIndex({ seed: 1, run: 0, now: () => 0 });
  const { digest } = index.addFile(parseProjectName('flask'), 10);
  const { warmup } = scenario;
  const topology = new Topology({ publishers: [0], enough: 1, cuts, links, warmup });
  const isByzantine = (): boolean => false;
  const measures = new RunMeasures(scenario, {
    links,
    cuts,
    topology,
    isByzantine,
    isDialable: () => true,
    holders: new FileHolders({ files: [digest], disks: [[digest], [], [], []] }),
    reconvergence: new Reconvergence({ threshold: 1, serialAsOf: () => undefined, isByzantine }),
    promises: new Promises(index, {
      disks: () => new Set([digest]),
      seenAfter: 0,
      connectedSince: (node) => topology.connectedSince(node),
      isByzantine,
    }),
  });
  const tell = (s: number, ...events: readonly ModelEvent[]): void => {
    for (const event of events) measures.observe(warmup + s * second, event);
  };
  tell(-90, up(0), up(1), up(2), up(3));
  for (const [a, b] of [
    [0, 1],
    [1, 2],
    [2, 3],
  ] as const)
    tell(-80, ...linked('peer:connected', a, b));
  return { measures, tell, digest, finish: () => measures.finish(warmup + scenario.duration) };
}

test('asserted shares are judged by what was measured', () => {
  const { measures, tell, digest, finish } = create();
  tell(100, { kind: 'fault-began', fault: 'split', hosts: [0, 1, 2, 3] });
  tell(101, { kind: 'packet-cut', faults: ['split'], from: 0, to: 2, mode: 'blackhole' });
  // Published in the cut: two of three do not hear of it.
  tell(110, signed(0, 1));
  tell(111, gossiped(1, 0, 1), advanced(1, 0, 1));
  tell(120, began(1, 1, digest), began(2, 2, digest));
  tell(125, ended(1, 1, digest, 'verified'), ended(2, 2, digest, 'failed'));
  tell(150, { kind: 'fault-ended', fault: 'split', hosts: [0, 1, 2, 3] });
  tell(160, advanced(2, 0, 1));
  tell(170, advanced(3, 0, 1));
  // In all others' reach again: this one is the node's own fault.
  tell(200, began(3, 3, digest));
  tell(210, ended(3, 3, digest, 'failed'));
  measures.traffic.wire(5 * second, 4000);
  measures.dials.observe(155 * second);
  const { decision, counters, times } = finish();
  const why = (what: string) => decision.findings.find((one) => one.what.startsWith(what));
  const value = (metric: string, group?: string) =>
    counters.find((one) => one.metric === metric && one.group === group)?.value;
  assert.deepEqual([why('lookup_all')?.verdict, why('lookup_all')?.why], ['fail', String(1 / 3)]);
  assert.deepEqual([why('lookup_eligible')?.verdict, why('lookup_eligible')?.why], ['fail', '0.5']);
  assert.deepEqual([why('delivery ')?.verdict, why('delivery ')?.why], ['fail', String(1 / 3)]);
  assert.deepEqual([why('delivery_reach')?.verdict, why('delivery_reach')?.why], ['pass', '1']);
  // Half of the nodes are without for 50 s of 400 s.
  assert.deepEqual([why('availability')?.verdict, why('availability')?.why], ['pass', '0.9375']);
  assert.equal(why('converged')?.verdict, 'pass');
  assert.equal(why('fault split')?.verdict, 'pass');
  assert.equal(value('lookup_all(split)', 'node:0-1'), 1);
  assert.equal(value('lookup_all(split)', 'node:2-3'), 0);
  assert.equal(value('repair_ratio'), 2 / 3);
  assert.equal(value('dials_after(split)'), 1 / 60);
  assert.equal(value('bytes_sent.total', 'overhead'), 4000);
  const reconverged = times.find(({ metric }) => metric === 'reconverge(split)')?.values;
  assert.deepEqual(
    reconverged?.map((one) => (one.kind === 'observed' ? one.value / second : one.kind)),
    [0, 0, 10, 20],
  );
});

test('a metric is of one kind: a level, times, or a number of the run', () => {
  const { tell, finish, digest } = create();
  tell(10, began(1, 1, digest));
  tell(15, ended(1, 1, digest, 'verified'));
  const { series, times, counters } = finish();
  const names = [series, times, counters].map((list) => new Set(list.map(({ metric }) => metric)));
  const [a, b, c] = names as [Set<string>, Set<string>, Set<string>];
  assert.deepEqual(
    [...a].filter((name) => b.has(name) || c.has(name)),
    [],
  );
  assert.deepEqual(
    [...b].filter((name) => c.has(name)),
    [],
  );
});

test('a rate’s mean is over the whole run, bins in which nothing happened too; bytes have their unit', () => {
  const { tell, finish } = create();
  tell(15, fact(1, 'peer:banned', {}));
  tell(16, fact(1, 'blob:fetched', { digest: 'd', bytes: { peer: 800, upstream: 0 } }));
  const { counters, series } = finish();
  const found = (metric: string) => counters.find((one) => one.metric === metric);
  assert.deepEqual([found('bans.total')?.value, found('bans.mean')?.value], [1, 1 / 400]);
  assert.deepEqual([found('bans.total')?.unit, found('bans.mean')?.unit], ['1', '1/s']);
  assert.deepEqual([found('bytes_from_peers.mean')?.value, found('bytes_from_peers.mean')?.unit], [2, 'B/s']);
  assert.equal(found('bytes_from_peers.total')?.unit, 'B');
  assert.equal(series.find(({ metric }) => metric === 'bytes_from_peers')?.unit, 'B/s');
});

test('a network whose connections or routing tables still grow when the warm-up ends is not steady, and it is said which', () => {
  const steady = (...late: readonly ModelEvent[]) => {
    const { tell, finish } = create();
    tell(-5, ...late);
    tell(1, up(0));
    return finish().decision.findings.find(({ what }) => what === 'not_steady');
  };
  assert.equal(steady()?.verdict, 'pass');
  const connections = steady(...linked('peer:connected', 0, 3));
  assert.equal(connections?.verdict, 'fail');
  assert.match(connections?.why ?? '', /^connections still drift/);
  const routes = steady(...[1, 2, 3].map((id) => fact(0, 'dht:peer-added', { peerId: `p${id}` })));
  assert.equal(routes?.verdict, 'fail');
  assert.match(routes?.why ?? '', /^routes still drift/);
});

test('where a run ends before it is measured, no rate has a mean', () => {
  const { measures } = create();
  const { counters } = measures.finish(scenario.warmup);
  assert.ok(counters.every(({ value }) => Number.isFinite(value)));
});
