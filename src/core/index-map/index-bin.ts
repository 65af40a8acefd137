/**
 * One bin of the index map: deterministic CBOR of `{e: [entries], p?: true}`. Always true of a bin that was read: its names are
 * normalized, strictly ascending and of this bin, and its bytes are the only ones for what it says; so a root stands for
 * one map. `partial` (`p`) says that the bin had more names than fit: absence from it is unknown.
 *
 * Who checked the bytes against a signed root and gets one of these errors blames the publisher, not who relayed them.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { InvalidIndexMapError, type IndexMapFault } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ProjectName } from '../project-name.ts';
import { countBin, readBin as readPlainBin, writeBin } from './bin-cbor.ts';
import {
  binNumber,
  compareNames,
  entryFromTuple,
  entryToTuple,
  type IndexEntry,
  isNormalized,
} from './index-entry.ts';
import { leafHash } from './tree-hash.ts';

export interface IndexBin {
  /** By name, strictly ascending. */
  readonly entries: readonly IndexEntry[];
  readonly partial: boolean;
}

/** `entries` must be in order. Says nothing about the size: see {@link checkBinSize}. */
export function encodeBin(bin: IndexBin): Uint8Array {
  const plain = writeBin(bin);
  if (plain !== undefined) return plain;
  const { entries, partial } = bin;
  const e = entries.map(entryToTuple);
  return encode(partial ? { e, p: true } : { e });
}

export const EMPTY_BIN: Uint8Array = encodeBin({ entries: [], partial: false });

export const EMPTY_LEAF = leafHash(EMPTY_BIN);

/** @throws InvalidIndexMapError BIN_TOO_LARGE */
export function checkBinSize(bytes: Uint8Array, number: number): void {
  if (bytes.length > limits.indexMap.binBytes)
    refuse(
      'BIN_TOO_LARGE',
      number,
      `has ${bytes.length} bytes, over the limit of ${limits.indexMap.binBytes}`,
    );
}

/** @throws InvalidIndexMapError BIN_* for everything that is not exactly bin `number` of some map */
export function decodeBin(bytes: Uint8Array, number: number): IndexBin {
  checkBinSize(bytes, number);
  const plain = countBin(bytes, number) === undefined ? undefined : readPlainBin(bytes);
  if (plain !== undefined) return plain;
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (cause) {
    // RangeError too: arrays nested until the stack ends.
    refuse('BIN_MALFORMED', number, 'is not deterministic CBOR', cause);
  }
  const bin = readBin(value, number);
  if (Buffer.compare(encodeBin(bin), bytes) !== 0)
    refuse('BIN_NOT_CANONICAL', number, 'is not encoded in the one allowed way');
  return bin;
}

/** How many names are in it. @throws InvalidIndexMapError as {@link decodeBin} */
export function checkBin(bytes: Uint8Array, number: number): number {
  checkBinSize(bytes, number);
  return countBin(bytes, number) ?? decodeBin(bytes, number).entries.length;
}

/** For bytes that {@link decodeBin} accepted or {@link encodeBin} made, and that still have their hash. */
export function decodeKnownBin(bytes: Uint8Array): IndexBin {
  const plain = readPlainBin(bytes);
  if (plain !== undefined) return plain;
  const { e, p } = decode<{ e: unknown[]; p?: true }>(bytes);
  return { entries: e.map((tuple) => entryFromTuple(tuple) as IndexEntry), partial: p === true };
}

export function findEntry(bin: IndexBin, name: ProjectName): IndexEntry | undefined {
  return bin.entries.find((entry) => entry.name === name);
}

function readBin(value: unknown, number: number): IndexBin {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse('BIN_MALFORMED', number, 'is not a map');
  const { e, p, ...others } = value as { e?: unknown; p?: unknown };
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) refuse('BIN_MALFORMED', number, `has the unknown key "${unknown.slice(0, 40)}"`);
  if (p !== undefined && p !== true) refuse('BIN_MALFORMED', number, 'has a "p" that is not true');
  if (!Array.isArray(e)) refuse('BIN_MALFORMED', number, 'has no list "e"');
  let before = '';
  const entries = e.map((item: unknown): IndexEntry => {
    const entry = entryFromTuple(item);
    if (entry === undefined)
      refuse(
        'BIN_MALFORMED',
        number,
        `has an entry after "${before}" that is not [name, serial, digest, length]`,
      );
    const name: string = entry.name;
    if (!isNormalized(name))
      refuse('BIN_BAD_NAME', number, `has the name "${name.slice(0, 80)}", which is not normalized`);
    if (compareNames(before, name) >= 0)
      refuse('BIN_BAD_ORDER', number, `has "${name}" after "${before}": names must ascend`);
    if (binNumber(entry.name) !== number)
      refuse('BIN_FOREIGN_NAME', number, `has "${name}", which belongs into bin ${binNumber(entry.name)}`);
    before = name;
    return entry;
  });
  return { entries, partial: p === true };
}

function refuse(code: IndexMapFault, number: number, what: string, cause?: unknown): never {
  throw new InvalidIndexMapError(code, `bin ${number} of an index map ${what}`, { cause });
}
