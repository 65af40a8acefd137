/**
 * Peers that we neither dial nor accept: by peer id, never by address, for 24 hours, across restarts, 4,096 at most (the
 * oldest goes first). Only `ban` adds one; who deserves it is decided where bytes are judged.
 */
import type { Clock } from '../../core/clock.ts';
import { isDigest } from '../../core/digest.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { SavedState } from './saved-state.ts';

interface Ban {
  readonly peerId: string;
  readonly reason: string;
  readonly digest: Digest | undefined;
  /** Wall times, ms. */
  readonly at: number;
  readonly until: number;
}

export interface Bans {
  /** `ms` other than 24 h for lesser offences. */
  ban(peerId: string, reason: string, digest: Digest | undefined, ms?: number): void;
  isBanned(peerId: string): boolean;
  list(): readonly Ban[];
}

export async function loadBans(
  deps: { clock: Clock; facts: FactEmitter; state: SavedState },
  onBan: (peerId: string) => void,
): Promise<Bans> {
  const { clock, facts, state } = deps;
  const bans = new Map<string, Ban>();
  for (const ban of readBans(await deps.state.load(), clock.now())) bans.set(ban.peerId, ban);
  const dropOver = (): void => {
    for (const [peerId, ban] of bans) if (ban.until <= clock.now()) bans.delete(peerId);
  };
  return {
    ban(peerId, reason, digest, ms = limits.network.ban) {
      const at = clock.now();
      const until = Math.max(at + ms, bans.get(peerId)?.until ?? 0);
      bans.delete(peerId);
      bans.set(peerId, { peerId, reason, digest, at, until });
      dropOver();
      for (const oldest of bans.keys()) {
        if (bans.size <= limits.network.bans) break;
        bans.delete(oldest);
      }
      state.save(() => [...bans.values()]);
      facts.emit('peer:banned', { peerId, reason, digest, until });
      onBan(peerId);
    },
    isBanned(peerId) {
      const ban = bans.get(peerId);
      return ban !== undefined && clock.now() < ban.until;
    },
    list() {
      dropOver();
      return [...bans.values()];
    },
  };
}

function readBans(saved: unknown, now: number): Ban[] {
  if (!Array.isArray(saved)) return [];
  return saved.slice(-limits.network.bans).flatMap((entry: unknown) => {
    const { peerId, reason, digest, at, until } = (entry ?? {}) as Record<string, unknown>;
    if (typeof peerId !== 'string' || typeof reason !== 'string') return [];
    if (typeof at !== 'number' || typeof until !== 'number' || until <= now) return [];
    // A clock that was set back must not make a ban longer than it was.
    const end = Math.min(until, now + limits.network.ban);
    return [
      {
        peerId,
        reason,
        digest: typeof digest === 'string' && isDigest(digest) ? digest : undefined,
        at,
        until: end,
      },
    ];
  });
}
