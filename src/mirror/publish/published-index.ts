/**
 * What a publisher's own log gives to peers, in the shape that a followed voter's has (`follow/index-source.ts`): newest head,
 * records, the deltas between them, the map. Nothing that was not signed is shown. Lists of names are blobs of the store.
 */
import { hash } from 'node:crypto';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import type { MapProof } from '../../core/index-map/map-proof.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import { encodeAnnouncement } from '../../core/log/announcement.ts';
import { decodeRecord, isKnownRecord } from '../../core/log/record.ts';
import type { TreeProof } from '../../core/log/tree-proofs.ts';
import { limits } from '../../core/limits.ts';
import type { IndexMap, IndexMaps } from '../../store/index-map/index-maps.ts';
import type { PublisherLog } from '../../store/publisher-log/publisher-log.ts';
import type { Farewell } from './own-rotation.ts';
import type { PublisherState, RecordedChange } from './publisher-state.ts';

export interface PublishedIndex {
  readonly origin: string;
  /** Records in the log. */
  readonly size: number;
  /** As `IndexSource` has them: the old keys' last heads, then the newest head, one for each key that signs. */
  announcements(above?: number): readonly Uint8Array[];
  /** Without the leaf's 0x00. */
  record(seq: number): Promise<Uint8Array | undefined>;
  /** What leads from record `seq - 1` to `seq`; undefined when it is not kept, or was too large for a delta. */
  delta(seq: number): Promise<Uint8Array | undefined>;
  /** The 2 MiB that a record's `leaves` is the SHA-256 of, for the last 16 records. */
  leaves(digest: Digest): Promise<Uint8Array | undefined>;
  /** A bin (CBOR) by its leaf hash. */
  bin(hash: Digest): Promise<Uint8Array | undefined>;
  /** Bin `number` and its way to the root; undefined when the newest record's map has another root. */
  proveBin(number: number, mapRoot: Digest): Promise<MapProof | undefined>;
  proveInclusion(seq: number, size?: number): Promise<TreeProof>;
  proveConsistency(from: number, to?: number): Promise<TreeProof>;
  /** Called after each record. Returns how to stop listening. */
  onSigned(listener: () => void): () => void;
}

export function createPublishedIndex(deps: {
  readonly log: PublisherLog;
  readonly maps: Pick<IndexMaps, 'bin'>;
  readonly map: IndexMap;
  readonly state: Pick<PublisherState, 'history' | 'note'>;
  readonly onSigned: (listener: () => void) => () => void;
  readonly farewells: () => readonly Farewell[];
}): PublishedIndex {
  const { log, maps, map, state } = deps;
  /** Of the newest records, by seq. */
  const signedLeaves = new Map<number, Digest | undefined>();

  /** The newest of them with these leaf hashes: strangers ask for anything, and making them takes milliseconds. */
  async function recordWith(leaves: Digest): Promise<number | undefined> {
    const first = Math.max(0, log.size - limits.publish.leavesKept);
    for (const seq of signedLeaves.keys()) if (seq < first) signedLeaves.delete(seq);
    for (let seq = log.size - 1; seq >= first; seq--) {
      if (!signedLeaves.has(seq)) signedLeaves.set(seq, leavesIn(await log.record(seq), seq));
      if (signedLeaves.get(seq) === leaves) return seq;
    }
    return undefined;
  }

  return {
    origin: log.origin,
    get size() {
      return log.size;
    },
    announcements(above = -1) {
      const old = deps.farewells().filter(({ size }) => size > above && size <= log.size);
      const newest = log.size > above ? (log.head?.announcements.map(encodeAnnouncement) ?? []) : [];
      return [...old.map(({ announcement }) => Buffer.from(announcement, 'base64')), ...newest];
    },
    record: (seq) => log.record(seq),
    async delta(seq) {
      const delta = (await state.history(seq))?.delta;
      return delta === undefined || delta === null ? undefined : Buffer.from(delta, 'base64');
    },
    async leaves(digest) {
      const wanted = await recordWith(digest);
      if (wanted === undefined) return undefined;
      const leaves = Buffer.from(map.leaves());
      const undo = (before: RecordedChange['before']): void => {
        for (const [bin, hash] of before) leaves.set(Buffer.from(hash, 'base64'), bin * HASH_BYTES);
      };
      // The map is ahead while a record is being made.
      const pending = await state.note('pending');
      if (pending !== undefined && pending.from === log.head?.record.mapRoot) undo(pending.change.before);
      // Kept as what each record changed: 2 MiB a minute would be 3 GB a day.
      for (let seq = log.size - 1; seq > wanted; seq--) {
        const change = await state.history(seq);
        if (change === undefined) return undefined;
        undo(change.before);
      }
      return digestFromBytes(hash('sha256', leaves, 'buffer')) === digest ? leaves : undefined;
    },
    bin: (leaf) => maps.bin(leaf),
    async proveBin(number, mapRoot) {
      if (log.head?.record.mapRoot !== mapRoot || map.root() !== mapRoot) return undefined;
      const proof = await map.proveBin(number);
      return map.root() === mapRoot ? proof : undefined;
    },
    proveInclusion: (seq, size) => log.proveInclusion(seq, size),
    proveConsistency: (from, to) => log.proveConsistency(from, to),
    onSigned: deps.onSigned,
  };
}

function leavesIn(bytes: Uint8Array | undefined, seq: number): Digest | undefined {
  const record = bytes && decodeRecord(bytes, seq);
  return record && isKnownRecord(record) ? record.leaves : undefined;
}
