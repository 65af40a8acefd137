/** A run from its folder: all that was measured, to the last digit; or its summary alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../../core/errors.ts';
import { parseCsv } from './csv.ts';
import type { RunResult } from './run-result.ts';
import { parseSummary, type RunSummary } from './summary.ts';
import { readTidyRows } from './tidy-rows.ts';
import { writeRunPlots } from './write-run-folder.ts';

/** @throws ConfigurationError when it is no folder of a run */
export async function readRunFolder(folder: string): Promise<RunResult> {
  const { format: _format, kinds, metrics: _metrics, ...kept } = await readRunSummary(folder);
  const scenario = await readText(folder, 'scenario.yaml');
  const file = join(folder, 'metrics.csv');
  const table = readTidyRows(parseCsv(await readText(folder, 'metrics.csv'), file), kinds, file);
  return { ...kept, scenario, ...table };
}

/** @throws ConfigurationError when it is no folder of a run */
export async function readRunSummary(folder: string): Promise<RunSummary> {
  return parseSummary(await readText(folder, 'summary.json'), join(folder, 'summary.json'));
}

/** Plots, report and notebook again, from the data that is there. @throws ConfigurationError */
export async function plotRunFolder(folder: string): Promise<void> {
  await writeRunPlots(folder, await readRunFolder(folder));
}

export async function readText(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (cause) {
    const message = `${folder} is no folder of a run: ${(cause as Error).message}`;
    throw new ConfigurationError('usage', message, 'name one that `fondue sim run` or `sweep` wrote', {
      cause,
    });
  }
}
