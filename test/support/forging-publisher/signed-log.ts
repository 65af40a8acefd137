/**
 * A publisher's key, notes, log and messages, written from docs/protocol.md ("The signed index") and the C2SP pages that it names
 * alone: imports nothing from `src/`.
 */
import { createHash, createPrivateKey, createPublicKey, sign as signBytes } from 'node:crypto';
import { encode } from '@ipld/dag-cbor';

export const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const [LEAF, NODE] = [Buffer.of(0), Buffer.of(1)];
export const leafHash = (content: Uint8Array): Buffer => sha256(LEAF, content);
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(NODE, left, right);

export interface Key {
  /** The log's origin. */
  readonly name: string;
  /** `NAME+ID+KEY`. */
  readonly verifier: string;
  /** A whole note. */
  note(text: string): Buffer;
}

export function createKey(name: string, seed: Uint8Array): Key {
  // RFC 8410: an Ed25519 private key is these bytes and the seed.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const material = Buffer.concat([
    Buffer.of(1),
    createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32),
  ]);
  const id = sha256(Buffer.from(`${name}\n`), material).subarray(0, 4);
  return {
    name,
    verifier: `${name}+${id.toString('hex')}+${material.toString('base64')}`,
    note(text) {
      const signature = Buffer.concat([id, signBytes(null, Buffer.from(text), secret)]);
      return Buffer.from(`${text}\n— ${name} ${signature.toString('base64')}\n`);
    },
  };
}

export const checkpointText = (origin: string, leaves: readonly Uint8Array[]): string =>
  `${origin}\n${leaves.length}\n${treeRoot(leaves).toString('base64')}\n`;

// RFC 6962, 2.1.

const split = (size: number): number => 2 ** Math.floor(Math.log2(size - 1));

export function treeRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return Buffer.from(leaves[0]!);
  const k = split(leaves.length);
  return nodeHash(treeRoot(leaves.slice(0, k)), treeRoot(leaves.slice(k)));
}

export function inclusionProof(index: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return index < k
    ? [...inclusionProof(index, left), treeRoot(right)]
    : [...inclusionProof(index - k, right), treeRoot(left)];
}

export function consistencyProof(from: number, leaves: readonly Uint8Array[], whole = true): Buffer[] {
  if (from === leaves.length) return whole ? [] : [treeRoot(leaves)];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return from <= k
    ? [...consistencyProof(from, left, whole), treeRoot(right)]
    : [...consistencyProof(from - k, right, false), treeRoot(left)];
}

export const announcement = (note: Uint8Array, record: Uint8Array, proof: readonly Uint8Array[]): Buffer =>
  Buffer.from(encode({ c: note, p: Buffer.concat(proof), r: record }));

/** RFC 8785 of what has integers and ASCII only. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  const of = value as Record<string, unknown>;
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(of[key])}`).join(',')}}`;
}
