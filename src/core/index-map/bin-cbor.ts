/**
 * The CBOR of bins and deltas, by hand: a fraction of the general codec's time, and little for the garbage collector (a map is
 * 65,536 bins). Must always hold: what is read here is exactly what `@ipld/dag-cbor` reads and would write again, and what is
 * written here is what it writes; of everything else these say `undefined`, and the general codec finds out what is wrong.
 */
import type { Digest } from '../digest.ts';
import type { ProjectName } from '../project-name.ts';
import type { IndexBin } from './index-bin.ts';
import type { IndexDelta } from './index-delta.ts';
import { binNumber, BINS, type IndexEntry } from './index-entry.ts';

const MAJOR = { uint: 0, bytes: 2, text: 3, array: 4 } as const;
/** Beyond so many an entry's largest size could pass the scratch buffer. */
const MOST_ENTRIES = 250;
const ENTRY_MOST = 1 + 2 + 200 + 9 + 34 + 9;
const NAME_MOST = 200;
const HEAD = Buffer.from([0xa1, 0x61, 0x65]);
const HEAD_PARTIAL = Buffer.from([0xa2, 0x61, 0x65]);
const PARTIAL = Buffer.from([0x61, 0x70, 0xf5]);
const DELTA = Buffer.from([0xa2]);
const DELTA_TURNED = Buffer.from([0xa3, 0x61, 0x70]);
const DEL = Buffer.from('cdel', 'latin1');
const SET = Buffer.from('cset', 'latin1');

/** A place in bytes that are read forward. */
class CborCursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** Goes on behind these bytes, if they are what comes. */
  skip(expected: Uint8Array): boolean {
    const end = this.at + expected.length;
    if (end > this.bytes.length) return false;
    for (let i = 0; i < expected.length; i++) if (this.bytes[this.at + i] !== expected[i]) return false;
    this.at = end;
    return true;
  }

  /** The number in a head of this major type, in its shortest form and exact; -1 for anything else. */
  head(major: number): number {
    const { bytes } = this;
    const first = bytes[this.at] ?? 0xff;
    if (first >> 5 !== major) return -1;
    const info = first & 31;
    this.at++;
    if (info < 24) return info;
    if (info > 27) return -1;
    const length = 1 << (info - 24);
    if (this.at + length > bytes.length) return -1;
    const value =
      length === 8
        ? bytes.readUInt32BE(this.at) * 2 ** 32 + bytes.readUInt32BE(this.at + 4)
        : bytes.readUIntBE(this.at, length);
    this.at += length;
    const least = length === 1 ? 24 : 2 ** (4 * length);
    return value >= least && Number.isSafeInteger(value) ? value : -1;
  }

  /** Where a normalized name begins; it ends at `at`. -1 for anything else. */
  name(): number {
    const length = this.head(MAJOR.text);
    const from = this.at;
    const { bytes } = this;
    if (length < 1 || length > NAME_MOST || from + length > bytes.length) return -1;
    let hyphen = true;
    for (let i = from; i < from + length; i++) {
      const byte = bytes[i] as number;
      const isHyphen = byte === 0x2d;
      const letter = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39);
      // None in front, at the end, or beside another.
      if (isHyphen ? hyphen : !letter) return -1;
      hyphen = isHyphen;
    }
    if (hyphen) return -1;
    this.at = from + length;
    return from;
  }

  text(from: number, to: number): ProjectName {
    return this.bytes.toString('latin1', from, to) as ProjectName;
  }

  digest(at: number): Digest {
    return this.bytes.toString('hex', at, at + 32) as Digest;
  }

  isBefore(left: number, leftEnd: number, right: number, rightEnd: number): boolean {
    return this.bytes.compare(this.bytes, right, rightEnd, left, leftEnd) < 0;
  }
}

/** Whether what comes is entries in ascending order, and `onEntry` agrees to each. */
function readEntries(
  cursor: CborCursor,
  onEntry: (name: ProjectName, serial: number, digestAt: number, length: number) => boolean,
): boolean {
  const count = cursor.head(MAJOR.array);
  let [before, beforeEnd] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (cursor.bytes[cursor.at++] !== 0x84) return false;
    const from = cursor.name();
    const to = cursor.at;
    if (from < 0 || (i > 0 && !cursor.isBefore(before, beforeEnd, from, to))) return false;
    [before, beforeEnd] = [from, to];
    const serial = cursor.head(MAJOR.uint);
    const digest = cursor.head(MAJOR.bytes);
    const digestAt = cursor.at;
    if (serial < 0 || digest !== 32 || digestAt + 32 > cursor.bytes.length) return false;
    cursor.at += 32;
    const length = cursor.head(MAJOR.uint);
    if (length < 0 || !onEntry(cursor.text(from, to), serial, digestAt, length)) return false;
  }
  return count >= 0;
}

/** How many entries bin `number` has; undefined: not a bin, or not this one. */
export function countBin(bytes: Uint8Array, number: number): number | undefined {
  let count = 0;
  const partial = walk(new CborCursor(bytes), (name) => {
    count++;
    return binNumber(name) === number;
  });
  return partial === undefined ? undefined : count;
}

/** Which bin it is has been found out before. */
export function readBin(bytes: Uint8Array): IndexBin | undefined {
  const cursor = new CborCursor(bytes);
  const entries: IndexEntry[] = [];
  const partial = walk(cursor, (name, serial, digestAt, length) => {
    entries.push({ name, serial, digest: cursor.digest(digestAt), length });
    return true;
  });
  return partial === undefined ? undefined : { entries, partial };
}

/** A delta's three lists; undefined for what has to be looked at by the general codec. */
export function readDelta(bytes: Uint8Array): IndexDelta | undefined {
  const cursor = new CborCursor(bytes);
  const turned: number[] = [];
  const del: ProjectName[] = [];
  const set: IndexEntry[] = [];
  if (cursor.skip(DELTA_TURNED)) {
    const count = cursor.head(MAJOR.array);
    for (let i = 0; i < count; i++) turned.push(cursor.head(MAJOR.uint));
    if (count < 1 || turned.some((bin, i) => bin <= (turned[i - 1] ?? -1) || bin >= BINS)) return undefined;
  } else if (!cursor.skip(DELTA)) return undefined;
  if (!cursor.skip(DEL) || !readNames(cursor, del) || !cursor.skip(SET)) return undefined;
  let at = 0;
  const disjoint = (name: ProjectName): boolean => {
    while (at < del.length && (del[at] as ProjectName) < name) at++;
    return del[at] !== name;
  };
  const whole = readEntries(cursor, (name, serial, digestAt, length) => {
    set.push({ name, serial, digest: cursor.digest(digestAt), length });
    return disjoint(name);
  });
  return whole && cursor.atEnd ? { set, del, turned } : undefined;
}

function readNames(cursor: CborCursor, names: ProjectName[]): boolean {
  const count = cursor.head(MAJOR.array);
  let [before, beforeEnd] = [0, 0];
  for (let i = 0; i < count; i++) {
    const from = cursor.name();
    if (from < 0 || (i > 0 && !cursor.isBefore(before, beforeEnd, from, cursor.at))) return false;
    [before, beforeEnd] = [from, cursor.at];
    names.push(cursor.text(from, cursor.at));
  }
  return count >= 0;
}

function walk(
  cursor: CborCursor,
  onEntry: (name: ProjectName, serial: number, digestAt: number, length: number) => boolean,
): boolean | undefined {
  const partial = cursor.skip(HEAD_PARTIAL);
  if (!partial && !cursor.skip(HEAD)) return undefined;
  if (!readEntries(cursor, onEntry)) return undefined;
  if (partial && !cursor.skip(PARTIAL)) return undefined;
  return cursor.atEnd ? partial : undefined;
}

const scratch = Buffer.alloc(MOST_ENTRIES * ENTRY_MOST + 16);

/** Undefined for large ones, and for what is no bin. */
export function writeBin({ entries, partial }: IndexBin): Uint8Array | undefined {
  if (entries.length > MOST_ENTRIES) return undefined;
  let at = (partial ? HEAD_PARTIAL : HEAD).copy(scratch);
  at = writeHead(MAJOR.array, entries.length, at);
  for (const { name, serial, digest, length } of entries) {
    if (!isCount(serial) || !isCount(length) || name.length > NAME_MOST || digest.length !== 64)
      return undefined;
    scratch[at++] = 0x84;
    at = writeHead(MAJOR.text, name.length, at);
    if (scratch.write(name, at) !== name.length) return undefined;
    at = writeHead(MAJOR.uint, serial, at + name.length);
    at = writeHead(MAJOR.bytes, 32, at);
    if (scratch.write(digest, at, 'hex') !== 32) return undefined;
    at = writeHead(MAJOR.uint, length, at + 32);
  }
  if (partial) at += PARTIAL.copy(scratch, at);
  return Buffer.from(scratch.subarray(0, at));
}

function writeHead(major: number, value: number, at: number): number {
  const first = major << 5;
  if (value < 24) return scratch.writeUInt8(first | value, at);
  if (value < 0x100) return scratch.writeUInt8(value, scratch.writeUInt8(first | 24, at));
  if (value < 0x1_0000) return scratch.writeUInt16BE(value, scratch.writeUInt8(first | 25, at));
  if (value < 0x1_0000_0000) return scratch.writeUInt32BE(value, scratch.writeUInt8(first | 26, at));
  at = scratch.writeUInt8(first | 27, at);
  at = scratch.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  return scratch.writeUInt32BE(value % 2 ** 32, at);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
