/**
 * Which Host a request may name. A web page can make a browser resolve the page's own name to our address and read what
 * we answer (DNS rebinding); what it cannot do is change the Host header. Always true: a name that is neither loopback,
 * nor the address the request came to, nor allowed by `--allow-host` gets nothing.
 */
import ipaddr from 'ipaddr.js';

export interface HostCheck {
  /** `localAddress`: the address the connection came to. */
  (host: string | undefined, localAddress: string | undefined): boolean;
}

export function createHostCheck(boundHost: string, allowHosts: readonly string[]): HostCheck {
  const allowed = new Set([boundHost, ...allowHosts].map((name) => hostName(name) ?? '').filter(Boolean));
  const isAlwaysAllowed = (name: string): boolean =>
    allowed.has(name) ||
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    parseAddress(name)?.range() === 'loopback';
  // Reading addresses costs more than the rest of an answer; clients say the same Host each time.
  const known = new Set<string>();
  return (host = '', localAddress) => {
    if (known.has(host)) return true;
    const name = hostName(host);
    if (name === undefined) return false;
    if (!isAlwaysAllowed(name)) return isSameAddress(name, localAddress ?? '');
    if (known.size < KNOWN_HOSTS) known.add(host);
    return true;
  };
}

const KNOWN_HOSTS = 64;

function isSameAddress(name: string, localAddress: string): boolean {
  const address = parseAddress(name);
  return address !== undefined && address.toString() === parseAddress(localAddress)?.toString();
}

/** Lower case, without port, brackets and the root's dot; undefined when it is no host. */
function hostName(host: string): string | undefined {
  if (host.includes(':') && ipaddr.IPv6.isValid(host)) return ipaddr.parse(host).toString();
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  const [, six, name] = match ?? [];
  if (six !== undefined) return ipaddr.IPv6.isValid(six) ? ipaddr.parse(six).toString() : undefined;
  return name?.toLowerCase().replace(/\.$/, '');
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // Four numbers only: `ipaddr.js` reads 2130706433 and 0x7f.1 as addresses too.
  if (!text.includes(':') && !/^\d+\.\d+\.\d+\.\d+$/.test(text)) return undefined;
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}
