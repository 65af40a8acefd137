/** Whole runs in processes of their own: they repeat to the last byte, leave a whole folder or none, and go on where they were. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseSummary } from '../../../src/simulator/results/summary.ts';
import { runScenario } from '../../../src/simulator/run/run-scenario.ts';
import { runSweep } from '../../../src/simulator/run/run-sweep.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';

const folder = await mkdtemp(join(tmpdir(), 'fondue-sim-'));
after(() => rm(folder, { recursive: true, force: true }));

const split = `
name: small-split
security: plaintext
nodes: { count: 8, regions: { eu: 0.5, na: 0.5 }, profiles: { server: 1 } }
warmup: 40s
duration: 85s
workload:
  publishers: 2
  snapshots: { every: 15s }
  new_files: { every: 10s }
  pip: { rate: 1/s }
  upstream: { projects: 10, file_size: 20kB }
faults:
  - { id: split, at: 10s, for: 15s, partition: [['region:eu'], ['region:na']] }
  - { id: liars, at: 5s, for: 60s, byzantine: 'node:0-3 & !role:publisher', behaviour: [forged, wrong-bytes] }
assert:
  within: { converged: { after: heal(split), within: 30s } }
`;
const tiny = `
name: tiny
runs: 2
nodes: { count: 2, profiles: { server: 1 } }
warmup: 1s
duration: 2s
workload: { publishers: 0, pip: none, upstream: { projects: 1 } }
sweep: { /network/loss: [0%, 1%] }
`;
const read = (text: string) => readScenario(text, 'test.yaml');
const text = (...path: string[]): Promise<string> => readFile(join(folder, ...path), 'utf8');

test('a partition of eight nodes with liars among them runs the same twice, and the nodes agree again after the heal', async () => {
  const { scenario } = read(split);
  const run = (out: string, seed: number) => runScenario(scenario, { seed, run: 0, out: join(folder, out) });
  const [a] = await Promise.all([run('A', 1), run('B', 1)]);
  for (const name of ['trace.sha256', 'metrics.csv', 'summary.json', 'report.html', 'events.jsonl.zst'])
    assert.ok(
      (await readFile(join(folder, 'A', name))).equals(await readFile(join(folder, 'B', name))),
      name,
    );

  const { findings, times, counters } = a.result;
  const verdict = (what: string) => findings.find((one) => one.what.startsWith(what))?.verdict;
  assert.equal(verdict('converged within'), 'pass');
  assert.equal(verdict('fault split'), 'pass');
  assert.equal(verdict('workload pip'), 'pass');
  assert.deepEqual(a.violations, []);
  const reconverged = times.find(({ metric }) => metric === 'reconverge(split)');
  assert.equal(reconverged?.values.length, 8);
  assert.ok(reconverged.values.every(({ kind }) => kind === 'observed'));
  const total = (metric: string): number => counters.find((one) => one.metric === metric)?.value ?? 0;
  assert.ok(total('packets_cut.total') > 0);
  assert.ok(total('file_verified.total') > 30);
  assert.equal(total('file_wrong.total'), 0);
  // The liars were heard, and found out.
  assert.ok(total('records_refused.total') > 0);
  assert.ok(total('bans.total') > 0);
  // What the observer sees of the wire itself: each protocol, each copy of a message, each dial.
  const sent = counters.filter(({ metric }) => metric === 'bytes_sent.total');
  for (const protocol of ['blob', 'index', 'kad', 'gossip', 'overhead'])
    assert.ok((sent.find(({ group }) => group === protocol)?.value ?? 0) > 0, protocol);
  assert.equal(sent.find(({ group }) => group === 'other')?.value, undefined);
  assert.ok(total('gossip_copies') > total('delivery.pairs') / 2);
  assert.ok(total('delivery') > 0.3 && total('delivery') <= 1, `delivery ${total('delivery')}`);
  assert.ok((a.result.series.find(({ metric }) => metric === 'dials')?.points.length ?? 0) > 0);
});

test('a run that is broken off leaves nothing', async () => {
  const { scenario } = read(split);
  const interrupt = new AbortController();
  const running = runScenario(scenario, {
    seed: 1,
    run: 0,
    out: join(folder, 'off', 'X'),
    signal: interrupt.signal,
    onProgress: () => interrupt.abort(new Error('enough')),
  });
  await assert.rejects(running, /enough/);
  assert.deepEqual(await readdir(join(folder, 'off')), []);
});

test('a run that fails says why, and leaves nothing', async () => {
  const { scenario } = read(tiny);
  const out = join(folder, 'failed', 'X');
  // What reading a scenario refuses.
  const broken = { ...scenario, nodes: { ...scenario.nodes, count: 0 } };
  await assert.rejects(runScenario(broken, { seed: 1, run: 0, out }), { code: 'RUN_FAILED' });
  assert.deepEqual(await readdir(join(folder, 'failed')), []);
});

test('a sweep goes on where it was ended: what is done is kept, what was begun is not; seeds and runs differ', async () => {
  const out = join(folder, 'sweep');
  const { points } = read(tiny);
  const options = { seed: 1, runs: 2, out, parallel: 2 };
  const first = await runSweep(points, options);
  assert.deepEqual(
    first.map(({ run, kept }) => [run.name, kept]),
    [
      ['point-000/run-000', false],
      ['point-000/run-001', false],
      ['point-001/run-000', false],
      ['point-001/run-001', false],
    ],
  );
  const summary = parseSummary(await text('sweep', 'point-001', 'run-001', 'summary.json'), 'summary.json');
  assert.deepEqual(
    [summary.point, summary.run, summary.settings],
    [1, 1, [{ pointer: '/network/loss', value: '1%' }]],
  );
  const traces = await Promise.all(
    ['point-000/run-000', 'point-000/run-001'].map((name) => text('sweep', name, 'trace.sha256')),
  );
  assert.notEqual(traces[0], traces[1]);
  const [point] = points;
  assert.ok(point);
  const other = { seed: 2, run: 0, out: join(folder, 'other-seed') };
  const { result } = await runScenario(point.scenario, other);
  assert.notEqual(`${result.trace}\n`, traces[0]);

  // As after a kill: one run is missing, another one was begun.
  await rm(join(out, 'point-000/run-001'), { recursive: true });
  const begun = join(out, 'point-001', '.run-000.99.unfinished');
  await mkdir(begun);
  await writeFile(join(begun, 'job.json'), '{}');
  const before = (await stat(join(out, 'point-000/run-000'))).mtimeMs;
  const again = await runSweep(points, options);
  assert.deepEqual(
    again.map(({ kept }) => kept),
    [true, false, true, true],
  );
  assert.equal((await stat(join(out, 'point-000/run-000'))).mtimeMs, before);
  assert.equal(await text('sweep', 'point-000/run-001', 'trace.sha256'), traces[1]);
  assert.ok(!(await readdir(join(out, 'point-001'))).includes('.run-000.99.unfinished'));

  await assert.rejects(runSweep(points, { ...options, seed: 2 }), /another scenario, sweep or seed/);
  await assert.rejects(runSweep(points, { ...options, out: join(folder, 'A') }), /no sweep/);
  // A sweep below is not this folder's own; what a kill left of the beginning is nobody's.
  await mkdir(join(folder, 'above', 'below'), { recursive: true });
  await writeFile(join(folder, 'above', 'below', 'sweep.json'), '{}');
  await assert.rejects(runSweep(points, { ...options, out: join(folder, 'above') }), /no sweep/);
  await mkdir(join(folder, 'begun'));
  await writeFile(join(folder, 'begun', '.sweep.json.unfinished'), '{"se');
  const [one] = await runSweep([point], { ...options, runs: 1, out: join(folder, 'begun') });
  assert.equal(one?.kept, false);
  assert.ok((await readdir(join(folder, 'begun'))).includes('sweep.json'));
});
