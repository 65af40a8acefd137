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
      await writeRunFolder(path, result, { environment, events: [] });
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
    events: [],
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
  // One node of each run never gets there.
  assert.match(
    report,
    /Not drawn, since no run got there: reconverge\(split\)\.max, reconverge\(alone\)\.max, lookup\.p99\./,
  );
  assert.ok(!plots.some((name) => name.includes('-max-')));
  assert.match(report, /time to reconverge after split, median, against length of fault 0: atlantic-split/);
  assert.equal(report.match(/<details><summary>\d+ more plots<\/summary>/g)?.length, 1);
  const svg = await readFile(join(folder, 'plots', plots[0] ?? ''), 'utf8');
  assert.match(svg, /all hosts open/);
  // Each run as a point: six places of two runs.
  assert.equal(svg.match(/r="2"/g)?.length, 12);
});

test('a run that was replayed beside itself counts once, and the same run under two names not at all', async () => {
  const folder = await writeSweep('replayed', 1);
  const again = makeUpRun({ run: 0, point: 0, settings: points[0] ?? [], nodes: 12 });
  const put = async (name: string): Promise<void> => {
    await mkdir(join(folder, 'point-000', name));
    await writeRunFolder(join(folder, 'point-000', name), again, { environment, events: [] });
  };
  await put('run-000-replay');
  assert.equal((await readStoredRuns(folder)).length, points.length);
  // Whoever names it means it.
  assert.equal((await readStoredRuns(join(folder, 'point-000', 'run-000-replay'))).length, 1);
  await put('run-000-copy');
  await assert.rejects(readStoredRuns(folder), {
    code: 'CONFIGURATION',
    message: /point-000.run-000 and point-000.run-000-copy in .* are the same run, 0 of seed 1/,
  });
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

test('microseconds are seconds in plots, tables and comparisons, as they are in the words beside them', async () => {
  const inMicroseconds = (result: RunResult): RunResult => ({
    ...result,
    times: result.times.map((one) => ({
      ...one,
      unit: 'us',
      window: one.window * 1e6,
      values: one.values.map((value) =>
        value.kind === 'observed'
          ? { ...value, value: value.value * 1e6 }
          : value.kind === 'censored'
            ? { ...value, bound: value.bound * 1e6 }
            : value,
      ),
    })),
  });
  const [seconds, micros] = [series(12, { slower: 20 }), series(12, { slower: 20 }, inMicroseconds)];
  const text = (b: StoredRun[], change?: (result: RunResult) => RunResult): string =>
    compareRuns(series(12, {}, change), b)
      .map(renderComparison)
      .join('');
  assert.equal(text(micros, inMicroseconds), text(seconds));
  const folder = join(root, 'micros');
  for (const [point, settings] of points.entries()) {
    const path = join(folder, `point-00${point}`, 'run-000');
    await mkdir(path, { recursive: true });
    const result = inMicroseconds(makeUpRun({ point, settings, nodes: 12 }));
    await writeRunFolder(path, result, { environment, events: [] });
  }
  await writeSweepFolder(folder);
  const report = await readFile(join(folder, 'report.html'), 'utf8');
  assert.match(
    report,
    /<td>reconverge\(split\)\.p50<\/td><td class="n">\d{1,2}(\.\d+)?<\/td><td>[\d.]+<\/td><td>s<\/td>/,
  );
  const plot = (await readdir(join(folder, 'plots'))).find((name) => name.includes('reconverge-split-p50'));
  const svg = await readFile(join(folder, 'plots', plot ?? ''), 'utf8');
  assert.match(svg, />time to reconverge \(s\)</);
  assert.doesNotMatch(svg, />\d+ M</);
});

test('what could not be measured in some runs says in how many', async () => {
  const folder = join(root, 'partly');
  for (const run of [0, 1, 2]) {
    const path = join(folder, `run-00${run}`);
    await mkdir(path, { recursive: true });
    const made = makeUpRun({ run });
    const result = run === 1 ? { ...made, times: [] } : made;
    await writeRunFolder(path, result, { environment, events: [] });
  }
  await writeSweepFolder(folder);
  const report = await readFile(join(folder, 'report.html'), 'utf8');
  assert.match(report, /<td>lookup\.p50<\/td>.*; not in 1 of 3 runs/);
});
