/**
 * What changed between two maps: deterministic CBOR of `{set: [entries], del: [names], p?: [bin numbers]}`, a blob without a
 * leading 0x00. `set` and `del` are ascending by name and disjoint. `p` (only where it is not empty) lists the bins that
 * begin or cease to be partial: entries alone cannot say it, and without it a map with an overfull bin could not be followed
 * by deltas. CBOR and not JSON, so that an entry is written as it is in a bin and a delta holds half as many bytes.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { InvalidIndexMapError, type IndexMapFault } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ProjectName } from '../project-name.ts';
import { readDelta as readPlainDelta } from './bin-cbor.ts';
import { changedEntries, type BinChanges } from './fit-bin.ts';
import type { IndexBin } from './index-bin.ts';
import {
  binNumber,
  BINS,
  compareNames,
  entryFromTuple,
  entryToTuple,
  type IndexEntry,
  isNormalized,
  sameEntry,
} from './index-entry.ts';

export interface IndexDelta extends BinChanges {
  /** Bins whose `partial` is the other way round afterwards, ascending. */
  readonly turned: readonly number[];
}

/** Some milliseconds. */
const NAMES_AT_ONCE = 2048;

export const EMPTY_DELTA: IndexDelta = { set: [], del: [], turned: [] };

/** @throws InvalidIndexMapError DELTA_TOO_LARGE: a publisher then gives none, and followers compare the leaves */
export function encodeDelta({ set, del, turned }: IndexDelta): Uint8Array {
  const lists = { set: set.map(entryToTuple), del };
  const bytes = encode(turned.length === 0 ? lists : { ...lists, p: turned });
  checkSize(bytes);
  return bytes;
}

/** @throws InvalidIndexMapError DELTA_* for everything that {@link encodeDelta} does not write */
export function decodeDelta(bytes: Uint8Array): IndexDelta {
  checkSize(bytes);
  const plain = readPlainDelta(bytes);
  if (plain !== undefined) return plain;
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (cause) {
    refuse('DELTA_MALFORMED', 'is not deterministic CBOR', cause);
  }
  const delta = readDelta(value);
  if (Buffer.compare(encodeDelta(delta), bytes) !== 0)
    refuse('DELTA_NOT_CANONICAL', 'is not encoded in the one allowed way');
  return delta;
}

/** The part of a delta that leads from bin `before` to bin `after`, both of one number. */
export function diffBins(before: IndexBin, after: IndexBin, number: number): IndexDelta {
  const old = new Map(before.entries.map((entry) => [entry.name, entry]));
  const set = after.entries.filter((entry) => {
    const was = old.get(entry.name);
    old.delete(entry.name);
    return was === undefined || !sameEntry(was, entry);
  });
  return { set, del: [...old.keys()], turned: before.partial === after.partial ? [] : [number] };
}

/** Of parts for different bins, in any order. */
export function joinDeltas(parts: Iterable<IndexDelta>): IndexDelta {
  const all = [...parts];
  return {
    set: all.flatMap(({ set }) => set).sort((left, right) => compareNames(left.name, right.name)),
    del: all.flatMap(({ del }) => del).sort(compareNames),
    turned: all.flatMap(({ turned }) => turned).sort((left, right) => left - right),
  };
}

interface Part {
  readonly set: IndexEntry[];
  readonly del: ProjectName[];
  readonly turned: number[];
}

/** The part for each bin that a delta speaks of. */
export function deltaByBin(delta: IndexDelta): Map<number, IndexDelta> {
  const steps = divide(delta);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** Others have their turn meanwhile: a delta can have 80,000 names. */
export async function deltaByBinInTurns(
  delta: IndexDelta,
  turn: () => Promise<void>,
): Promise<Map<number, IndexDelta>> {
  const steps = divide(delta);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    await turn();
  }
}

function* divide({ set, del, turned }: IndexDelta): Generator<undefined, Map<number, Part>> {
  const parts = new Map<number, Part>();
  const partOf = (number: number): Part => {
    const part = parts.get(number) ?? { set: [], del: [], turned: [] };
    parts.set(number, part);
    return part;
  };
  for (const [at, entry] of set.entries()) {
    partOf(binNumber(entry.name)).set.push(entry);
    if (at % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) yield;
  }
  for (const [at, name] of del.entries()) {
    partOf(binNumber(name)).del.push(name);
    if (at % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) yield;
  }
  for (const number of turned) partOf(number).turned.push(number);
  return parts;
}

/** A bin after its part of a delta; its size is to be checked. */
export function applyPart(bin: IndexBin, part: IndexDelta): IndexBin {
  const partial = part.turned.length === 0 ? bin.partial : !bin.partial;
  return { entries: changedEntries(bin, part), partial };
}

function readDelta(value: unknown): IndexDelta {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse('DELTA_MALFORMED', 'is not a map');
  const { set, del, p = [], ...others } = value as { set?: unknown; del?: unknown; p?: unknown };
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) refuse('DELTA_MALFORMED', `has the unknown key "${unknown.slice(0, 40)}"`);
  if (!Array.isArray(set) || !Array.isArray(del) || !Array.isArray(p))
    refuse('DELTA_MALFORMED', 'lacks one of the lists "set" and "del", or "p" is no list');
  const entries = set.map((item: unknown): IndexEntry => {
    const entry = entryFromTuple(item);
    if (entry === undefined)
      refuse('DELTA_MALFORMED', 'has an entry that is not [name, serial, digest, length]');
    return entry;
  });
  checkNames(entries.map(({ name }) => name));
  checkNames(del);
  const names = new Set<unknown>(entries.map(({ name }) => name));
  const both = del.find((name) => names.has(name)) as ProjectName | undefined;
  if (both !== undefined) refuse('DELTA_BAD_ORDER', `both sets and deletes "${both}"`);
  return { set: entries, del: del as ProjectName[], turned: readBinNumbers(p) };
}

function checkNames(names: readonly unknown[]): void {
  let before = '';
  for (const name of names) {
    if (typeof name !== 'string') refuse('DELTA_MALFORMED', 'has a name that is no text');
    if (!isNormalized(name))
      refuse('DELTA_BAD_NAME', `has the name "${name.slice(0, 80)}", which is not normalized`);
    if (compareNames(before, name) >= 0)
      refuse('DELTA_BAD_ORDER', `has "${name}" after "${before}": names must ascend`);
    before = name;
  }
}

function readBinNumbers(numbers: readonly unknown[]): number[] {
  let before = -1;
  return numbers.map((number) => {
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= BINS)
      refuse('DELTA_MALFORMED', 'has something in "p" that is no bin number');
    if (number <= before) refuse('DELTA_BAD_ORDER', 'has bin numbers that do not ascend');
    before = number;
    return number;
  });
}

function checkSize(bytes: Uint8Array): void {
  if (bytes.length > limits.indexMap.deltaBytes)
    refuse('DELTA_TOO_LARGE', `has ${bytes.length} bytes, over the limit of ${limits.indexMap.deltaBytes}`);
}

function refuse(code: IndexMapFault, what: string, cause?: unknown): never {
  throw new InvalidIndexMapError(code, `a delta of an index map ${what}`, { cause });
}
