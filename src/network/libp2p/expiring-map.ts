/** A map whose entries are forgotten after a time each, and that never holds more than `max`: the oldest put goes first. */
import type { Clock } from '../../core/clock.ts';

export interface ExpiringMap<V> {
  get(key: string): V | undefined;
  has(key: string): boolean;
  set(key: string, value: V, ms: number): void;
  delete(key: string): void;
  clear(): void;
  readonly size: number;
}

export function createExpiringMap<V>(clock: Clock, max: number): ExpiringMap<V> {
  const entries = new Map<string, { value: V; until: number }>();
  const live = (key: string): { value: V } | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    if (clock.monotonic() < entry.until) return entry;
    entries.delete(key);
    return undefined;
  };
  return {
    get: (key) => live(key)?.value,
    has: (key) => live(key) !== undefined,
    set(key, value, ms) {
      entries.delete(key);
      entries.set(key, { value, until: clock.monotonic() + ms });
      if (entries.size <= max) return;
      const oldest = entries.keys().next();
      if (oldest.done !== true) entries.delete(oldest.value);
    },
    delete: (key) => void entries.delete(key),
    clear: () => entries.clear(),
    get size() {
      return entries.size;
    },
  };
}
