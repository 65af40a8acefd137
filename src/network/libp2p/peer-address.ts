/**
 * What a peer's address is: host, port and where that host lies. Pure, on the text form of a multiaddr, so that the rules
 * built on it are tested without libp2p. Only IP or DNS with TCP is an address here; relays, websockets, QUIC and
 * `/dnsaddr` are not.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { limits } from '../../core/limits.ts';

export interface PeerAddress {
  readonly kind: 'ip' | 'dns';
  /** Canonical: IPv4 in dotted form (also when it came mapped into IPv6), IPv6 compressed, names in lower case. */
  readonly host: string;
  readonly port: number;
  readonly peerId: string | undefined;
}

/** `private` is everything that is not routed on the open Internet. `unusable` can be nobody's address. */
export type Zone = 'loopback' | 'private' | 'public' | 'unusable';

const hostProtocols = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6']);

/**
 * Each rule reads the same addresses again, 300 times for each new connection: what was read lately is kept. Longer texts
 * are no address that anybody dials, and would fill it.
 */
function remember<T>(read: (text: string) => T): (text: string) => T {
  const kept = new Map<string, T>();
  return (text) => {
    const known = kept.get(text);
    if (known !== undefined || kept.has(text)) return known as T;
    const result = read(text);
    if (text.length > limits.network.addressBytes) return result;
    if (kept.size >= limits.network.addressesRead) kept.clear();
    kept.set(text, result);
    return result;
  };
}

/** Undefined for anything but `/ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>`, with or without `/p2p/<id>`. */
export const parsePeerAddress: (text: string) => PeerAddress | undefined = remember(readPeerAddress);

function readPeerAddress(text: string): PeerAddress | undefined {
  const [empty, protocol = '', host = '', tcp, portText = '', p2p, peerId, ...rest] = text.split('/');
  if (empty !== '' || tcp !== 'tcp' || rest.length > 0 || !hostProtocols.has(protocol)) return undefined;
  if (p2p !== undefined && (p2p !== 'p2p' || peerId === undefined || peerId === '')) return undefined;
  if (!/^\d{1,5}$/.test(portText) || Number(portText) > 65_535) return undefined;
  const port = Number(portText);
  if (protocol === 'ip4' || protocol === 'ip6') {
    const family = isIP(host);
    if (family === 0 || (protocol === 'ip4') !== (family === 4)) return undefined;
    return { kind: 'ip', host: canonicalIp(host), port, peerId };
  }
  // A name that is an address in disguise ("127.1", "0x7f000001") would pass the rules for names.
  if (!/^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i.test(host)) return undefined;
  if (/(^|\.)(\d+|0x[0-9a-f]*)\.?$/i.test(host)) return undefined;
  return { kind: 'dns', host: host.toLowerCase(), port, peerId };
}

function canonicalIp(host: string): string {
  return ipaddr.process(host).toString();
}

/** Where an IP address lies. */
export const zoneOf: (host: string) => Zone = remember(readZone);

function readZone(host: string): Zone {
  const range = ipaddr.process(host).range();
  switch (range) {
    case 'loopback':
      return 'loopback';
    case 'unicast':
      return 'public';
    case 'multicast':
    case 'broadcast':
    case 'unspecified':
    // They carry an IPv4 address inside, which may be a private one.
    case 'ipv4Mapped':
    case 'rfc6145':
    case 'rfc6052':
    case '6to4':
    case 'teredo':
      return 'unusable';
    default:
      return 'private';
  }
}

/** The group of addresses that one party plausibly owns: a /24 of IPv4, a /48 of IPv6, a name by itself. */
export const subnetOf: (host: string) => string = remember(readSubnet);

function readSubnet(host: string): string {
  if (isIP(host) === 0) return host;
  const address = ipaddr.process(host);
  if (address instanceof ipaddr.IPv4) return `${address.octets.slice(0, 3).join('.')}.0/24`;
  return `${address.parts
    .slice(0, 3)
    .map((part) => part.toString(16))
    .join(':')}::/48`;
}

/** Whether an IP address lies in one of the networks, given as `address/bits`. */
export function isInside(host: string, networks: readonly string[]): boolean {
  const address = readIp(host);
  return networks.some((network) => {
    const [base, bits] = readNetwork(network);
    return base.kind() === address.kind() && address.match(base, bits);
  });
}

const readIp = remember((host) => ipaddr.process(host));
const readNetwork = remember((network) => ipaddr.parseCIDR(network));

/** host:port, the unit a dial goes to. */
export function endpointOf(address: PeerAddress): string {
  return `${address.host}:${address.port}`;
}
