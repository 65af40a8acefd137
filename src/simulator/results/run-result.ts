/**
 * What a run measured, for its folder. Times are microseconds after the warm-up. Must always hold: a metric's name belongs to
 * one kind (series, times or counters), and all that plots and reports say can be made again from what is written of this.
 */
import type { Observation } from '../statistics/kaplan-meier.ts';
import type { StepPoint } from '../statistics/time-weighted.ts';

export interface RunResult {
  /** The scenario's. */
  readonly name: string;
  readonly seed: number;
  readonly run: number;
  /** Of a sweep; 0 without one. */
  readonly point: number;
  /** What the point sets: JSON Pointers and values as written. */
  readonly settings: readonly Setting[];
  /** YAML with nothing left open; written as it is. */
  readonly scenario: string;
  /** Of the measured part. */
  readonly duration: number;
  /** `all hosts open`: said in the title of every plot; undefined: the hosts as they would be. */
  readonly variant: string | undefined;
  readonly faults: readonly FaultBand[];
  readonly series: readonly Series[];
  readonly times: readonly Times[];
  readonly counters: readonly Counter[];
  readonly verdict: Verdict;
  /** Asserts, invariants, faults without effect. */
  readonly findings: readonly Finding[];
  /** `fixed-rule TCP; no shared bottleneck beyond access links`, the share of dialable nodes, events a node-second. */
  readonly honesty: readonly string[];
  /** The command that runs it again. */
  readonly replay: string;
  /** Hexadecimal SHA-256. */
  readonly trace: string;
}

export type Verdict = 'pass' | 'fail' | 'inconclusive';

export interface Setting {
  readonly pointer: string;
  readonly value: string;
}

export interface FaultBand {
  readonly id: string;
  /** `partition na | rest`. */
  readonly label: string;
  /** Several where it comes and goes. */
  readonly intervals: readonly { readonly from: number; readonly to: number }[];
}

/** Of whom a value is; neither: of the whole network. */
export interface Of {
  readonly node?: number | undefined;
  readonly group?: string | undefined;
}

export interface Series extends Of {
  /** `heads`, `connections`. */
  readonly metric: string;
  /** `1` for a share or a count without a unit. */
  readonly unit: string;
  /** Ascending; each holds to the next. */
  readonly points: readonly StepPoint[];
}

/** How long each of many took: the nodes after a heal, the look-ups of clients. */
export interface Times {
  /** `reconverge(split)`. */
  readonly metric: string;
  /** Of values, bounds and window. */
  readonly unit: string;
  /** How long was looked. */
  readonly window: number;
  readonly values: readonly (Observation & Of & { readonly at?: number | undefined })[];
}

export interface Counter extends Of {
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
}

export interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly why: string;
}
