/** Builds zips byte by byte, so that tests can make each field lie. */
import { crc32, deflateRawSync } from 'node:zlib';

interface Entry {
  readonly name: string;
  readonly data: string | Buffer;
  readonly stored?: boolean;
  /** Sizes and CRC behind the data, as Python's zipfile writes to a stream. */
  readonly descriptor?: boolean;
  /** Bytes of extra field in the local header only. */
  readonly localExtra?: number;
  /** Sizes and offset in a zip64 field. */
  readonly zip64?: boolean;
}

interface BuiltZip {
  readonly bytes: Buffer;
  /** Where each entry's local header begins. */
  readonly local: readonly number[];
  /** Where each entry of the directory begins. */
  readonly central: readonly number[];
  readonly directory: number;
  /** Where the end record begins. */
  readonly end: number;
}

export function buildZip(
  entries: readonly Entry[],
  options: { zip64?: boolean; comment?: Buffer | string } = {},
): BuiltZip {
  const parts: Buffer[] = [];
  let length = 0;
  const push = (...buffers: Buffer[]): void => {
    for (const buffer of buffers) {
      parts.push(buffer);
      length += buffer.length;
    }
  };
  const local: number[] = [];
  const packedSizes: number[] = [];
  for (const entry of entries) {
    local.push(length);
    const data = Buffer.from(entry.data);
    const packed = entry.stored === true ? data : deflateRawSync(data);
    packedSizes.push(packed.length);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(entry.descriptor === true ? 8 : 0, 6);
    header.writeUInt16LE(entry.stored === true ? 0 : 8, 8);
    if (entry.descriptor !== true) writeSums(header, 14, data, packed.length);
    header.writeUInt16LE(Buffer.byteLength(entry.name), 26);
    header.writeUInt16LE(entry.localExtra ?? 0, 28);
    push(header, Buffer.from(entry.name), Buffer.alloc(entry.localExtra ?? 0), packed);
    if (entry.descriptor === true) {
      const sums = Buffer.alloc(16);
      sums.writeUInt32LE(0x08074b50, 0);
      writeSums(sums, 4, data, packed.length);
      push(sums);
    }
  }
  const directory = length;
  const central = entries.map((entry, index) => {
    const at = length;
    const data = Buffer.from(entry.data);
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(entry.descriptor === true ? 8 : 0, 8);
    header.writeUInt16LE(entry.stored === true ? 0 : 8, 10);
    writeSums(header, 16, data, packedSizes[index] ?? 0);
    header.writeUInt16LE(Buffer.byteLength(entry.name), 28);
    header.writeUInt32LE(local[index] ?? 0, 42);
    const extra = Buffer.alloc(entry.zip64 === true ? 28 : 0);
    if (entry.zip64 === true) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(data.length), 4);
      extra.writeBigUInt64LE(BigInt(packedSizes[index] ?? 0), 12);
      extra.writeBigUInt64LE(BigInt(local[index] ?? 0), 20);
      for (const field of [20, 24, 42]) header.writeUInt32LE(0xffffffff, field);
      header.writeUInt16LE(extra.length, 30);
    }
    push(header, Buffer.from(entry.name), extra);
    return at;
  });
  const size = length - directory;
  if (options.zip64 === true) {
    const wide = Buffer.alloc(56 + 20);
    wide.writeUInt32LE(0x06064b50, 0);
    wide.writeBigUInt64LE(44n, 4);
    wide.writeBigUInt64LE(BigInt(entries.length), 24);
    wide.writeBigUInt64LE(BigInt(entries.length), 32);
    wide.writeBigUInt64LE(BigInt(size), 40);
    wide.writeBigUInt64LE(BigInt(directory), 48);
    wide.writeUInt32LE(0x07064b50, 56);
    wide.writeBigUInt64LE(BigInt(length), 64);
    wide.writeUInt32LE(1, 72);
    push(wide);
  }
  const end = length;
  const comment = Buffer.from(options.comment ?? '');
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(options.zip64 === true ? 0xffff : entries.length, 8);
  record.writeUInt16LE(options.zip64 === true ? 0xffff : entries.length, 10);
  record.writeUInt32LE(options.zip64 === true ? 0xffffffff : size, 12);
  record.writeUInt32LE(options.zip64 === true ? 0xffffffff : directory, 16);
  record.writeUInt16LE(comment.length, 20);
  push(record, comment);
  return { bytes: Buffer.concat(parts), local, central, directory, end };
}

function writeSums(header: Buffer, at: number, data: Buffer, packed: number): void {
  header.writeUInt32LE(crc32(data), at);
  header.writeUInt32LE(packed, at + 4);
  header.writeUInt32LE(data.length, at + 8);
}
