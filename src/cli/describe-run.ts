/** A simulated run in words: what it found first, then what it measured. */
import { runScalars } from '../simulator/results/run-scalars.ts';
import type { Verdict } from '../simulator/results/run-result.ts';
import type { FinishedRun } from '../simulator/run/run-scenario.ts';
import type { SweepResult } from '../simulator/run/run-sweep.ts';

const words: Record<Verdict | 'failed', string> = {
  pass: 'holds',
  fail: 'FAILS',
  inconclusive: 'inconclusive',
  failed: 'BROKE OFF',
};
/** The rest is in the report. */
const shown = /^(reconverge|lookup|heads)/;

export function describeRun({ result, cpuSeconds }: FinishedRun): string {
  const { name, seed, run, verdict, findings, honesty } = result;
  const metrics = runScalars(result)
    .filter(({ metric }) => shown.test(metric))
    .map(({ metric, unit, value, bound = value }) =>
      Number.isFinite(value) ? `${metric}: ${amount(value, unit)}` : `${metric}: > ${amount(bound, unit)}`,
    );
  return [
    `${name}, seed ${seed}, run ${run}: ${words[verdict]}`,
    ...findings.map(({ what, verdict: one, why }) => `  ${words[one]}: ${what} (${why})`),
    ...[...metrics, ...honesty, `${cpuSeconds.toFixed(0)} s of CPU time`].map((line) => `  ${line}`),
  ].join('\n');
}

export function describeSweepRun({ verdict, kept, message }: SweepResult): string {
  return `${words[verdict]}${kept ? ', from before' : ''}${message === undefined ? '' : `: ${message}`}`;
}

function amount(value: number, unit: string): string {
  return unit === 'us' ? `${(value / 1e6).toFixed(1)} s` : String(Number(value.toPrecision(4)));
}
