/**
 * Dials what mDNS finds: a neighbour is worth a connection before anybody needs it. Anyone on the LAN can answer for any
 * number of names, so dials are jittered and at most 8 a minute, and 64 finds are remembered.
 */
import type { Clock, Randomness, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createRateBucket } from './rate-bucket.ts';

interface Neighbour {
  readonly peerId: string;
  readonly addresses: readonly string[];
}

export interface MdnsDialerDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** On our LAN by its address, whatever mDNS says. */
  isLanAddress(address: string): boolean;
  isConnected(peerId: string): boolean;
  dial(neighbour: Neighbour): Promise<void>;
}

export interface MdnsDialer extends Disposable {
  found(neighbour: Neighbour): void;
  readonly remembered: number;
}

export function createMdnsDialer(deps: MdnsDialerDeps): MdnsDialer {
  const { clock, randomness } = deps;
  const { mdnsJitter, mdnsDialsPerMinute, mdnsKept } = limits.network;
  const bucket = createRateBucket(clock, mdnsDialsPerMinute / 60, mdnsDialsPerMinute);
  const waiting = new Map<string, Neighbour>();
  let timer: Timer | undefined;

  const dialNext = (): void => {
    timer = undefined;
    const first = waiting.values().next();
    if (first.done === true) return;
    const neighbour = first.value;
    if (deps.isConnected(neighbour.peerId)) waiting.delete(neighbour.peerId);
    else if (bucket.take()) {
      waiting.delete(neighbour.peerId);
      // Not reached: the next answer (every 120 s) brings it back.
      deps.dial(neighbour).catch(() => undefined);
    }
    if (waiting.size > 0) timer = clock.setTimer(dialNext, mdnsJitter * (0.5 + randomness.float()));
  };

  return {
    found({ peerId, addresses }) {
      const near = addresses.filter((address) => deps.isLanAddress(address));
      if (near.length === 0 || deps.isConnected(peerId)) return;
      waiting.delete(peerId);
      waiting.set(peerId, { peerId, addresses: near });
      for (const oldest of waiting.keys()) {
        if (waiting.size <= mdnsKept) break;
        waiting.delete(oldest);
      }
      timer ??= clock.setTimer(dialNext, mdnsJitter * randomness.float());
    },
    get remembered() {
      return waiting.size;
    },
    [Symbol.dispose]() {
      timer?.cancel();
      waiting.clear();
    },
  };
}
