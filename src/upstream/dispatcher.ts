/**
 * Connections to upstreams: undici with keep-alive and HTTP/1.1, proxies and additional certificate authorities as
 * configured. The environment is never read: undici's own reading of it is switched off by naming every proxy.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { ConfigurationError } from '../core/errors.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

export interface ConnectionOptions {
  readonly proxy: {
    readonly https: string | undefined;
    readonly http: string | undefined;
    readonly no: string | undefined;
  };
  /** PEM files of authorities that are trusted besides the usual ones. */
  readonly caFiles: readonly string[];
  readonly limits: UpstreamLimits;
}

export interface Connections {
  for(url: URL): Dispatcher;
  destroy(): Promise<void>;
}

/** @throws ConfigurationError for a CA file or proxy that cannot be used. */
export function createConnections({ proxy, caFiles, limits }: ConnectionOptions): Connections {
  const secureContext = trust(caFiles);
  const tls = { allowH2: false, ...(secureContext ? { secureContext } : {}) };
  const common = {
    allowH2: false,
    pipelining: 1,
    connections: limits.parallel,
    maxOrigins: limits.origins,
    connectTimeout: limits.connectTime,
    keepAliveTimeout: limits.keepAlive,
    // Our own, by the injected clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const made = new Map<string, Dispatcher>();
  const make = (uri: string | undefined): Dispatcher => {
    const connect = { ...tls, timeout: limits.connectTime };
    if (uri === undefined) return new Agent({ ...common, connect });
    const through = checkedProxy(uri);
    return new EnvHttpProxyAgent({
      ...common,
      httpProxy: through,
      httpsProxy: through,
      noProxy: proxy.no ?? '',
      connect,
      requestTls: tls,
      proxyTls: tls,
      // A proxy that takes CONNECT and says nothing would hold its place for undici's 300 s.
      clientFactory: (origin, options) =>
        new Pool(origin, { ...options, headersTimeout: limits.connectTime }),
    });
  };
  const dispatcherFor = (uri: string | undefined): Dispatcher => {
    const key = uri ?? '';
    const known = made.get(key) ?? make(uri);
    made.set(key, known);
    return known;
  };
  // HTTP_PROXY is for http only, as with pip and curl; undici would use it for https too.
  const https = dispatcherFor(proxy.https);
  const http = dispatcherFor(proxy.http);
  return {
    for: (url) => (url.protocol === 'https:' ? https : http),
    async destroy() {
      await Promise.all([...made.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/** `host:port` is http, as curl and pip have it. The message never shows the value: it may hold a password. */
function checkedProxy(uri: string): string {
  const full = /^[\w.-]+:\d+\/?$/.test(uri) ? `http://${uri}` : uri;
  if (URL.canParse(full) && /^(https?|socks5?):$/.test(new URL(full).protocol)) return full;
  throw new ConfigurationError(
    'usage',
    'the proxy that is configured is not a URL that can be used',
    'set HTTPS_PROXY and HTTP_PROXY to a URL such as http://proxy.example:3128, or unset them',
  );
}

/** One context for all connections: parsing the 150 usual roots takes 10 ms. */
function trust(caFiles: readonly string[]): SecureContext | undefined {
  if (caFiles.length === 0) return undefined;
  const additional = caFiles.map((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw caFileError(path, error);
    }
  });
  try {
    return createSecureContext({ ca: [...getCACertificates('default'), ...additional] });
  } catch (error) {
    throw caFileError(caFiles.join(', '), error);
  }
}

function caFileError(path: string, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    'environment',
    `the certificate file ${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
    'point SSL_CERT_FILE or NODE_EXTRA_CA_CERTS at a PEM file of certificates, or unset them',
    { cause },
  );
}
