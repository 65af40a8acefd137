/** A plan for real processes is what a simulated run does of itself: same starts, files, installations and cuts. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { planRun } from '../../../scripts/sim-validate/run-plan.ts';
import { runSimulated } from '../../../scripts/sim-validate/simulated-side.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';

const text = `
name: plan
seed: 7
warmup: 25s
duration: 10s
nodes: { count: 3, regions: { lan: 1 }, profiles: { server: 1 }, bootstraps: 1 }
network: { latency: 50us, jitter: 0%, loss: 0% }
replication: 0
workload:
  publishers: 1
  new_files: { rate: 1/s }
  pip: { rate: 2/s }
  upstream: { projects: 5, file_size: { lognormal: { median: 5kB, sigma: 1 } } }
faults:
  - { id: split, at: 2s, for: 3s, partition: ['node:0', 'rest'], bridge: 'role:upstream' }
`;

const scenarioOf = (yaml: string): ReturnType<typeof readScenario>['scenario'] =>
  readScenario(yaml, 'plan.yaml').scenario;

test(
  'a plan has the starts, files, installations and cuts of the simulated run',
  { timeout: 250_000 },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-plan-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const scenario = scenarioOf(text);
    const plan = await planRun(scenario, 2);
    const out = join(folder, 'run');
    const { events } = await runSimulated(scenario, {
      run: 2,
      heals: plan.heals,
      out,
      signal: AbortSignal.timeout(240_000),
    });

    const files = new Map(plan.files.map(({ filename, at }) => [filename, at]));
    const changes = events.flatMap(({ at, event }) =>
      event.kind === 'index-changed'
        ? [[(event as unknown as { filename: string }).filename, at] as const]
        : [],
    );
    assert.ok(changes.length > 3, 'the index grew');
    assert.deepEqual(
      changes,
      [...files].filter(([, at]) => at > 0),
      'files',
    );

    const attempts = events.flatMap(({ at, event }) =>
      event.kind === 'attempt-began' && event.attempt.what === 'page'
        ? [{ at, node: event.attempt.node, project: event.attempt.project }]
        : [],
    );
    assert.ok(attempts.length > 5, 'something was installed');
    assert.deepEqual(attempts, plan.installs, 'installations');

    const up = events.flatMap(({ at, event }) => (event.kind === 'node-up' ? [{ ...event, at }] : []));
    assert.equal(up.length, 3);
    for (const { node, peerId, at } of up) {
      assert.equal(peerId, plan.nodes[node]?.peerId, 'the same identity');
      const late = at - (plan.nodes[node]?.startsAt ?? 0);
      assert.ok(late >= 0 && late < 1e6, `node ${node} was up ${late} us after its start`);
    }
    const signed = events.flatMap(({ event }) =>
      event.kind === 'fact' && event.name === 'publisher:signed'
        ? [(event.fact as { origin: string }).origin]
        : [],
    );
    const [publisher] = plan.nodes.filter(({ signer }) => signer !== undefined);
    assert.deepEqual([...new Set(signed)], [publisher?.signer?.verifierKey.split('+')[0]], 'the same key');

    assert.deepEqual(plan.heals, [30e6]);
    assert.deepEqual(
      plan.cuts.map(({ at, pairs }) => [at, pairs.map((pair) => pair.join('>')).sort()]),
      [
        [27e6, ['0>1', '0>2', '1>0', '2>0']],
        [30e6, []],
      ],
    );
  },
);

test('what real processes cannot do is refused by name', async () => {
  for (const [from, to, word] of [
    ['loss: 0%', 'loss: 1%', 'loss'],
    ['replication: 0', 'replication: 2', 'replication'],
    ['profiles: { server: 1 }', 'profiles: { home: 1 }', 'cannot be dialled'],
    [
      / {2}- \{ id: split.*\n/.exec(text)?.[0] ?? '',
      "  - { id: gone, at: 1s, for: 2s, crash: 'node:1' }\n",
      'gone',
    ],
  ] as const) {
    const changed = text.replace(from, to);
    assert.notEqual(changed, text);
    await assert.rejects(planRun(scenarioOf(changed), 0), (error: Error) => error.message.includes(word));
  }
});
