/** The configured addresses: checked before libp2p sees them, so that a mistake is named by its text. */
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ConfigurationError } from '../../core/errors.ts';
import { parsePeerAddress, zoneOf } from './peer-address.ts';
import type { PeerAddress } from './peer-address.ts';

export interface Bootstrap {
  /** In the form in which libp2p names it again. */
  readonly text: string;
  readonly address: PeerAddress;
}

/** Throws ConfigurationError for what is not IP or DNS with TCP. */
export function parseBootstraps(texts: readonly string[]): readonly Bootstrap[] {
  return texts.map((text) => {
    const address = parseConfigured('bootstrap', text);
    return { text: multiaddr(text).toString(), address };
  });
}

/** Throws ConfigurationError for what is not IP with TCP. */
export function parseListen(texts: readonly string[]): readonly PeerAddress[] {
  return texts.map((text) => {
    const address = parseConfigured('listen', text);
    if (address.kind === 'ip') return address;
    throw wrong('listen', text);
  });
}

export function isLoopbackOnly(listen: readonly PeerAddress[]): boolean {
  return listen.length > 0 && listen.every(({ host }) => zoneOf(host) === 'loopback');
}

/**
 * What we tell others of ourselves: no loopback address when there is another one. A wildcard listener lists every
 * interface, and 127.0.0.1 in a stranger's provider record is a dial to himself.
 */
export function announcedAddresses(addresses: Multiaddr[]): Multiaddr[] {
  const beyond = addresses.filter((ma) => {
    const address = parsePeerAddress(ma.toString());
    return address !== undefined && (address.kind === 'dns' || zoneOf(address.host) !== 'loopback');
  });
  return beyond.length > 0 ? beyond : addresses;
}

function parseConfigured(key: 'bootstrap' | 'listen', text: string): PeerAddress {
  let canonical: string;
  try {
    canonical = multiaddr(text).toString();
  } catch (error) {
    throw wrong(key, text, error);
  }
  const address = parsePeerAddress(canonical);
  if (address === undefined) throw wrong(key, text);
  return address;
}

function wrong(key: 'bootstrap' | 'listen', text: string, cause?: unknown): ConfigurationError {
  const example =
    key === 'listen'
      ? '/ip4/0.0.0.0/tcp/8382'
      : '/dns4/mirror.example.org/tcp/8382/p2p/12D3KooW... (IP or DNS, with TCP)';
  return new ConfigurationError('usage', `${key}: "${text}" is not an address to use`, `write ${example}`, {
    cause,
  });
}
