/**
 * Noise without its ciphers, for a simulation: the stock handshake and framing above it send the same messages of the same
 * sizes, and every key, hash and tag is there but means nothing. What Noise costs a node is in the CPU table either way.
 */
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import type { Randomness } from '../../core/clock.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const key = new Uint8Array(KEY_BYTES);

type Bytes = Parameters<ICryptoInterface['hashSHA256']>[0];

export function createPlainNoise(randomness: Pick<Randomness, 'bytes'>): ICryptoInterface {
  return {
    hashSHA256: (data: Bytes) => data.subarray(0, KEY_BYTES),
    getHKDF: () => [key, key, key],
    // Different keys: what travels differs as it would.
    generateX25519KeyPair: () => keyPair(randomness.bytes(KEY_BYTES)),
    generateX25519KeyPairFromSeed: keyPair,
    generateX25519SharedKey: () => key,
    chaCha20Poly1305Encrypt(plaintext) {
      const sealed = new Uint8Array(plaintext.byteLength + TAG_BYTES);
      if (plaintext instanceof Uint8Array) sealed.set(plaintext);
      else {
        let at = 0;
        for (const part of plaintext) {
          sealed.set(part, at);
          at += part.length;
        }
      }
      return sealed;
    },
    // A copy, as the cipher makes one: what is kept of it must not hold the whole segment.
    chaCha20Poly1305Decrypt: (ciphertext) => ciphertext.slice(0, ciphertext.byteLength - TAG_BYTES),
  };
}

function keyPair(seed: Uint8Array): ReturnType<ICryptoInterface['generateX25519KeyPair']> {
  return { publicKey: seed, privateKey: seed };
}
