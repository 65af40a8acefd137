/**
 * A publisher's own log: the interface. Must always hold, through `kill -9`, power loss and full disks: a record that was stored
 * once is the only one of its index for ever, nothing is signed before everything it stands for is stored, and no two
 * different heads of one size are ever signed. Contract suite: `test/store/publisher-log/contract.ts`.
 */
import type { Digest } from '../../core/digest.ts';
import type { Announcement } from '../../core/log/announcement.ts';
import type { Checkpoint } from '../../core/log/checkpoint.ts';
import type { IndexRecord } from '../../core/log/record.ts';
import type { TreeProof } from '../../core/log/tree-proofs.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';

export interface LogHead {
  readonly checkpoint: Checkpoint;
  /** With the signatures of all signers: what is served as `checkpoint`. */
  readonly note: Uint8Array;
  readonly record: IndexRecord;
  /** The record's leaf hash and blob digest. */
  readonly digest: Digest;
  /** One for each signer, in their order. */
  readonly announcements: readonly Announcement[];
}

/** The log fills in the rest. `seq` is the log's size, so that a record made for another place is refused. */
export type RecordDraft = Omit<IndexRecord, 'v' | 'bins' | 'previous'>;

export interface PublisherLog extends AsyncDisposable {
  /** The name of its keys. */
  readonly origin: string;
  /** Those that sign the next record, in the order of a head's announcements. */
  readonly keys: readonly VerifierKey[];
  readonly size: number;
  /** The newest signed head; undefined while the log is empty. */
  readonly head: LogHead | undefined;
  /**
   * Resolves when the record is stored and signed. When it rejects otherwise than with InvalidLogError the record may have been
   * stored: {@link recover} says. One after the other. @throws InvalidLogError RECORD_*: nothing was changed
   */
  append(draft: RecordDraft): Promise<LogHead>;
  /** Finishes what an append that failed had stored, if it had; the head tells which record is the last. */
  recover(): Promise<LogHead | undefined>;
  /** The others of {@link keys} sign no more. @throws RangeError for a key that does not sign */
  signOnlyWith(key: VerifierKey): void;
  /** The record's bytes without the leaf's 0x00; undefined when there is none. */
  record(seq: number): Promise<Uint8Array | undefined>;
  /** That a record is in the log of `size` (default: all) records. @throws RangeError */
  proveInclusion(seq: number, size?: number): Promise<TreeProof>;
  /** That the log of `to` (default: all) records begins with that of `from`. @throws RangeError */
  proveConsistency(from: number, to?: number): Promise<TreeProof>;
}
