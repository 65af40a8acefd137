/**
 * Tells the network what we hold: the interface, and the exact records behind it. One provider record costs 140 ms of CPU
 * and 40 messages, so there are at most 2,000 (the newest blobs), one each 2 s at most, new blobs after 10 s, refreshed
 * after 10 h. A withdrawn blob's own record is deleted; records on other nodes run out by themselves.
 */
import { deadline } from '../../core/clock.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import { orAborted } from './or-aborted.ts';

/** Announcing as the rest of the network sees it. Another way of announcing (shards) goes behind it. */
export interface Announcer extends AsyncDisposable {
  start(): void;
  advertise(digest: Digest): void;
  withdraw(digest: Digest): void;
}

export interface AnnouncerDeps {
  readonly clock: Clock;
  /** All that may be announced, newest first. */
  shared(): Iterable<Digest>;
  /** False while there is no dialable address, or nobody to tell. */
  canAnnounce(): boolean;
  /** Resolves to how many peers keep the record now. */
  provide(digest: Digest, signal: AbortSignal): Promise<number>;
  /** Deletes our own record. */
  unprovide(digest: Digest): Promise<void>;
  /** Wall time of our last record of this blob, from before a restart too. */
  providedAt(digest: Digest): number | undefined;
}

export function createAnnouncer(deps: AnnouncerDeps): Announcer {
  const { clock } = deps;
  const { network } = limits;
  /** When each blob is due, wall time; oldest blob first. */
  const due = new Map<Digest, number>();
  /** Those of them that a record may exist of, from this run. */
  const told = new Set<Digest>();
  const closing = new AbortController();
  let timer: Timer | undefined;
  let working: Promise<void> | undefined;

  const dueAfterRestart = (digest: Digest): number => {
    const at = deps.providedAt(digest);
    const soon = clock.now() + network.announceNewAfter;
    return at === undefined ? soon : Math.max(soon, at + network.announceRefresh);
  };
  const drop = (digest: Digest): void => {
    told.delete(digest);
    if (due.delete(digest)) deps.unprovide(digest).catch(() => undefined);
  };
  /** The oldest beyond the bound: on a busy node its turn seldom came, and then there is nothing to delete. */
  const pushOut = (digest: Digest): void => {
    if (told.has(digest) || deps.providedAt(digest) !== undefined) drop(digest);
    else due.delete(digest);
  };
  const add = (digest: Digest, at: number): void => {
    due.delete(digest);
    due.set(digest, at);
    for (const oldest of due.keys()) {
      if (due.size <= network.announced) break;
      pushOut(oldest);
    }
  };
  /** Fills the places that withdrawn blobs left. */
  const refill = (): void => {
    const newest: Digest[] = [];
    for (const digest of deps.shared()) {
      if (newest.length === network.announced) break;
      newest.push(digest);
    }
    for (const digest of newest.toReversed()) add(digest, due.get(digest) ?? dueAfterRestart(digest));
  };
  /** The newest blob that is due; also one that is due later than any can be: the clock was ahead and was set back. */
  const next = (): Digest | undefined => {
    const now = clock.now();
    let found: Digest | undefined;
    for (const [digest, at] of due) if (at <= now || at > now + network.announceRefresh) found = digest;
    return found;
  };
  const step = async (): Promise<number> => {
    const digest = next();
    if (digest === undefined) return network.announceEvery;
    if (!deps.canAnnounce()) return network.announcePause;
    using limit = deadline(clock, network.announceTime, closing.signal);
    told.add(digest);
    let peers = 0;
    try {
      peers = await orAborted(deps.provide(digest, limit.signal), limit.signal);
    } catch {
      // Counted as nobody told.
    }
    if (peers === 0) return network.announcePause;
    // Withdrawn meanwhile: `provide` wrote our own record anew.
    if (due.has(digest)) due.set(digest, clock.now() + network.announceRefresh);
    else await deps.unprovide(digest).catch(() => undefined);
    return network.announceEvery;
  };
  const schedule = (ms: number): void => {
    if (closing.signal.aborted) return;
    timer = clock.setTimer(() => {
      working = step().then(schedule);
    }, ms);
  };
  const scheduleRefill = (): void => {
    if (closing.signal.aborted) return;
    refill();
    refillTimer = clock.setTimer(scheduleRefill, network.recordSweep);
  };
  let refillTimer: Timer | undefined;

  return {
    start() {
      scheduleRefill();
      schedule(network.announceEvery);
    },
    advertise: (digest) => add(digest, clock.now() + network.announceNewAfter),
    withdraw: drop,
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('closing'));
      timer?.cancel();
      refillTimer?.cancel();
      await working;
    },
  };
}

/** For `share` other than `all`, and for nodes that only take. */
export function createSilentAnnouncer(): Announcer {
  return {
    start: () => undefined,
    advertise: () => undefined,
    withdraw: () => undefined,
    async [Symbol.asyncDispose]() {},
  };
}
