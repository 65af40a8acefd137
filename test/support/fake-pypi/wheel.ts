/** Files of the fake PyPI: synthetic wheels made in memory, any bytes, or files on disk. */
import { createCipheriv, createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { poisonZip, readZipEntry, writeZip } from './zip.ts';

export interface FakeFile {
  readonly project: string;
  readonly version: string;
  readonly filename: string;
  readonly size: number;
  readonly sha256: string;
  /** `/packages/aa/bb/rest/filename`, as on PyPI's file host. */
  readonly path: string;
  readonly requiresPython: string | undefined;
  readonly uploadTime: string | undefined;
  readonly yanked: boolean | string;
  /** PEP 740 document. */
  readonly provenance?: object | undefined;
  bytes(): Buffer;
  /** Without reading it whole. */
  read(start: number, end: number): AsyncIterable<Buffer>;
  /** METADATA of a wheel. */
  metadata(): Buffer | undefined;
  /** Other bytes of the same length; a sound zip where this is one. */
  poisoned(): Buffer;
}

export interface FileFacts {
  readonly requiresPython?: string | undefined;
  readonly uploadTime?: string | undefined;
  readonly yanked?: boolean | string | undefined;
  readonly path?: string | undefined;
  readonly sha256?: string | undefined;
  readonly provenance?: object | undefined;
}

const CHUNK = 256 * 1024;
const METADATA = /^[^/]+\.dist-info\/METADATA$/;

export const normalize = (name: string): string => name.replace(/[-_.]+/g, '-').toLowerCase();

/** Project and version of a wheel's or sdist's filename. */
export function parseFilename(filename: string): { project: string; version: string } {
  const wheel = /^([^-]+)-([^-]+)-.*\.whl$/.exec(filename);
  const found = wheel ?? /^(.+)-([^-]+?)\.(?:tar\.gz|tar\.bz2|zip|egg)$/.exec(filename);
  if (!found) throw new Error(`${filename} is neither a wheel nor an sdist`);
  return { project: normalize(found[1]!), version: found[2]! };
}

function build(
  filename: string,
  size: number,
  source: { bytes(): Buffer; read(start: number, end: number): AsyncIterable<Buffer> },
  facts: FileFacts,
): FakeFile {
  let poisoned: Buffer | undefined;
  let metadata: { value: Buffer | undefined } | undefined;
  const sha256 = facts.sha256 ?? createHash('sha256').update(source.bytes()).digest('hex');
  return {
    ...parseFilename(filename),
    filename,
    size,
    sha256,
    path:
      facts.path ?? `/packages/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256.slice(4)}/${filename}`,
    requiresPython: facts.requiresPython,
    uploadTime: facts.uploadTime,
    yanked: facts.yanked ?? false,
    provenance: facts.provenance,
    ...source,
    metadata() {
      if (!filename.endsWith('.whl')) return undefined;
      metadata ??= { value: readZipEntry(source.bytes(), METADATA) };
      return metadata.value;
    },
    poisoned() {
      if (poisoned === undefined) {
        const bytes = source.bytes();
        if (/\.(whl|zip)$/.test(filename)) poisoned = poisonZip(bytes);
        else {
          poisoned = Buffer.from(bytes);
          poisoned[bytes.length >> 1]! ^= 1;
        }
      }
      return poisoned;
    },
  };
}

/** Any bytes under a wheel's or sdist's filename. */
export function makeFile(filename: string, bytes: Buffer, facts: FileFacts = {}): FakeFile {
  const source = {
    bytes: () => bytes,
    // oxlint-disable-next-line typescript/require-await -- the shape of a file on disk
    async *read(start: number, end: number) {
      for (let at = start; at < end; at += CHUNK) yield bytes.subarray(at, Math.min(at + CHUNK, end));
    },
  };
  return build(filename, bytes.length, source, facts);
}

/** A file on disk; give `sha256` for a big one, or it is read to be hashed. */
export function fileFromDisk(path: string, facts: FileFacts = {}): FakeFile {
  const source = {
    bytes: () => readFileSync(path),
    async *read(start: number, end: number) {
      await using handle = await open(path);
      for (let at = start; at < end;) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(CHUNK, end - at)), {
          position: at,
        });
        if (bytesRead === 0) throw new Error(`${path} ends at ${at}, not ${end}`);
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    },
  };
  return build(basename(path), statSync(path).size, source, facts);
}

export interface WheelOptions extends FileFacts {
  readonly name: string;
  readonly version?: string;
  /** Requirements as in `Requires-Dist`. */
  readonly requires?: readonly string[];
  /** Incompressible bytes of a data file; the same for the same name and version. */
  readonly extraBytes?: number;
  readonly tag?: string;
  /** A wheel that holds no METADATA. */
  readonly withoutMetadata?: boolean;
}

/** A wheel that pip installs: module `name` with `__version__`. The same options give the same bytes. */
export function makeWheel(options: WheelOptions): FakeFile {
  const { name, version = '1.0', requires = [], extraBytes = 0, tag = 'py3-none-any' } = options;
  const module = name.replace(/[-_.]+/g, '_').toLowerCase();
  const info = `${module}-${version}.dist-info`;
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...(options.requiresPython === undefined ? [] : [`Requires-Python: ${options.requiresPython}`]),
    ...requires.map((requirement) => `Requires-Dist: ${requirement}`),
  ];
  const wheel = ['Wheel-Version: 1.0', 'Generator: fake-pypi', 'Root-Is-Purelib: true', `Tag: ${tag}`];
  const entries = [
    { name: `${module}/__init__.py`, data: Buffer.from(`__version__ = ${JSON.stringify(version)}\n`) },
    ...(extraBytes > 0
      ? [{ name: `${module}/data.bin`, data: noise(`${name} ${version}`, extraBytes), stored: true }]
      : []),
    ...(options.withoutMetadata
      ? []
      : [{ name: `${info}/METADATA`, data: Buffer.from(`${metadata.join('\n')}\n`) }]),
    { name: `${info}/WHEEL`, data: Buffer.from(`${wheel.join('\n')}\n`) },
  ];
  const record = entries.map(({ name: path, data }) => {
    const hash = createHash('sha256').update(data).digest('base64url');
    return `${path},sha256=${hash},${data.length}\n`;
  });
  const last = { name: `${info}/RECORD`, data: Buffer.from(`${record.join('')}${info}/RECORD,,\n`) };
  const bytes = writeZip([...entries, last]);
  return makeFile(`${module}-${version}-${tag}.whl`, bytes, {
    uploadTime: '2026-01-01T00:00:00.000000Z',
    ...options,
  });
}

function noise(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
