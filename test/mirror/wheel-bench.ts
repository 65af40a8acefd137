/** A node's metadata use case on a memory store, with an upstream and peers that do as the test says. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { digestFromBytes, type Digest } from '../../src/core/digest.ts';
import { UpstreamError } from '../../src/core/errors.ts';
import { createFactEmitter, type FactName } from '../../src/core/facts.ts';
import type { ProjectFile } from '../../src/core/project-page.ts';
import type { FileRef, Mirror, OpenedFile } from '../../src/mirror/mirror.ts';
import { createWheelMetadata, type WheelMetadata } from '../../src/mirror/make-metadata.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import type { FileAnswer, FileRequest } from '../../src/upstream/upstream.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { foo } from './scripted-upstream.ts';

export function digestOf(bytes: Uint8Array): Digest {
  return digestFromBytes(createHash('sha256').update(bytes).digest());
}

export const METADATA = Buffer.from('Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n');

/** A zip with stored entries: enough of a wheel. */
export function wheelOf(entries: Record<string, Uint8Array>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt32LE(crc32(data), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(data.length, 18);
    facts.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), facts, Buffer.from(name), data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const made = Buffer.from([20, 0]);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), made, facts, tail, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

/** Big enough that its end does not hold all of it. */
export function wheelWith(metadata: Uint8Array): Buffer {
  return wheelOf({
    'foo/data.bin': Buffer.alloc(200_000, 7),
    'foo-1.0.dist-info/METADATA': metadata,
    'foo-1.0.dist-info/RECORD': Buffer.from('foo,,\n'),
  });
}

export interface WheelNode extends WheelMetadata {
  readonly clock: FakeClock;
  readonly catalog: Catalog;
  readonly store: BlobStore;
  /** Bodies by URL; a function may throw. */
  readonly files: Map<string, Uint8Array | (() => Uint8Array)>;
  /** Blobs that `openFile` can bring. */
  readonly peers: Map<Digest, Uint8Array>;
  ranges: boolean;
  /** `<url> <offset>-<length>` of each request to the upstream. */
  readonly asked: string[];
  /** Bodies of the upstream that somebody began to read. */
  bodiesRead: number;
  /** Digests that `openFile` was asked for. */
  readonly opened: Digest[];
  readonly seen: { name: FactName; fact: unknown }[];
  readonly mismatches: () => number;
}

export function createWheelNode(options: { offline?: boolean } = {}): WheelNode {
  const clock = createFakeClock();
  const catalog = createMemoryCatalog();
  const facts = createFactEmitter();
  const store = createMemoryBlobStore({ clock, facts, quotaBytes: 1e9 });
  const files: WheelNode['files'] = new Map();
  const peers: WheelNode['peers'] = new Map();
  const asked: string[] = [];
  const opened: Digest[] = [];
  const seen: WheelNode['seen'] = [];
  facts.onAny((name, fact) => void seen.push({ name, fact }));

  const body = (url: string): Uint8Array | undefined => {
    const file = files.get(url);
    return typeof file === 'function' ? file() : file;
  };
  const upstream = {
    async file(url: string, request: FileRequest = {}): Promise<FileAnswer | undefined> {
      asked.push(`${url} ${request.offset ?? 0}-${request.length ?? ''}`);
      const bytes = body(url);
      if (bytes === undefined) return undefined;
      const offset = node.ranges ? (request.offset ?? 0) : 0;
      const end = node.ranges && request.length !== undefined ? offset + request.length : bytes.length;
      return {
        size: bytes.length,
        offset,
        etag: '"e"',
        body: (async function* () {
          node.bodiesRead++;
          yield bytes.subarray(offset, end);
        })(),
        async [Symbol.asyncDispose]() {
          await Promise.resolve();
        },
      };
    },
    async fileInfo(url: string) {
      const bytes = body(url);
      return bytes && { size: bytes.length, ranges: node.ranges, etag: '"e"' };
    },
  };
  const openFile: Mirror['openFile'] = async (ref) => {
    const digest = ref.digest as Digest;
    opened.push(digest);
    const bytes = peers.get(digest);
    if (bytes === undefined) return { kind: 'unknown', reason: 'nobody has it', retryAfterSeconds: 2 };
    return { kind: 'opened', file: openedFile(bytes) };
  };
  const deps = { catalog, store, upstream, openFile, clock, facts };
  const made = createWheelMetadata(deps, { offline: options.offline ?? false });
  const node: WheelNode = {
    ...made,
    clock,
    catalog,
    store,
    files,
    peers,
    ranges: true,
    asked,
    bodiesRead: 0,
    opened,
    seen,
    mismatches: () => seen.filter(({ name }) => name === 'integrity:mismatch').length,
  };
  return node;
}

function openedFile(bytes: Uint8Array): OpenedFile {
  return {
    source: 'peer',
    complete: true,
    size: undefined,
    available: bytes.length,
    knownSize: async () => bytes.length,
    async read(target, offset) {
      const part = bytes.subarray(offset, offset + Math.min(target.length, 1000));
      target.set(part);
      return part.length;
    },
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
    },
  };
}

export function refTo(
  wheel: Uint8Array,
  coreMetadata: ProjectFile['coreMetadata'],
  more: Partial<FileRef> = {},
): FileRef {
  const filename = 'foo-1.0-py3-none-any.whl';
  const url = `https://files.test/packages/aa/bb/cc/${filename}`;
  const digest = digestOf(wheel);
  const file: ProjectFile = {
    filename,
    url,
    sha256: digest,
    hashes: {},
    size: wheel.length,
    coreMetadata,
    raw: {},
  };
  return { project: foo, filename, url, digest, size: wheel.length, private: false, file, ...more };
}

export async function putBlob(store: BlobStore, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  await using partial = await store.openPartial(digest);
  await partial.append(bytes, 'https://files.test/x');
  await partial.commit({ visibility: 'public' });
  return digest;
}

export function down(status?: number): () => never {
  return () => {
    throw new UpstreamError({ url: 'https://files.test/', status }, 'down');
  };
}
