/**
 * One publisher's log as this node follows it. Must always hold: each head that was taken begins with all leaves of the one
 * before (RFC 6962), and what is kept on disk is such a head, so that a restart never goes back and never takes a second history.
 */
import { decode, encode } from '@ipld/dag-cbor';
import type { Digest } from '../../core/digest.ts';
import { InvalidLogError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import {
  type Announcement,
  decodeAnnouncement,
  encodeAnnouncement,
  type VerifiedAnnouncement,
} from '../../core/log/announcement.ts';
import { type Checkpoint, parseCheckpoint } from '../../core/log/checkpoint.ts';
import type { LeafEvidence, RecordEvidence } from '../../core/log/misconduct.ts';
import { parseNote } from '../../core/log/note.ts';
import { decodeRecord, type IndexRecord, isKnownRecord, recordDigest } from '../../core/log/record.ts';
import { checkConsistency, type TreeProof } from '../../core/log/tree-proofs.ts';
import type { RangeItem } from './ask-index.ts';
import type { FollowState, StateWrite } from './follow-state.ts';
import { LogTail } from './log-tail.ts';

export interface LogHeadKept {
  readonly announcement: Announcement;
  readonly checkpoint: Checkpoint;
}

interface KeptRecord {
  /** When it came, wall clock. */
  readonly a: number;
  readonly d: Uint8Array | null;
  readonly r: Uint8Array;
  /** Bytes of all that came after the log was joined, with this one. */
  readonly s?: number;
}

/** `sender`: these are not the announced log's records. `rewritten`: they are, and do not begin with what was signed before. */
export type RangeVerdict = 'fits' | 'sender' | 'rewritten' | 'inconsistent';

const TILE = 256;

export class FollowedLog {
  readonly origin: string;
  readonly #state: FollowState;
  readonly #name: string;
  #tail: LogTail | undefined;
  #head: LogHeadKept | undefined;
  #firstKept = 0;
  /** By key ID: during a rotation two sign each head, and who was away needs the last one of the old key. */
  readonly #byKey = new Map<number, { readonly size: number; readonly bytes: Uint8Array }>();
  /** By the last record's seq. */
  readonly #lately = new Map<number, Uint8Array>();

  private constructor(origin: string, state: FollowState) {
    this.origin = origin;
    this.#state = state;
    this.#name = encodeURIComponent(origin);
  }

  /** @param onDamage what is kept does not fit together: the log is joined anew, and what was believed stays. */
  static async open(
    origin: string,
    state: FollowState,
    onDamage: (message: string) => void,
  ): Promise<FollowedLog> {
    const log = new FollowedLog(origin, state);
    try {
      await log.#load();
    } catch (error) {
      if (!(error instanceof InvalidLogError)) throw error;
      onDamage(error.message);
    }
    return log;
  }

  get head(): LogHeadKept | undefined {
    return this.#head;
  }

  get size(): number {
    return this.#head?.checkpoint.size ?? 0;
  }

  /** Undefined before the first head. */
  get tail(): LogTail | undefined {
    return this.#tail;
  }

  /** Of the leaf that this log has where another signed head has another one. */
  evidence(index: number): LeafEvidence | undefined {
    const leaf = this.#tail?.leaf(index);
    if (this.#tail === undefined || this.#head === undefined || leaf === undefined) return undefined;
    try {
      return {
        checkpoint: this.#head.announcement.checkpoint,
        leaf,
        proof: this.#tail.proveInclusion(index),
      };
    } catch {
      return undefined;
    }
  }

  /** Of one that was heard lately: a signed head whose last record is this. */
  announcementOf(seq: number | undefined): Uint8Array | undefined {
    return seq === undefined ? undefined : this.#lately.get(seq);
  }

  /** The newest of each key, with more than `above` records, the log's own head last. */
  announcements(above = -1): Uint8Array[] {
    return [...this.#byKey.values()]
      .filter(({ size }) => size > above && size <= this.size)
      .sort((a, b) => a.size - b.size)
      .map(({ bytes }) => bytes);
  }

  /** The very head of `twin`, which is known, by another key. False where it is not, or that key's newest is here already. */
  cosign({ announcement, checkpoint, key }: VerifiedAnnouncement, twin: LogHeadKept): boolean {
    const { size, root } = checkpoint;
    if (twin.checkpoint.root !== root || signerId(twin) === key.id) return false;
    if ((this.#byKey.get(key.id)?.size ?? -1) >= size) return false;
    this.#byKey.set(key.id, { size, bytes: encodeAnnouncement(announcement) });
    return true;
  }

  newestRecord(): IndexRecord | undefined {
    return this.#head && knownRecord(this.#head.announcement.record, this.size - 1);
  }

  /** That the log has this record. */
  async recordEvidence(index: number): Promise<RecordEvidence | undefined> {
    const record = await this.record(index);
    const leaf = this.evidence(index);
    return record && leaf && { checkpoint: leaf.checkpoint, index, record, proof: leaf.proof };
  }

  /** What records that lead from this head to `next` are; the tail stays as it is. */
  judge(next: VerifiedAnnouncement, items: readonly RangeItem[]): RangeVerdict {
    const tail = this.#tail;
    if (tail === undefined || items.length !== next.checkpoint.size - tail.size) return 'sender';
    const digests = items.map(({ record }) => recordDigest(record));
    if (tail.rootWith(digests) === next.checkpoint.root) return 'fits';
    // Backwards from the announced record each names the one before: so far the sender could not choose.
    let expected: Digest | null = next.digest;
    for (let i = items.length - 1; i >= 0; i--) {
      if (digests[i] !== expected) return 'sender';
      expected = previousOf((items[i] as RangeItem).record, tail.size + i);
    }
    return expected === tail.leaf(tail.size - 1) ? 'inconsistent' : 'rewritten';
  }

  /** The first head, or one that a consistency proof leads to. @throws InvalidLogError CONSISTENCY_FAILED, INCLUSION_FAILED */
  async join(next: VerifiedAnnouncement, consistency: TreeProof | undefined, now: number): Promise<void> {
    if (this.#tail !== undefined) {
      const older = { size: this.#tail.size, root: this.#tail.root };
      checkConsistency(older, next.checkpoint, consistency ?? []);
    }
    const tail = new LogTail(next.checkpoint, next.digest, next.announcement.proof);
    const bytes = encodeAnnouncement(next.announcement);
    const old: StateWrite[] = [];
    for (const kind of ['rec', 'leaf'])
      for await (const [key] of this.#state.entries(`${kind}/${this.#name}/`)) old.push([key, undefined]);
    await this.#state.write([
      ...old,
      [`base/${this.#name}`, bytes],
      [`head/${this.#name}`, bytes],
      this.#recordWrite(tail.first, { a: now, d: null, r: next.announcement.record, s: 0 }),
      this.#cosignedWrite(next),
    ]);
    this.#tail = tail;
    this.#firstKept = tail.first;
    this.#take(next);
  }

  /** Records that {@link judge} found to fit. */
  async extend(next: VerifiedAnnouncement, items: readonly RangeItem[], now: number): Promise<void> {
    const tail = this.#tail;
    if (tail === undefined) throw new Error(`the log of ${this.origin} has no beginning`);
    const writes: StateWrite[] = [];
    let sum = (await this.#kept(tail.size - 1))?.s ?? 0;
    for (const [i, { record, delta }] of items.entries()) {
      sum += record.length + (delta?.length ?? 0);
      writes.push(this.#recordWrite(tail.size + i, { a: now, d: delta ?? null, r: record, s: sum }));
    }
    const before = tail.size;
    const leaves = items.map(({ record }) => recordDigest(record));
    const kept = Buffer.concat([tail.leavesFrom(before), ...leaves.map((leaf) => Buffer.from(leaf, 'hex'))]);
    await this.#state.write([
      ...writes,
      ...this.#leafWrites(tail, before, kept),
      ...(await this.#forget(now, sum)),
      [`head/${this.#name}`, encodeAnnouncement(next.announcement)],
      this.#cosignedWrite(next),
    ]);
    tail.append(leaves);
    this.#take(next);
  }

  async record(seq: number): Promise<Uint8Array | undefined> {
    return (await this.#kept(seq))?.r;
  }

  async delta(seq: number): Promise<Uint8Array | undefined> {
    return (await this.#kept(seq))?.d ?? undefined;
  }

  /** When it came here first. */
  async receivedAt(seq: number): Promise<number | undefined> {
    return (await this.#kept(seq))?.a;
  }

  #take(head: LogHeadKept): void {
    this.#head = head;
    const bytes = encodeAnnouncement(head.announcement);
    this.#lately.set(head.checkpoint.size - 1, bytes);
    this.#byKey.set(signerId(head), { size: head.checkpoint.size, bytes });
    if (this.#lately.size > limits.follow.headsKept)
      this.#lately.delete(this.#lately.keys().next().value as number);
  }

  /** Of the other keys, as far as they have signed. */
  #cosignedWrite(next: LogHeadKept): StateWrite {
    const others = [...this.#byKey].filter(([id]) => id !== signerId(next)).map(([, { bytes }]) => bytes);
    return [`cosigned/${this.#name}`, others.length === 0 ? undefined : encode(others)];
  }

  async #kept(seq: number): Promise<KeptRecord | undefined> {
    const bytes = await this.#state.get(this.#recordKey(seq));
    return bytes && decode<KeptRecord>(bytes);
  }

  #recordKey(seq: number): string {
    return `rec/${this.#name}/${seq.toString(16).padStart(14, '0')}`;
  }

  #recordWrite(seq: number, kept: KeptRecord): StateWrite {
    return [this.#recordKey(seq), encode(kept)];
  }

  /** Tiles of 256 leaves, from the one that was begun. */
  #leafWrites(tail: LogTail, before: number, added: Uint8Array): StateWrite[] {
    const from = tail.first + 1;
    const firstTile = Math.floor((before - from) / TILE);
    const all = Buffer.concat([
      tail.leavesFrom(from + firstTile * TILE).subarray(0, 32 * (before - from - firstTile * TILE)),
      added,
    ]);
    const writes: StateWrite[] = [];
    for (let at = 0; at * 32 * TILE < all.length; at++) {
      const key = (firstTile + at).toString(16).padStart(10, '0');
      writes.push([`leaf/${this.#name}/${key}`, all.subarray(at * 32 * TILE, (at + 1) * 32 * TILE)]);
    }
    return writes;
  }

  /** What nobody asks for any more, and what is too much: the newest stays. `sum`: of all that will have come. */
  async #forget(now: number, sum: number): Promise<StateWrite[]> {
    const writes: StateWrite[] = [];
    while (this.#firstKept < this.size - 1) {
      const kept = await this.#kept(this.#firstKept);
      const { recordsKept, recordBytesKept } = limits.follow;
      if (kept !== undefined && kept.a > now - recordsKept && sum - (kept.s ?? sum) <= recordBytesKept) break;
      writes.push([this.#recordKey(this.#firstKept), undefined]);
      this.#firstKept++;
    }
    return writes;
  }

  async #load(): Promise<void> {
    const [base, head] = [
      await this.#state.get(`base/${this.#name}`),
      await this.#state.get(`head/${this.#name}`),
    ];
    if (base === undefined || head === undefined) return;
    const began = headOf(decodeAnnouncement(base));
    const newest = headOf(decodeAnnouncement(head));
    const tail = new LogTail(
      began.checkpoint,
      recordDigest(began.announcement.record),
      began.announcement.proof,
    );
    for await (const [, bytes] of this.#state.entries(`leaf/${this.#name}/`)) {
      const leaves: Digest[] = [];
      for (let at = 0; at < bytes.length; at += 32)
        leaves.push(Buffer.from(bytes.subarray(at, at + 32)).toString('hex') as Digest);
      tail.append(leaves);
    }
    if (tail.root !== newest.checkpoint.root)
      throw new InvalidLogError(
        'LOG_DAMAGED',
        `what is kept of the log ${this.origin} does not lead to its head: it is followed anew from its newest one`,
      );
    this.#tail = tail;
    const cosigned = await this.#state.get(`cosigned/${this.#name}`);
    for (const bytes of cosigned === undefined ? [] : decode<Uint8Array[]>(cosigned)) {
      const head = headOf(decodeAnnouncement(bytes));
      this.#byKey.set(signerId(head), { size: head.checkpoint.size, bytes });
    }
    this.#take(newest);
    this.#firstKept = tail.first;
    for await (const [key] of this.#state.entries(`rec/${this.#name}/`)) {
      this.#firstKept = parseInt(key.slice(key.lastIndexOf('/') + 1), 16);
      break;
    }
  }
}

export function knownRecord(bytes: Uint8Array, seq: number): IndexRecord | undefined {
  const record = decodeRecord(bytes, seq);
  return isKnownRecord(record) ? record : undefined;
}

function previousOf(bytes: Uint8Array, seq: number): Digest | null {
  try {
    return knownRecord(bytes, seq)?.previous ?? null;
  } catch {
    return null;
  }
}

/** Of one that was verified before it was kept. */
function headOf(announcement: Announcement): LogHeadKept {
  return { announcement, checkpoint: parseCheckpoint(parseNote(announcement.checkpoint).text) };
}

function signerId({ announcement }: LogHeadKept): number {
  return parseNote(announcement.checkpoint).signatures[0]?.id ?? 0;
}
