/** A blob's name: the SHA-256 of its bytes. Lower-case hex in URLs, on disk and in memory; 32 bytes on the wire. */
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as createMultihash } from 'multiformats/hashes/digest';
import { InvalidNameError } from './errors.ts';

declare const digestBrand: unique symbol;
/** 64 lower-case hex digits. Made by {@link parseDigest} or {@link digestFromBytes} only. */
export type Digest = string & { readonly [digestBrand]: true };

const SHA2_256 = 0x12;

export function isDigest(text: string): text is Digest {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Accepts hex of either case. Throws InvalidNameError. */
export function parseDigest(text: string): Digest {
  const lower = text.toLowerCase();
  if (!isDigest(lower))
    throw new InvalidNameError(text, `"${text.slice(0, 80)}" is not a SHA-256: 64 hex digits are expected`);
  return lower;
}

/** From the 32 bytes of a SHA-256. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.length !== 32) throw new InvalidNameError('', `a SHA-256 has 32 bytes, not ${bytes.length}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, 32).toString('hex') as Digest;
}

export function digestToBytes(digest: Digest): Uint8Array {
  return new Uint8Array(Buffer.from(digest, 'hex'));
}

/** CIDv1, raw, sha2-256: how people and other tools name the blob. */
export function digestToCid(digest: Digest): CID {
  return CID.createV1(raw.code, createMultihash(SHA2_256, digestToBytes(digest)));
}
