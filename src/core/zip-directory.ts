/**
 * A zip's table of contents, read from its end: the parts of APPNOTE 6.3 that wheels use, zip64 included. Strict where
 * readers differ: what two unpackers would see differently is refused, not guessed. Always true: every entry lies before
 * the directory, and no more memory is taken than `limits.file` allows, whatever the archive says of itself.
 */
import { InvalidContentError } from './errors.ts';
import { limits } from './limits.ts';

/** Bytes by position; few calls are made, and `read` gives exactly `length` bytes or throws. */
export interface RandomAccess {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface ZipEntry {
  readonly name: string;
  readonly flags: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc32: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
  /** Length of name and extra field in the directory: the local header's are about as long. */
  readonly variableLength: number;
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[];
  /** Where the directory begins and the entries end. */
  readonly offset: number;
}

const END_SIGNATURE = Buffer.from([0x50, 0x4b, 0x05, 0x06]);
const END_LENGTH = 22;
const LOCATOR_64 = 0x07064b50;
const LOCATOR_64_LENGTH = 20;
const END_64 = 0x06064b50;
const END_64_LENGTH = 56;
const ENTRY = 0x02014b50;
const ENTRY_LENGTH = 46;

/** @throws InvalidContentError when it is no sound zip */
export async function readZipDirectory(source: RandomAccess): Promise<ZipDirectory> {
  const tail = await readTail(source);
  const end = findEnd(tail.bytes);
  const located = locate(tail.bytes, end, tail.offset);
  if (located.size > limits.file.centralDirectoryBytes)
    throw damaged(
      `its directory has ${located.size} bytes; at most ${limits.file.centralDirectoryBytes} are read`,
    );
  if (located.offset + located.size !== located.end)
    throw damaged('its directory does not end where the end record begins');
  const from = located.offset - tail.offset;
  const bytes =
    from >= 0
      ? tail.bytes.subarray(from, from + located.size)
      : await readExactly(source, located.offset, located.size);
  return { entries: readEntries(bytes, located), offset: located.offset };
}

/** A read that came back short is a broken source or a lying size: either way no archive to be read. */
export async function readExactly(source: RandomAccess, offset: number, length: number): Promise<Buffer> {
  const bytes = await source.read(offset, length);
  if (bytes.length !== length)
    throw damaged(`${length} bytes were asked for at ${offset}, ${bytes.length} came`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function damaged(what: string): InvalidContentError {
  return new InvalidContentError(`not a sound zip archive: ${what}`);
}

interface Tail {
  readonly bytes: Buffer;
  readonly offset: number;
}

/** The tail nearly always holds the whole directory and, in wheels, METADATA too. */
async function readTail(source: RandomAccess): Promise<Tail> {
  if (source.size < END_LENGTH) throw damaged(`it has only ${source.size} bytes`);
  const length = Math.min(source.size, limits.file.zipTailBytes);
  const offset = source.size - length;
  return { bytes: await readExactly(source, offset, length), offset };
}

/** The last end record counts, as in Python, and it must end exactly at the end of the file: else readers disagree. */
function findEnd(tail: Buffer): number {
  const at = tail.lastIndexOf(END_SIGNATURE);
  if (at < 0 || at + END_LENGTH > tail.length)
    throw damaged('no end record at its end; it may have been cut');
  if (at + END_LENGTH + tail.readUInt16LE(at + 20) !== tail.length)
    throw damaged('its end record does not end where the file does');
  return at;
}

interface Located {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  /** Where the directory must end. */
  readonly end: number;
}

function locate(tail: Buffer, end: number, tailOffset: number): Located {
  const located = {
    count: tail.readUInt16LE(end + 10),
    size: tail.readUInt32LE(end + 12),
    offset: tail.readUInt32LE(end + 16),
    end: tailOffset + end,
  };
  const locator = end - LOCATOR_64_LENGTH;
  const has64 = locator >= 0 && tail.readUInt32LE(locator) === LOCATOR_64;
  if (!has64) {
    if (tail.readUInt16LE(end + 4) !== 0 || tail.readUInt16LE(end + 8) !== located.count)
      throw damaged('it is one part of several');
    return located;
  }
  // Zip64's end record stands right before its locator; anything in between is refused.
  const at = locator - END_64_LENGTH;
  if (at < 0 || tail.readUInt32LE(at) !== END_64 || readUInt64(tail, locator + 8) !== tailOffset + at)
    throw damaged('its zip64 end record is not where it should be');
  const wide = {
    count: readUInt64(tail, at + 32),
    size: readUInt64(tail, at + 40),
    offset: readUInt64(tail, at + 48),
    end: tailOffset + at,
  };
  if (
    !agrees(located.count, wide.count, 0xffff) ||
    !agrees(located.size, wide.size, 0xffffffff) ||
    !agrees(located.offset, wide.offset, 0xffffffff)
  )
    throw damaged('its two end records disagree');
  return wide;
}

function agrees(narrow: number, wide: number, placeholder: number): boolean {
  return narrow === placeholder || narrow === wide;
}

function readEntries(bytes: Buffer, located: Located): ZipEntry[] {
  // Before memory is taken: so many do not fit, whatever the record says.
  if (located.count > bytes.length / ENTRY_LENGTH)
    throw damaged(`its directory is too short for ${located.count} entries`);
  const entries: ZipEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + ENTRY_LENGTH > bytes.length || bytes.readUInt32LE(at) !== ENTRY)
      throw damaged(`its directory is broken at entry ${entries.length}`);
    const nameEnd = at + ENTRY_LENGTH + bytes.readUInt16LE(at + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
    const next = extraEnd + bytes.readUInt16LE(at + 32);
    if (next > bytes.length) throw damaged(`entry ${entries.length} of its directory is cut`);
    const flags = bytes.readUInt16LE(at + 8);
    const entry = {
      // Names that matter here are ASCII; latin1 keeps others distinct.
      name: bytes.toString((flags & 0x800) === 0 ? 'latin1' : 'utf8', at + ENTRY_LENGTH, nameEnd),
      flags,
      method: bytes.readUInt16LE(at + 10),
      crc32: bytes.readUInt32LE(at + 16),
      ...readSizes(bytes, at, bytes.subarray(nameEnd, extraEnd)),
      variableLength: extraEnd - at - ENTRY_LENGTH,
    };
    if (entry.offset + 30 + entry.compressedSize > located.offset)
      throw damaged(`"${entry.name.slice(0, 80)}" reaches into its directory`);
    entries.push(entry);
    at = next;
  }
  if (entries.length !== located.count)
    throw damaged(`its directory has ${entries.length} entries where ${located.count} are announced`);
  return entries;
}

/** Sizes and offset; those that are all ones stand in the zip64 extra field, in this order. */
function readSizes(
  bytes: Buffer,
  at: number,
  extra: Buffer,
): { size: number; compressedSize: number; offset: number } {
  const narrow = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
  const wide = narrow.includes(0xffffffff) ? zip64Field(extra) : undefined;
  let next = 0;
  const [size = 0, compressedSize = 0, offset = 0] = narrow.map((value) => {
    if (value !== 0xffffffff || wide === undefined) return value;
    if (next + 8 > wide.length) throw damaged('a zip64 field is too short');
    next += 8;
    return readUInt64(wide, next - 8);
  });
  return { size, compressedSize, offset };
}

function zip64Field(extra: Buffer): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) break;
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, end);
    at = end;
  }
  return undefined;
}

function readUInt64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(limits.file.bytes)) throw damaged(`it speaks of ${value} bytes`);
  return Number(value);
}
