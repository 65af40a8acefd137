/** Project names as PEP 503 normalizes them: parsed once at the door into a type that cannot be wrong. */
import { InvalidNameError } from './errors.ts';

declare const nameBrand: unique symbol;
/** Lower case, runs of `-_.` as one `-`. Made by {@link parseProjectName} only. */
export type ProjectName = string & { readonly [nameBrand]: true };

const VALID = /^[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?$/i;

/** @throws InvalidNameError when `text` is not a valid project name (core metadata specification, at most 200 characters). */
export function parseProjectName(text: string): ProjectName {
  if (text.length > 200 || !VALID.test(text)) {
    throw new InvalidNameError(
      text,
      `"${text.slice(0, 80)}" is not a project name: letters, digits, ".", "_" and "-" are allowed, with a letter or digit at both ends`,
    );
  }
  return text.replace(/[-_.]+/g, '-').toLowerCase() as ProjectName;
}
