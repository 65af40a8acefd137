/**
 * Reads a project page in JSON (PEP 691, API 1.0 to 1.4 and any later 1.x), from PyPI or from mirrors that leave half of it
 * out. Always true of what comes out: the name is the project's, filenames are safe and stand once, URLs are absolute http
 * or https, hashes are well formed, and nothing nests deeper than `limits.page.depth`. Unknown keys are kept.
 *
 * A page with one unsafe filename is refused whole: that is no slip, and the page that is kept is better than it.
 */
import type { Digest } from './digest.ts';
import { InvalidContentError } from './errors.ts';
import { filenameFault } from './file-name-check.ts';
import { hashesOfFragment, readHashes } from './file-hashes.ts';
import { limits } from './limits.ts';
import { nestsDeeper } from './nesting.ts';
import { parseProjectName } from './project-name.ts';
import type { ProjectName } from './project-name.ts';
import type { Json, JsonObject, ProjectFile, ProjectPage } from './project-page.ts';
import { parseStrictJson } from './strict-json.ts';

/**
 * `url` is the page's own, after redirects. `strict` also refuses duplicate keys, as the canonical page needs.
 * @throws InvalidContentError that names the key
 */
export function readPageJson(
  body: Uint8Array,
  options: { url: string; project: ProjectName; strict?: boolean },
): ProjectPage {
  const { url, project } = options;
  const page = parse(body, url, options.strict ?? false);
  if (!isObject(page)) refuse(url, 'the page', 'an object', page);
  checkVersion(page, url);
  checkName(page['name'], project, url);
  checkOptional(page, 'versions', url, isStrings, 'a list of strings');
  checkOptional(page, 'project-status', url, isObject, 'an object');
  const { files, ...raw } = page;
  if (!Array.isArray(files)) refuse(url, 'files', 'a list', files);
  if (files.length > limits.page.files)
    throw new InvalidContentError(
      `${url}: "files" has ${files.length} entries; at most ${limits.page.files} are read`,
    );
  if (nestsDeeper(raw, limits.page.depth)) refuseDepth(url);
  const names = new Set<string>();
  return {
    name: project,
    format: 'json',
    url,
    files: (files as readonly Json[]).map((entry, index) => readFile(entry, `files[${index}]`, url, names)),
    raw,
  };
}

function parse(body: Uint8Array, url: string, strict: boolean): Json {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return strict ? parseStrictJson(text) : (JSON.parse(text) as Json);
  } catch (error) {
    if (error instanceof InvalidContentError) throw new InvalidContentError(`${url}: ${error.message}`);
    const html = /^\s*</.test(
      Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 64)).toString('latin1'),
    );
    throw new InvalidContentError(
      `${url}: ${html ? 'HTML was sent where JSON was announced' : `not JSON: ${(error as Error).message}`}`,
      { cause: error },
    );
  }
}

function checkVersion(page: JsonObject, url: string): void {
  checkOptional(page, 'meta', url, isObject, 'an object');
  const version = (page['meta'] as JsonObject | null | undefined)?.['api-version'] ?? '1.0';
  if (typeof version !== 'string' || !/^\d{1,9}\.\d{1,9}$/.test(version))
    refuse(url, 'meta.api-version', 'a version such as "1.4"', version);
  if (!version.startsWith('1.'))
    throw new InvalidContentError(
      `${url}: "meta.api-version" is ${version}; only versions 1.x are understood`,
    );
}

function checkName(name: Json | undefined, project: ProjectName, url: string): void {
  let normalized: ProjectName | undefined;
  try {
    if (typeof name === 'string') normalized = parseProjectName(name);
  } catch {
    // Said below with what was expected.
  }
  if (normalized !== project) refuse(url, 'name', `one that normalizes to "${project}"`, name);
}

function readFile(entry: Json, at: string, url: string, names: Set<string>): ProjectFile {
  if (!isObject(entry)) refuse(url, at, 'an object', entry);
  const filename = entry['filename'];
  if (typeof filename !== 'string') refuse(url, `${at}.filename`, 'a string', filename);
  const fault = filenameFault(filename);
  if (fault !== undefined)
    throw new InvalidContentError(`${url}: "${at}.filename" ${fault}: ${quote(filename)}`);
  if (names.has(filename)) throw new InvalidContentError(`${url}: "files" lists ${quote(filename)} twice`);
  names.add(filename);
  const link = readLink(entry['url'], `${at}.url`, url);
  checkDescription(entry, at, url);
  const given = readDictionary(entry['hashes'] ?? {}, `${at}.hashes`, url);
  const { sha256, ...hashes } =
    given['sha256'] === undefined && link.fragment !== ''
      ? { ...hashesOfFragment(link.fragment), ...given }
      : given;
  const size = entry['size'] ?? undefined;
  if (size !== undefined && !(Number.isSafeInteger(size) && (size as number) >= 0))
    refuse(url, `${at}.size`, 'a number of bytes', size);
  return {
    filename,
    url: link.href,
    sha256: sha256 as Digest | undefined,
    hashes,
    size: size as number | undefined,
    coreMetadata: readCoreMetadata(entry, at, url),
    raw: entry,
  };
}

/** The other keys that clients read: their types, so that no client meets what its parser does not expect. */
function checkDescription(entry: JsonObject, at: string, url: string): void {
  checkOptional(entry, 'requires-python', url, isString, 'a string', at);
  checkOptional(entry, 'upload-time', url, isString, 'a string', at);
  checkOptional(entry, 'yanked', url, isBooleanOrString, 'true, false or a reason', at);
  checkOptional(entry, 'gpg-sig', url, isBoolean, 'true or false', at);
  const provenance = entry['provenance'] ?? undefined;
  if (provenance !== undefined) readLink(provenance, `${at}.provenance`, url);
  if (nestsDeeper(entry, limits.page.depth)) refuseDepth(url);
}

const METADATA_KEYS = ['core-metadata', 'dist-info-metadata', 'data-dist-info-metadata'];

/** As uv does: `core-metadata` wins over the old name (PEP 714), that over what PyPI calls it besides. An empty dictionary says as much as `true`. */
function readCoreMetadata(entry: JsonObject, at: string, url: string): ProjectFile['coreMetadata'] {
  for (const key of METADATA_KEYS) {
    const value = entry[key] ?? undefined;
    if (value === undefined) continue;
    if (typeof value === 'boolean') return value;
    const hashes = readDictionary(value, `${at}.${key}`, url, 'true, false or hashes');
    return Object.keys(hashes).length === 0 ? true : hashes;
  }
  return undefined;
}

function readDictionary(
  value: Json,
  key: string,
  url: string,
  expected = 'an object',
): Readonly<Record<string, string>> {
  if (!isObject(value)) refuse(url, key, expected, value);
  const hashes = readHashes(value);
  if (typeof hashes === 'string') throw new InvalidContentError(`${url}: in "${key}" ${hashes}`);
  return hashes;
}

function readLink(value: Json | undefined, key: string, base: string): { href: string; fragment: string } {
  if (typeof value !== 'string') refuse(base, key, 'a URL', value);
  const hash = value.indexOf('#');
  const link = hash < 0 ? value : value.slice(0, hash);
  const resolved = link.trim() === '' ? null : URL.parse(link, base);
  if (resolved === null || !/^https?:$/.test(resolved.protocol))
    refuse(base, key, 'an http or https URL', value);
  return { href: resolved.href, fragment: hash < 0 ? '' : value.slice(hash + 1) };
}

function checkOptional(
  object: JsonObject,
  key: string,
  url: string,
  fits: (value: Json) => boolean,
  expected: string,
  at?: string,
): void {
  const value = object[key];
  if (value !== undefined && value !== null && !fits(value))
    refuse(url, at === undefined ? key : `${at}.${key}`, expected, value);
}

const isString = (value: Json): boolean => typeof value === 'string';
const isBoolean = (value: Json): boolean => typeof value === 'boolean';
const isBooleanOrString = (value: Json): boolean => isBoolean(value) || isString(value);
const isStrings = (value: Json): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}

function refuse(url: string, key: string, expected: string, value: Json | undefined): never {
  const found =
    value === undefined
      ? 'missing'
      : typeof value === 'object' && value !== null
        ? Array.isArray(value)
          ? 'a list'
          : 'an object'
        : typeof value === 'string'
          ? quote(value)
          : String(value);
  throw new InvalidContentError(`${url}: "${key}" is ${found}; expected: ${expected}`);
}

function refuseDepth(url: string): never {
  throw new InvalidContentError(`${url}: nests deeper than ${limits.page.depth} levels`);
}
