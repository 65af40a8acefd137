/** RFC 6962 as its section 2.1 defines it, by recursion over all leaves: slow, and nothing like the code it checks. */
import { createHash } from 'node:crypto';
import type { Digest } from '../../src/core/digest.ts';

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The largest power of two below n. */
const half = (n: number): number => 2 ** Math.ceil(Math.log2(n) - 1);

const memo = new Map<string, Buffer>();

/** MTH(D[n]). */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as Buffer;
  const k = half(leaves.length);
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** PATH(m, D[n]). */
function path(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length === 1) return [];
  const k = half(leaves.length);
  return m < k
    ? [...path(m, leaves.slice(0, k)), treeHash(leaves.slice(k))]
    : [...path(m - k, leaves.slice(k)), treeHash(leaves.slice(0, k))];
}

/** SUBPROOF(m, D[n], b). */
function subProof(m: number, leaves: readonly Buffer[], whole: boolean): Buffer[] {
  if (m === leaves.length) return whole ? [] : [treeHash(leaves)];
  const k = half(leaves.length);
  return m <= k
    ? [...subProof(m, leaves.slice(0, k), whole), treeHash(leaves.slice(k))]
    : [...subProof(m - k, leaves.slice(k), false), treeHash(leaves.slice(0, k))];
}

export interface TestTree {
  readonly leaves: readonly Buffer[];
  add(leaf: Digest): void;
  root(size?: number): Digest;
  proveInclusion(index: number, size?: number): Buffer[];
  proveConsistency(from: number, to?: number): Buffer[];
}

/** With `size` leaves, each of its own. */
export function createTestTree(size = 0): TestTree {
  const leaves = Array.from({ length: size }, (_, i) => {
    const text = `leaf ${i}`;
    const hash = memo.get(text) ?? sha256(Buffer.of(0), Buffer.from(text));
    memo.set(text, hash);
    return hash;
  });
  return {
    leaves,
    add(leaf) {
      leaves.push(Buffer.from(leaf, 'hex'));
    },
    root: (size = leaves.length) => treeHash(leaves.slice(0, size)).toString('hex') as Digest,
    proveInclusion: (index, size = leaves.length) => path(index, leaves.slice(0, size)),
    proveConsistency: (from, to = leaves.length) =>
      from === 0 ? [] : subProof(from, leaves.slice(0, to), true),
  };
}
