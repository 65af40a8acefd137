/**
 * The node's configuration: its shape. Reading it (flags > environment > file > defaults), validation and freezing are
 * below; nothing else reads the environment.
 */
import { join, resolve } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { parse as parseToml } from 'smol-toml';
import { settings, type Given, type SettingName } from './config-settings.ts';
import { ConfigurationError } from './core/errors.ts';
import { limits } from './core/limits.ts';
import { isOnOwnNetwork, looksPublic } from './core/public-index.ts';
import { compileProjectPattern } from './core/project-pattern.ts';

export type Reach = 'all' | 'lan' | 'none';

export interface Config {
  readonly dataDir: string;
  /** Where the gateway listens; port 0 is any free port. */
  readonly gateway: { readonly host: string; readonly port: number };
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  readonly bootstrap: readonly string[];
  /** Simple index URL with a trailing slash, without credentials. */
  readonly upstream: string;
  readonly upstreamCredentials: { readonly user: string; readonly password: string } | undefined;
  /** What the upstream gives stays here. */
  readonly privateUpstream: boolean;
  readonly mode: 'direct' | 'quorum' | 'offline';
  /** The policy file; `policyGiven`: somebody named it, so it must be there. */
  readonly policy: string;
  readonly policyGiven: boolean;
  /** Serve what is older than a day. */
  readonly allowOldPages: boolean;
  readonly mdns: boolean;
  readonly share: Reach;
  readonly ask: Reach;
  readonly dht: 'auto' | 'server' | 'client';
  /** Bytes. */
  readonly quota: number;
  /** Bytes a second; undefined: no limit. */
  readonly uploadLimit: number | undefined;
  /** Milliseconds. */
  readonly pageTtl: number;
  /** Hosts besides loopback and the bound address that may stand in a Host header. */
  readonly allowHosts: readonly string[];
  /** Patterns of project names (`acme-*`) answered 404 at once. */
  readonly private: readonly string[];
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Proxy for https and http upstreams (HTTPS_PROXY, HTTP_PROXY) and hosts that go without (NO_PROXY). */
  readonly proxy: {
    readonly https: string | undefined;
    readonly http: string | undefined;
    readonly no: string | undefined;
  };
  /** PEM file of additional (SSL_CERT_FILE, NODE_EXTRA_CA_CERTS) certificate authorities. */
  readonly caFiles: readonly string[];
}

export interface ConfigSources {
  /** By setting name, without dashes in front; undefined where not given. `offline: true` is `mode: offline`. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws with code ENOENT when there is no such file. */
  readFile(path: string): string;
  readonly home: string;
  readonly platform: string;
}

/** @throws ConfigurationError('usage') that names the flag, variable or key, the value, and what is expected. */
export function loadConfig(sources: ConfigSources): Config {
  const { env } = sources;
  const given = new Map<SettingName, Given>();
  for (const [name, value] of readConfigFile(sources)) given.set(name, value);
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('FONDUE_') || variable === 'FONDUE_CONFIG' || value === undefined) continue;
    const key = variable.slice('FONDUE_'.length).toLowerCase().replaceAll('_', '-');
    given.set(
      known(key, variable, (name) => `FONDUE_${name.toUpperCase().replaceAll('-', '_')}`),
      {
        value,
        origin: variable,
      },
    );
  }
  for (const [key, value] of Object.entries(sources.flags)) {
    if (value === undefined || key === 'config') continue;
    if (key === 'offline') given.set('mode', { value: 'offline', origin: '--offline' });
    else
      given.set(
        known(key, `--${key}`, (name) => `--${name}`),
        { value, origin: `--${key}` },
      );
  }
  return freeze(given, sources);
}

function freeze(given: ReadonlyMap<SettingName, Given>, sources: ConfigSources): Config {
  const { env } = sources;
  const value = <N extends SettingName, D>(
    name: N,
    fallback: D,
  ): ReturnType<(typeof settings)[N]['read']> | D => {
    const found = given.get(name);
    return found === undefined
      ? fallback
      : (settings[name].read(found) as ReturnType<(typeof settings)[N]['read']>);
  };
  // Of others' variables; set to nothing they are not set, as for curl and pip.
  const usual = (name: string): string | undefined => env[name] || env[name.toLowerCase()] || undefined;
  const upstream = value('upstream', new URL('https://pypi.org/simple/'));
  const credentials =
    upstream.username === ''
      ? undefined
      : { user: unescaped(upstream.username), password: unescaped(upstream.password) };
  upstream.username = '';
  upstream.password = '';
  const privateNames = value('private', []);
  for (const pattern of privateNames) compileProjectPattern(pattern);
  const reach = isOnOwnNetwork(upstream) ? 'lan' : 'all';
  const dataDir = resolve(value('data-dir', undefined) ?? defaultDataDir(sources));
  const policy = value('policy', undefined);
  return Object.freeze({
    dataDir,
    gateway: value('gateway', { host: '127.0.0.1', port: 8381 }),
    listen: value('listen', ['/ip4/0.0.0.0/tcp/8382']),
    bootstrap: value('bootstrap', []),
    upstream: upstream.href,
    upstreamCredentials: credentials,
    privateUpstream: isPrivate(upstream, credentials !== undefined, value('private-upstream', undefined)),
    mode: value('mode', 'direct'),
    policy: resolve(policy ?? join(dataDir, 'policy')),
    policyGiven: policy !== undefined,
    allowOldPages: value('allow-old-pages', false),
    mdns: value('mdns', true),
    share: value('share', reach),
    ask: value('ask', reach),
    dht: value('dht', 'auto'),
    quota: value('quota', limits.store.quota),
    uploadLimit: value('upload-limit', undefined),
    pageTtl: value('page-ttl', limits.freshness.pageTtl),
    allowHosts: value('allow-host', []),
    private: privateNames,
    logLevel: value('log-level', 'info'),
    proxy: { https: usual('HTTPS_PROXY'), http: usual('HTTP_PROXY'), no: usual('NO_PROXY') },
    // Node reads NODE_EXTRA_CA_CERTS itself; SSL_CERT_FILE is what pip's and curl's users set.
    caFiles: [usual('SSL_CERT_FILE'), usual('NODE_EXTRA_CA_CERTS')].filter((path) => path !== undefined),
  });
}

/** A per cent sign that escapes nothing stands for itself. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What needs a password is never public, whatever is said. */
function isPrivate(upstream: URL, locked: boolean, said: boolean | undefined): boolean {
  if (locked && said === false) {
    throw new ConfigurationError(
      'usage',
      `private-upstream: the files of ${upstream.href} need a password, so they cannot be shared`,
      'leave private-upstream out, or give an upstream that needs no password',
    );
  }
  return said ?? (locked || !(looksPublic(upstream) || isOnOwnNetwork(upstream)));
}

function known(key: string, origin: string, spell: (name: string) => string): SettingName {
  if (Object.hasOwn(settings, key)) return key as SettingName;
  const nearest = closest(key, Object.keys(settings));
  throw new ConfigurationError(
    'usage',
    `${origin} is not a setting`,
    `did you mean ${spell(nearest)}? "fondue up --help" lists them`,
  );
}

function readConfigFile(sources: ConfigSources): [SettingName, Given][] {
  const asked = sources.flags['config'] ?? sources.env['FONDUE_CONFIG'];
  const path = typeof asked === 'string' ? asked : defaultConfigFile(sources);
  let text: string;
  try {
    text = sources.readFile(path);
  } catch (error) {
    if (asked === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    const reason = (error as Error).message;
    throw new ConfigurationError(
      'usage',
      `the configuration ${path} cannot be read: ${reason}`,
      'check --config',
      {
        cause: error,
      },
    );
  }
  let table: Record<string, unknown>;
  try {
    table = parseToml(text);
  } catch (error) {
    throw new ConfigurationError(
      'usage',
      `${path} is not TOML: ${(error as Error).message}`,
      'mend the line it names',
      {
        cause: error,
      },
    );
  }
  return Object.entries(table).map(([key, value]) => {
    const origin = `${key} in ${path}`;
    return [known(key, origin, (name) => name), { value, origin }];
  });
}

function defaultConfigFile({ env, home, platform }: ConfigSources): string {
  if (platform === 'win32')
    return join(env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'fondue', 'config.toml');
  return join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'fondue', 'config.toml');
}

function defaultDataDir({ env, home, platform }: ConfigSources): string {
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'fondue');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'fondue');
  return join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'fondue');
}
