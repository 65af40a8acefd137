/**
 * Proofs that a publisher misbehaved, checkable offline with nothing but the proof: CBOR of `{a, b, k: verifier key, t: kind}`.
 *
 * - `fork`: two checkpoints of one size with different roots. `a` and `b` are signed notes.
 * - `rewrite`: different leaves at one index. `{c: note, h: leaf hash, p: inclusion proof}` each, and `i`, the index.
 * - `successors`: two records that name different successors. `{c, i: index, p, r: record}` each.
 *
 * Always true of a verified one: both checkpoints carry that one key's valid signature and no other, and `a` comes before `b`
 * in bytes: one pair of heads has one proof.
 */
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { InvalidLogError } from '../errors.ts';
import { limits } from '../limits.ts';
import {
  bytesOf,
  decodeMessage,
  encodeMessage,
  hashesOf,
  type MessageKind,
  type MessageMap,
  messageMap,
  refuse,
} from './canonical-cbor.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { formatNote, parseNote, verifyNote } from './note.ts';
import { decodeRecord, isKnownRecord, recordDigest } from './record.ts';
import { checkInclusion, type TreeProof } from './tree-proofs.ts';
import { parseVerifierKey, type VerifierKey } from './verifier-key.ts';

/** A leaf that a signed checkpoint has at an index. */
export interface LeafEvidence {
  /** A signed note; signatures of others are left out. */
  readonly checkpoint: Uint8Array;
  readonly leaf: Digest;
  readonly proof: TreeProof;
}

export interface RecordEvidence {
  readonly checkpoint: Uint8Array;
  readonly index: number;
  readonly record: Uint8Array;
  readonly proof: TreeProof;
}

export type Misconduct =
  | { readonly kind: 'fork'; readonly key: VerifierKey; readonly notes: readonly [Uint8Array, Uint8Array] }
  | {
      readonly kind: 'rewrite';
      readonly key: VerifierKey;
      readonly index: number;
      readonly leaves: readonly [LeafEvidence, LeafEvidence];
    }
  | {
      readonly kind: 'successors';
      readonly key: VerifierKey;
      readonly records: readonly [RecordEvidence, RecordEvidence];
    };

const KIND: MessageKind = {
  name: 'a proof of misconduct',
  malformed: 'MISCONDUCT_MALFORMED',
  tooLarge: 'MISCONDUCT_TOO_LARGE',
  limit: limits.log.misconductBytes,
};
const KINDS: readonly unknown[] = ['fork', 'rewrite', 'successors'];

/** @throws InvalidLogError when it would prove nothing (see {@link verifyMisconduct}), MISCONDUCT_TOO_LARGE */
export function encodeMisconduct(misconduct: Misconduct): Uint8Array {
  const { kind, key } = misconduct;
  const [a, b] = sidesOf(misconduct).sort(([x], [y]) => Buffer.compare(x, y));
  const index = misconduct.kind === 'rewrite' ? { i: misconduct.index } : {};
  const bytes = encodeMessage(KIND, { a: a?.[1], b: b?.[1], k: key.text, t: kind, ...index });
  verifyMisconduct(bytes);
  return bytes;
}

/** @throws InvalidLogError MISCONDUCT_MALFORMED, MISCONDUCT_TOO_LARGE, MISCONDUCT_UNPROVEN, NOTE_*, CHECKPOINT_*, INCLUSION_FAILED */
export function verifyMisconduct(bytes: Uint8Array): Misconduct {
  const any = decodeMessage(KIND, bytes);
  const kind = any['t'];
  if (!KINDS.includes(kind)) refuse(KIND, 'is of an unknown kind');
  const map = messageMap(KIND, any, kind === 'rewrite' ? ['a', 'b', 'i', 'k', 't'] : ['a', 'b', 'k', 't']);
  if (typeof map['k'] !== 'string') return refuse(KIND, 'has a "k" that is no text');
  const key = parseVerifierKey(map['k']);
  const misconduct = readKind(map, key);
  const [a, b] = sidesOf(misconduct);
  if (a === undefined || b === undefined || Buffer.compare(a[0], b[0]) >= 0)
    refuse(KIND, 'does not have its two sides in order');
  return misconduct;
}

function readKind(map: MessageMap, key: VerifierKey): Misconduct {
  switch (map['t']) {
    case 'fork': {
      const notes = [bytesOf(KIND, map, 'a'), bytesOf(KIND, map, 'b')] as const;
      const [a, b] = [signedHead(notes[0], key), signedHead(notes[1], key)];
      if (a.size !== b.size || a.root === b.root)
        unproven('two checkpoints of different sizes, or with one root');
      return { kind: 'fork', key, notes };
    }
    case 'rewrite': {
      const index = indexOf(map);
      const leaves = [leafEvidence(map['a'], key, index), leafEvidence(map['b'], key, index)] as const;
      if (leaves[0].leaf === leaves[1].leaf) unproven('one leaf twice');
      return { kind: 'rewrite', key, index, leaves };
    }
    default: {
      const records = [recordEvidence(map['a'], key), recordEvidence(map['b'], key)] as const;
      if (records[0].successor === records[1].successor) unproven('one successor twice');
      return { kind: 'successors', key, records: [records[0].evidence, records[1].evidence] };
    }
  }
}

function leafEvidence(value: unknown, key: VerifierKey, index: number): LeafEvidence {
  const map = messageMap(KIND, value, ['c', 'h', 'p']);
  const [checkpoint, hash] = [bytesOf(KIND, map, 'c'), bytesOf(KIND, map, 'h')];
  if (hash.length !== 32) refuse(KIND, 'has a leaf hash that is none');
  const [leaf, proof] = [digestFromBytes(hash), hashesOf(KIND, map, 'p')];
  checkInclusion(signedHead(checkpoint, key), index, leaf, proof);
  return { checkpoint, leaf, proof };
}

function recordEvidence(
  value: unknown,
  key: VerifierKey,
): { readonly evidence: RecordEvidence; readonly successor: string } {
  const map = messageMap(KIND, value, ['c', 'i', 'p', 'r']);
  const [checkpoint, bytes] = [bytesOf(KIND, map, 'c'), bytesOf(KIND, map, 'r')];
  const [index, proof] = [indexOf(map), hashesOf(KIND, map, 'p')];
  checkInclusion(signedHead(checkpoint, key), index, recordDigest(bytes), proof);
  const record = decodeRecord(bytes, index);
  if (!isKnownRecord(record) || record.successor === undefined)
    return unproven('a record without a successor');
  return { evidence: { checkpoint, index, record: bytes, proof }, successor: record.successor };
}

/** The checkpoint of a note that the key signed, and nobody else. */
function signedHead(bytes: Uint8Array, key: VerifierKey): Checkpoint {
  const note = parseNote(bytes);
  if (note.signatures.length !== 1) refuse(KIND, 'has a checkpoint with more than one signature');
  return readCheckpoint(verifyNote(note, [key])).checkpoint;
}

/** Each side's bytes and what stands for it in the message. */
function sidesOf(misconduct: Misconduct): [Uint8Array, unknown][] {
  const own = (bytes: Uint8Array): Uint8Array => ownSignature(bytes, misconduct.key);
  switch (misconduct.kind) {
    case 'fork':
      return misconduct.notes.map((note) => [own(note), own(note)]);
    case 'rewrite':
      return misconduct.leaves.map(({ checkpoint, leaf, proof }) => {
        const side = { c: own(checkpoint), h: digestToBytes(leaf), p: Buffer.concat(proof) };
        return [Buffer.concat([side.h, side.c]), side];
      });
    case 'successors':
      return misconduct.records.map(({ checkpoint, index, record, proof }) => {
        const side = { c: own(checkpoint), i: index, p: Buffer.concat(proof), r: record };
        return [Buffer.concat([record, side.c]), side];
      });
  }
}

function ownSignature(bytes: Uint8Array, key: VerifierKey): Uint8Array {
  const { text, signatures } = parseNote(bytes);
  const own = signatures.find(({ name, id }) => name === key.name && id === key.id);
  return own === undefined || signatures.length === 1 ? bytes : formatNote({ text, signatures: [own] });
}

function indexOf(map: MessageMap): number {
  const index = map['i'];
  return typeof index === 'number' && Number.isSafeInteger(index) ? index : refuse(KIND, 'has no index "i"');
}

function unproven(what: string): never {
  throw new InvalidLogError(
    'MISCONDUCT_UNPROVEN',
    `a proof of misconduct has ${what}, which is nothing to blame`,
  );
}
