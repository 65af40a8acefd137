import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compareRuns } from '../../../src/simulator/results/compare-runs.ts';
import { renderComparison } from '../../../src/simulator/results/comparison-text.ts';
import { parseCsv } from '../../../src/simulator/results/csv.ts';
import type { RunResult, Setting } from '../../../src/simulator/results/run-result.ts';
import { readStoredRuns, type StoredRun } from '../../../src/simulator/results/stored-runs.ts';
import { summarizeRun } from '../../../src/simulator/results/summary.ts';
import { sweepAxes } from '../../../src/simulator/results/sweep-axes.ts';
import { writeSweepFolder } from '../../../src/simulator/results/sweep-folder.ts';
import { writeRunFolder } from '../../../src/simulator/results/write-run-folder.ts';
import { makeUpRun, type MadeUp } from '../../support/simulator/made-up-run.ts';

const root = await mkdtemp(join(tmpdir(), 'fondue-sweep-'));
after(() => rm(root, { recursive: true }));
const environment = {
  version: '0.0.0',
  commit: undefined,
  modified: undefined,
  node: '24',
  lockFile: undefined,
};

const points: Setting[][] = ['1', '2', '4'].flatMap((copies) =>
  ['30s', '2m'].map((time) => [
    { pointer: '/replication', value: copies },
    { pointer: '/faults/0/for', value: time },
  ]),
);

async function writeSweep(name: string, runs: number): Promise<string> {
  const folder = join(root, name);
  for (const [point, settings] of points.entries())
    for (let run = 0; run < runs; run++) {
      const path = join(folder, `point-00${point}`, `run-00${run}`);
      await mkdir(path, { recursive: true });
      const result = makeUpRun({ run, point, settings, nodes: 12, slower: point % 2 === 0 ? 0 : 20 });
      await writeRunFolder(path, result, { environment, events: Buffer.of() });
    }
  return folder;
}

test('a sweep has an index, a row a run and metric, plots with interval rules and a report', async () => {
  const folder = await writeSweep('few', 2);
  // What a run that was killed leaves.
  const unfinished = join(folder, 'point-000', '.run-002.99.unfinished');
  await mkdir(unfinished);
  await writeRunFolder(unfinished, makeUpRun({ run: 2, settings: points[0] ?? [] }), {
    environment,
    events: Buffer.of(),
  });
  await writeSweepFolder(folder);
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
    settings: Setting[];
    runs: { folder: string }[];
  }[];
  assert.deepEqual(
    index.map(({ settings }) => settings),
    points,
  );
  assert.deepEqual(
    index[1]?.runs.map((run) => run.folder),
    ['point-001/run-000', 'point-001/run-001'],
  );
  const [header, ...rows] = parseCsv(await readFile(join(folder, 'metrics.csv'), 'utf8'), 'metrics.csv');
  assert.deepEqual(header, [
    'point',
    'seed',
    'run',
    '/replication',
    '/faults/0/for',
    'metric',
    'value',
    'unit',
  ]);
  const availability = rows.filter((row) => row[5] === 'availability');
  assert.equal(availability.length, points.length * 2);
  assert.deepEqual(availability[2]?.slice(0, 5), ['1', '1', '0', '1', '2m']);
  assert.equal(new Set(rows.map((row) => `${row[0]} ${row[2]} ${row[5]}`)).size, rows.length);
  const plots = (await readdir(join(folder, 'plots'))).sort();
  assert.match(plots[0] ?? '', /availability-replication/);
  assert.ok(plots.some((name) => /reconverge-split-p50-faults-0-for/.test(name)));
  const report = await readFile(join(folder, 'report.html'), 'utf8');
  assert.match(report, /fewer than 10 runs/);
  const svg = await readFile(join(folder, 'plots', plots[0] ?? ''), 'utf8');
  assert.match(svg, /all hosts open/);
  // Each run as a point: six places of two runs.
  assert.equal(svg.match(/r="2"/g)?.length, 12);
});

test('a sweep made again is the same to the byte', async () => {
  const folder = await writeSweep('twice', 1);
  const read = () =>
    Promise.all(
      ['index.json', 'metrics.csv', 'report.html', 'notebook.ipynb'].map((name) =>
        readFile(join(folder, name), 'utf8'),
      ),
    );
  await writeSweepFolder(folder);
  const before = await read();
  await writeSweepFolder(folder);
  assert.deepEqual(await read(), before);
});

test('pointers that change together are one axis', () => {
  const zipped = ['1', '2'].flatMap((a) =>
    ['x', 'y'].map((b) => [
      { pointer: '/a', value: a },
      { pointer: '/b', value: b },
      { pointer: '/c', value: `${b}${b}` },
      { pointer: '/d', value: 'fixed' },
    ]),
  );
  assert.deepEqual(
    sweepAxes(zipped).map(({ name, steps }) => [name, steps]),
    [
      ['/a', ['1', '2']],
      ['/b & /c', ['x & xx', 'y & yy']],
    ],
  );
});

const stored = (
  options: MadeUp,
  change: (result: RunResult) => RunResult = (result) => result,
): StoredRun => {
  const result = change(makeUpRun(options));
  return { folder: '', summary: summarizeRun(result), scenario: result.scenario };
};
const series = (runs: number, options: MadeUp = {}, change?: (result: RunResult) => RunResult): StoredRun[] =>
  Array.from({ length: runs }, (_, run) => stored({ ...options, run }, change));

test('comparing pairs runs by seed and number and finds the shift that was made', () => {
  const b = series(12, { slower: 20 }).toReversed();
  const [comparison] = compareRuns(series(12), b);
  assert.equal(comparison?.pairs, 12);
  const median = comparison.metrics.find(({ metric }) => metric === 'reconverge(split).p50');
  assert.ok(median?.interval !== undefined && median.difference !== undefined);
  assert.ok(Math.abs(median.difference - 20) < 1e-9, 'pairs share all but the shift');
  assert.ok(Math.abs(median.interval.low - 20) < 1e-9 && Math.abs(median.interval.high - 20) < 1e-9);
  // One node of each run never gets there.
  const max = comparison.metrics.find(({ metric }) => metric === 'reconverge(split).max');
  assert.deepEqual(
    [max?.a, max?.never, max?.difference, max?.interval],
    [null, { a: 12, b: 12 }, undefined, undefined],
  );
  const text = renderComparison(comparison);
  assert.match(text, /^atlantic-split: 12 pairs/);
  assert.match(text, /reconverge\(split\)\.p50 +s .*\+20 +\+20 \.\. \+20 \* +12\n/);
});

test('below ten pairs there is no interval, and it is said', () => {
  const [comparison] = compareRuns(series(9), series(11, { slower: 1 }));
  assert.ok(comparison);
  assert.ok(comparison.metrics.every(({ interval }) => interval === undefined));
  assert.deepEqual(comparison.unpaired, { a: 0, b: 2 });
  assert.match(renderComparison(comparison), /fewer than 10 pairs: no intervals/);
});

test('other scenarios are refused, other settings are listed', () => {
  const renamed = series(2, {}, (result) => ({ ...result, name: 'bridge' }));
  assert.throws(() => compareRuns(series(2), renamed), {
    code: 'CONFIGURATION',
    message: /atlantic-split and of bridge are different scenarios/,
  });
  const reseeded = series(2, {}, (result) => ({ ...result, seed: 2 }));
  assert.throws(() => compareRuns(series(2), reseeded), /same seed and number/);
  const other = series(2, { settings: [{ pointer: '/replication', value: '5' }] });
  assert.deepEqual(compareRuns(series(2), other)[0]?.changes, [{ pointer: '/replication', a: '3', b: '5' }]);
});

test('two sweeps are compared point by point', () => {
  const sweep = (slower: number): StoredRun[] =>
    points.flatMap((settings, point) => series(10, { settings, point, slower }));
  const comparisons = compareRuns(sweep(0), sweep(3));
  assert.deepEqual(
    comparisons.map(({ pairs }) => pairs),
    points.map(() => 10),
  );
  assert.ok(comparisons.every(({ changes }) => changes.length === 0));
});

test('a folder without runs is refused with what to name instead', async () => {
  const folder = join(root, 'nothing');
  await mkdir(folder);
  await assert.rejects(readStoredRuns(folder), {
    code: 'CONFIGURATION',
    message: /holds no run/,
    fix: /fondue sim run/,
  });
  await assert.rejects(writeSweepFolder(join(root, 'not-there')), /cannot be read/);
});
