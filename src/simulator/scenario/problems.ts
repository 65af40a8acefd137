/** What is wrong with a scenario: all of it at once, each with its place and what to do. */
import type { LineCounter } from 'yaml';
import { ConfigurationError } from '../../core/errors.ts';

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** JSON Pointer, `/faults/0/at`. */
  readonly pointer: string;
  readonly message: string;
  readonly fix: string;
}

/** Every problem that a scenario has; exit code 2. */
export class ScenarioError extends ConfigurationError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(
      'usage',
      problems
        .map(
          ({ file, line, column, pointer, message, fix }) =>
            `${file}:${line}:${column}: ${pointer}${pointer === '' ? '' : ': '}${message}; ${fix}`,
        )
        .join('\n'),
      `mend ${problems.length === 1 ? 'that line' : `these ${problems.length} places`}; "fondue sim validate" looks again`,
    );
    this.problems = problems;
  }
}

/** Gathers problems while a file is read. */
export class ProblemList {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #problems = new Map<string, Problem>();

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  get size(): number {
    return this.#problems.size;
  }

  /** The same one twice (two points of a sweep) counts once. */
  add(offset: number, pointer: string, message: string, fix: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const problem = { file: this.#file, line, column: col, pointer, message, fix };
    const key = JSON.stringify([line, col, message]);
    this.#problems.set(key, problem);
  }

  throwIfAny(): void {
    if (this.#problems.size === 0) return;
    throw new ScenarioError(
      [...this.#problems.values()].sort((a, b) => a.line - b.line || a.column - b.column),
    );
  }
}
