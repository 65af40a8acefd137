/** What both sides are measured by, against events with a known answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureSide, type TimedEvent } from '../../../scripts/sim-validate/measure-side.ts';
import { planRun } from '../../../scripts/sim-validate/run-plan.ts';
import type { FactName, Facts } from '../../../src/core/facts.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';

const { scenario } = readScenario(
  `
name: known
warmup: 30s
duration: 70s
nodes: { count: 3, regions: { lan: 1 }, profiles: { server: 1 }, bootstraps: 1 }
network: { latency: 50us, jitter: 0%, loss: 0% }
replication: 0
workload: { publishers: { count: 1, among: ['node:0'] }, pip: { rate: 1/s } }
faults:
  - { id: split, at: 10s, for: 20s, partition: ['node:0-1', 'node:2'], bridge: 'role:upstream' }
`,
  'known.yaml',
);

const up = (at: number, node: number): TimedEvent => ({
  at: at * 1e6,
  event: { kind: 'node-up', node, incarnation: 0, peerId: `peer-${node}` },
});
const fact = <K extends FactName>(
  at: number,
  node: number,
  name: K,
  told: Partial<Facts[K]>,
): TimedEvent => ({
  at: at * 1e6,
  event: { kind: 'fact', node, name, fact: told as unknown as Facts[FactName] },
});
const signed = (at: number, size: number): TimedEvent =>
  fact(at, 0, 'publisher:signed', { origin: 'p', size });
const heard = (at: number, node: number, seq: number): TimedEvent =>
  fact(at, node, 'head:advanced', { origin: 'p', seq });

test('time to reconverge and delivery are what the events say', async () => {
  const plan = await planRun(scenario, 0);
  const events = [
    up(1, 0),
    up(2, 1),
    up(3, 2),
    signed(5, 1), // in the warm-up: no record of the measured part
    heard(6, 1, 0),
    heard(6, 2, 0),
    fact(7, 0, 'peer:connected', { peerId: 'peer-1' }),
    fact(7, 1, 'peer:connected', { peerId: 'peer-0' }),
    fact(7, 1, 'peer:connected', { peerId: 'peer-2' }),
    fact(7, 2, 'peer:connected', { peerId: 'peer-1' }),
    signed(31, 2), // nobody is parted within 10 s of it, to the cut at 40: the instant counts
    heard(32, 1, 1),
    heard(41.5, 2, 1), // 10.5 s: late
    signed(45, 3), // parted from node 2
    heard(46, 1, 2),
    fact(50, 1, 'peer:disconnected', { peerId: 'peer-2' }),
    signed(61, 4), // after the heal at 60
    heard(64, 2, 2), // all up to the heal: 4 s after it
    heard(66, 1, 3),
    heard(70, 2, 3),
    signed(95, 5), // its 10 s are not over at the end
  ];
  const measures = measureSide(events, plan);
  assert.deepEqual(plan.heals, [60e6]);
  assert.deepEqual(measures.reconverge, [0, 0, 4e6]);
  assert.equal(measures.median, 0);
  assert.equal(measures.records, 3);
  // 31: node 1 yes, node 2 late; 45: yes, no; 61: both.
  assert.equal(measures.delivery, 4 / 6);
  // Without node 2's at 45; that of 31 ends at 41 s, in the cut: parted too.
  assert.equal(measures.deliveryReach, 4 / 4);
  assert.deepEqual(measures.connections, { atCut: 2, atHeal: 1.5 });
});

test('of several cuts each heal is measured, and a run counts with their mean', async () => {
  const plan = await planRun(
    {
      ...scenario,
      faults: [10e6, 20e6].map((at, i) => ({ ...scenario.faults[0], id: `cut${i}`, at, for: 5e6 })) as never,
    },
    0,
  );
  assert.deepEqual(plan.heals, [45e6, 55e6]);
  const events = [
    up(1, 0),
    up(1, 1),
    up(1, 2),
    signed(41, 1),
    heard(42, 1, 0),
    heard(46, 2, 0), // 1 s after the first heal
    signed(51, 2),
    heard(57, 1, 1), // 2 s after the second
    heard(58, 2, 1), // and 3
  ];
  const { reconverge, heals, median } = measureSide(events, plan);
  assert.deepEqual(reconverge, [0, 0, 1e6, 0, 2e6, 3e6]);
  assert.equal(heals, 2);
  assert.equal(median, (0 + 2e6) / 2);
});

test('who never gets there counts as infinite', async () => {
  const plan = await planRun(scenario, 0);
  const events = [up(1, 0), up(1, 1), up(1, 2), signed(35, 1)];
  const { reconverge, median, delivery } = measureSide(events, plan);
  assert.deepEqual(reconverge, [0, null, null]);
  assert.equal(median, Infinity);
  assert.equal(delivery, 0);
});
