/**
 * Whether a run kept what its scenario asserts. Always true: a run whose faults cut nothing or whose workload tried nothing
 * fails, and an assert without a heal to judge by is inconclusive, never passed.
 */
import { limits } from '../../core/limits.ts';
import { cutsLinks, endOf, type Condition, type Fault, type Invariant, type Ratio } from './scenario.ts';
import type { Scenario, WithinAssert } from './scenario.ts';

export type Verdict = 'pass' | 'fail' | 'inconclusive';

export interface Finding {
  /** `never wrong_bytes`, `converged within 5m of heal(split)`, `fault split`. */
  readonly what: string;
  readonly verdict: Verdict;
  readonly why: string;
}

export interface Decision {
  readonly verdict: Verdict;
  /** 0 only for pass. */
  readonly exitCode: 0 | 1;
  readonly findings: readonly Finding[];
}

/** What was measured; times in microseconds after the warm-up. */
export interface Measured {
  /** When the run ended. */
  readonly end: number;
  /** `Links.healOf`. */
  healOf(fault: string): number | undefined;
  /** `Links.cutInstants`. */
  readonly cuts: readonly number[];
  /** By fault: packets it cut; hosts it stopped, skewed or made lie; requests the upstream left unanswered. */
  effectsOf(fault: string): number;
  /** Installations that clients tried. */
  readonly attempts: number;
  violations(invariant: Invariant): number;
  /** How often something happened that could have broken it. */
  checks(invariant: Invariant): number;
  /** By node live at `event`: how long after it the condition held (and held on); undefined: not by the run's end. */
  timesAfter(condition: Condition, event: number): readonly (number | undefined)[];
  /** undefined: nothing to measure it by. */
  ratio(ratio: Ratio): number | undefined;
  /** What still grew or shrank when the warm-up was over: connections, routes. */
  readonly drifting: readonly string[];
}

export function decideAsserts(scenario: Scenario, measured: Measured): Decision {
  const { assert, faults, workload } = scenario;
  const findings: Finding[] = [
    ...assert.never.map((invariant) => {
      const [count, checks] = [measured.violations(invariant), measured.checks(invariant)];
      const kept = checks === 0 ? 'nothing put it to the test' : `not seen in ${checks} checks`;
      return finding(`never ${invariant}`, count === 0, count === 0 ? kept : `seen ${count} times`);
    }),
    ...assert.within.map((one) => decideWithin(one, faults, measured)),
    ...assert.atLeast.map(({ ratio, share }) => decideRatio(ratio, share, measured)),
    ...faults.filter(({ at }) => at < measured.end).map((fault) => decideFault(fault, measured)),
  ];
  if (workload.pip !== undefined) {
    const { attempts } = measured;
    findings.push(
      finding('workload pip', attempts > 0, attempts > 0 ? `${attempts} attempts` : 'no attempt was made'),
    );
  }
  const { drifting } = measured;
  const drift = `${drifting.join(' and ')} still drift at the end of the warm-up: make it longer`;
  findings.push(finding('not_steady', drifting.length === 0, drifting.length === 0 ? 'steady' : drift));
  const verdict = worst(findings);
  return { verdict, exitCode: verdict === 'pass' ? 0 : 1, findings };
}

function worst(findings: readonly Finding[]): Verdict {
  if (findings.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return findings.some(({ verdict }) => verdict === 'inconclusive') ? 'inconclusive' : 'pass';
}

function finding(what: string, passed: boolean, why: string): Finding {
  return { what, verdict: passed ? 'pass' : 'fail', why };
}

function decideFault(fault: Fault, measured: Measured): Finding {
  const count = measured.effectsOf(fault.id);
  const unit = cutsLinks(fault) ? 'packets cut' : fault.kind === 'upstream' ? 'requests unanswered' : 'hosts';
  return finding(`fault ${fault.id}`, count > 0, count > 0 ? `${count} ${unit}` : `no effect: 0 ${unit}`);
}

function decideRatio(ratio: Ratio, share: number, measured: Measured): Finding {
  const what = `${ratio} at least ${share}`;
  const value = measured.ratio(ratio);
  if (value === undefined) return { what, verdict: 'inconclusive', why: 'nothing to measure it by' };
  return finding(what, value >= share, `${value}`);
}

/** Heals that can be judged: the limit passed before the run's end, and no link was cut anew meanwhile. */
function judgedEvents(
  one: WithinAssert,
  faults: readonly Fault[],
  measured: Measured,
): { readonly judged: readonly number[]; readonly all: number } {
  const { event, fault } = one.after;
  const named = faults.filter((other) => (fault === undefined ? cutsLinks(other) : other.id === fault));
  const instants = new Set(
    named.map((other) => (event === 'heal' ? measured.healOf(other.id) : endOf(other))),
  );
  const hold = limits.scenario.hold * 1000;
  return {
    all: instants.size,
    judged: [...instants]
      .filter((at) => at !== undefined)
      .filter((at) => at + one.within + hold <= measured.end)
      // A cut at the very instant comes after the heal; one at the limit itself still breaks what must hold from then on.
      .filter((at) => !measured.cuts.some((cut) => cut >= at && cut <= at + one.within))
      .sort((a, b) => a - b),
  };
}

function decideWithin(one: WithinAssert, faults: readonly Fault[], measured: Measured): Finding {
  const { condition, after, within, share } = one;
  const event = after.fault === undefined ? after.event : `${after.event}(${after.fault})`;
  const what = `${condition} within ${within / 1e6} s of ${event}`;
  const { judged: events, all } = judgedEvents(one, faults, measured);
  if (events.length === 0) {
    const why = `no ${event} that is followed by ${within / 1e6} s without a cut`;
    return { what, verdict: 'inconclusive', why };
  }
  const judged = events.map((at) => {
    const times = measured.timesAfter(condition, at);
    const reached = times.filter((time) => time !== undefined && time <= within).length;
    return { at, reached, of: times.length };
  });
  const worstOf = judged.find(({ reached, of }) => reached < share * of) ?? judged.find(({ of }) => of === 0);
  if (worstOf === undefined) {
    const fewest = Math.min(...judged.map(({ of }) => of));
    const nodes = condition === 'converged' ? `, ${fewest} nodes or more` : '';
    return { what, verdict: 'pass', why: `after ${judged.length} of ${all}${nodes}` };
  }
  const { at, reached, of } = worstOf;
  if (of === 0) return { what, verdict: 'inconclusive', why: `nobody to judge it by at ${at / 1e6} s` };
  return { what, verdict: 'fail', why: `after ${at / 1e6} s only ${reached} of ${of} nodes` };
}
