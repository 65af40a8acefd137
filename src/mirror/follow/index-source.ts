/**
 * One log as peers are answered from: what the follower holds of a voter (`followed-source.ts`) and what a node's own publisher
 * signed (`publish/published-index.ts`) look the same here. Nothing that was not signed is shown. The follower also reads its
 * own publisher's log through this, as if it were a peer.
 *
 * Gossip is the bare bytes of `encodeAnnouncement` or `encodeMisconduct`; who publishes says nothing else on the topic.
 */
import type { Digest } from '../../core/digest.ts';
import type { MapProof } from '../../core/index-map/map-proof.ts';
import type { TreeProof } from '../../core/log/tree-proofs.ts';

export interface IndexSource {
  readonly origin: string;
  /** Records in the log, as far as this node has its head. */
  readonly size: number;
  /**
   * Encoded, of heads with more than `above` records: the newest for each key that signs, and the last of a key that signs no more
   * (it names its successor to who was away). The newest head comes last. None while nothing is known.
   */
  announcements(above?: number): readonly Uint8Array[];
  /** Without the leaf's 0x00; undefined when it is not kept. */
  record(seq: number): Promise<Uint8Array | undefined>;
  /** The leaf hash of a record that itself may be gone. */
  leaf?(seq: number): Digest | undefined;
  /** What leads from record `seq - 1` to `seq`; undefined when it is not kept or the record has none. */
  delta(seq: number): Promise<Uint8Array | undefined>;
  /** The 2 MiB that a recent record's `leaves` is the SHA-256 of. */
  leaves(digest: Digest): Promise<Uint8Array | undefined>;
  /** A bin (CBOR, without the leading 0x00) by its leaf hash. */
  bin(hash: Digest): Promise<Uint8Array | undefined>;
  /** Bin `number` and its way to the root; undefined when the newest record's map has another root. */
  proveBin?(number: number, mapRoot: Digest): Promise<MapProof | undefined>;
  /** @throws RangeError when it is not known here */
  proveInclusion(seq: number, size?: number): Promise<TreeProof>;
  /** @throws RangeError when it is not known here */
  proveConsistency(from: number, to?: number): Promise<TreeProof>;
}

/** A node's own publisher. */
export interface OwnIndexSource extends IndexSource {
  /** Called after each new head. Returns how to stop listening. */
  onSigned(listener: () => void): () => void;
}
