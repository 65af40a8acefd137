/**
 * Random streams: SHA-256 of (seed, run, owner, purpose) and never of the sweep's point, so that run r of two points shares
 * what it does not vary. The generator is xoshiro256** (Blackman and Vigna, 2018); not for secrets.
 */
import { createHash } from 'node:crypto';
import type { Randomness } from '../../core/clock.ts';

/** 32 bytes. `owner`: a node's number or the name of a part; `purpose`: `churn`, `keys`. */
export function deriveStream(seed: number, run: number, owner: string | number, purpose: string): Uint8Array {
  return createHash('sha256')
    .update(JSON.stringify([seed, run, owner, purpose]))
    .digest();
}

/** `seed`: 32 bytes, not all zero. */
export function createRandomness(seed: Uint8Array): Randomness {
  if (seed.length !== 32 || seed.every((byte) => byte === 0))
    throw new RangeError('a seed is 32 bytes, not all zero');
  const view = new DataView(seed.buffer, seed.byteOffset, 32);
  // Four words of 64 bits, each as low and high half: BigInt would be twenty times slower.
  const [l0, h0, l1, h1, l2, h2, l3, h3] = [0, 4, 8, 12, 16, 20, 24, 28].map((at) => view.getInt32(at, true));
  const state = { l0, h0, l1, h1, l2, h2, l3, h3 } as Record<string, number> as unknown as Words;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += 8) {
        step(state);
        for (let j = 0; j < 8 && at + j < length; j++)
          bytes[at + j] = (j < 4 ? state.low : state.high) >>> (8 * (j % 4));
      }
      return bytes;
    },
    float() {
      step(state);
      // The upper 53 bits.
      return ((state.high >>> 0) * 2 ** 21 + (state.low >>> 11)) / 2 ** 53;
    },
  };
}

interface Words {
  l0: number;
  h0: number;
  l1: number;
  h1: number;
  l2: number;
  h2: number;
  l3: number;
  h3: number;
  /** Of the last result. */
  low: number;
  high: number;
}

function step(s: Words): void {
  // rotl(s1 * 5, 7) * 9
  const five = times(s.l1, s.h1, 5);
  const low = (five.low << 7) | (five.high >>> 25);
  const high = (five.high << 7) | (five.low >>> 25);
  const nine = times(low, high, 9);
  s.low = nine.low;
  s.high = nine.high;
  const tl = s.l1 << 17;
  const th = (s.h1 << 17) | (s.l1 >>> 15);
  s.l2 ^= s.l0;
  s.h2 ^= s.h0;
  s.l3 ^= s.l1;
  s.h3 ^= s.h1;
  s.l1 ^= s.l2;
  s.h1 ^= s.h2;
  s.l0 ^= s.l3;
  s.h0 ^= s.h3;
  s.l2 ^= tl;
  s.h2 ^= th;
  // rotl(s3, 45): the halves change places, then 13.
  const { l3, h3 } = s;
  s.l3 = (h3 << 13) | (l3 >>> 19);
  s.h3 = (l3 << 13) | (h3 >>> 19);
}

/** A 64-bit word times a small number, modulo 2^64. */
function times(low: number, high: number, factor: number): { low: number; high: number } {
  const product = (low >>> 0) * factor;
  return { low: product | 0, high: (Math.imul(high, factor) + Math.floor(product / 2 ** 32)) | 0 };
}
