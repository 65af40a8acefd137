/**
 * Whether an index is one that everybody can read, as far as its address tells. A company's index often asks for no password
 * and has an ordinary name: whatever is not known to be public counts as private, so that its files are not told to strangers.
 */
import ipaddr from 'ipaddr.js';

const PUBLIC = new Set(['pypi.org', 'test.pypi.org']);

/** True for PyPI, and for loopback: a cache of PyPI, or somebody trying things out. */
export function looksPublic({ hostname }: URL): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  return PUBLIC.has(host) || isLoopback(host);
}

function isLoopback(host: string): boolean {
  // A URL writes IPv4 as four numbers and IPv6 in its short form.
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
  );
}

/**
 * True for an address of private networks (10.1.2.3, fd00::1): what a machine there gives may be for everybody there, and is
 * for nobody else.
 */
export function isOnOwnNetwork({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (!ipaddr.isValid(host)) return false;
  return ['private', 'uniqueLocal', 'linkLocal'].includes(ipaddr.process(host).range());
}
