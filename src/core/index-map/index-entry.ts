/**
 * What the index map says of one project, and in which of the 65,536 bins it stands. On the wire an entry is the CBOR array
 * `[name, serial, digest bytes, length]`.
 */
import { hash } from 'node:crypto';
import { type Digest, digestFromBytes } from '../digest.ts';
import { parseProjectName, type ProjectName } from '../project-name.ts';

export const BINS = 65_536;

export interface IndexEntry {
  readonly name: ProjectName;
  /** At most 2^53 - 1; 0 where the upstream has none. */
  readonly serial: number;
  /** SHA-256 of the page's canonical bytes, and how many there are. */
  readonly digest: Digest;
  readonly length: number;
}

/** The first two bytes, big-endian, of the name's SHA-256. */
export function binNumber(name: ProjectName): number {
  // As latin1: the shortest text of a hash, and no number to be parsed.
  const bytes = hash('sha256', name, 'binary');
  return (bytes.charCodeAt(0) << 8) | bytes.charCodeAt(1);
}

export type EntryTuple = readonly [string, number, Uint8Array, number];

export function entryToTuple(entry: IndexEntry): EntryTuple {
  return [entry.name, entry.serial, Buffer.from(entry.digest, 'hex'), entry.length];
}

/** Undefined when it is no such tuple; the name is not looked at beyond its type. */
export function entryFromTuple(value: unknown): IndexEntry | undefined {
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [name, serial, digest, length] = value as unknown[];
  if (typeof name !== 'string' || !isCount(serial) || !isCount(length)) return undefined;
  if (!(digest instanceof Uint8Array) || digest.length !== 32) return undefined;
  return { name: name as ProjectName, serial, digest: digestFromBytes(digest), length };
}

export function isNormalized(name: string): name is ProjectName {
  try {
    return parseProjectName(name) === name;
  } catch {
    return false;
  }
}

/** Normalized names are ASCII: code units and UTF-8 bytes order alike. */
export function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

export function sameEntry(left: IndexEntry, right: IndexEntry): boolean {
  return (
    left.name === right.name &&
    left.serial === right.serial &&
    left.digest === right.digest &&
    left.length === right.length
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
