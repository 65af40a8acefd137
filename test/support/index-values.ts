/** Rules of DHT values for tests: a value names its key and a size; the greatest size is the best. */
import type { HeadValueRules } from '../../src/network/index-channel.ts';

const PREFIX = Buffer.from('/fondue-cp/');

export function valueKey(name: number): Uint8Array {
  return Buffer.concat([PREFIX, Buffer.alloc(32, name)]);
}

export function valueOf(key: Uint8Array, size: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(size);
  return Buffer.concat([key.subarray(PREFIX.length), bytes]);
}

const sizeOf = (value: Uint8Array): number => Buffer.from(value).readUInt32BE(32);

export const testValueRules: HeadValueRules = {
  validate(key, value) {
    if (!Buffer.from(key.subarray(PREFIX.length)).equals(value.subarray(0, 32)))
      throw new Error('another key');
  },
  select: (_key, values) =>
    values.reduce((best, value, i) => (sizeOf(value) > sizeOf(values[best] as Uint8Array) ? i : best), 0),
};
