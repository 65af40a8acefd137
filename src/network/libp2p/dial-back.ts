/**
 * Dials back who dialled us. In `auto` a node serves the DHT once somebody from another public network dialled it
 * (dht-role.ts), but look-ups lead to servers only: without this nobody would ever dial a newcomer, and a network without
 * `--dht server` had no servers but its bootstraps. It is AutoNAT's idea without its messages: the dial itself is the news.
 *
 * A stranger decides that we dial, so never more than this: only the public address that it dialled us from, at a port that
 * it names for that address itself; a peer once an hour, 4 a /24 (/48) and hour, 6 a minute and 2 at once in all. Whom
 * we or others reached is dialled again before the hour of its role is over: in a quiet network nobody else does.
 */
import { deadline } from '../../core/clock.ts';
import type { Clock, Randomness, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createExpiringMap } from './expiring-map.ts';
import { NotDialledError } from './guarded-transport.ts';
import { parsePeerAddress, subnetOf, zoneOf } from './peer-address.ts';

/** A peer with an open connection that it dialled, and what it says of itself. */
export interface Caller {
  readonly peerId: string;
  /** Where its connection comes from. */
  readonly from: string;
  /** The addresses that it says it listens on. */
  readonly listens: readonly string[];
  /** It serves the DHT already. */
  readonly server: boolean;
}

export interface DialBackDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Whether this address may be dialled at all. */
  accepts(address: string): boolean;
  /** We dialled it within `dialBackRenew`, or are about to: it needs no other dial. */
  dialledLately(peerId: string): boolean;
  /** Opens a connection of its own and closes it. Rejects when the peer is not reached. */
  dial(peer: { readonly peerId: string; readonly address: string }, signal: AbortSignal): Promise<void>;
}

export interface DialBack extends AsyncDisposable {
  start(): void;
  /** What an inbound connection's peer said of itself, for the first time or anew. */
  called(connectionId: string, caller: Caller): void;
  /** The same of one that we dialled: it is never dialled elsewhere than where we reached it. */
  reached(connectionId: string, peer: { peerId: string; address: string; server: boolean }): void;
  /** That connection is closed. */
  left(connectionId: string): void;
}

interface Target {
  readonly target: string;
  readonly subnet: string;
}

interface Waiting extends Target {
  readonly peerId: string;
  readonly server: boolean;
  /** When a server's turn comes; others' comes at once. */
  readonly serverAt: number;
}

export function createDialBack(deps: DialBackDeps): DialBack {
  const { clock, randomness } = deps;
  const { network } = limits;
  const waiting = new Map<string, Waiting>();
  const rested = createExpiringMap<true>(clock, network.hostsKept);
  /** Of the last hour: at most 360. */
  let tries: { readonly at: number; readonly subnet: string }[] = [];
  const running = new Set<Promise<void>>();
  const closing = new AbortController();
  let timer: Timer | undefined;

  const isDue = ({ peerId, server, subnet, serverAt }: Waiting): boolean =>
    (!server || clock.monotonic() >= serverAt) &&
    !rested.has(peerId) &&
    !deps.dialledLately(peerId) &&
    tries.filter((one) => one.subnet === subnet).length < network.dialBacksPerSubnet;
  const pick = (): Waiting | undefined => {
    const due = [...waiting.values()].filter(isDue);
    // Newcomers before those that only want to stay what they are.
    const newcomers = due.filter(({ server }) => !server);
    const choice = newcomers.length > 0 ? newcomers : due;
    return choice[Math.floor(randomness.float() * choice.length)];
  };
  const dial = async ({ peerId, target, subnet }: Waiting): Promise<void> => {
    const attempt = { at: clock.monotonic(), subnet };
    tries.push(attempt);
    rested.set(peerId, true, network.dialBackAgain);
    using limit = deadline(clock, network.dialBackTime, closing.signal);
    try {
      await deps.dial({ peerId, address: target }, limit.signal);
      rested.set(peerId, true, network.dialBackRenew);
    } catch (error) {
      // Else it is behind a NAT or a firewall, most likely, and stays a client.
      if (!(error instanceof NotDialledError)) return;
      // Another peer of that host was dialled a moment ago.
      tries = tries.filter((one) => one !== attempt);
      rested.set(peerId, true, network.dialsHostEvery);
    }
  };
  const mayDial = (): boolean => {
    const now = clock.monotonic();
    tries = tries.filter(({ at }) => now - at < network.dialBackAgain);
    const lately = tries.filter(({ at }) => now - at < network.dialBackWindow);
    return running.size < network.dialBacksAtOnce && lately.length < network.dialBacksPerWindow;
  };
  const look = (): void => {
    // Not at once, and not all who were called at the same moment.
    timer = clock.setTimer(look, network.dialBackEvery * (0.5 + randomness.float()));
    while (mayDial()) {
      const next = pick();
      if (next === undefined) return;
      const work = dial(next).finally(() => running.delete(work));
      running.add(work);
    }
  };

  const put = (
    connectionId: string,
    { peerId, server }: { readonly peerId: string; readonly server: boolean },
    where: Target | undefined,
  ): void => {
    const known = waiting.get(connectionId);
    waiting.delete(connectionId);
    if (where === undefined || closing.signal.aborted) return;
    const serverAt = known?.serverAt ?? clock.monotonic() + network.dialBackRenew * randomness.float();
    waiting.set(connectionId, { peerId, server, ...where, serverAt });
  };

  return {
    start: look,
    called: (connectionId, caller) =>
      put(
        connectionId,
        caller,
        targetOf(caller, (address) => deps.accepts(address)),
      ),
    reached(connectionId, peer) {
      const address = parsePeerAddress(peer.address);
      const isPublic = address && (address.kind === 'dns' || zoneOf(address.host) === 'public');
      put(
        connectionId,
        peer,
        isPublic ? { target: peer.address, subnet: subnetOf(address.host) } : undefined,
      );
    },
    left: (connectionId) => void waiting.delete(connectionId),
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('this node is closing'));
      timer?.cancel();
      waiting.clear();
      await Promise.all(running);
    },
  };
}

/** The first address that the caller names at the very host that it called from. */
function targetOf(
  { peerId, from, listens }: Caller,
  accepts: (address: string) => boolean,
): Target | undefined {
  const source = parsePeerAddress(from);
  if (source?.kind !== 'ip' || zoneOf(source.host) !== 'public') return undefined;
  for (const text of listens.slice(0, limits.network.addressesPerPeer)) {
    const address = parsePeerAddress(text);
    if (address?.kind !== 'ip' || address.host !== source.host) continue;
    const target = `/${source.host.includes(':') ? 'ip6' : 'ip4'}/${source.host}/tcp/${address.port}`;
    if (accepts(`${target}/p2p/${peerId}`)) return { target, subnet: subnetOf(source.host) };
  }
  return undefined;
}
