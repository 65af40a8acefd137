/**
 * A file's hashes as pages give them: a dictionary in JSON, a URL fragment in HTML. Always true of what comes out: names
 * and hex are lower case, and a `sha256` is a real one.
 */
import { isDigest } from './digest.ts';

const NAME = /^[a-z][a-z0-9_-]{0,31}$/;
const HEX = /^(?:[0-9a-f]{2})+$/;
const NONE: Readonly<Record<string, string>> = Object.freeze({});

/** From a dictionary of a page; a string says what is wrong with it, as `key` or `key: reason`. */
export function readHashes(dictionary: object): Readonly<Record<string, string>> | string {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(dictionary)) {
    const name = key.toLowerCase();
    if (typeof value !== 'string') return `"${key}" is not a string`;
    const hex = value.toLowerCase();
    if (name === 'sha256' ? !isDigest(hex) : !HEX.test(hex))
      return `"${key}" is "${value.slice(0, 80)}", not the hex of a ${name.slice(0, 32)}`;
    if ((found.get(name) ?? hex) !== hex) return `"${name}" is there twice with different values`;
    found.set(name, hex);
  }
  return found.size === 0 ? NONE : Object.fromEntries(found);
}

/**
 * From a URL fragment such as `sha256=ab12...` (PEP 503), `&` between several. Anything else there (`egg=`) is not a hash,
 * nor is hex shorter than an MD5. First one wins.
 */
export function hashesOfFragment(fragment: string): Readonly<Record<string, string>> {
  if (fragment === '') return NONE;
  const found = new Map<string, string>();
  for (const part of fragment.split('&')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).toLowerCase();
    const hex = part.slice(equals + 1).toLowerCase();
    if (equals < 1 || !NAME.test(name) || hex.length < 32 || !HEX.test(hex)) continue;
    if (name === 'sha256' && !isDigest(hex)) continue;
    if (!found.has(name)) found.set(name, hex);
  }
  return Object.fromEntries(found);
}

const STRONGEST_FIRST = [
  'sha256',
  'sha512',
  'sha384',
  'sha224',
  'blake2b',
  'sha3_512',
  'sha3_256',
  'sha1',
  'md5',
];

/** `sha256=<hex>` for a link's fragment or an HTML attribute: the one hash that clients can do most with. */
export function hashAttribute(hashes: Readonly<Record<string, string>>): string | undefined {
  const name = STRONGEST_FIRST.find((name) => Object.hasOwn(hashes, name)) ?? Object.keys(hashes)[0];
  return name === undefined ? undefined : `${name}=${hashes[name]}`;
}
