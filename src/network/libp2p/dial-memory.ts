/**
 * What was dialled lately and what turned out to be somebody else: one dial a host in 10 s, and an address whose host has
 * another identity is left alone for 24 h. A name counts as a host, and what it leads to does too: many names can be one host.
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createExpiringMap } from './expiring-map.ts';
import { endpointOf, zoneOf } from './peer-address.ts';
import type { PeerAddress } from './peer-address.ts';

export interface DialMemory {
  /** Why not now; undefined counts as a dial. */
  begin(address: PeerAddress): string | undefined;
  /** The same for what a name leads to. */
  beginHost(host: string): string | undefined;
  /** The address answered with another peer's key. */
  wrongIdentity(address: PeerAddress): void;
  isWrong(address: PeerAddress): boolean;
}

export function createDialMemory(clock: Clock): DialMemory {
  const { dialsHostEvery, hostsKept, wrongIdentityKept } = limits.network;
  const dialled = createExpiringMap<true>(clock, hostsKept);
  const wrong = createExpiringMap<true>(clock, hostsKept);
  const beginHost = (host: string): string | undefined => {
    if (dialled.has(host)) return `dialled less than ${dialsHostEvery} ms ago`;
    dialled.set(host, true, dialsHostEvery);
    return undefined;
  };
  return {
    beginHost,
    begin(address) {
      if (wrong.has(wrongKey(address))) return 'another peer answered there';
      // On loopback every node is one host: there the unit is the port.
      const host =
        address.kind === 'ip' && zoneOf(address.host) === 'loopback' ? endpointOf(address) : address.host;
      return beginHost(host);
    },
    wrongIdentity: (address) => wrong.set(wrongKey(address), true, wrongIdentityKept),
    isWrong: (address) => wrong.has(wrongKey(address)),
  };
}

function wrongKey(address: PeerAddress): string {
  return `${endpointOf(address)}/${address.peerId ?? ''}`;
}
