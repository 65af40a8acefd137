/**
 * Every setting in one table: its name (the flag and the key of the TOML file; `FONDUE_` and upper case for the
 * variable), how it is read and what it means. Readers throw ConfigurationError('usage') that names where the value stood.
 */
import { isIP } from 'node:net';
import { ConfigurationError } from './core/errors.ts';
import { parseDuration, parseRate, parseSize } from './core/units.ts';

/** A value as it stood at `origin` (`--quota`, `FONDUE_QUOTA`, `quota in /etc/fondue.toml`). */
export interface Given {
  readonly value: unknown;
  readonly origin: string;
}

export interface Setting<T> {
  readonly help: string;
  /** What follows the flag in `--help`; undefined for a switch. */
  readonly argument?: string;
  readonly repeatable?: boolean;
  read(given: Given): T;
}

function refuse(given: Given, expected: string): never {
  const shown = typeof given.value === 'string' ? `"${given.value}"` : JSON.stringify(given.value);
  throw new ConfigurationError(
    'usage',
    `${given.origin}: ${shown} is not ${expected}`,
    `give ${given.origin} ${expected}`,
  );
}

function text(given: Given): string {
  if (typeof given.value !== 'string' || given.value === '') return refuse(given, 'a text');
  return given.value;
}

/** A list of texts; one text may hold several, parted by commas. */
function texts(given: Given): readonly string[] {
  const values = Array.isArray(given.value) ? (given.value as unknown[]) : [given.value];
  return values
    .flatMap((value) => text({ ...given, value }).split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

function oneOf<T extends string>(...allowed: readonly T[]): (given: Given) => T {
  return (given) => {
    const found = allowed.find((value) => value === given.value);
    return found ?? refuse(given, `one of ${allowed.join(', ')}`);
  };
}

function onOff(given: Given): boolean {
  if (typeof given.value === 'boolean') return given.value;
  if (given.value === 'true' || given.value === '1') return true;
  if (given.value === 'false' || given.value === '0') return false;
  return refuse(given, 'true or false');
}

function unit(parse: (value: string) => number, expected: string): (given: Given) => number {
  return (given) => {
    if (typeof given.value === 'number') return parse(String(given.value));
    try {
      return parse(text(given));
    } catch {
      return refuse(given, expected);
    }
  };
}

function hostAndPort(given: Given): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text(given));
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(match[1]) !== 6)) {
    return refuse(given, 'HOST:PORT, such as 127.0.0.1:8381 or [::1]:8381');
  }
  return { host, port };
}

function multiaddrTexts(given: Given): readonly string[] {
  const values = texts(given);
  const wrong = values.find((value) => !/^\/[a-z0-9]+\/[^/]/.test(value));
  if (wrong !== undefined) refuse({ ...given, value: wrong }, 'a multiaddr, such as /ip4/0.0.0.0/tcp/8382');
  return values;
}

function indexUrl(given: Given): URL {
  let url: URL;
  try {
    url = new URL(text(given));
  } catch {
    return refuse(given, 'the URL of a simple index, such as https://pypi.org/simple/');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse(given, 'an http or https URL');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.hash = '';
  url.search = '';
  return url;
}

const reach = oneOf('all', 'lan', 'none');

export const settings = {
  'data-dir': { help: 'folder for files, catalog and identity', argument: 'DIR', read: text },
  gateway: {
    help: 'where pip finds the gateway (default 127.0.0.1:8381)',
    argument: 'HOST:PORT',
    read: hostAndPort,
  },
  listen: {
    help: 'where peers find this node, or "none" (default /ip4/0.0.0.0/tcp/8382)',
    argument: 'MULTIADDR',
    repeatable: true,
    read: (given: Given) =>
      given.value === 'none' || (Array.isArray(given.value) && given.value[0] === 'none')
        ? []
        : multiaddrTexts(given),
  },
  bootstrap: { help: 'a peer to start from', argument: 'MULTIADDR', repeatable: true, read: multiaddrTexts },
  upstream: {
    help: 'the simple index that is mirrored (default https://pypi.org/simple/)',
    argument: 'URL',
    read: indexUrl,
  },
  'private-upstream': {
    help: 'what the upstream gives is shared with no peer and asked of none (default: unless it is PyPI, on loopback or at a private address)',
    read: onOff,
  },
  mode: {
    help: "direct; quorum: pages as the policy's publishers signed them; offline: nothing leaves for the upstream (default direct)",
    argument: 'MODE',
    read: oneOf('direct', 'quorum', 'offline'),
  },
  policy: {
    help: 'which publishers are believed, as "fondue trust" writes it (default DATA-DIR/policy)',
    argument: 'FILE',
    read: text,
  },
  'allow-old-pages': {
    help: 'serve pages of the signed index that nobody vouched for within a day (default: 503)',
    read: onOff,
  },
  mdns: { help: 'look for nodes on the local network', read: onOff },
  share: {
    help: 'who may fetch public files from here: all, lan, none (default all; lan if the upstream has a private address)',
    argument: 'WHO',
    read: reach,
  },
  ask: { help: 'whom to ask for files: all, lan, none (default as share)', argument: 'WHO', read: reach },
  dht: {
    help: 'role in the DHT: auto, server, client (default auto)',
    argument: 'ROLE',
    read: oneOf('auto', 'server', 'client'),
  },
  quota: {
    help: 'disk for files, such as 20GB or 20GiB (default 20GB)',
    argument: 'SIZE',
    read: unit(parseSize, 'a size, such as 20GB or 20GiB'),
  },
  'upload-limit': {
    help: 'bytes a second for peers, such as 5MB (default: none)',
    argument: 'RATE',
    read: unit(parseRate, 'a rate in bytes a second, such as 5MB'),
  },
  'page-ttl': {
    help: 'how long a page counts as fresh (default 10m)',
    argument: 'TIME',
    read: unit(parseDuration, 'a time, such as 90s or 10m'),
  },
  'allow-host': {
    help: 'a name that clients may call the gateway by',
    argument: 'NAME',
    repeatable: true,
    read: texts,
  },
  private: {
    help: 'projects that never leave this machine, such as acme-*',
    argument: 'PATTERN',
    repeatable: true,
    read: texts,
  },
  'log-level': {
    help: 'trace, debug, info, warn, error or silent (default info)',
    argument: 'LEVEL',
    read: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;
