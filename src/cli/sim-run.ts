/**
 * `fondue sim run|sweep|replay`. Exit codes: 0 what the scenario asserts holds, 1 it does not or cannot be told, 2 wrong usage,
 * 130 interrupted.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { readRunSummary, readText } from '../simulator/results/read-run-folder.ts';
import { summarizeRun } from '../simulator/results/summary.ts';
import { runScenario } from '../simulator/run/run-scenario.ts';
import { runSweep } from '../simulator/run/run-sweep.ts';
import { readScenario, type SweepPoint } from '../simulator/scenario/read-scenario.ts';
import { systemClock } from '../system-clock.ts';
import { describeRun, describeSweepRun } from './describe-run.ts';
import { exitCodes, printJson, printLine } from './output.ts';
import { SimProgress } from './sim-progress.ts';
import { loadScenario, wholeNumber } from './sim-scenario.ts';

export const JSON_OPTION = ['--json', 'one JSON object a line on standard output'] as const;
const SEED_OPTION = ['--seed <N>', 'in place of that of the scenario', wholeNumber(0)] as const;

interface RunFlags {
  readonly seed?: number;
  readonly run?: number;
  readonly runs?: number;
  readonly out?: string;
  readonly jobs?: number;
  readonly json?: boolean;
}

export function addSimRunCommands(sim: Command): void {
  addRun(sim);
  addSweep(sim);
  addReplay(sim);
}

function addRun(sim: Command): void {
  sim
    .command('run')
    .description('runs a scenario once, and writes a folder with what happened')
    .argument('<scenario>', 'a built-in one ("fondue sim list"), or a YAML file')
    .option(...SEED_OPTION)
    .option('--run <N>', 'which of the runs of that seed', wholeNumber(0), 0)
    .option('--runs <N>', 'so many runs, into folders below --out', wholeNumber(1))
    .option('--out <DIR>', 'the folder to write; default: name and seed, here')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      '\nExample:\n  fondue sim run demo --seed 1 --out A\n  fondue sim run ./mine.yaml --runs 10',
    )
    .action(async (name: string, flags: RunFlags) => {
      const { scenario } = await loadScenario(name);
      if (flags.runs !== undefined) return sweep([{ index: 0, settings: [], scenario }], flags);
      const { seed = scenario.seed, run = 0, json } = flags;
      const out = flags.out ?? `${scenario.name}-seed-${seed}${run === 0 ? '' : `-run-${run}`}`;
      refuseExisting(out);
      using progress = new SimProgress(process.stderr, systemClock);
      const onProgress = progress.of(scenario.name);
      const finished = await interruptible((signal) =>
        runScenario(scenario, { seed, run, out, signal, onProgress }),
      );
      if (finished === undefined) return;
      const { result, cpuSeconds } = finished;
      if (json === true) printJson({ event: 'run', out, ...summarizeRun(result), cpuSeconds });
      else printLine(`${describeRun(finished)}\nReport: ${join(out, 'report.html')}`);
      process.exitCode = result.verdict === 'pass' ? exitCodes.done : exitCodes.failed;
    });
}

function addSweep(sim: Command): void {
  sim
    .command('sweep')
    .description("runs every point of a scenario's sweep; called again, it goes on where it was ended")
    .argument('<scenario>', 'a built-in one, or a YAML file')
    .option(...SEED_OPTION)
    .option('--runs <N>', 'runs of each point; default: as the scenario says', wholeNumber(1))
    .option('--jobs <N>', 'runs at once, each on a core of its own', wholeNumber(1), 2)
    .option('--out <DIR>', 'the folder to write or to go on with; default: name and seed, here')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim sweep even-split --runs 10 --out B')
    .action(async (name: string, flags: RunFlags) => sweep((await loadScenario(name)).points, flags));
}

async function sweep(points: readonly SweepPoint[], flags: RunFlags): Promise<void> {
  const { scenario } = points[0] as SweepPoint;
  const { seed = scenario.seed, runs = scenario.runs, jobs = 2, json = false } = flags;
  const out = flags.out ?? `${scenario.name}-seed-${seed}-sweep`;
  const total = points.length * runs;
  let done = 0;
  using progress = new SimProgress(process.stderr, systemClock);
  const results = await interruptible((signal) =>
    runSweep(points, {
      seed,
      runs,
      out,
      parallel: jobs,
      signal,
      onProgress: ({ name }, at) => progress.of(name)(at),
      onDone({ name, point }, result) {
        done++;
        progress.note(name, `${done}/${total} ${name}: ${describeSweepRun(result)}`);
        const { verdict, kept, message } = result;
        if (json) printJson({ event: 'run', name, settings: point.settings, verdict, kept, message });
      },
    }),
  );
  if (results === undefined) return;
  const passed = results.filter(({ verdict }) => verdict === 'pass').length;
  if (json) printJson({ event: 'sweep', out, runs: total, passed });
  else
    printLine(
      `${passed} of ${total} runs hold what the scenario asserts\nReport: ${join(out, 'report.html')}`,
    );
  process.exitCode = passed === total ? exitCodes.done : exitCodes.failed;
}

function addReplay(sim: Command): void {
  sim
    .command('replay')
    .description('runs what a folder holds once more, with each packet that was cut and whole stack traces')
    .argument('<dir>', 'as `fondue sim run` wrote it')
    .option('--until <SECONDS>', 'of virtual time after the warm-up; default: to the end', wholeNumber(0))
    .option('--out <DIR>', 'the folder to write; default: beside it')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  fondue sim replay A --until 612')
    .action(async (dir: string, flags: { until?: number; out?: string; json?: boolean }) => {
      const { seed, run, point, settings, trace } = await readRunSummary(dir);
      const { scenario } = readScenario(await readText(dir, 'scenario.yaml'), join(dir, 'scenario.yaml'));
      const out = flags.out ?? `${dir.replace(/[/\\]+$/, '')}-replay`;
      refuseExisting(out);
      const until = flags.until === undefined ? undefined : flags.until * 1e6;
      using progress = new SimProgress(process.stderr, systemClock);
      const onProgress = progress.of('replay');
      const options = { seed, run, point, settings, out, until, replay: true, onProgress };
      const finished = await interruptible((signal) => runScenario(scenario, { ...options, signal }));
      if (finished === undefined) return;
      const now = finished.result.trace;
      const same = until === undefined ? now === trace : undefined;
      if (flags.json === true) printJson({ event: 'replay', out, same: same ?? null, trace: now });
      else if (same === false)
        printLine(`NOT the same: trace ${trace} then, ${now} now. Another program, or not deterministic.`);
      else printLine(same === true ? 'The same to the last byte.' : describeRun(finished));
      if (flags.json !== true) printLine(`Events: zstdcat ${join(out, 'events.jsonl.zst')}`);
      process.exitCode = same === false ? exitCodes.failed : exitCodes.done;
    });
}

function refuseExisting(out: string): void {
  if (!existsSync(out)) return;
  throw new ConfigurationError(
    'usage',
    `${out} is there already`,
    'give --out a folder that is not, or remove it',
  );
}

/** Undefined when SIGINT or SIGTERM ended it; a second one ends the process at once. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    interrupt.abort(new Error('interrupted'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = exitCodes.interrupted;
    return undefined;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
