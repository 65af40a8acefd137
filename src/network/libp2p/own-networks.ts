/** The networks of this machine's own interfaces: what "on our LAN" means, and how a change of network is noticed. */
import type { NetworkInterfaceInfo } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import { isInside, parsePeerAddress, zoneOf } from './peer-address.ts';

/** How long an answer of the machine is good for: every address that is judged asks, and asking costs 0.1 ms. */
const KEPT = 5000;

export type Interfaces = () => NodeJS.Dict<NetworkInterfaceInfo[]>;

/** `address/bits` of every interface that is up, loopback left out; sorted. */
export function ownNetworks(interfaces: Interfaces): readonly string[] {
  const networks = Object.values(interfaces())
    .flatMap((infos) => infos ?? [])
    .filter((info) => !info.internal && info.cidr !== null)
    .map((info) => info.cidr as string);
  return networks.toSorted();
}

/** The same, asked of the machine every 5 s at most. */
export function keepOwnNetworks(clock: Clock, interfaces: Interfaces): () => readonly string[] {
  let networks: readonly string[] | undefined;
  let until = 0;
  return () => {
    if (networks !== undefined && clock.monotonic() < until) return networks;
    networks = ownNetworks(interfaces);
    until = clock.monotonic() + KEPT;
    return networks;
  };
}

/**
 * Whether a connection's far end is on a network of ours: this machine itself, or a private address inside the network of
 * one of our interfaces. A public address is never LAN, whatever our netmask says.
 */
export function isLanAddress(text: string, networks: readonly string[]): boolean {
  const address = parsePeerAddress(text);
  if (address?.kind !== 'ip') return false;
  const zone = zoneOf(address.host);
  return zone === 'loopback' || (zone === 'private' && isInside(address.host, networks));
}
