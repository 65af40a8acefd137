/**
 * The cross-section of peers that the re-seed loop dials when the network fell apart: 128, two a /24 (/48), LAN peers
 * apart. Who may enter is what makes it hard to fill with one attacker's peers: only peers that we dialled ourselves, and
 * that gave a verified blob (half of the places are for them) or stayed connected for 10 minutes. Pure but for the clock.
 */
import type { Clock, Randomness } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { parsePeerAddress, subnetOf } from './peer-address.ts';

interface RememberedPeer {
  readonly peerId: string;
  /** The address that our dial reached, without `/p2p`. */
  readonly address: string;
  readonly lan: boolean;
  readonly why: 'verified' | 'lasting';
  /** Wall time of the last success. */
  readonly seenAt: number;
  readonly failures: number;
  /** Of the first failure since the last success. */
  readonly failingSince: number | undefined;
}

export interface RememberedPeers {
  enter(peer: { peerId: string; address: string; lan: boolean; why: 'verified' | 'lasting' }): boolean;
  has(peerId: string): boolean;
  /** Whether a remembered peer lives at this host. */
  hasHost(host: string): boolean;
  reached(peerId: string): void;
  failed(peerId: string): void;
  /** One that `accept` allows, at random. */
  pick(accept: (peer: RememberedPeer) => boolean): RememberedPeer | undefined;
  list(): readonly RememberedPeer[];
}

export function createRememberedPeers(
  deps: { clock: Clock; randomness: Randomness },
  saved: unknown,
  onChange: () => void,
): RememberedPeers {
  const { clock, randomness } = deps;
  const peers = new Map<string, RememberedPeer>();
  for (const peer of readPeers(saved)) peers.set(peer.peerId, peer);
  const places = (lan: boolean): RememberedPeer[] => [...peers.values()].filter((peer) => peer.lan === lan);
  const put = (peer: RememberedPeer): void => {
    peers.set(peer.peerId, peer);
    onChange();
  };

  /** Says nothing new: a peer gives many blobs a second, and each change is written to disk. */
  const isFresh = (known: RememberedPeer, now: Pick<RememberedPeer, 'address' | 'lan' | 'why'>): boolean =>
    known.address === now.address &&
    known.lan === now.lan &&
    (known.why === 'verified' || now.why === 'lasting') &&
    known.failures === 0 &&
    Math.abs(clock.now() - known.seenAt) < limits.network.rememberedFresh;

  /** Makes room for `peer`, or says that there is none: the weakest of those it competes with goes. */
  const makeRoom = (peer: RememberedPeer): boolean => {
    const others = places(peer.lan);
    if (!peer.lan) {
      const neighbours = others.filter(({ address }) => subnetOfText(address) === subnetOfText(peer.address));
      if (neighbours.length >= limits.network.rememberedPerSubnet) return replace(neighbours, peer);
    }
    const max = peer.lan ? limits.network.rememberedLan : limits.network.remembered;
    const lasting = others.filter(({ why }) => why === 'lasting');
    if (!peer.lan && peer.why === 'lasting' && lasting.length >= max / 2) return replace(lasting, peer);
    return others.length < max || replace(others, peer);
  };
  const replace = (candidates: readonly RememberedPeer[], peer: RememberedPeer): boolean => {
    const [weakest] = candidates.toSorted((a, b) => strength(a) - strength(b) || a.seenAt - b.seenAt);
    if (weakest === undefined || strength(weakest) >= strength(peer)) return false;
    return peers.delete(weakest.peerId);
  };

  return {
    enter({ peerId, address, lan, why }) {
      const known = peers.get(peerId);
      if (known !== undefined && isFresh(known, { address, lan, why })) return true;
      const peer: RememberedPeer = {
        peerId,
        address,
        lan,
        why: known?.why === 'verified' ? 'verified' : why,
        seenAt: clock.now(),
        failures: 0,
        failingSince: undefined,
      };
      peers.delete(peerId);
      if (!makeRoom(peer)) return false;
      put(peer);
      return true;
    },
    has: (peerId) => peers.has(peerId),
    hasHost: (host) => [...peers.values()].some(({ address }) => parsePeerAddress(address)?.host === host),
    reached(peerId) {
      const peer = peers.get(peerId);
      if (peer !== undefined) put({ ...peer, seenAt: clock.now(), failures: 0, failingSince: undefined });
    },
    failed(peerId) {
      const peer = peers.get(peerId);
      if (peer === undefined) return;
      const failingSince = peer.failingSince ?? clock.now();
      const failures = peer.failures + 1;
      if (
        failures < limits.network.forgetFailures ||
        clock.now() - failingSince < limits.network.forgetAfter
      ) {
        put({ ...peer, failures, failingSince });
        return;
      }
      peers.delete(peerId);
      onChange();
    },
    pick(accept) {
      const candidates = [...peers.values()].filter(accept);
      return candidates[Math.floor(randomness.float() * candidates.length)];
    },
    list: () => [...peers.values()],
  };
}

/** A peer gives its place only to a stronger one, so that newcomers cannot wash out those that still answer. */
function strength(peer: RememberedPeer): number {
  return (peer.failures > 0 ? 0 : 2) + (peer.why === 'verified' ? 1 : 0);
}

function subnetOfText(text: string): string {
  const address = parsePeerAddress(text);
  return address === undefined ? text : subnetOf(address.host);
}

function readPeers(saved: unknown): RememberedPeer[] {
  if (!Array.isArray(saved)) return [];
  return saved
    .slice(0, limits.network.remembered + limits.network.rememberedLan)
    .flatMap((entry: unknown) => {
      const { peerId, address, lan, why, seenAt, failures, failingSince } = (entry ?? {}) as Record<
        string,
        unknown
      >;
      if (typeof peerId !== 'string' || typeof address !== 'string' || typeof seenAt !== 'number') return [];
      if (parsePeerAddress(address) === undefined) return [];
      return [
        {
          peerId,
          address,
          lan: lan === true,
          why: why === 'verified' ? 'verified' : 'lasting',
          seenAt,
          failures: typeof failures === 'number' ? failures : 0,
          failingSince: typeof failingSince === 'number' ? failingSince : undefined,
        },
      ];
    });
}
