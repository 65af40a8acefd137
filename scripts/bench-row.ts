/** One line of the benchmark's table: ours beside theirs, what was asked for, and whether it was reached. */
import { styleText } from 'node:util';

export interface Goal {
  /** `ratio`: ours to theirs. `ours`: as measured. */
  readonly of: 'ratio' | 'ours';
  readonly is: 'at least' | 'at most';
  readonly value: number;
}

export interface Measured {
  readonly what: string;
  readonly unit: string;
  /** One a round; rounds of ours and theirs alternate. */
  readonly ours: readonly number[];
  readonly theirs?: readonly number[] | undefined;
  /** What theirs is: `nginx`, `straight`. */
  readonly beside?: string | undefined;
  /** Why there is nothing to compare with, or nothing at all: a program or the fixtures missing here. */
  readonly missing?: string | undefined;
  readonly goal?: Goal | undefined;
  readonly note?: string | undefined;
}

export interface Row extends Omit<Measured, 'ours' | 'theirs'> {
  /** Medians. */
  readonly ours: number | undefined;
  readonly theirs: number | undefined;
  readonly ratio: number | undefined;
  readonly rounds: number;
  readonly verdict: 'ok' | 'not' | 'missing' | 'failed' | 'no goal';
  readonly samples: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return sorted.length === 0 ? undefined : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function rowOf(measured: Measured): Row {
  const { goal, ours: mine, theirs: others = [] } = measured;
  const ours = median(mine);
  const theirs = median(others);
  const ratio = ours === undefined || theirs === undefined ? undefined : ours / theirs;
  const judged = goal?.of === 'ratio' ? ratio : ours;
  const sound = [...mine, ...others].every((value) => Number.isFinite(value) && value > 0);
  return {
    ...measured,
    ours,
    theirs,
    ratio,
    rounds: mine.length,
    verdict: sound ? verdictOf(goal, judged, measured.missing) : 'failed',
    samples: { ours: mine, theirs: others },
  };
}

/** A row that could not be produced. */
export function failedRow(what: string, error: unknown): Row {
  const note = error instanceof Error ? error.message : String(error);
  return { ...rowOf({ what, unit: '', ours: [], note }), verdict: 'failed' };
}

function verdictOf(
  goal: Goal | undefined,
  judged: number | undefined,
  missing: string | undefined,
): Row['verdict'] {
  if (judged === undefined) return missing === undefined ? 'failed' : 'missing';
  if (goal === undefined) return 'no goal';
  return (goal.is === 'at least' ? judged >= goal.value : judged <= goal.value) ? 'ok' : 'not';
}

const WIDTHS = [46, 18, 27, 6, 8] as const;

export function tableHead(): string {
  return ['what', 'ours', 'theirs', 'ratio', 'goal'].map((text, at) => pad(text, at)).join('  ');
}

export function tableLine(row: Row): string {
  const theirs =
    row.theirs === undefined ? (row.missing ?? '') : `${amount(row.theirs, row.unit)} ${row.beside ?? ''}`;
  const cells = [
    row.what,
    row.ours === undefined ? '' : amount(row.ours, row.unit),
    theirs,
    row.ratio?.toFixed(2) ?? '',
    row.goal === undefined ? '' : `${row.goal.is === 'at least' ? '>=' : '<='} ${row.goal.value}`,
  ];
  const color = { ok: 'green', not: 'red', failed: 'red', missing: 'yellow', 'no goal': 'gray' } as const;
  const end = row.verdict === 'failed' && row.note !== undefined ? `failed: ${row.note}` : row.verdict;
  return [...cells.map(pad), styleText(color[row.verdict], end === 'no goal' ? '' : end)]
    .join('  ')
    .trimEnd();
}

function pad(text: string, at: number): string {
  const width = WIDTHS[at] ?? 0;
  return at === 0 || at === 2 ? text.padEnd(width) : text.padStart(width);
}

function amount(value: number, unit: string): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}
