/**
 * What lock files and requirements name: uv.lock, pylock.toml (PEP 751), poetry.lock, pdm.lock, requirements.txt, and
 * single specifiers. Pure. What cannot be fetched ahead is skipped with a note; what cannot be read is an error with its
 * place. Environment markers are ignored: a mirror is asked by machines of all kinds.
 */
import { parse, TomlError } from 'smol-toml';
import { type Digest, isDigest } from './digest.ts';
import { ConfigurationError } from './errors.ts';
import { readRequirements } from './requirements.ts';
import type { WantedFile } from './wanted-file.ts';

export interface LockFile {
  readonly wanted: readonly WantedFile[];
  /** What was left out, and what was ignored; one line each. */
  readonly notes: readonly string[];
}

type Table = Readonly<Record<string, unknown>>;

const MARKERS = 'environment markers are ignored: files for all platforms are taken';

/** By name and content. @throws ConfigurationError when it is no lock file, or cannot be read */
export function readLockFile(name: string, text: string): LockFile {
  if (!/\.(lock|toml)$/i.test(name)) return readRequirements(name, text);
  let document: Table;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0];
    throw unreadable(`${name}, line ${error.line}: ${what}`, 'make the lock file again', error);
  }
  const collected = createCollection();
  if (Array.isArray(document['packages'])) readPylock(tables(document['packages']), collected);
  else if (Array.isArray(document['package'])) readPackages(tables(document['package']), document, collected);
  else {
    throw unreadable(
      `${name} has no packages: it is not a lock file`,
      'give uv.lock, pylock.toml, poetry.lock, pdm.lock or requirements.txt',
    );
  }
  return collected.finish();
}

interface Collection {
  file(project: string, filename: string | undefined, digest: string | undefined): void;
  note(line: string): void;
  finish(): LockFile;
}

function createCollection(): Collection {
  const wanted = new Map<string, WantedFile>();
  const notes = new Set<string>();
  return {
    file(project, filename, digest) {
      if (filename === undefined || filename === '')
        notes.add(`${project}: a file without a name is left out`);
      else if (digest === undefined) notes.add(`${project}: ${filename} has no sha256 and is left out`);
      else wanted.set(digest, { kind: 'file', digest: digest as Digest, filename });
    },
    note: (line) => void notes.add(line),
    finish: () => ({ wanted: [...wanted.values()], notes: [...notes] }),
  };
}

/** PEP 751. */
function readPylock(packages: readonly Table[], collected: Collection): void {
  for (const entry of packages) {
    const name = text(entry['name']) ?? '?';
    if (entry['marker'] !== undefined) collected.note(MARKERS);
    const files = [...tables(entry['wheels']), ...tables([entry['sdist'], entry['archive']])];
    if (files.length === 0) collected.note(`${name}: comes from no index and is left out`);
    for (const file of files) {
      const hashes = isTable(file['hashes']) ? file['hashes'] : {};
      const filename = text(file['name']) ?? lastSegment(text(file['url']) ?? text(file['path']));
      collected.file(name, filename, sha256(hashes['sha256'], ''));
    }
  }
}

/** uv.lock has `sdist` and `wheels`, poetry.lock and pdm.lock `files`; old poetry.lock a table of files in `metadata`. */
function readPackages(packages: readonly Table[], document: Table, collected: Collection): void {
  const metadata = isTable(document['metadata']) ? document['metadata'] : {};
  const old = isTable(metadata['files']) ? metadata['files'] : {};
  for (const entry of packages) {
    const name = text(entry['name']) ?? '?';
    if (
      entry['resolution-markers'] !== undefined ||
      entry['marker'] !== undefined ||
      entry['markers'] !== undefined
    ) {
      collected.note(MARKERS);
    }
    const files = [
      ...tables(entry['wheels']),
      ...tables([entry['sdist']]),
      ...tables(entry['files']),
      ...tables(old[name]),
    ];
    const source = isTable(entry['source']) ? entry['source'] : {};
    const isProject = ['virtual', 'editable'].some((kind) => kind in source);
    if (files.length === 0 && !isProject) collected.note(`${name}: comes from no index and is left out`);
    for (const file of files) {
      const filename = text(file['file']) ?? lastSegment(text(file['url']) ?? text(file['path']));
      collected.file(name, filename, sha256(file['hash'], 'sha256:'));
    }
  }
}

/** One specifier of a command line: `foo`, `foo==1.0`. @throws ConfigurationError */
export function readRequirement(specifier: string): WantedFile {
  const { wanted, notes } = readRequirements(specifier, specifier);
  const [first] = wanted;
  if (first !== undefined) return first;
  throw unreadable(
    notes[0]?.replace('": ', '" ').replace(' and is left out', '') ?? `"${specifier}" names nothing`,
    'give a name (foo), a pinned release (foo==1.0), a lock file, or a SHA-256',
  );
}

function tables(value: unknown): Table[] {
  return Array.isArray(value) ? value.filter(isTable) : [];
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function sha256(value: unknown, prefix: string): Digest | undefined {
  if (typeof value !== 'string' || !value.startsWith(prefix)) return undefined;
  const hex = value.slice(prefix.length).toLowerCase();
  return isDigest(hex) ? hex : undefined;
}

function lastSegment(location: string | undefined): string | undefined {
  const path = location?.split(/[?#]/)[0]?.split(/[/\\]/).at(-1);
  if (path === undefined) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function unreadable(message: string, fix: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError('usage', message, fix, { cause });
}
