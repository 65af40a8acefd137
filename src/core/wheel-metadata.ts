/**
 * A wheel's METADATA, read from its end and the one entry: what `<file url>.metadata` serves where the upstream has none
 * (PEP 658). Usually one range, seldom more than two. Always true: what comes out is what pip and uv would read from that
 * wheel (one `.dist-info` at the top, of this project), whole and with the right CRC; at most `limits.file.metadataBytes`.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { parseDistributionFilename } from './distribution-filename.ts';
import { InvalidContentError } from './errors.ts';
import { limits } from './limits.ts';
import { damaged, readExactly, readZipDirectory } from './zip-directory.ts';
import type { RandomAccess, ZipDirectory, ZipEntry } from './zip-directory.ts';

const LOCAL = 0x04034b50;
const LOCAL_LENGTH = 30;
/** What a local header's extra field may be longer than the directory's before a second read is needed. */
const SLACK = 64;
const ENCRYPTED = 0x1 | 0x40 | 0x2000;
const SIZES_FOLLOW = 0x8;

/**
 * Undefined when the wheel provably holds none.
 * @throws InvalidContentError for an archive that is damaged, lies about itself, or is no wheel of that filename
 */
export async function readWheelMetadata(
  source: RandomAccess,
  filename: string,
): Promise<Uint8Array | undefined> {
  const wheel = parseDistributionFilename(filename);
  if (wheel?.kind !== 'wheel')
    throw new InvalidContentError(`"${filename.slice(0, 120)}" is not a wheel's filename`);
  const cached = withTailKept(source);
  try {
    const directory = await readZipDirectory(cached);
    const entry = findMetadata(directory.entries, wheel.project);
    return entry && (await readEntry(cached, directory, entry));
  } catch (error) {
    if (error instanceof InvalidContentError)
      throw new InvalidContentError(`${filename}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Keeps what the first read brought (the tail): METADATA mostly stands in it. */
function withTailKept(source: RandomAccess): RandomAccess {
  let kept: { offset: number; bytes: Uint8Array } | undefined;
  return {
    size: source.size,
    async read(offset, length) {
      if (kept !== undefined && offset >= kept.offset)
        return kept.bytes.subarray(offset - kept.offset, offset - kept.offset + length);
      const bytes = await source.read(offset, length);
      kept ??= { offset, bytes };
      return bytes;
    },
  };
}

/** As pip does (`wheel_dist_info_dir`): exactly one, and its name begins with the project's. */
function findMetadata(entries: readonly ZipEntry[], project: string): ZipEntry | undefined {
  const folders = new Set<string>();
  for (const { name } of entries) {
    const [top = ''] = name.split('/', 1);
    if (top.endsWith('.dist-info')) folders.add(top);
  }
  const [folder, another] = folders;
  if (folder === undefined) return undefined;
  if (another !== undefined)
    throw new InvalidContentError(
      `two .dist-info folders: "${folder.slice(0, 80)}" and "${another.slice(0, 80)}"`,
    );
  const stem = folder.slice(0, -'.dist-info'.length);
  if (!`${stem.replace(/[-_.]+/g, '-').toLowerCase()}-`.startsWith(`${project}-`))
    throw new InvalidContentError(`"${folder.slice(0, 80)}" belongs to another project than "${project}"`);
  const found = entries.filter(({ name }) => name === `${folder}/METADATA`);
  if (found.length > 1) throw damaged(`${found.length} entries are called "${folder.slice(0, 80)}/METADATA"`);
  return found[0];
}

async function readEntry(
  source: RandomAccess,
  directory: ZipDirectory,
  entry: ZipEntry,
): Promise<Uint8Array> {
  checkPromises(entry);
  const end = endOfRoom(directory, entry);
  // One read for header and data; the header's own lengths are known only then.
  const guess = LOCAL_LENGTH + entry.variableLength + SLACK + entry.compressedSize;
  const start = await readExactly(source, entry.offset, Math.min(guess, end - entry.offset));
  const dataAt = entry.offset + checkLocalHeader(start, entry);
  if (dataAt + entry.compressedSize > end) throw damaged('METADATA overlaps what comes behind it');
  const from = dataAt - entry.offset;
  const packed =
    from + entry.compressedSize <= start.length
      ? start.subarray(from, from + entry.compressedSize)
      : await readExactly(source, dataAt, entry.compressedSize);
  const bytes = entry.method === 0 ? Buffer.from(packed) : inflate(packed, entry.size);
  if (bytes.length !== entry.size)
    throw damaged(`METADATA has ${bytes.length} bytes where ${entry.size} are promised`);
  if (crc32(bytes) !== entry.crc32) throw damaged('METADATA does not fit its CRC');
  return bytes;
}

/** Everything that can be refused before a byte of it is read. */
function checkPromises(entry: ZipEntry): void {
  const limit = limits.file.metadataBytes;
  if (entry.size > limit || entry.compressedSize > limit)
    throw damaged(
      `METADATA has ${Math.max(entry.size, entry.compressedSize)} bytes; at most ${limit} are read`,
    );
  if ((entry.flags & ENCRYPTED) !== 0) throw damaged('METADATA is encrypted');
  if (entry.method !== 0 && entry.method !== 8)
    throw damaged(`METADATA is packed by unknown method ${entry.method}`);
}

/** Where the next thing in the file begins. An entry before this one that reaches into it is refused. */
function endOfRoom(directory: ZipDirectory, entry: ZipEntry): number {
  let end = directory.offset;
  for (const other of directory.entries) {
    if (other === entry) continue;
    const otherEnd = other.offset + LOCAL_LENGTH + other.compressedSize;
    if (other.offset <= entry.offset && otherEnd > entry.offset)
      throw damaged(`"${other.name.slice(0, 80)}" overlaps METADATA`);
    if (other.offset > entry.offset && other.offset < end) end = other.offset;
  }
  return end;
}

/** The local header must say what the directory says: unpackers that stream (uv) believe this one. @returns its length */
function checkLocalHeader(start: Buffer, entry: ZipEntry): number {
  if (start.length < LOCAL_LENGTH || start.readUInt32LE(0) !== LOCAL)
    throw damaged('METADATA does not begin where the directory says');
  const nameEnd = LOCAL_LENGTH + start.readUInt16LE(26);
  const length = nameEnd + start.readUInt16LE(28);
  const flags = start.readUInt16LE(6);
  const name = start.toString((flags & 0x800) === 0 ? 'latin1' : 'utf8', LOCAL_LENGTH, nameEnd);
  const sizes = [start.readUInt32LE(14), start.readUInt32LE(18), start.readUInt32LE(22)];
  const expected = [entry.crc32, entry.compressedSize, entry.size];
  const fits = sizes.every(
    (value, index) => value === expected[index] || (index > 0 && value === 0xffffffff),
  );
  if (
    name !== entry.name ||
    start.readUInt16LE(8) !== entry.method ||
    (flags & ENCRYPTED) !== 0 ||
    ((flags & SIZES_FOLLOW) === 0 && !fits)
  )
    throw damaged("METADATA's local header and the directory disagree");
  return length;
}

/** Never more than `size` bytes, and nothing behind the end of the deflated data. */
function inflate(packed: Buffer, size: number): Buffer {
  try {
    // With `info` the result has both the output and the engine, which the types do not know.
    const { buffer, engine } = inflateRawSync(packed, {
      maxOutputLength: Math.max(1, size),
      info: true,
    }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (engine.bytesWritten !== packed.length) throw damaged('bytes follow the deflated METADATA');
    return buffer;
  } catch (error) {
    if (error instanceof InvalidContentError) throw error;
    throw new InvalidContentError(`METADATA cannot be inflated: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
