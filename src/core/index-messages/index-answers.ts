/**
 * The parts of answers about the index.
 *
 * - `heads`, and gossip: an announcement or a proof of misconduct each, as they are.
 * - `range`: a record, its delta (empty: it is not to be had), the next record...
 * - `inclusion`: CBOR `{h: leaf hash, p: hashes}`; `consistency`: hashes side by side. `object`: its bytes.
 * - `bins`: u16 number and the bin's CBOR each.
 * - `bundles`: CBOR `{a: announcement, m: map proof}` each.
 */
import { decode } from '@ipld/dag-cbor';
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { InvalidLogError } from '../errors.ts';
import { LEAVES_BYTES } from '../index-map/merkle-tree.ts';
import { limits } from '../limits.ts';
import {
  bytesOf,
  decodeMessage,
  encodeMessage,
  hashesOf,
  type MessageKind,
  refuse,
} from '../log/canonical-cbor.ts';
import type { TreeProof } from '../log/tree-proofs.ts';

const kind = (name: string, limit: number): MessageKind => ({
  name,
  malformed: 'MESSAGE_MALFORMED',
  tooLarge: 'MESSAGE_TOO_LARGE',
  limit,
});

/** A proof has at most 53 + 53 hashes. */
const PROOF_BYTES = 8 * 1024;
const LEAF_PROOF = kind('an inclusion proof', PROOF_BYTES);
const BUNDLE = kind('a bundle', limits.follow.bundleBytes);

/** The longest part of an answer to each question. */
export const partLimits = {
  heads: limits.log.announcementBytes,
  range: limits.indexMap.deltaBytes,
  inclusion: PROOF_BYTES,
  consistency: PROOF_BYTES,
  object: Math.max(LEAVES_BYTES, limits.follow.namesBytes),
  /** A bin that is over its own limit is to be read still: it was signed, so it is not its sender's fault. */
  bins: 2 + 4 * limits.indexMap.binBytes,
  bundles: limits.follow.bundleBytes,
} as const;

export interface LeafProof {
  readonly leaf: Digest;
  readonly proof: TreeProof;
}

export function encodeLeafProof({ leaf, proof }: LeafProof): Uint8Array {
  return encodeMessage(LEAF_PROOF, { h: digestToBytes(leaf), p: Buffer.concat(proof) });
}

/** @throws InvalidLogError MESSAGE_* */
export function decodeLeafProof(bytes: Uint8Array): LeafProof {
  const map = decodeMessage(LEAF_PROOF, bytes, ['h', 'p']);
  const leaf = bytesOf(LEAF_PROOF, map, 'h');
  if (leaf.length !== 32) refuse(LEAF_PROOF, 'has a leaf hash that is none');
  return { leaf: digestFromBytes(leaf), proof: hashesOf(LEAF_PROOF, map, 'p') };
}

/** @throws InvalidLogError MESSAGE_MALFORMED */
export function decodeHashes(bytes: Uint8Array): TreeProof {
  if (bytes.length % 32 !== 0)
    throw new InvalidLogError('MESSAGE_MALFORMED', 'a consistency proof is no list of hashes');
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.subarray(32 * i, 32 * (i + 1)));
}

export interface NumberedBin {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export function encodeNumberedBin({ number, bytes }: NumberedBin): Uint8Array {
  const part = new Uint8Array(2 + bytes.length);
  new DataView(part.buffer).setUint16(0, number);
  part.set(bytes, 2);
  return part;
}

/** Says nothing about the bin's bytes. @throws InvalidLogError MESSAGE_MALFORMED */
export function decodeNumberedBin(part: Uint8Array): NumberedBin {
  if (part.length < 3) throw new InvalidLogError('MESSAGE_MALFORMED', 'a numbered bin is cut off');
  const number = new DataView(part.buffer, part.byteOffset).getUint16(0);
  return { number, bytes: part.subarray(2) };
}

/** That a signed map has this bin: announcement and map proof, both encoded. */
export interface Bundle {
  readonly announcement: Uint8Array;
  readonly proof: Uint8Array;
}

export function encodeBundle({ announcement, proof }: Bundle): Uint8Array {
  return encodeMessage(BUNDLE, { a: announcement, m: proof });
}

/** Says nothing about what it proves. @throws InvalidLogError MESSAGE_* */
export function decodeBundle(part: Uint8Array): Bundle {
  const map = decodeMessage(BUNDLE, part, ['a', 'm']);
  return { announcement: bytesOf(BUNDLE, map, 'a'), proof: bytesOf(BUNDLE, map, 'm') };
}

/** Whether a head's part, or a gossiped message, says that it is a proof of misconduct; else it is to be an announcement. */
export function claimsMisconduct(message: Uint8Array): boolean {
  if (message.length > limits.log.misconductBytes) return false;
  try {
    const value: unknown = decode(message);
    return typeof value === 'object' && value !== null && 't' in value;
  } catch {
    return false;
  }
}
