/**
 * What many runs say together: an index of the points, one table with a row a run and metric, plots, a report, a notebook.
 * Made of the folders of the runs alone, so that it can be made again at any time, also while some are still missing.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../../core/errors.ts';
import { renderCsv } from './csv.ts';
import { renderNotebook } from './notebook.ts';
import type { Setting } from './run-result.ts';
import { readStoredRuns, type StoredRun } from './stored-runs.ts';
import { valueOf } from './sweep-axes.ts';
import { renderSweepPlots } from './sweep-plots.ts';
import { renderSweepReport } from './sweep-report.ts';
import { renderJson } from './write-run-folder.ts';

export interface SweepPoint {
  readonly point: number;
  readonly settings: readonly Setting[];
  readonly runs: readonly StoredRun[];
}

/** Writes into `folder`, below which the runs are. @throws ConfigurationError when they are of several scenarios, or none */
export async function writeSweepFolder(folder: string): Promise<void> {
  const runs = await readStoredRuns(folder);
  const names = [...new Set(runs.map(({ summary }) => summary.name))];
  if (names.length > 1)
    throw new ConfigurationError(
      'usage',
      `${folder} holds runs of ${names.join(' and ')}: they say nothing together`,
      'name a folder with runs of one scenario',
    );
  if (runs.some((run) => run.folder === ''))
    throw new ConfigurationError('usage', `${folder} is one run`, 'name the folder that holds several');
  const points = pointsOf(runs);
  const { plots, never } = renderSweepPlots(runs);
  const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  await put('index.json', renderJson(describePoints(points)));
  await put('metrics.csv', renderCsv(sweepRows(runs)));
  // Those of an earlier time may have had other names.
  await rm(join(folder, 'plots'), { recursive: true, force: true });
  await mkdir(join(folder, 'plots'), { recursive: true });
  for (const { file, svg } of plots) await put(join('plots', file), svg);
  await put('report.html', renderSweepReport(points, { plots, never }));
  await put(
    'notebook.ipynb',
    renderNotebook({ title: `${names.join('')}, ${runs.length} runs`, table: 'sweep' }),
  );
}

function pointsOf(runs: readonly StoredRun[]): SweepPoint[] {
  const points = new Map<number, StoredRun[]>();
  for (const run of runs) points.set(run.summary.point, [...(points.get(run.summary.point) ?? []), run]);
  return [...points].map(([point, list]) => ({
    point,
    settings: list[0]?.summary.settings ?? [],
    runs: list,
  }));
}

function describePoints(points: readonly SweepPoint[]): unknown {
  return points.map(({ point, settings, runs }) => ({
    point,
    settings,
    runs: runs.map(({ folder, summary: { seed, run, verdict, trace } }) => ({
      folder,
      seed,
      run,
      verdict,
      trace,
    })),
  }));
}

/** A row a run and metric, with a column for each pointer that the sweep sets. */
function sweepRows(runs: readonly StoredRun[]): string[][] {
  const pointers = [
    ...new Set(runs.flatMap(({ summary }) => summary.settings.map(({ pointer }) => pointer))),
  ];
  return [
    ['point', 'seed', 'run', ...pointers, 'metric', 'value', 'unit'],
    ...runs.flatMap(({ summary: { point, seed, run, settings, metrics } }) =>
      metrics.map(({ metric, value, unit }) => [
        String(point),
        String(seed),
        String(run),
        ...pointers.map((pointer) => valueOf(settings, pointer)),
        metric,
        value === null ? 'inf' : String(value),
        unit,
      ]),
    ),
  ];
}
