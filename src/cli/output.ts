/** How the program speaks: one JSON object a line with `--json`, plain lines for people; errors say what and how to mend it. */
import { ConfigurationError, FondueError } from '../core/errors.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A reader that leaves early (`fondue status | head -1`) is no failure; a full disk behind `>` is one. */
export function guardOutputs(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    printNote(`fondue: standard output cannot be written: ${error.message}`);
    process.exitCode = exitCodes.failed;
  });
  // There is nowhere left to say it; a node whose log has no reader any more goes on.
  process.stderr.on('error', () => undefined);
}

/** Tells of a failure and returns the exit code that fits it. */
export function reportFailure(error: unknown, json: boolean): number {
  const code = error instanceof FondueError ? error.code : 'INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  const fix = error instanceof ConfigurationError ? error.fix : '';
  if (json) printJson({ event: 'error', code, message, fix });
  else {
    printNote(`fondue: ${message}`);
    if (fix !== '') printNote(`        ${fix}`);
    if (!(error instanceof FondueError) && error instanceof Error) printNote(error.stack ?? '');
  }
  return error instanceof ConfigurationError && error.fault === 'usage' ? exitCodes.usage : exitCodes.failed;
}

/** Colours for a terminal that wants them. */
export function styles(
  stream: { isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): {
  bold(text: string): string;
  dim(text: string): string;
} {
  const on = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const wrap = (start: number, end: number) => (text: string) =>
    on ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return { bold: wrap(1, 22), dim: wrap(2, 22) };
}
