/**
 * Which values the DHT carries for the index, as kad-dht asks for it: one namespace, keys of one length, small values, and
 * what the injected rules say of their content. Everything else is refused, at put and at get.
 */
import { InvalidContentError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { HeadValueRules } from '../index-channel.ts';

const NAMESPACE = 'fondue-cp';
const PREFIX = Buffer.from(`/${NAMESPACE}/`);
const HASH_BYTES = 32;

export interface ValueRules {
  /** Throws InvalidContentError. */
  validate(key: Uint8Array, value: Uint8Array): Promise<void>;
  select(key: Uint8Array, values: readonly Uint8Array[]): number;
}

export function createValueRules(rules: HeadValueRules): ValueRules {
  return {
    async validate(key, value) {
      if (!isHeadKey(key))
        throw new InvalidContentError(`the DHT keeps values under /${NAMESPACE}/ and 32 bytes only`);
      const { valueBytes } = limits.indexChannel;
      if (value.length > valueBytes)
        throw new InvalidContentError(
          `a value of ${value.length} bytes: ${valueBytes} are allowed in the DHT`,
        );
      try {
        await rules.validate(key, value);
      } catch (error) {
        if (error instanceof InvalidContentError) throw error;
        throw new InvalidContentError(`not a value for this key: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    select: (key, values) => rules.select(key, values),
  };
}

/** For kad-dht's init. */
export function valueSettings(rules: ValueRules): {
  validators: Record<string, (key: Uint8Array, value: Uint8Array) => Promise<void>>;
  selectors: Record<string, (key: Uint8Array, values: Uint8Array[]) => number>;
} {
  return {
    validators: { [NAMESPACE]: (key, value) => rules.validate(key, value) },
    selectors: { [NAMESPACE]: (key, values) => rules.select(key, values) },
  };
}

function isHeadKey(key: Uint8Array): boolean {
  return key.length === PREFIX.length + HASH_BYTES && PREFIX.equals(key.subarray(0, PREFIX.length));
}
