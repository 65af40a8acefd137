/** A publisher by hand: a map, a log and a key, that says whatever a test wants, true or not. */
import { hash } from 'node:crypto';
import type { Pair } from '../../../src/core/belief/candidate.ts';
import { type Digest, digestFromBytes } from '../../../src/core/digest.ts';
import { encodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { BINS, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { encodeNames, digestOfNames } from '../../../src/core/index-map/name-list.ts';
import { decodeAnnouncement, encodeAnnouncement } from '../../../src/core/log/announcement.ts';
import { formatCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { parseNote, signNote } from '../../../src/core/log/note.ts';
import { encodeRecord, type IndexRecord, recordDigest } from '../../../src/core/log/record.ts';
import type { Signer } from '../../../src/core/log/signer-key.ts';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import type { OwnIndexSource } from '../../../src/mirror/follow/index-source.ts';
import type { IndexMaps } from '../../../src/store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { createTestTree } from '../../support/test-tree.ts';
import { signerOf } from '../../core/log/arbitraries.ts';

export const UPSTREAM = 'https://pypi.example/simple/';

export function pair(serial: number, content: string | number = serial): Pair {
  return { serial, digest: digestFromBytes(hash('sha256', `page ${content}`, 'buffer')), length: 100 };
}

/** What the next record says. */
export interface Says {
  readonly at: number;
  readonly set?: Readonly<Record<string, Pair>>;
  readonly del?: readonly string[];
  readonly stale?: readonly string[];
  readonly record?: Partial<IndexRecord>;
  /** Another delta than the one that leads to the map. */
  readonly delta?: Uint8Array | null;
  readonly signer?: Signer;
  /** Another map than the true one. */
  readonly root?: Digest;
  readonly leaves?: Digest;
}

export interface PublisherDouble {
  readonly name: string;
  readonly signer: Signer;
  readonly source: OwnIndexSource;
  readonly records: readonly IndexRecord[];
  readonly lists: ReadonlyMap<Digest, Uint8Array>;
  /** Signs the next record; resolves to the announcement. */
  sign(says: Says): Promise<Uint8Array>;
  /** Of the head after so many records. */
  announcement(size?: number): Uint8Array;
  /** The newest head, signed by another key. */
  cosigned(by: Signer): Uint8Array;
  /** With the same key, and the first `size` records: another history from there on. */
  fork(size: number): Promise<PublisherDouble>;
  /** Leaf hashes (served from now on) and root of the map with other bytes for one bin. */
  withBin(number: number, bytes: Uint8Array): Promise<{ readonly leaves: Digest; readonly root: Digest }>;
  /** Leaf hashes, served from now on, of bins that nobody has. */
  withLeaves(leaves: Uint8Array): { readonly leaves: Digest; readonly root: Digest };
}

/** @param maps with a map called `published`, where it should not begin empty. */
export async function createPublisherDouble(
  name: string,
  seed: number,
  maps: IndexMaps = createMemoryIndexMaps(),
): Promise<PublisherDouble> {
  return makeDouble(name, signerOf(name, seed), [], maps);
}

async function makeDouble(
  name: string,
  signer: Signer,
  history: readonly Says[],
  maps: IndexMaps,
): Promise<PublisherDouble> {
  const map = maps.view('published');
  const tree = createTestTree();
  const said: Says[] = [];
  const records: IndexRecord[] = [];
  const bytes: Uint8Array[] = [];
  const deltas: (Uint8Array | undefined)[] = [];
  const heads: Uint8Array[] = [];
  const leavesOf = new Map<Digest, Uint8Array>();
  const lists = new Map<Digest, Uint8Array>();
  const listeners = new Set<() => void>();

  async function sign(says: Says): Promise<Uint8Array> {
    const set = Object.entries(says.set ?? {}).map(([project, entry]): IndexEntry => {
      return { name: parseProjectName(project), ...entry };
    });
    const staged = await map.change({ set, del: (says.del ?? []) as ProjectName[] });
    await staged.commit();
    const delta = says.delta === undefined ? encodeDelta(staged.delta) : says.delta;
    const leaves = map.leaves();
    const leavesDigest = digestFromBytes(hash('sha256', leaves, 'buffer'));
    leavesOf.set(leavesDigest, leaves);
    const stale = says.stale && encodeNames(says.stale as ProjectName[]);
    if (stale) lists.set(digestOfNames(stale), stale);
    const record: IndexRecord = {
      v: 1,
      upstream: UPSTREAM,
      fileOrigin: 'https://files.example',
      format: 'json',
      scope: 'all',
      complete: true,
      seq: records.length,
      signedAt: says.at,
      observedAt: says.at,
      serial: Math.max(0, ...Object.values(says.set ?? {}).map(({ serial }) => serial)),
      apiVersion: '1.4',
      bins: BINS,
      count: map.count,
      mapRoot: says.root ?? map.root(),
      leaves: says.leaves ?? leavesDigest,
      delta: delta && digestFromBytes(hash('sha256', delta, 'buffer')),
      stale: stale ? digestOfNames(stale) : null,
      retractions: [],
      previous: records.length === 0 ? null : recordDigest(bytes.at(-1) as Uint8Array),
      ...says.record,
    };
    const encoded = encodeRecord(record);
    said.push(says);
    records.push(record);
    bytes.push(encoded);
    deltas.push(delta ?? undefined);
    tree.add(recordDigest(encoded));
    const size = records.length;
    const text = formatCheckpoint({ origin: name, size, root: tree.root(), extensions: [] });
    heads.push(
      encodeAnnouncement({
        checkpoint: signNote(text, [says.signer ?? signer]),
        record: encoded,
        proof: tree.proveInclusion(size - 1),
      }),
    );
    for (const listener of listeners) listener();
    return heads.at(-1) as Uint8Array;
  }
  function withLeaves(leaves: Uint8Array): { leaves: Digest; root: Digest } {
    const digest = digestFromBytes(hash('sha256', leaves, 'buffer'));
    leavesOf.set(digest, leaves);
    return { leaves: digest, root: MerkleTree.fromLeaves(leaves).root() };
  }
  for (const says of history) await sign(says);
  return {
    name,
    signer,
    records,
    lists,
    sign,
    cosigned(by) {
      const { checkpoint, ...rest } = decodeAnnouncement(heads.at(-1) as Uint8Array);
      return encodeAnnouncement({ ...rest, checkpoint: signNote(parseNote(checkpoint).text, [by]) });
    },
    announcement: (size = heads.length) => heads[size - 1] as Uint8Array,
    async withBin(number, bin) {
      const leaves = Buffer.from(map.leaves());
      leaves.set(leafHash(bin), 32 * number);
      return withLeaves(leaves);
    },
    withLeaves,
    fork: (size) => makeDouble(name, signer, said.slice(0, size), createMemoryIndexMaps()),
    source: {
      origin: name,
      get size() {
        return records.length;
      },
      announcements: () => heads.slice(-1),
      record: async (seq) => bytes[seq],
      delta: async (seq) => deltas[seq],
      leaves: async (digest) => leavesOf.get(digest),
      bin: (digest) => maps.bin(digest),
      async proveBin(number, root) {
        return map.root() === root ? map.proveBin(number) : undefined;
      },
      async proveInclusion(seq, size = records.length) {
        if (seq >= size || size > records.length) throw new RangeError('not in the log');
        return tree.proveInclusion(seq, size);
      },
      async proveConsistency(from, to = records.length) {
        if (from > to || to > records.length) throw new RangeError('not in the log');
        return tree.proveConsistency(from, to);
      },
      onSigned(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
}
