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
