/**
 * What others store with us for the DHT: provider records, with the bounds that stock kad-dht lacks (one peer could store
 * 20,001 of them). Pure but for the clock; the datastore beside it is a copy for restarts.
 *
 * Always true: at most 2,000 records a peer (its oldest goes), 20 a key (a newcomer takes the place of the oldest of its own
 * /24, else of the oldest), 200,000 in all (the busiest peer's oldest goes), none older than 24 h. Our own are exempt.
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

export interface ProviderRecord {
  /** What kad-dht calls the key in its datastore: the multihash in base32. */
  readonly key: string;
  readonly peerId: string;
}

export interface ProviderRecords {
  /** Stores or refreshes; returns what had to go for it. `at` only when it is read back from disk. */
  add(record: ProviderRecord, subnet: string | undefined, at?: number): readonly ProviderRecord[];
  remove(record: ProviderRecord): void;
  /** The live ones of a key, with the time of each. */
  of(key: string): readonly { readonly peerId: string; readonly at: number }[];
  /** When this record was last stored; undefined when it is not here. */
  at(record: ProviderRecord): number | undefined;
  hasPeer(peerId: string): boolean;
  /** Drops what has expired and returns it. */
  sweep(): readonly ProviderRecord[];
  readonly size: number;
}

interface Entry {
  readonly peerId: string;
  readonly at: number;
  readonly subnet: string | undefined;
}

export function createProviderRecords(clock: Clock, self: string): ProviderRecords {
  const byKey = new Map<string, Map<string, Entry>>();
  /** Keys of each peer, the oldest record first. */
  const byPeer = new Map<string, Set<string>>();
  let size = 0;

  const isLive = (entry: Entry): boolean => clock.now() - entry.at < limits.network.recordLife;

  const remove = ({ key, peerId }: ProviderRecord): void => {
    const entries = byKey.get(key);
    if (entries?.delete(peerId) !== true) return;
    size -= 1;
    if (entries.size === 0) byKey.delete(key);
    const keys = byPeer.get(peerId);
    keys?.delete(key);
    if (keys?.size === 0) byPeer.delete(peerId);
  };

  const oldestOfPeer = (peerId: string): ProviderRecord | undefined => {
    const oldest = byPeer.get(peerId)?.keys().next();
    return oldest === undefined || oldest.done === true ? undefined : { key: oldest.value, peerId };
  };

  /** What must go before a new record of this peer under this key fits. */
  const inTheWay = (key: string, peerId: string, subnet: string | undefined): ProviderRecord | undefined => {
    if ((byPeer.get(peerId)?.size ?? 0) >= limits.network.recordsPerPeer) return oldestOfPeer(peerId);
    const others = [...(byKey.get(key)?.values() ?? [])].filter((entry) => entry.peerId !== self);
    if (others.length >= limits.network.recordsPerKey) {
      const neighbours = others.filter((entry) => subnet !== undefined && entry.subnet === subnet);
      const oldest = (neighbours.length > 0 ? neighbours : others).reduce((a, b) => (b.at < a.at ? b : a));
      return { key, peerId: oldest.peerId };
    }
    return size >= limits.network.records ? oldestOfPeer(busiest()) : undefined;
  };

  const busiest = (): string => {
    let found = '';
    let most = -1;
    for (const [peerId, keys] of byPeer) {
      if (peerId === self || keys.size <= most) continue;
      found = peerId;
      most = keys.size;
    }
    return found;
  };

  return {
    add({ key, peerId }, subnet, at = clock.now()) {
      const gone: ProviderRecord[] = [];
      remove({ key, peerId });
      for (;;) {
        const victim = peerId === self ? undefined : inTheWay(key, peerId, subnet);
        if (victim === undefined) break;
        remove(victim);
        gone.push(victim);
      }
      const entries = byKey.get(key) ?? new Map<string, Entry>();
      byKey.set(key, entries.set(peerId, { peerId, at: Math.min(at, clock.now()), subnet }));
      byPeer.set(peerId, (byPeer.get(peerId) ?? new Set()).add(key));
      size += 1;
      return gone;
    },
    remove,
    of: (key) => [...(byKey.get(key)?.values() ?? [])].filter(isLive),
    at: ({ key, peerId }) => byKey.get(key)?.get(peerId)?.at,
    hasPeer: (peerId) => byPeer.has(peerId),
    sweep() {
      const gone: ProviderRecord[] = [];
      for (const [key, entries] of byKey) {
        for (const entry of entries.values()) if (!isLive(entry)) gone.push({ key, peerId: entry.peerId });
      }
      gone.forEach(remove);
      return gone;
    },
    get size() {
      return size;
    },
  };
}
