/**
 * Which addresses we dial. Addresses come from strangers: whoever can make many nodes dial an address of their choice has a
 * port scanner inside our LAN and a flood against anybody. Configured bootstraps are excepted.
 */
import { limits } from '../../core/limits.ts';
import { endpointOf, isInside, parsePeerAddress, zoneOf } from './peer-address.ts';
import type { PeerAddress } from './peer-address.ts';

export interface DialContext {
  /** `address/bits` of our own interfaces. */
  readonly networks: readonly string[];
  /** All we listen on is loopback: a network of one machine. */
  readonly loopbackOnly: boolean;
  /** host:port of the configured bootstraps. */
  readonly configured: ReadonlySet<string>;
}

/** Why this address is not dialled, or undefined when it may be. */
export function whyNotDial(text: string, context: DialContext): string | undefined {
  const address = parsePeerAddress(text);
  if (address === undefined) return 'not IP or DNS with TCP';
  if (context.configured.has(endpointOf(address))) return undefined;
  if (address.port < limits.network.dialMinPort && address.port !== 443) return `port ${address.port}`;
  return address.kind === 'dns' ? whyNotName(address) : whyNotHost(address.host, context);
}

/** The same for an IP address alone: also what a learned DNS name may resolve to. */
export function whyNotHost(host: string, context: DialContext): string | undefined {
  switch (zoneOf(host)) {
    case 'public':
      return undefined;
    case 'loopback':
      return context.loopbackOnly ? undefined : 'loopback';
    case 'private':
      return isInside(host, context.networks) ? undefined : 'private and in no network of ours';
    default:
      return 'not an address of a host';
  }
}

function whyNotName(address: PeerAddress): string | undefined {
  // Names that never leave the machine or the LAN; what others resolve to is checked when they are dialled.
  return /(^|\.)(localhost|local|internal|home\.arpa)\.?$/.test(address.host) ? 'a local name' : undefined;
}
