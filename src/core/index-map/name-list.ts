/**
 * A list of project names as bytes, for the digests `scope` and `stale` of a record: each name and a newline, strictly
 * ascending. A blob of its own, so that whoever has the record can fetch it by its digest.
 */
import { hash } from 'node:crypto';
import { type Digest, digestFromBytes } from '../digest.ts';
import { InvalidContentError } from '../errors.ts';
import type { ProjectName } from '../project-name.ts';
import { compareNames, isNormalized } from './index-entry.ts';

/** In any order; a name twice counts once. */
export function encodeNames(names: Iterable<ProjectName>): Uint8Array {
  const sorted = [...new Set(names)].sort(compareNames);
  return Buffer.from(sorted.map((name) => `${name}\n`).join(''));
}

export function digestOfNames(bytes: Uint8Array): Digest {
  return digestFromBytes(hash('sha256', bytes, 'buffer'));
}

/** @throws InvalidContentError for everything that {@link encodeNames} does not write */
export function decodeNames(bytes: Uint8Array): ProjectName[] {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  if (lines.pop() !== '') throw new InvalidContentError('a list of names does not end with a newline');
  let before = '';
  for (const name of lines) {
    if (!isNormalized(name) || name <= before)
      throw new InvalidContentError(
        `a list of names has ${JSON.stringify(name.slice(0, 80))} after ${JSON.stringify(before)}`,
      );
    before = name;
  }
  return lines as ProjectName[];
}
