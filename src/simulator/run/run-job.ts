/** What the parent tells the process of a run, and what that says: lines of JSON meanwhile, a file when it is over. */
import type { RunResult, Setting } from '../results/run-result.ts';
import type { Violation } from './promises.ts';

/** In the run's folder, `job.json`. */
export interface RunJob {
  /** YAML of the point, nothing left open (`renderScenario`). */
  readonly scenario: string;
  readonly seed: number;
  readonly run: number;
  readonly point: number;
  readonly settings: readonly Setting[];
  /** Longer stack traces, and the packets that were cut among the events. */
  readonly replay: boolean;
  /** Microseconds after the warm-up; undefined: to the end. */
  readonly until: number | undefined;
}

export const jobFile = 'job.json';
export const outcomeFile = 'outcome.json';
/** A line an event of the model. */
export const eventsFile = 'events.jsonl';

/** What came of it: repeats to the last byte. */
export interface RunOutcome {
  readonly result: RunResult;
  readonly violations: readonly Violation[];
}

export type RunMessage =
  /** Virtual microseconds with the warm-up, of so many; events so far. */
  | { readonly event: 'progress'; readonly at: number; readonly end: number; readonly events: number }
  /** `cpu`: seconds of this process, user and system. */
  | { readonly event: 'done'; readonly cpu: number }
  | { readonly event: 'failed'; readonly message: string; readonly at: number };
