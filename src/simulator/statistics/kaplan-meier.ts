/**
 * Times until something happened, of which some were never seen: the estimator of Kaplan and Meier (1958). A failure waits for
 * ever and stays in the count; a censored one (its node died) counts only as long as it was watched.
 */

export type Observation =
  | { readonly kind: 'observed'; readonly value: number }
  /** It never happened: infinite. */
  | { readonly kind: 'failed' }
  /** Not within `bound`, and nobody could look further. */
  | { readonly kind: 'censored'; readonly bound: number };

export interface SurvivalStep {
  readonly at: number;
  /** Share for which it had not happened at `at`, right after it. */
  readonly survival: number;
}

/** At each time when it happened to someone. At equal times a censored one was still there to be counted. */
export function survivalSteps(observations: readonly Observation[]): SurvivalStep[] {
  const events = new Map<number, number>();
  const leaving = new Map<number, number>();
  for (const one of observations) {
    if (one.kind === 'failed') continue;
    const at = one.kind === 'observed' ? one.value : one.bound;
    if (one.kind === 'observed') events.set(at, (events.get(at) ?? 0) + 1);
    leaving.set(at, (leaving.get(at) ?? 0) + 1);
  }
  let atRisk = observations.length;
  let survival = 1;
  const steps: SurvivalStep[] = [];
  for (const at of [...leaving.keys()].sort((a, b) => a - b)) {
    const happened = events.get(at) ?? 0;
    if (happened > 0) {
      survival *= (atRisk - happened) / atRisk;
      steps.push({ at, survival });
    }
    atRisk -= leaving.get(at) ?? 0;
  }
  return steps;
}

export type SurvivalQuantile =
  | { readonly kind: 'reached'; readonly value: number }
  /** Too many failed or went away: it is more than this. */
  | { readonly kind: 'beyond'; readonly bound: number };

/** Products of fractions miss round shares by a few units in the last place. */
const ROUNDING = 1e-12;

/**
 * The least time by which it had happened to a share `p`; without censored and failed ones the order statistic
 * ceil(n p). `window`: how long was looked, for those that never got there. undefined: no observation.
 */
export function survivalQuantile(
  observations: readonly Observation[],
  p: number,
  window: number,
): SurvivalQuantile | undefined {
  if (observations.length === 0) return undefined;
  const step = survivalSteps(observations).find(({ survival }) => survival <= 1 - p + ROUNDING);
  if (step !== undefined) return { kind: 'reached', value: step.at };
  const failed = observations.some(({ kind }) => kind === 'failed');
  // Only censored ones are left: nobody looked further than the longest of them.
  const seen = observations.map((one) =>
    one.kind === 'censored' ? one.bound : one.kind === 'observed' ? one.value : 0,
  );
  return { kind: 'beyond', bound: failed ? window : seen.reduce((a, b) => Math.max(a, b)) };
}

/** What share never got there, of those that were watched to the end. undefined: of none. */
export function failedShare(observations: readonly Observation[]): number | undefined {
  const decided = observations.filter(({ kind }) => kind !== 'censored');
  if (decided.length === 0) return undefined;
  return decided.filter(({ kind }) => kind === 'failed').length / decided.length;
}
