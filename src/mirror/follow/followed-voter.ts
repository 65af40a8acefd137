/**
 * Follows one publisher: takes a newer head once its log is known to go on from the one before, then brings the map to the
 * newest record that counts. Must always hold: whatever is refused, or cannot be had, leaves the last good head in service, and is
 * tried again.
 */
import type { Clock } from '../../core/clock.ts';
import { InvalidIndexMapError, UnavailableError } from '../../core/errors.ts';
import { judgeRecord, type RecordVerdict } from '../../core/belief/record-order.ts';
import type { VerifiedAnnouncement } from '../../core/log/announcement.ts';
import { type IndexRecord, isKnownRecord, decodeRecord } from '../../core/log/record.ts';
import { bringLog, type BringLogDeps, forkProof, misconductBetween } from './bring-log.ts';
import type { BeliefBook } from './belief-book.ts';
import { fetchMap } from './fetch-map.ts';
import type { FollowedLog } from './followed-log.ts';
import type { FollowedMap, MapChange, MapHead } from './followed-map.ts';
import type { FollowState } from './follow-state.ts';
import type { NameLists } from './name-lists.ts';
import { silentRecord, type SilentRecord } from './silent-record.ts';
import type { Gate } from '../../store/gate.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';

export interface VoterDeps extends BringLogDeps {
  readonly clock: Clock;
  readonly slot: string;
  readonly upstream: string;
  readonly format: 'json' | 'html';
  readonly log: FollowedLog;
  readonly map: FollowedMap;
  readonly book: BeliefBook;
  readonly maps: IndexMaps;
  readonly lists: NameLists;
  readonly state: FollowState;
  /** A record was accepted; `changed` are the names whose belief may be another. */
  onAccepted(head: MapHead, changed: readonly string[] | 'all'): Promise<void>;
  onMisconduct(proof: Uint8Array): Promise<void>;
  /** The log goes on to a new head, whatever becomes of its map. */
  onLog(): Promise<void>;
  /** Its newest record is no vote of any kind. */
  onSilent(silent: SilentRecord): void;
  /** Before a map changes: what its present state proves of these names. */
  beforeSwap(names: readonly string[]): Promise<void>;
  isExcluded(): boolean;
  /** One map is fetched after the other: most bins are the same in all of them. */
  readonly wholeMaps: Gate;
}

/** What there is to do next: nothing; again when peers may have it; at a moment of the wall clock. */
export type Progress = 'done' | 'waiting' | { readonly until: number };

interface Seen {
  readonly seq: number;
  readonly observedAt: number;
}

interface Vote {
  readonly head: MapHead;
  readonly seq: number;
}

/** So many records are taken one by one; of more only the last is a vote, and bundles stand in for the votes between. */
const ONE_BY_ONE = 128;

export class FollowedVoter {
  readonly #deps: VoterDeps;
  #target: VerifiedAnnouncement | undefined;
  #seen: Seen | undefined;
  /** Of records that are refused for what their publisher signed, and of a delta that is: not tried again. */
  #hopeless = -1;
  #wrongDelta = -1;
  #deferred = -1;
  #damaged = false;
  #silent: SilentRecord | undefined;

  private constructor(deps: VoterDeps, seen: Seen | undefined) {
    this.#deps = deps;
    this.#seen = seen;
  }

  static async open(deps: VoterDeps): Promise<FollowedVoter> {
    const bytes = await deps.state.get(seenKey(deps.log.origin));
    const seen = bytes && (JSON.parse(Buffer.from(bytes).toString()) as Seen);
    return new FollowedVoter(deps, seen);
  }

  get origin(): string {
    return this.#deps.log.origin;
  }

  get slot(): string {
    return this.#deps.slot;
  }

  get log(): FollowedLog {
    return this.#deps.log;
  }

  get map(): FollowedMap {
    return this.#deps.map;
  }

  /** Its newest record is no vote, and why. */
  get silent(): SilentRecord | undefined {
    return this.#silent;
  }

  /** The greatest size that was heard of. */
  get heard(): number {
    return Math.max(this.log.size, this.#target?.checkpoint.size ?? 0);
  }

  /** A verified head. `new`: call {@link advance}. `cosigned`: a known one, by another key of the slot. */
  async hear(head: VerifiedAnnouncement): Promise<'new' | 'known' | 'cosigned' | 'old' | 'misconduct'> {
    const { log, onMisconduct } = this.#deps;
    const proof = misconductBetween(log, head) ?? this.#againstTarget(head);
    if (proof !== undefined) {
      await onMisconduct(proof);
      return 'misconduct';
    }
    const { size } = head.checkpoint;
    const twin = [log.head, this.#target].find((one) => one?.checkpoint.size === size);
    if (twin !== undefined && log.cosign(head, twin)) return 'cosigned';
    if (size < log.size) return 'old';
    if (size <= this.heard) return 'known';
    this.#target = head;
    return 'new';
  }

  /** A bin of its map could not be read. */
  suspect(): void {
    this.#damaged = true;
  }

  async advance(signal: AbortSignal): Promise<Progress> {
    try {
      return await this.#advance(signal);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.#damaged = true;
      return 'waiting';
    }
  }

  async #advance(signal: AbortSignal): Promise<Progress> {
    const { log, isExcluded } = this.#deps;
    if (isExcluded()) return 'done';
    if (!(await this.#mend(signal))) return 'waiting';
    const target = this.#target;
    if (target !== undefined && target.checkpoint.size > log.size) {
      const outcome = await bringLog(this.#deps, log, target, signal);
      if (outcome.kind === 'misconduct') {
        await this.#deps.onMisconduct(outcome.proof);
        return 'done';
      }
      if (outcome.kind !== 'done') {
        // Refused: a later head may be a good one.
        if (outcome.kind === 'refused') this.#target = undefined;
        return outcome.kind === 'waiting' ? 'waiting' : 'done';
      }
      await this.#deps.onLog();
    }
    return this.#advanceMap(signal);
  }

  /** Bins that were lost on disk come from peers again. */
  async #mend(signal: AbortSignal): Promise<boolean> {
    const { map } = this.#deps;
    if (!this.#damaged || map.head === undefined) return true;
    this.#damaged =
      (await fetchMap(this.#deps, this.origin, map.head.record, signal, map.map.leaves())) === undefined;
    return !this.#damaged;
  }

  #againstTarget(head: VerifiedAnnouncement): Uint8Array | undefined {
    const target = this.#target;
    if (target === undefined || target.checkpoint.size !== head.checkpoint.size) return undefined;
    if (target.checkpoint.root === head.checkpoint.root) return undefined;
    return forkProof(target, head);
  }

  async #advanceMap(signal: AbortSignal): Promise<Progress> {
    const { log, map } = this.#deps;
    if (log.head === undefined) return 'done';
    const { votes, until } = await this.#judge();
    const progress: Progress = until === undefined ? 'done' : { until };
    const newest = votes.at(-1);
    if (newest === undefined) return progress;
    if (map.head !== undefined && votes.length <= ONE_BY_ONE) {
      for (const vote of votes) {
        const change = await this.#deltas(map.head.record.seq, vote.seq);
        if (change === undefined) break;
        const taken = await this.#take(vote, change, signal);
        if (taken === 'waiting') return 'waiting';
        if (taken === 'refused') break;
      }
    } else if (map.head !== undefined) {
      const change = await this.#deltas(map.head.record.seq, newest.seq);
      if (change !== undefined && (await this.#take(newest, change, signal)) === 'waiting') return 'waiting';
    }
    if (map.head?.record.seq === newest.seq) return progress;
    return (await this.#takeWhole(newest, signal)) ? progress : 'waiting';
  }

  /** What becomes of the records since the last that was accepted, oldest first. */
  async #judge(): Promise<{ votes: Vote[]; until: number | undefined }> {
    const { log, map, refusals, upstream, format, now } = this.#deps;
    // A follower that has no map yet needs none of the past.
    const first = map.head === undefined ? log.size - 1 : map.head.record.seq + 1;
    const votes: Vote[] = [];
    let seen = this.#seen;
    for (let seq = first; seq < log.size; seq++) {
      const bytes = await log.record(seq);
      if (bytes === undefined || seq <= this.#hopeless) continue;
      let record: ReturnType<typeof decodeRecord>;
      try {
        record = decodeRecord(bytes, seq);
      } catch (error) {
        if (seq > (seen?.seq ?? -1)) refusals.caught(error, log.origin, '');
        continue;
      }
      const known = isKnownRecord(record) ? record : undefined;
      // What has been accepted and is no map yet is judged as it was then.
      const previous = seen !== undefined && seq > seen.seq ? seen : undefined;
      const receivedAt = (await log.receivedAt(seq)) ?? now();
      const facts = known ?? {
        v: record.v,
        upstream,
        format,
        seq,
        signedAt: 0,
        observedAt: seen?.observedAt ?? 0,
      };
      const verdict = judgeRecord(previous, facts, {
        upstream,
        format,
        leafIndex: seq,
        receivedAt,
        now: now(),
      });
      if (verdict.verdict === 'deferred') {
        this.#tellDeferred(seq, verdict);
        return { votes, until: verdict.until };
      }
      if (verdict.verdict === 'refused' || !(await this.#linksBack(known, seq))) {
        refusals.add({
          origin: log.origin,
          code: 'RECORD_OUT_OF_ORDER',
          message: `record ${seq} of ${log.origin} is refused: ${verdict.verdict === 'refused' ? verdict.reason : 'it names another record as the one before'}`,
          blame: 'publisher',
        });
        this.#hopeless = seq;
        continue;
      }
      if (seq > (seen?.seq ?? -1)) seen = { seq, observedAt: facts.observedAt };
      if (seq === log.size - 1) this.#judgedLast(verdict, known);
      if (verdict.verdict === 'vote' && known !== undefined)
        votes.push({ seq, head: { record: known, bytes, observedAt: verdict.observedAt } });
    }
    if (seen !== undefined && seen.seq !== this.#seen?.seq) await this.#see(seen);
    return { votes, until: undefined };
  }

  #judgedLast(verdict: RecordVerdict, record: IndexRecord | undefined): void {
    if (verdict.verdict === 'vote') this.#silent = undefined;
    if (verdict.verdict !== 'no-vote') return;
    const silent = silentRecord(verdict.why, record, this.#deps.upstream);
    if (silent.reason === this.#silent?.reason) return;
    this.#silent = silent;
    this.#deps.onSilent(silent);
  }

  async #see(seen: Seen): Promise<void> {
    await this.#deps.state.write([[seenKey(this.origin), Buffer.from(JSON.stringify(seen))]]);
    this.#seen = seen;
  }

  async #linksBack(record: IndexRecord | undefined, seq: number): Promise<boolean> {
    const before = this.log.tail?.leaf(seq - 1);
    return record === undefined || before === undefined || record.previous === before;
  }

  #tellDeferred(seq: number, { until }: Extract<RecordVerdict, { verdict: 'deferred' }>): void {
    if (this.#deferred === seq) return;
    this.#deferred = seq;
    this.#deps.refusals.add({
      origin: this.origin,
      code: 'RECORD_FROM_FUTURE',
      message: `record ${seq} of ${this.origin} is ahead of this machine's clock: it waits until ${new Date(until).toISOString()}`,
      blame: 'nobody',
    });
  }

  /** Undefined where one is missing or has none. */
  async #deltas(from: number, to: number): Promise<MapChange | undefined> {
    const deltas: Uint8Array[] = [];
    for (let seq = from + 1; seq <= to; seq++) {
      const delta = seq === this.#wrongDelta ? undefined : await this.log.delta(seq);
      if (delta === undefined) return undefined;
      deltas.push(delta);
    }
    return { kind: 'deltas', deltas };
  }

  async #takeWhole(vote: Vote, signal: AbortSignal): Promise<boolean> {
    const { maps, refusals, wholeMaps } = this.#deps;
    using _held = maps.hold();
    try {
      const fetched = (): Promise<Uint8Array | undefined> =>
        fetchMap(this.#deps, this.origin, vote.head.record, signal);
      const leaves = await wholeMaps.run(fetched);
      if (leaves === undefined) return false;
      return (await this.#take(vote, { kind: 'leaves', leaves }, signal)) !== 'waiting';
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof InvalidIndexMapError)) throw error;
      refusals.add({ origin: this.origin, code: error.code, message: error.message, blame: 'publisher' });
      this.#hopeless = vote.seq;
      return true;
    }
  }

  async #take(
    { head }: Vote,
    change: MapChange,
    signal: AbortSignal,
  ): Promise<'taken' | 'waiting' | 'refused'> {
    const { lists, map, book, refusals, peers } = this.#deps;
    const { record } = head;
    using _held = lists.hold([record.scope, record.stale]);
    const scope = await lists.scope(record.scope, this.origin, peers(), signal);
    const stale = await lists.names(record.stale, this.origin, peers(), signal);
    if (scope === undefined || stale === undefined) return 'waiting';
    const facts = { observedAt: head.observedAt, complete: record.complete, scope, stale };
    try {
      const changed = await map.swap(book, head, facts, change, this.#deps.beforeSwap);
      this.#deferred = -1;
      await this.#deps.onAccepted(head, changed);
      return 'taken';
    } catch (error) {
      if (!(error instanceof InvalidIndexMapError)) throw error;
      refusals.add({ origin: this.origin, code: error.code, message: error.message, blame: 'publisher' });
      if (change.kind === 'leaves') this.#hopeless = record.seq;
      else this.#wrongDelta = record.seq;
      return 'refused';
    }
  }
}

function seenKey(origin: string): string {
  return `seen/${encodeURIComponent(origin)}`;
}
