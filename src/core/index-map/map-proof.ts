/**
 * A proof of what an index map says of one name: its bin and the 16 hashes beside the bin's way to the root. Encoded: the
 * hashes, the bin's neighbour first (512 bytes), then the bin's CBOR without its leading 0x00. Which bin it is follows
 * from the name that is asked for, so a proof cannot speak of another one.
 */
import type { Digest } from '../digest.ts';
import { digestFromBytes } from '../digest.ts';
import { InvalidIndexMapError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ProjectName } from '../project-name.ts';
import { decodeBin, findEntry, type IndexBin } from './index-bin.ts';
import { binNumber, type IndexEntry } from './index-entry.ts';
import { PATH_HASHES } from './merkle-tree.ts';
import { HASH_BYTES, leafHash, nodeHash } from './tree-hash.ts';

const PATH_BYTES = PATH_HASHES * HASH_BYTES;

export interface MapProof {
  /** CBOR. */
  readonly bin: Uint8Array;
  /** 16 hashes. */
  readonly path: Uint8Array;
}

/** What a map says of a name: its entry; that there is none; or nothing, because its bin is partial. */
export type MapAnswer = IndexEntry | 'absent' | 'unknown';

export function encodeProof({ bin, path }: MapProof): Uint8Array {
  return Buffer.concat([path, bin]);
}

/** @throws InvalidIndexMapError PROOF_MALFORMED */
export function decodeProof(bytes: Uint8Array): MapProof {
  if (bytes.length <= PATH_BYTES || bytes.length > PATH_BYTES + limits.indexMap.binBytes)
    throw new InvalidIndexMapError(
      'PROOF_MALFORMED',
      `a proof has more than ${PATH_BYTES} and at most ${PATH_BYTES + limits.indexMap.binBytes} bytes, not ${bytes.length}`,
    );
  return { path: bytes.subarray(0, PATH_BYTES), bin: bytes.subarray(PATH_BYTES) };
}

/**
 * @throws InvalidIndexMapError PROOF_MALFORMED and PROOF_WRONG_ROOT (who sent it is to blame), BIN_* (whose root it is is to
 * blame: the bin is in that map and breaks the rules)
 */
export function verifyProof(root: Digest, name: ProjectName, proof: MapProof): MapAnswer {
  if (proof.path.length !== PATH_BYTES)
    throw new InvalidIndexMapError(
      'PROOF_MALFORMED',
      `a proof has 16 hashes, not ${proof.path.length} bytes`,
    );
  const number = binNumber(name);
  let hash = leafHash(proof.bin);
  for (let level = 0; level < PATH_HASHES; level++) {
    const beside = proof.path.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES);
    hash = (number >> level) & 1 ? nodeHash(beside, hash) : nodeHash(hash, beside);
  }
  const reached = digestFromBytes(hash);
  if (reached !== root)
    throw new InvalidIndexMapError(
      'PROOF_WRONG_ROOT',
      `the proof for ${name} leads to the root ${reached}, not to ${root}`,
    );
  return answerOf(decodeBin(proof.bin, number), name);
}

export function answerOf(bin: IndexBin, name: ProjectName): MapAnswer {
  return findEntry(bin, name) ?? (bin.partial ? 'unknown' : 'absent');
}
