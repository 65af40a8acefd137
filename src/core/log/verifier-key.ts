/**
 * Verifier keys of C2SP signed-note: `NAME+ID+KEY`, ID eight hex digits, KEY the base64 of an algorithm's byte and the public
 * key. Ed25519 of notes (0x01) and of timestamped cosignatures (0x04) can be verified; keys of other algorithms are read,
 * so that a policy may name them before this program knows them, and verify nothing.
 */
import { hash } from 'node:crypto';
import { InvalidLogError } from '../errors.ts';
import { limits } from '../limits.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';

export const algorithms = { ed25519: 0x01, cosignature: 0x04, mlDsa: 0x06 } as const;

export interface VerifierKey {
  readonly name: string;
  /** 32 bits. With the name it says which key made a signature; it is no strong hash. */
  readonly id: number;
  readonly algorithm: number;
  readonly publicKey: Uint8Array;
  /** As it was read: what people compare and policies hold. */
  readonly text: string;
}

const PUBLIC_KEY_BYTES: Readonly<Record<number, number>> = {
  [algorithms.ed25519]: 32,
  [algorithms.cosignature]: 32,
  [algorithms.mlDsa]: 1312,
};

/** Without Unicode spaces, plus signs and control characters, well formed, at most 255 bytes. */
export function isKeyName(name: string): boolean {
  return (
    name !== '' &&
    name.isWellFormed() &&
    // oxlint-disable-next-line no-control-regex -- a note must not hold any
    !/[\p{White_Space}+\u0000-\u001f]/u.test(name) &&
    Buffer.byteLength(name) <= limits.log.keyNameBytes
  );
}

/** The first four bytes of SHA-256(name, newline, algorithm, public key). */
export function keyId(name: string, algorithm: number, publicKey: Uint8Array): number {
  const digest = hash(
    'sha256',
    Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(algorithm), publicKey]),
    'buffer',
  );
  return digest.readUInt32BE();
}

export function formatKeyId(id: number): string {
  return id.toString(16).padStart(8, '0');
}

/** @throws InvalidLogError KEY_MALFORMED for a name that notes do not allow */
export function createVerifierKey(name: string, algorithm: number, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw badName(name);
  const id = keyId(name, algorithm, publicKey);
  const material = encodeBase64(Buffer.concat([Buffer.of(algorithm), publicKey]));
  return { name, id, algorithm, publicKey, text: `${name}+${formatKeyId(id)}+${material}` };
}

/** @throws InvalidLogError KEY_MALFORMED; KEY_WRONG_ID when the ID is not that of name and key (a typing error, most often) */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, idText, keyText] = splitKey(text);
  if (!isKeyName(name)) throw badName(name);
  const material = decodeBase64(keyText);
  if (!/^[0-9a-f]{8}$/.test(idText) || material === undefined || material.length < 2) throw malformed(text);
  const [algorithm, publicKey] = [material[0] as number, material.subarray(1)];
  const expected = PUBLIC_KEY_BYTES[algorithm];
  if (expected !== undefined && publicKey.length !== expected) throw malformed(text);
  const id = parseInt(idText, 16);
  if (!hasOwnId(algorithm) && id !== keyId(name, algorithm, publicKey))
    throw new InvalidLogError(
      'KEY_WRONG_ID',
      `the verifier key of ${name} has the ID ${idText} where ${formatKeyId(keyId(name, algorithm, publicKey))} belongs: copy it again, whole`,
    );
  return { name, id, algorithm, publicKey, text };
}

/** ECDSA and RFC 6962 heads compute the ID in ways of their own; what private and experimental ones do is not known. */
function hasOwnId(algorithm: number): boolean {
  return algorithm === 0x02 || algorithm === 0x05 || algorithm >= 0xfa;
}

/** Whether this program can check what the key signed. */
export function canVerify({ algorithm }: VerifierKey): boolean {
  return algorithm === algorithms.ed25519 || algorithm === algorithms.cosignature;
}

/** The three parts around the first two plus signs (base64 has more). */
function splitKey(text: string): [string, string, string] {
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) throw malformed(text);
  return [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
}

function malformed(text: string): InvalidLogError {
  return new InvalidLogError(
    'KEY_MALFORMED',
    `"${text.slice(0, 120)}" is not a verifier key: NAME+ID+KEY is expected, as \`fondue key show\` prints it`,
  );
}

function badName(name: string): InvalidLogError {
  return new InvalidLogError(
    'KEY_MALFORMED',
    `"${name.slice(0, 120)}" cannot name a key: use one to ${limits.log.keyNameBytes} bytes without spaces and plus signs, such as example.org/fondue`,
  );
}
