/** The index's values in the DHT: put where they belong, found wherever they are. kad-dht judges what peers give by our rules. */
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht';
import { deadline, type Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { IndexCallOptions } from '../index-channel.ts';
import type { ValueRules } from './index-value-rules.ts';
import { orAborted } from './or-aborted.ts';

export interface IndexValues {
  put(key: Uint8Array, value: Uint8Array, options?: IndexCallOptions): Promise<number>;
  get(key: Uint8Array, options?: IndexCallOptions): AsyncGenerator<Uint8Array>;
}

export function createIndexValues(deps: {
  readonly clock: Clock;
  readonly dht: KadDHT;
  readonly rules: ValueRules;
}): IndexValues {
  const { clock, dht, rules } = deps;
  const { valueTime } = limits.indexChannel;
  return {
    async put(key, value, { signal } = {}) {
      await rules.validate(key, value);
      using limit = deadline(clock, valueTime, signal);
      const walk = async (): Promise<number> => {
        let took = 0;
        for await (const event of dht.put(key, value, { signal: limit.signal })) {
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') took++;
        }
        return took;
      };
      return await orAborted(walk(), limit.signal);
    },
    async *get(key, { signal } = {}) {
      using limit = deadline(clock, valueTime, signal);
      const leave = new AbortController();
      const stop = AbortSignal.any([limit.signal, leave.signal]);
      const events = dht.get(key, { signal: stop })[Symbol.asyncIterator]();
      const seen = new Set<string>();
      try {
        for (;;) {
          const event = await nextOf(events, stop);
          signal?.throwIfAborted();
          if (!event) return;
          const value = valueIn(event);
          const text = value && Buffer.from(value).toString('latin1');
          if (!value || !text || seen.has(text)) continue;
          seen.add(text);
          yield value;
        }
      } finally {
        leave.abort();
      }
    },
  };
}

/** The next event; undefined when the walk is over, by itself, in time or with an error: what was found stays found. */
async function nextOf(
  events: AsyncIterator<QueryEvent>,
  signal: AbortSignal,
): Promise<QueryEvent | undefined> {
  try {
    const { done, value } = await orAborted(events.next(), signal);
    return done === true ? undefined : value;
  } catch {
    return undefined;
  }
}

function valueIn(event: QueryEvent): Uint8Array | undefined {
  if (event.name === 'VALUE') return event.value;
  return event.name === 'PEER_RESPONSE' ? event.record?.value : undefined;
}
