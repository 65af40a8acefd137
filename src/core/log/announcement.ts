/**
 * What publishers gossip: the signed checkpoint, the log's last record, and the proof that it is the last leaf. CBOR of
 * `{c: note, p: hashes side by side, r: record without its 0x00}`. Always true of a verified one: a given key signed it,
 * nobody else did (a stranger's signature would make the same head another message), and the record is the leaf size - 1.
 * During a rotation both keys sign the log's heads, each in an announcement of its own.
 */
import type { Digest } from '../digest.ts';
import { InvalidLogError } from '../errors.ts';
import { limits } from '../limits.ts';
import {
  bytesOf,
  decodeMessage,
  encodeMessage,
  hashesOf,
  type MessageKind,
  refuse,
} from './canonical-cbor.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { parseNote, type VerifiedSignature, verifyNote } from './note.ts';
import { decodeRecord, type IndexRecord, isKnownRecord, recordDigest, type UnknownRecord } from './record.ts';
import { recordFault } from './record-fields.ts';
import { checkInclusion, type TreeProof } from './tree-proofs.ts';
import { parseVerifierKey, type VerifierKey } from './verifier-key.ts';

export interface Announcement {
  /** A signed note. */
  readonly checkpoint: Uint8Array;
  /** Without the leaf's 0x00. */
  readonly record: Uint8Array;
  /** Of the record as leaf size - 1. */
  readonly proof: TreeProof;
}

export interface VerifiedAnnouncement {
  readonly announcement: Announcement;
  readonly checkpoint: Checkpoint;
  /** The one that signed. */
  readonly key: VerifierKey;
  readonly record: IndexRecord | UnknownRecord;
  /** The record's leaf hash and blob digest. */
  readonly digest: Digest;
}

const KIND: MessageKind = {
  name: 'an announcement',
  malformed: 'ANNOUNCEMENT_MALFORMED',
  tooLarge: 'ANNOUNCEMENT_TOO_LARGE',
  limit: limits.log.announcementBytes,
};

/** @throws InvalidLogError ANNOUNCEMENT_TOO_LARGE */
export function encodeAnnouncement(announcement: Announcement): Uint8Array {
  return encodeMessage(KIND, announcementMap(announcement));
}

/** Says nothing about signature and proof. @throws InvalidLogError ANNOUNCEMENT_* */
export function decodeAnnouncement(bytes: Uint8Array): Announcement {
  return announcementFrom(KIND, decodeMessage(KIND, bytes, ['c', 'p', 'r']));
}

/**
 * @throws InvalidLogError ANNOUNCEMENT_*, NOTE_* (NOTE_UNKNOWN_KEY: none of `keys` signed it), CHECKPOINT_*,
 * INCLUSION_FAILED, RECORD_*
 */
export function verifyAnnouncement(bytes: Uint8Array, keys: readonly VerifierKey[]): VerifiedAnnouncement {
  return verifyHead(decodeAnnouncement(bytes), keys);
}

/** As {@link verifyAnnouncement}, for one that was decoded. */
export function verifyHead(announcement: Announcement, keys: readonly VerifierKey[]): VerifiedAnnouncement {
  const note = parseNote(announcement.checkpoint);
  if (note.signatures.length !== 1)
    throw new InvalidLogError(
      'NOTE_EXTRA_SIGNATURE',
      `an announcement has ${note.signatures.length} signatures: exactly one is allowed`,
    );
  const { checkpoint, signedBy } = readCheckpoint(verifyNote(note, keys));
  const { key } = signedBy[0] as VerifiedSignature;
  if (checkpoint.size === 0) refuse(KIND, `of ${checkpoint.origin} is of an empty log`);
  const digest = recordDigest(announcement.record);
  checkInclusion(checkpoint, checkpoint.size - 1, digest, announcement.proof);
  // From here on the publisher is to blame: it signed this record.
  const record = decodeRecord(announcement.record, checkpoint.size - 1);
  checkSuccessor(record, key);
  return { announcement, checkpoint, key, record, digest };
}

export function announcementMap({
  checkpoint,
  record,
  proof,
}: Announcement): Record<'c' | 'p' | 'r', Uint8Array> {
  return { c: checkpoint, p: Buffer.concat(proof), r: record };
}

export function announcementFrom(kind: MessageKind, map: Readonly<Record<string, unknown>>): Announcement {
  const checkpoint = bytesOf(kind, map, 'c');
  if (checkpoint.length > limits.log.checkpointBytes)
    refuse(
      kind,
      `has a checkpoint of ${checkpoint.length} bytes, over the limit of ${limits.log.checkpointBytes}`,
    );
  return { checkpoint, proof: hashesOf(kind, map, 'p'), record: bytesOf(kind, map, 'r') };
}

/** Who takes over goes on with the same log, so under the same name. */
function checkSuccessor(record: IndexRecord | UnknownRecord, key: VerifierKey): void {
  if (!isKnownRecord(record) || record.successor === undefined) return;
  const { name } = parseVerifierKey(record.successor);
  if (name !== key.name)
    recordFault('RECORD_MALFORMED', `of ${key.name} names a successor for another log, ${name}`);
}
