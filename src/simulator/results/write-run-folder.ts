/** The folder of a run. Equal results give equal bytes in every file but `env.json`, whose program may be another. */
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { ConfigurationError } from '../../core/errors.ts';
import { renderCsv } from './csv.ts';
import type { Environment } from './environment.ts';
import { renderNotebook } from './notebook.ts';
import { renderParquet } from './parquet.ts';
import { renderRunPlots } from './run-plots.ts';
import { renderRunReport } from './run-report.ts';
import type { RunResult } from './run-result.ts';
import { summarizeRun } from './summary.ts';
import { tidyFields, tidyHeader, tidyRows } from './tidy-rows.ts';

export interface RunExtras {
  readonly environment: Environment;
  /** Of the model, in their order: lines of JSON, in pieces: a long run's are more than one buffer can hold. */
  readonly events: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** `folder` is there; what it holds under these names is replaced. @throws ConfigurationError when a metric is two things */
export async function writeRunFolder(
  folder: string,
  result: RunResult,
  { environment, events }: RunExtras,
): Promise<void> {
  refuseAmbiguous(result);
  const rows = tidyRows(result);
  const put = (name: string, content: string | Uint8Array): Promise<void> =>
    writeFile(join(folder, name), content);
  await put('scenario.yaml', result.scenario);
  await put('env.json', renderJson(environment));
  await put('trace.sha256', `${result.trace}\n`);
  const params = { [constants.ZSTD_c_compressionLevel]: 9 };
  await pipeline(events, createZstdCompress({ params }), createWriteStream(join(folder, 'events.jsonl.zst')));
  await put('metrics.csv', renderCsv([tidyHeader, ...rows.map(tidyFields)]));
  await put('metrics.parquet', renderParquet(rows));
  await writeRunPlots(folder, result);
  // Last: what has a summary is whole.
  await put('summary.json', renderJson(summarizeRun(result)));
}

/** What is made of the data alone: plots, report, notebook. */
export async function writeRunPlots(folder: string, result: RunResult): Promise<void> {
  const plots = renderRunPlots(result);
  await mkdir(join(folder, 'plots'), { recursive: true });
  for (const { file, svg } of plots) await writeFile(join(folder, 'plots', file), svg);
  await writeFile(join(folder, 'report.html'), renderRunReport(result, plots));
  const title = `${result.name}, seed ${result.seed}, run ${result.run}`;
  await writeFile(join(folder, 'notebook.ipynb'), renderNotebook({ title, table: 'run' }));
}

export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function refuseAmbiguous({ series, times, counters }: RunResult): void {
  const kindOf = new Map<string, string>();
  const claim = (metric: string, kind: string, again: boolean): void => {
    const before = kindOf.get(metric);
    if (before !== undefined && !(again && before === kind))
      throw new ConfigurationError(
        'environment',
        `metric ${metric} is twice in a run`,
        'give each a name of its own',
      );
    kindOf.set(metric, kind);
  };
  for (const { metric } of series) claim(metric, 'series', true);
  for (const { metric } of counters) claim(metric, 'counter', true);
  for (const { metric } of times) {
    claim(metric, 'times', false);
    claim(`${metric}:censored`, 'times', false);
  }
}
