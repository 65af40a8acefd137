/**
 * Which values of others we keep for the DHT. What must always hold: a value is replaced only by a better one (kad-dht takes
 * any valid one, an old one too); never more than so many keys, and one that is put anew regularly keeps its place, however
 * many others come.
 */
import { Libp2pRecord } from '@libp2p/record';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ValueRules } from './index-value-rules.ts';

export interface ValueStore {
  /** Whether kad-dht's record goes into the datastore under `name`, and which one must go for it. */
  admit(
    name: string,
    record: Uint8Array,
    kept: Uint8Array | undefined,
  ): Promise<{ readonly write: boolean; readonly drop?: string }>;
  forget(name: string): void;
  /** Names of what was not put anew for as long as records live. */
  sweep(): readonly string[];
}

export function createValueStore(clock: Clock, rules: ValueRules): ValueStore {
  const { values, valueFresh } = limits.indexChannel;
  /** When each was put, the one put longest ago first. */
  const puts = new Map<string, number>();
  return {
    async admit(name, record, kept) {
      const now = clock.monotonic();
      try {
        const { key, value } = Libp2pRecord.deserialize(record);
        await rules.validate(key, value);
        const old = kept && Libp2pRecord.deserialize(kept).value;
        // Equal ones refresh.
        if (old && !Buffer.from(old).equals(value) && rules.select(key, [old, value]) !== 1)
          return { write: false };
      } catch {
        return { write: false };
      }
      const [oldest] = puts;
      let drop: string | undefined;
      if (oldest && !puts.has(name) && puts.size >= values) {
        if (now - oldest[1] < valueFresh) return { write: false };
        drop = oldest[0];
        puts.delete(drop);
      }
      puts.delete(name);
      puts.set(name, now);
      return { write: true, ...(drop === undefined ? {} : { drop }) };
    },
    forget: (name) => void puts.delete(name),
    sweep() {
      const old = clock.monotonic() - limits.network.recordLife;
      const gone = [...puts].filter(([, at]) => at <= old).map(([name]) => name);
      for (const name of gone) puts.delete(name);
      return gone;
    },
  };
}
