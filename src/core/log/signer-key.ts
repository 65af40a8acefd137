/** Signer keys in the form of Go's sumdb/note: `PRIVATE+KEY+NAME+ID+KEY`, KEY the base64 of 0x01 and the seed. Secret: never in a message. */
import type { Randomness } from '../clock.ts';
import { InvalidLogError } from '../errors.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { createEd25519Signer, SEED_BYTES } from './ed25519.ts';
import { algorithms, createVerifierKey, formatKeyId, type VerifierKey } from './verifier-key.ts';

const HEAD = 'PRIVATE+KEY+';

export interface Signer {
  readonly key: VerifierKey;
  /** 64 bytes over a note's text. */
  sign(text: Uint8Array): Uint8Array;
}

export interface KeyPair {
  readonly signerKey: string;
  readonly verifierKey: string;
}

/** @throws InvalidLogError KEY_MALFORMED for a name that notes do not allow */
export function generateKeyPair(name: string, randomness: Randomness): KeyPair {
  const seed = randomness.bytes(SEED_BYTES);
  const key = createVerifierKey(name, algorithms.ed25519, createEd25519Signer(seed).publicKey);
  const material = encodeBase64(Buffer.concat([Buffer.of(algorithms.ed25519), seed]));
  return { signerKey: `${HEAD}${name}+${formatKeyId(key.id)}+${material}`, verifierKey: key.text };
}

/** @throws InvalidLogError KEY_MALFORMED, KEY_UNSUPPORTED, KEY_WRONG_ID */
export function parseSignerKey(text: string): Signer {
  const [name = '', id = '', ...rest] = text.slice(HEAD.length).split('+');
  const material = decodeBase64(rest.join('+'));
  if (!text.startsWith(HEAD) || !/^[0-9a-f]{8}$/.test(id) || material === undefined || material.length < 2)
    throw new InvalidLogError(
      'KEY_MALFORMED',
      `this is not a signer key: it must read ${HEAD}NAME+ID+KEY, as \`fondue key new\` writes it`,
    );
  if (material[0] !== algorithms.ed25519)
    throw new InvalidLogError(
      'KEY_UNSUPPORTED',
      `the signer key of ${name.slice(0, 120)} has algorithm ${material[0]}: this program signs with Ed25519 (1) only`,
    );
  if (material.length !== 1 + SEED_BYTES)
    throw new InvalidLogError(
      'KEY_MALFORMED',
      `the signer key of ${name.slice(0, 120)} has a seed of the wrong length`,
    );
  const { publicKey, sign } = createEd25519Signer(material.subarray(1));
  const key = createVerifierKey(name, algorithms.ed25519, publicKey);
  if (formatKeyId(key.id) !== id)
    throw new InvalidLogError(
      'KEY_WRONG_ID',
      `the signer key of ${name} has the ID ${id} where ${formatKeyId(key.id)} belongs: the file was changed`,
    );
  return { key, sign };
}
