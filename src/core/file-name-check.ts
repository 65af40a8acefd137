/**
 * Which filenames of a page may be told to a client. Always true: a name that passes is one path segment below the
 * folder a client downloads to, on POSIX and on Windows (separators, drive and stream colons, `..`, leading dots).
 */
import { limits } from './limits.ts';

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Why a file must not have this name; undefined when it may. */
export function filenameFault(filename: string): string | undefined {
  if (filename === '') return 'is empty';
  if (filename.length > limits.page.filenameLength)
    return `is longer than ${limits.page.filenameLength} characters`;
  if (/[/\\:]/.test(filename)) return 'contains a path separator';
  if (filename.startsWith('.')) return 'begins with a dot';
  if (/^\s|[\s.]$/.test(filename)) return 'begins or ends with a space or ends with a dot';
  if (CONTROL.test(filename)) return 'contains a control character';
  if (!filename.isWellFormed()) return 'contains a lone surrogate';
  return undefined;
}
