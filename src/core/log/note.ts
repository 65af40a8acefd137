/**
 * C2SP signed notes: a text, an empty line, signature lines. Always true of what `openNote` returns: at least one known key
 * signed exactly this text, and no signature that claims a known key is wrong. Signatures of unknown keys and unknown
 * algorithms are kept and mean nothing.
 */
import { InvalidLogError } from '../errors.ts';
import { limits } from '../limits.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { verifyCosignature } from './cosignature.ts';
import { verifyEd25519 } from './ed25519.ts';
import type { Signer } from './signer-key.ts';
import { algorithms, canVerify, formatKeyId, isKeyName, type VerifierKey } from './verifier-key.ts';

export interface NoteSignature {
  readonly name: string;
  readonly id: number;
  /** What follows the key's ID: 64 bytes for Ed25519. */
  readonly bytes: Uint8Array;
}

export interface Note {
  /** Ends with a newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface VerifiedSignature extends NoteSignature {
  readonly key: VerifierKey;
}

export interface OpenedNote {
  readonly text: string;
  /** One a key, in the note's order; never empty. */
  readonly verified: readonly VerifiedSignature[];
  readonly unverified: readonly NoteSignature[];
}

const MARK = '\u2014 ';
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws InvalidLogError NOTE_TOO_LARGE, NOTE_MALFORMED, NOTE_TOO_MANY_SIGNATURES */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > limits.log.noteBytes)
    throw new InvalidLogError(
      'NOTE_TOO_LARGE',
      `a note has ${bytes.length} bytes, over the limit of ${limits.log.noteBytes}`,
    );
  const whole = decode(bytes);
  checkCharacters(whole);
  const split = whole.lastIndexOf('\n\n');
  if (split < 0) malformed('has no empty line before its signatures');
  if (split + 2 === whole.length) malformed('has no signatures');
  if (!whole.endsWith('\n')) malformed('does not end with a newline');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > limits.log.signatures)
    throw new InvalidLogError(
      'NOTE_TOO_MANY_SIGNATURES',
      `a note has ${lines.length} signatures, over the limit of ${limits.log.signatures}`,
    );
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

/** @throws InvalidLogError NOTE_* when it would be no note */
export function formatNote({ text, signatures }: Note): Uint8Array {
  if (!text.endsWith('\n')) malformed('has a text that does not end with a newline');
  const lines = signatures.map(({ name, id, bytes }) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(id);
    return `${MARK}${name} ${encodeBase64(Buffer.concat([head, bytes]))}\n`;
  });
  const note = Buffer.from(`${text}\n${lines.join('')}`);
  // Nothing is written that would not be read.
  if (parseNote(note).text !== text) malformed('has a text that no note can have');
  return note;
}

/** @throws InvalidLogError NOTE_MALFORMED for a text that no note can have */
export function signNote(text: string, signers: readonly Signer[]): Uint8Array {
  const bytes = Buffer.from(text);
  const signatures = signers.map(({ key, sign }) => ({ name: key.name, id: key.id, bytes: sign(bytes) }));
  return formatNote({ text, signatures });
}

/**
 * @throws InvalidLogError NOTE_* of {@link parseNote}; NOTE_UNKNOWN_KEY when none of `keys` signed it; NOTE_BAD_SIGNATURE;
 * KEY_AMBIGUOUS when two of `keys` have one name and ID
 */
export function openNote(bytes: Uint8Array, keys: readonly VerifierKey[]): OpenedNote {
  return verifyNote(parseNote(bytes), keys);
}

/** As {@link openNote}, for a note that was parsed. */
export function verifyNote({ text, signatures }: Note, keys: readonly VerifierKey[]): OpenedNote {
  const textBytes = Buffer.from(text);
  const verified: VerifiedSignature[] = [];
  const unverified: NoteSignature[] = [];
  for (const signature of withoutRepeats(signatures)) {
    const key = knownKey(keys, signature);
    if (key === undefined) {
      unverified.push(signature);
      continue;
    }
    if (!verifySignature(key, textBytes, signature.bytes))
      throw new InvalidLogError(
        'NOTE_BAD_SIGNATURE',
        `the signature of ${key.name}+${formatKeyId(key.id)} does not fit the note's text`,
      );
    if (!verified.some((other) => other.key === key)) verified.push({ ...signature, key });
  }
  if (verified.length === 0)
    throw new InvalidLogError(
      'NOTE_UNKNOWN_KEY',
      `no known key signed the note; it is signed by ${signatures
        .slice(0, 3)
        .map(({ name, id }) => `${name}+${formatKeyId(id)}`)
        .join(', ')}`,
    );
  return { text, verified, unverified };
}

function verifySignature(key: VerifierKey, text: Uint8Array, signature: Uint8Array): boolean {
  return key.algorithm === algorithms.ed25519
    ? verifyEd25519(key.publicKey, text, signature)
    : verifyCosignature(key.publicKey, text, signature);
}

function knownKey(keys: readonly VerifierKey[], { name, id }: NoteSignature): VerifierKey | undefined {
  const [key, second] = keys.filter((other) => canVerify(other) && other.id === id && other.name === name);
  if (second !== undefined && key?.text !== second.text)
    throw new InvalidLogError(
      'KEY_AMBIGUOUS',
      `two verifier keys have the name ${name} and the ID ${formatKeyId(id)}: one of them is made to be taken for the other`,
    );
  return key;
}

function withoutRepeats(signatures: readonly NoteSignature[]): NoteSignature[] {
  const seen = new Set<string>();
  return signatures.filter(({ name, id, bytes }) => {
    const line = `${name} ${id} ${encodeBase64(bytes)}`;
    const repeated = seen.has(line);
    seen.add(line);
    return !repeated;
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    return malformed('is not UTF-8', cause);
  }
}

function checkCharacters(text: string): void {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 && code !== 0x0a) malformed(`has the control character ${code} in it`);
  }
}

function parseSignature(line: string): NoteSignature {
  if (!line.startsWith(MARK)) malformed('has a line among its signatures that is none');
  const [name = '', text = '', ...rest] = line.slice(MARK.length).split(' ');
  const bytes = decodeBase64(text);
  if (!isKeyName(name) || rest.length > 0 || bytes === undefined || bytes.length < 5)
    malformed(`has a signature line that is not "${MARK}NAME BASE64"`);
  return { name, id: Buffer.from(bytes).readUInt32BE(), bytes: bytes.subarray(4) };
}

function malformed(what: string, cause?: unknown): never {
  throw new InvalidLogError('NOTE_MALFORMED', `a note ${what}`, { cause });
}
