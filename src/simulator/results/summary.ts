/** `summary.json`: what a run was and found, and what its table needs to be read back. No time of day, no path. */
import { ConfigurationError } from '../../core/errors.ts';
import type { MetricKinds } from './tidy-rows.ts';
import type { RunResult } from './run-result.ts';
import { runScalars, type RunScalar } from './run-scalars.ts';

const FORMAT = 1;

type Kept = Omit<RunResult, 'scenario' | 'series' | 'times' | 'counters'>;

export interface RunSummary extends Kept {
  readonly format: typeof FORMAT;
  readonly kinds: MetricKinds;
  /** A value that never got there is `null` with its bound. */
  readonly metrics: readonly (Omit<RunScalar, 'value'> & { readonly value: number | null })[];
}

export function summarizeRun(result: RunResult): RunSummary {
  const { name, seed, run, point, settings, duration, variant, faults, verdict, findings } = result;
  const { honesty, replay, trace } = result;
  return {
    format: FORMAT,
    name,
    seed,
    run,
    point,
    settings,
    duration,
    variant,
    verdict,
    findings,
    faults,
    metrics: runScalars(result).map((one) => ({
      ...one,
      value: Number.isFinite(one.value) ? one.value : null,
    })),
    honesty,
    replay,
    trace,
    kinds: {
      series: [...new Set(result.series.map(({ metric }) => metric))],
      times: result.times.map(({ metric, unit, window }) => ({ metric, unit, window })),
    },
  };
}

/** @throws ConfigurationError for anything else */
export function parseSummary(text: string, file: string): RunSummary {
  let found: Partial<RunSummary> | null;
  try {
    found = JSON.parse(text) as Partial<RunSummary> | null;
  } catch (cause) {
    throw notOurs(file, (cause as Error).message);
  }
  const { format, name, faults, findings, kinds, metrics } = found ?? {};
  if (format !== FORMAT) throw notOurs(file, `its format is ${String(format)}, this program reads ${FORMAT}`);
  if (
    typeof name !== 'string' ||
    ![faults, findings, metrics, kinds?.series, kinds?.times].every(Array.isArray)
  )
    throw notOurs(file, 'something is missing');
  return { ...(found as RunSummary), variant: found?.variant };
}

function notOurs(file: string, why: string): ConfigurationError {
  const message = `${file} is no summary of a run: ${why}`;
  return new ConfigurationError('usage', message, 'name a folder that `fondue sim run` or `sweep` wrote');
}
