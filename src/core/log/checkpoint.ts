/**
 * C2SP tlog-checkpoint: the text of a log's signed head. Origin, size, root, then extension lines; every line non-empty.
 * Read strictly: one checkpoint has one text.
 */
import { hash } from 'node:crypto';
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { InvalidLogError } from '../errors.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { type NoteSignature, openNote, type OpenedNote, type VerifiedSignature } from './note.ts';
import { algorithms, type VerifierKey } from './verifier-key.ts';

export interface Checkpoint {
  /** The log's key name. */
  readonly origin: string;
  /** Leaves of the log, at most 2^53 - 1. */
  readonly size: number;
  /** RFC 6962 root of that many leaves. */
  readonly root: Digest;
  readonly extensions: readonly string[];
}

export const EMPTY_ROOT: Digest = digestFromBytes(hash('sha256', '', 'buffer'));

export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return `${[origin, size, encodeBase64(digestToBytes(root)), ...extensions].join('\n')}\n`;
}

/** Of a note's text. @throws InvalidLogError CHECKPOINT_MALFORMED */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  if (lines.pop() !== '') malformed('does not end with a newline');
  const [origin = '', sizeText = '', rootText = '', ...extensions] = lines;
  if (lines.length < 3 || lines.includes(''))
    malformed('does not have three or more lines, none of them empty');
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(sizeText)) malformed(`has the size "${sizeText.slice(0, 40)}"`);
  const size = Number(sizeText);
  if (!Number.isSafeInteger(size)) malformed(`has the size ${sizeText}, over 2^53 - 1`);
  const bytes = decodeBase64(rootText);
  if (bytes?.length !== 32) malformed('has a root that is not the base64 of 32 bytes');
  const root = digestFromBytes(bytes);
  if (size === 0 && root !== EMPTY_ROOT)
    malformed('has a root for no leaves that is not the hash of nothing');
  return { origin, size, root, extensions };
}

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** By the log's own keys (never empty), and by other known keys: witnesses. */
  readonly signedBy: readonly VerifiedSignature[];
  readonly cosignedBy: readonly VerifiedSignature[];
  readonly unverified: readonly NoteSignature[];
}

/**
 * A checkpoint that one of `keys` signed as its log: an Ed25519 key whose name is the origin.
 * @throws InvalidLogError NOTE_*, CHECKPOINT_*, KEY_AMBIGUOUS
 */
export function openCheckpoint(note: Uint8Array, keys: readonly VerifierKey[]): OpenedCheckpoint {
  return readCheckpoint(openNote(note, keys));
}

/** @throws InvalidLogError CHECKPOINT_* */
export function readCheckpoint({ text, verified, unverified }: OpenedNote): OpenedCheckpoint {
  const checkpoint = parseCheckpoint(text);
  const isLogs = ({ key }: VerifiedSignature): boolean =>
    key.algorithm === algorithms.ed25519 && key.name === checkpoint.origin;
  const signedBy = verified.filter(isLogs);
  if (signedBy.length === 0)
    throw new InvalidLogError(
      'CHECKPOINT_OTHER_ORIGIN',
      `a checkpoint of ${checkpoint.origin.slice(0, 120)} is signed by ${verified.map(({ key }) => key.name).join(', ')}, not by the log itself`,
    );
  return { checkpoint, signedBy, cosignedBy: verified.filter((one) => !isLogs(one)), unverified };
}

function malformed(what: string): never {
  throw new InvalidLogError('CHECKPOINT_MALFORMED', `a checkpoint ${what}`);
}
