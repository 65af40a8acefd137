/**
 * One run of a scenario in a process of its own. Must always hold: the folder that was asked for is there whole or not at all,
 * whatever ends this process or the run's.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ConfigurationError, FondueError } from '../../core/errors.ts';
import { readEnvironment } from '../results/environment.ts';
import { writeRunFolder } from '../results/write-run-folder.ts';
import { startRunProcess } from '../run-process.ts';
import { renderScenario } from '../scenario/read-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';
import {
  eventsFile,
  jobFile,
  outcomeFile,
  type RunJob,
  type RunMessage,
  type RunOutcome,
} from './run-job.ts';

const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));
const child = new URL(`./run-child${extname(import.meta.url)}`, import.meta.url);

export interface RunOptions {
  readonly seed: number;
  /** Its number: runs of one seed and number are the same at every point of a sweep. */
  readonly run: number;
  /** Of a sweep; default: 0, nothing set. */
  readonly point?: number | undefined;
  readonly settings?: RunJob['settings'] | undefined;
  /** The folder that is made. */
  readonly out: string;
  readonly replay?: boolean | undefined;
  /** Microseconds after the warm-up. */
  readonly until?: number | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunProgress {
  /** Virtual microseconds, with the warm-up. */
  readonly at: number;
  readonly end: number;
  readonly events: number;
}

export interface FinishedRun extends RunOutcome {
  /** User and system. */
  readonly cpuSeconds: number;
}

/** Something in the simulation itself went wrong: a bug of the nodes' or of the simulator's. */
export class RunFailedError extends FondueError {
  readonly code = 'RUN_FAILED';
}

/** @throws RunFailedError; ConfigurationError when the folder is there already; the signal's reason */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<FinishedRun> {
  const { seed, run, point = 0, settings = [], out, replay = false, until, signal } = options;
  const seeded = { ...scenario, seed };
  await mkdir(dirname(out), { recursive: true });
  const folder = join(dirname(out), `.${basename(out)}.${process.pid}.unfinished`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  try {
    const rendered = renderScenario(seeded);
    const job: RunJob = { scenario: rendered, seed, run, point, settings, replay, until };
    await writeFile(join(folder, jobFile), JSON.stringify(job));
    const cpuSeconds = await follow(folder, options);
    const outcome = JSON.parse(await readFile(join(folder, outcomeFile), 'utf8')) as RunOutcome;
    const finished = { ...outcome, cpuSeconds };
    const environment = await readEnvironment(packageRoot);
    const events = createReadStream(join(folder, eventsFile));
    await writeRunFolder(folder, finished.result, { environment, events });
    for (const name of [jobFile, outcomeFile, eventsFile]) await rm(join(folder, name));
    signal?.throwIfAborted();
    await moveTo(folder, out);
    return finished;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function moveTo(folder: string, out: string): Promise<void> {
  try {
    await rename(folder, out);
  } catch (cause) {
    throw new ConfigurationError(
      'environment',
      `the results cannot be moved to ${out}: ${(cause as Error).message}`,
      'give --out a folder that is not there yet',
      { cause },
    );
  }
}

/** Resolves to the CPU seconds that it took. */
async function follow(
  folder: string,
  { seed, run, onProgress, signal }: Pick<RunOptions, 'seed' | 'run' | 'onProgress' | 'signal'>,
): Promise<number> {
  signal?.throwIfAborted();
  const started = startRunProcess(child, [folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void started.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  // Nobody would read what it finds out.
  process.once('exit', kill);
  const closed = once(started, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  closed.catch(() => undefined);
  let errors = '';
  (started.stderr as Readable).setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  let cpu: number | undefined;
  let failure: string | undefined;
  try {
    for await (const line of createInterface({ input: started.stdout as Readable })) {
      const message = JSON.parse(line) as RunMessage;
      if (message.event === 'progress') onProgress?.(message);
      else if (message.event === 'done') cpu = message.cpu;
      else failure = `at ${message.at / 1e6} s of virtual time: ${message.message}`;
    }
    const [code, signalName] = await closed;
    signal?.throwIfAborted();
    if (cpu !== undefined && code === 0) return cpu;
    failure ??= `its process ended with ${signalName ?? `exit code ${code}`}: ${errors.trim()}`;
    throw new RunFailedError(`run ${run} of seed ${seed} failed ${failure}`);
  } finally {
    process.off('exit', kill);
    signal?.removeEventListener('abort', kill);
    kill();
  }
}
