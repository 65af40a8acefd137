/**
 * Many runs into one folder, some at a time. Must always hold: a run whose folder is there is done and is not done again, and
 * runs of different sweeps never share a folder.
 */
import { hash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigurationError } from '../../core/errors.ts';
import { writeSweepFolder } from '../results/sweep-folder.ts';
import { renderScenario, type SweepPoint } from '../scenario/read-scenario.ts';
import { runScenario, type RunProgress } from './run-scenario.ts';
import type { Verdict } from '../scenario/decide-asserts.ts';

const SWEEP_FILE = 'sweep.json';
const BEGUN = `.${SWEEP_FILE}.unfinished`;

export interface SweepOptions {
  readonly seed: number;
  readonly runs: number;
  readonly out: string;
  /** Runs at once. */
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((run: SweepRun, progress: RunProgress) => void) | undefined;
  readonly onDone?: ((run: SweepRun, result: SweepResult) => void) | undefined;
}

export interface SweepRun {
  readonly point: SweepPoint;
  readonly run: number;
  /** `point-003/run-007`. */
  readonly name: string;
}

export interface SweepResult {
  readonly run: SweepRun;
  readonly verdict: Verdict | 'failed';
  /** Why it failed; undefined where it ran to its end. */
  readonly message: string | undefined;
  /** It was there already. */
  readonly kept: boolean;
}

/** @throws ConfigurationError for a folder of something else; the signal's reason */
export async function runSweep(points: readonly SweepPoint[], options: SweepOptions): Promise<SweepResult[]> {
  const { out, runs, signal, onDone } = options;
  await claim(points, options);
  const all = points.flatMap((point) =>
    Array.from({ length: runs }, (_, run) => ({ point, run, name: nameOf(point, run, points.length) })),
  );
  const results: SweepResult[] = [];
  const waiting = [...all];
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      signal?.throwIfAborted();
      const result = (await finished(join(out, run.name), run)) ?? (await runOne(run, options));
      results.push(result);
      onDone?.(run, result);
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  if (results.some(({ message }) => message === undefined)) await writeSweepFolder(out);
  return results.sort((a, b) => all.indexOf(a.run) - all.indexOf(b.run));
}

async function runOne(run: SweepRun, { seed, out, signal, onProgress }: SweepOptions): Promise<SweepResult> {
  const { point } = run;
  try {
    const { result } = await runScenario(point.scenario, {
      seed,
      run: run.run,
      point: point.index,
      settings: point.settings,
      out: join(out, run.name),
      signal,
      onProgress: (progress) => onProgress?.(run, progress),
    });
    return { run, verdict: result.verdict, message: undefined, kept: false };
  } catch (error) {
    signal?.throwIfAborted();
    // The others are worth having.
    return { run, verdict: 'failed', message: (error as Error).message, kept: false };
  }
}

/** What an earlier sweep into this folder found. */
async function finished(folder: string, run: SweepRun): Promise<SweepResult | undefined> {
  try {
    const { verdict } = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')) as {
      verdict: Verdict;
    };
    return { run, verdict, message: undefined, kept: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes the folder this sweep's, or finds that it is. What an earlier one had begun is removed. */
async function claim(points: readonly SweepPoint[], { seed, out }: SweepOptions): Promise<void> {
  const wanted = {
    seed,
    points: points.map(({ settings, scenario }) => ({
      settings,
      scenario: hash('sha256', renderScenario(scenario)),
    })),
  };
  const text = `${JSON.stringify(wanted, null, 1)}\n`;
  await mkdir(out, { recursive: true });
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const own = entries.filter(
    ({ parentPath, name }) => resolve(parentPath) === resolve(out) && name !== BEGUN,
  );
  if (!own.some(({ name }) => name === SWEEP_FILE)) {
    if (own.length > 0)
      throw new ConfigurationError(
        'usage',
        `${out} holds something that is no sweep`,
        'give --out an empty folder or one that is not there yet',
      );
    // Half of it would be another sweep's.
    await writeFile(join(out, BEGUN), text);
    await rename(join(out, BEGUN), join(out, SWEEP_FILE));
    return;
  }
  if ((await readFile(join(out, SWEEP_FILE), 'utf8')) !== text)
    throw new ConfigurationError(
      'usage',
      `${out} holds runs of another scenario, sweep or seed`,
      'give another --out, or the scenario and seed as they were',
    );
  for (const { name, parentPath } of entries)
    if (/^\.run-\d+\.\d+\.unfinished$/.test(name)) await rm(join(parentPath, name), { recursive: true });
}

function nameOf({ index }: SweepPoint, run: number, points: number): string {
  const own = `run-${String(run).padStart(3, '0')}`;
  return points === 1 ? own : `point-${String(index).padStart(3, '0')}/${own}`;
}
