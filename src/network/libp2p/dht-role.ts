/**
 * Server or client of the DHT, and whether others can dial us. `auto`: a server is who was dialled from another public /24
 * (/48) within the last hour, or who knows only private and loopback peers (a LAN, one machine, nobody yet).
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { parsePeerAddress, subnetOf, zoneOf } from './peer-address.ts';
import type { PeerAddress } from './peer-address.ts';

export interface DhtRoleOptions {
  readonly dht: 'auto' | 'server' | 'client';
  readonly share: 'all' | 'lan' | 'none';
}

export interface DhtRole {
  /** An inbound connection was accepted from this address. */
  inboundFrom(address: string, ownAddresses: readonly string[]): void;
  /** `known`: addresses of all peers that we know of. */
  isServer(known: readonly string[]): boolean;
  /** Whether our addresses are worth telling: whatever role was configured. */
  isDialable(known: readonly string[]): boolean;
}

export function createDhtRole(clock: Clock, options: DhtRoleOptions): DhtRole {
  let dialledAt: number | undefined;
  const isDialable = (known: readonly string[]): boolean => {
    if (options.dht === 'server') return true;
    const lately = dialledAt !== undefined && clock.monotonic() - dialledAt < limits.network.dialableFor;
    return lately || !known.some((text) => isPublic(parsePeerAddress(text)));
  };
  return {
    inboundFrom(text, ownAddresses) {
      const address = parsePeerAddress(text);
      if (!isPublic(address)) return;
      const group = subnetOf(address.host);
      const isOwn = ownAddresses.some((own) => {
        const parsed = parsePeerAddress(own);
        return parsed !== undefined && subnetOf(parsed.host) === group;
      });
      if (!isOwn) dialledAt = clock.monotonic();
    },
    isServer(known) {
      if (options.share === 'none' || options.dht === 'client') return false;
      return options.dht === 'server' || isDialable(known);
    },
    isDialable,
  };
}

function isPublic(address: PeerAddress | undefined): address is PeerAddress {
  return address !== undefined && (address.kind === 'dns' || zoneOf(address.host) === 'public');
}
