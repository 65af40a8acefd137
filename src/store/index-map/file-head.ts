/** The 64 bytes at the front of both kinds of file: 16 bytes magic, u32 format, u32 zero, 32 bytes id, 8 bytes zero. */
import { ConfigurationError } from '../../core/errors.ts';

const FORMAT = 1;

export interface FileDamage {
  /** As a predicate: "is cut short". */
  readonly damage: string;
}

export function sealHead(magic: string, id: Uint8Array): Buffer {
  const head = Buffer.alloc(64);
  head.write(magic, 'latin1');
  head.writeUInt32BE(FORMAT, 16);
  head.set(id, 24);
  return head;
}

/** The id; undefined when it is another kind of file, or an old or damaged one. @throws ConfigurationError for a newer format */
export function isOurs(head: Buffer, magic: string, path: string): Buffer | undefined {
  if (head.length < 64 || head.toString('latin1', 0, 16) !== magic) return undefined;
  const format = head.readUInt32BE(16);
  if (format > FORMAT)
    throw new ConfigurationError(
      'environment',
      `${path} has format ${format}, this program knows ${FORMAT}`,
      'use the newer fondue that made it, or remove the folder it is in: the index is then fetched anew',
    );
  const id = head.subarray(24, 56);
  return format === FORMAT && sealHead(magic, id).equals(head) ? id : undefined;
}
