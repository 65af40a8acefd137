/**
 * The canonical bytes of a page: what publishers sign the SHA-256 of (design/index, "Canonical page"). Always true: two
 * publishers that saw the same page get the same bytes, whatever the order of its keys and files and whatever
 * host they read it from, and what two readers could understand differently is refused.
 */
import canonicalize from 'canonicalize';
import { InvalidContentError } from './errors.ts';
import type { Json, JsonObject, ProjectFile, ProjectPage } from './project-page.ts';

/**
 * RFC 8785 JSON. `page` must have been read with `strict` (duplicate keys cannot be seen any more here); `fileOrigin` is
 * the scheme, host and port whose URLs are reduced to their path, such as `https://files.pythonhosted.org`.
 * @throws InvalidContentError for lone surrogates and for numbers that are no integers within 2^53 - 1
 */
export function canonicalPage(page: ProjectPage, options: { fileOrigin: string }): Uint8Array {
  const origin = new URL(options.fileOrigin).origin;
  const canonical = strip(page.raw, page.url);
  canonical['files'] = page.files
    .toSorted((left, right) => compareUtf8(left.filename, right.filename))
    .map((file) => canonicalFile(file, page.url, origin));
  if (Array.isArray(canonical['versions'])) {
    canonical['versions'] = (canonical['versions'] as string[]).toSorted(compareUtf8);
  }
  const meta = canonical['meta'];
  if (isObject(meta)) canonical['meta'] = without(meta, 'api-version');
  return Buffer.from(canonicalize(canonical) ?? '');
}

const HASH_KEYS = ['hashes', 'core-metadata', 'dist-info-metadata', 'data-dist-info-metadata'];

function canonicalFile(file: ProjectFile, pageUrl: string, origin: string): JsonObject {
  const canonical = strip(file.raw, pageUrl);
  for (const key of HASH_KEYS) {
    const hashes = canonical[key];
    if (isObject(hashes)) canonical[key] = lowerCaseValues(hashes);
  }
  for (const key of ['url', 'provenance']) {
    const link = canonical[key];
    if (typeof link === 'string') canonical[key] = canonicalUrl(link, pageUrl, origin);
  }
  return canonical;
}

/** Query, fragment and credentials are dropped. A path that begins with `//` would be read as another host's, so it stays absolute. */
function canonicalUrl(link: string, base: string, origin: string): string {
  const url = new URL(link, base);
  return url.origin === origin && !url.pathname.startsWith('//')
    ? url.pathname
    : `${url.origin}${url.pathname}`;
}

/** A copy without keys that begin with `_`, at any depth. Never has `__proto__` as a key, so assigning to it is safe. */
function strip(object: JsonObject, url: string): Record<string, Json> {
  const kept: Record<string, Json> = {};
  for (const [key, value] of Object.entries(object)) {
    if (!key.isWellFormed()) refuse(url, 'a key', 'has a lone surrogate');
    if (!key.startsWith('_')) kept[key] = stripValue(value, key, url);
  }
  return kept;
}

function stripValue(value: Json, key: string, url: string): Json {
  if (typeof value === 'string' && !value.isWellFormed()) refuse(url, `"${key}"`, 'has a lone surrogate');
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    refuse(url, `"${key}"`, `is ${value}, which is no integer within 2^53 - 1`);
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => stripValue(item, key, url));
  return isObject(value) ? strip(value, url) : value;
}

function refuse(url: string, what: string, why: string): never {
  throw new InvalidContentError(`${url}: ${what.slice(0, 80)} ${why}: no canonical form`);
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

function lowerCaseValues(hashes: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(hashes).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.toLowerCase() : value,
    ]),
  );
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** UTF-8 orders by code point; JavaScript's own order differs beyond U+FFFF. */
function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
