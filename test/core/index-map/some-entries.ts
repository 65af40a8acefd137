/** Entries for tests: made from names, and ground into one bin. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Digest } from '../../../src/core/digest.ts';
import { binNumber, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';

export function entryFor(name: string, serial = 1, length = 300): IndexEntry {
  const digest = hash('sha256', `${name} ${serial}`, 'hex') as Digest;
  return { name: parseProjectName(name), serial, digest, length };
}

interface GroundNames {
  readonly prefix: string;
  readonly bin: number;
  readonly numbers: readonly number[];
}

const file = new URL('../../vectors/index-map/ground-names.json', import.meta.url);

/** 300 names of about 190 characters that all belong into one bin (20 million hashes to find): over 64 KiB of entries. */
export function groundEntries(serialOf: (at: number) => number = (at) => at + 1): {
  number: number;
  entries: IndexEntry[];
} {
  const { prefix, bin, numbers } = JSON.parse(readFileSync(file, 'utf8')) as GroundNames;
  return { number: bin, entries: numbers.map((tail, at) => entryFor(`${prefix}${tail}`, serialOf(at))) };
}

/** `count` short names of bin `number`: about 65,536 hashes for each. */
export function grind(number: number, count: number): string[] {
  const names: string[] = [];
  for (let at = 0; names.length < count; at++) {
    const name = parseProjectName(`g${at}`);
    if (binNumber(name) === number) names.push(name);
  }
  return names;
}

const name = fc.stringMatching(/^[a-z0-9](?:-?[a-z0-9]){0,6}$/);
const count = fc.oneof(
  fc.nat(30),
  fc.constantFrom(23, 24, 255, 256, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

/** Few names, so that maps have some in common. */
export const anyEntries: fc.Arbitrary<IndexEntry[]> = fc.uniqueArray(
  fc
    .record({
      name: fc.oneof(name, fc.constantFrom('a', 'b', 'c', 'pip', 'flask')),
      serial: count,
      length: count,
    })
    .map((made) => entryFor(made.name, made.serial, made.length)),
  { selector: (entry) => entry.name, maxLength: 40 },
);
