/** The runs below a folder, that of one run itself included, in order of point, seed and run. */
import { readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ConfigurationError } from '../../core/errors.ts';
import { readRunSummary, readText } from './read-run-folder.ts';
import type { RunSummary } from './summary.ts';

export interface StoredRun {
  /** Below the folder that was read; empty: that itself. */
  readonly folder: string;
  readonly summary: RunSummary;
  /** Resolved YAML. */
  readonly scenario: string;
}

/** `point-003/run-007` and less; what a run still writes has a dot before its name. */
const DEEPEST = 3;

/** @throws ConfigurationError when there is none, or one that cannot be read */
export async function readStoredRuns(folder: string): Promise<StoredRun[]> {
  const found = await foldersWithRuns(folder, DEEPEST);
  if (found.length === 0)
    throw new ConfigurationError(
      'usage',
      `${folder} holds no run: no summary.json in it or two folders below`,
      'name a folder that `fondue sim run` or `sweep` wrote',
    );
  const runs: StoredRun[] = [];
  for (const path of found)
    runs.push({
      folder: relative(folder, path),
      summary: await readRunSummary(path),
      scenario: await readText(path, 'scenario.yaml'),
    });
  refuseTwice(folder, runs);
  return runs.sort(({ summary: a }, { summary: b }) => a.point - b.point || a.seed - b.seed || a.run - b.run);
}

/** A run that counts twice would narrow intervals that it should not. */
function refuseTwice(folder: string, runs: readonly StoredRun[]): void {
  const seen = new Map<string, string>();
  for (const { folder: path, summary } of runs) {
    const { name, seed, run, settings } = summary;
    const key = JSON.stringify([name, seed, run, settings]);
    const before = seen.get(key);
    if (before !== undefined)
      throw new ConfigurationError(
        'usage',
        `${before} and ${path} in ${folder} are the same run, ${run} of seed ${seed}: it would count twice`,
        'name a folder that holds it once',
      );
    seen.set(key, path);
  }
}

async function foldersWithRuns(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    const message = `${folder} cannot be read: ${(cause as Error).message}`;
    throw new ConfigurationError('usage', message, 'name a folder with runs', { cause });
  });
  const summary = entries.find((entry) => entry.isFile() && entry.name === 'summary.json');
  if (summary !== undefined) return [dirname(join(folder, summary.name))];
  if (depth === 1) return [];
  const names = new Set(entries.map(({ name }) => name));
  const folders = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && !isReplay(entry.name, names),
  );
  const below: string[] = [];
  for (const { name } of folders) below.push(...(await foldersWithRuns(join(folder, name), depth - 1)));
  return below.sort();
}

/** `sim replay` writes beside what it repeats: the same run, perhaps not to its end. */
function isReplay(name: string, others: ReadonlySet<string>): boolean {
  return name.endsWith('-replay') && others.has(name.slice(0, -'-replay'.length));
}
