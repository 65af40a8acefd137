/**
 * SHA-256 of bytes that come in order. A factory is injected into the stores, so that hashing can move to another thread
 * without touching them.
 */
import { createHash } from 'node:crypto';
import type { Digest } from '../core/digest.ts';

export interface Hasher {
  /** `bytes` are not kept. Await it before the next call when it returns a promise. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** Of all bytes so far; more may follow. */
  digest(): Digest | Promise<Digest>;
}

export interface HasherFactory {
  (): Hasher;
}

export const createInlineHasher: HasherFactory = () => {
  const hash = createHash('sha256');
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.copy().digest('hex') as Digest,
  };
};
