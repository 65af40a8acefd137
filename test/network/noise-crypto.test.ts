import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pureJsCrypto } from '@chainsafe/libp2p-noise';
import fc from 'fast-check';
import { Uint8ArrayList } from 'uint8arraylist';
import { createNoiseCrypto } from '../../src/network/libp2p/noise-crypto.ts';
import { systemRandomness } from '../../src/system-clock.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const message = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 });

describe('the Noise cipher', () => {
  const crypto = createNoiseCrypto(systemRandomness);

  it('gives the bytes of the stock cipher, however the plaintext is split', () => {
    fc.assert(
      fc.property(
        message,
        bytes(12),
        fc.uint8Array({ maxLength: 40 }),
        bytes(32),
        (parts, nonce, ad, key) => {
          const whole = Buffer.concat(parts);
          const expected = pureJsCrypto.chaCha20Poly1305Encrypt(whole, nonce, ad, key).subarray();
          const split = crypto.chaCha20Poly1305Encrypt(new Uint8ArrayList(...parts) as never, nonce, ad, key);
          assert.deepEqual(Buffer.from(split.subarray()), Buffer.from(expected));
          const joined = crypto.chaCha20Poly1305Encrypt(whole, nonce, ad, key);
          assert.deepEqual(Buffer.from(joined.subarray()), Buffer.from(expected));
        },
      ),
    );
  });

  it('decrypts what it encrypted, however the ciphertext is split, and refuses every changed bit', () => {
    fc.assert(
      fc.property(message, bytes(12), bytes(32), fc.nat(), (parts, nonce, key, place) => {
        const ad = new Uint8Array(0);
        const whole = Buffer.concat(parts);
        const sealed = crypto.chaCha20Poly1305Encrypt(whole, nonce, ad, key).subarray().slice();
        const cut = place % sealed.length;
        const list = new Uint8ArrayList(sealed.slice(0, cut), sealed.slice(cut));
        const opened = crypto.chaCha20Poly1305Decrypt(list as never, nonce, ad, key);
        assert.deepEqual(Buffer.from(opened.subarray()), whole);
        sealed[cut] = (sealed[cut] ?? 0) ^ 1;
        assert.throws(() => crypto.chaCha20Poly1305Decrypt(sealed, nonce, ad, key));
      }),
    );
  });

  it('keeps messages apart: what was given out does not change with the next message', () => {
    const key = new Uint8Array(32).fill(7);
    const nonce = new Uint8Array(12);
    const one = crypto.chaCha20Poly1305Encrypt(new Uint8Array(1000).fill(1), nonce, new Uint8Array(0), key);
    const copy = one.subarray().slice();
    crypto.chaCha20Poly1305Encrypt(new Uint8Array(1000).fill(2), nonce, new Uint8Array(0), key);
    assert.deepEqual(one.subarray(), copy);
  });

  it('takes its keys from the randomness that it was given', () => {
    const given = createNoiseCrypto({ bytes: (length) => new Uint8Array(length).fill(9) });
    const { publicKey, privateKey } = given.generateX25519KeyPair();
    assert.deepEqual(Buffer.from(privateKey), Buffer.alloc(32, 9));
    const expected = pureJsCrypto.generateX25519KeyPairFromSeed(new Uint8Array(32).fill(9));
    assert.deepEqual(Buffer.from(publicKey), Buffer.from(expected.publicKey));
  });
});
