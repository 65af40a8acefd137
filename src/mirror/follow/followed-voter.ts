/**
 * Follows one publisher: takes a newer head once its log is known to go on from the one before, then brings the map to the
 * newest record that counts. Must always hold: whatever is refused, or cannot be had, leaves the last good head in service, and is
 * tried again.
 */
import type { Clock } from '../../core/clock.ts';
import { InvalidIndexMapError, UnavailableError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { VerifiedAnnouncement } from '../../core/log/announcement.ts';
import { bringLog, type BringLogDeps, forkProof, misconductBetween } from './bring-log.ts';
import type { BeliefBook } from './belief-book.ts';
import { differingBins } from './differing-names.ts';
import { fetchMap } from './fetch-map.ts';
import type { FollowedLog } from './followed-log.ts';
import type { FollowedMap, MapChange, MapHead } from './followed-map.ts';
import type { NameLists } from './name-lists.ts';
import { type JudgeDeps, RecordJudge, type RecordVote } from './judge-records.ts';
import type { SilentRecord } from './silent-record.ts';
import type { Gate } from '../../store/gate.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';

export interface VoterDeps extends BringLogDeps, JudgeDeps {
  readonly clock: Clock;
  readonly slot: string;
  readonly map: FollowedMap;
  readonly book: BeliefBook;
  readonly maps: IndexMaps;
  readonly lists: NameLists;
  /** A record was accepted; `changed` are the names whose belief may be another. */
  onAccepted(head: MapHead, changed: readonly string[] | 'all'): Promise<void>;
  onMisconduct(proof: Uint8Array): Promise<void>;
  /** The log goes on to a new head, whatever becomes of its map. */
  onLog(): Promise<void>;
  /** Before a map changes: what its present state proves of these names. */
  beforeSwap(names: AsyncIterable<readonly string[]>): Promise<void>;
  isExcluded(): boolean;
  /** One map is fetched after the other: most bins are the same in all of them. */
  readonly wholeMaps: Gate;
  /** Deltas of megabytes take ten times as much while they are applied: those of one publisher after the other. */
  readonly largeDeltas: Gate;
}

/** What there is to do next: nothing; again when peers may have it; at a moment of the wall clock. */
export type Progress = 'done' | 'waiting' | { readonly until: number };

/** So many records are taken one by one; of more only the last is a vote, and bundles stand in for the votes between. */
const ONE_BY_ONE = 128;

export class FollowedVoter {
  readonly #deps: VoterDeps;
  #target: VerifiedAnnouncement | undefined;
  readonly #judge: RecordJudge;
  /** Of a delta that is refused for what its publisher signed: not tried again. */
  #wrongDelta = -1;
  #damaged = false;
  #toldCrowded = false;
  /** For others to have read as late as this one: monotonic ms. */
  #waitsSince: number | undefined;

  private constructor(deps: VoterDeps, judge: RecordJudge) {
    this.#deps = deps;
    this.#judge = judge;
  }

  static async open(deps: VoterDeps): Promise<FollowedVoter> {
    return new FollowedVoter(deps, await RecordJudge.open(deps));
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
    return this.#judge.silent;
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
    const { book, log, isExcluded } = this.#deps;
    if (isExcluded()) return 'done';
    await book.finishChange();
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
      (await fetchMap(this.#deps, this.origin, map.head.record, signal, { known: map.map.leaves() })) ===
      undefined;
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
    // A follower that has no map yet needs none of the past.
    const { votes: judged, until } = await this.#judge.judge(map.head?.record);
    const votes = this.#withRoom(judged);
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

  /**
   * Whoever says something else of its scope, or whether it is complete, in each record would have all of it kept: so often it may, and
   * of several such records that came at once only the last is a vote.
   */
  #withRoom(votes: readonly RecordVote[]): readonly RecordVote[] {
    const { book, refusals, slot } = this.#deps;
    const view = book.view(slot);
    const now = view && groundOf(view.scope.id, view.complete);
    const grounds = votes.map(({ head: { record } }) => groundOf(record.scope, record.complete));
    const changes = grounds.filter((ground, at) => ground !== (grounds[at - 1] ?? now));
    if (now === undefined || changes.length === 0) return votes;
    if (book.groundChanges(slot) < limits.belief.groundChanges)
      return changes.length > 1 ? votes.slice(-1) : votes;
    if (!this.#toldCrowded)
      refusals.add({
        origin: this.origin,
        code: 'SCOPE_CHANGED_TOO_OFTEN',
        message: `${this.origin} has changed too often what it covers, or whether that is complete: what says something else than before is no vote until the other publishers have read as late`,
        blame: 'publisher',
      });
    this.#toldCrowded = true;
    return votes.filter((_, at) => grounds[at] === now);
  }

  /** Undefined where one is missing or has none, and where the leaves are less than all of them. */
  async #deltas(from: number, to: number): Promise<MapChange | undefined> {
    const deltas: Uint8Array[] = [];
    let bytes = 0;
    for (let seq = from + 1; seq <= to; seq++) {
      const delta = seq === this.#wrongDelta ? undefined : await this.log.delta(seq);
      bytes += delta?.length ?? 0;
      if (delta === undefined || bytes > limits.follow.deltaBytes) return undefined;
      deltas.push(delta);
    }
    return { kind: 'deltas', deltas };
  }

  async #takeWhole(vote: RecordVote, signal: AbortSignal): Promise<boolean> {
    const { maps, refusals, wholeMaps } = this.#deps;
    using _held = maps.hold();
    try {
      const fetched = (): Promise<Uint8Array | undefined> =>
        fetchMap(this.#deps, this.origin, vote.head.record, signal, {
          isWanted: (next) => this.#mayTakeNow(next),
        });
      const leaves = await wholeMaps.run(fetched);
      if (leaves === undefined) return false;
      return (await this.#take(vote, { kind: 'leaves', leaves }, signal)) !== 'waiting';
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof InvalidIndexMapError)) throw error;
      refusals.add({ origin: this.origin, code: error.code, message: error.message, blame: 'publisher' });
      this.#judge.giveUp(vote.seq);
      return true;
    }
  }

  /**
   * Where nearly every name changes, all whose T rests on this voter's last reading would have to be kept one by one. Once
   * the others have read as late, nothing rests on it; they are waited for a while.
   */
  #mayTakeNow(next: Uint8Array): boolean {
    const { book, map, slot, clock } = this.#deps;
    const { largeBins, largeWait } = limits.follow;
    if (map.head === undefined || book.isOutdated(slot)) return true;
    if (differingBins([map.map.leaves(), next]).length < largeBins) return true;
    this.#waitsSince ??= clock.monotonic();
    return clock.monotonic() - this.#waitsSince >= largeWait;
  }

  async #take(
    { head }: RecordVote,
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
      const swap = (): ReturnType<FollowedMap['swap']> =>
        map.swap(book, head, facts, change, this.#deps.beforeSwap);
      const changed = await (bytesOf(change) > limits.follow.alongsideBytes
        ? this.#deps.largeDeltas.run(swap)
        : swap());
      this.#judge.taken();
      this.#waitsSince = undefined;
      await this.#deps.onAccepted(head, changed);
      return 'taken';
    } catch (error) {
      if (!(error instanceof InvalidIndexMapError)) throw error;
      refusals.add({ origin: this.origin, code: error.code, message: error.message, blame: 'publisher' });
      if (change.kind === 'leaves') this.#judge.giveUp(record.seq);
      else this.#wrongDelta = record.seq;
      return 'refused';
    }
  }
}

function groundOf(scope: string, complete: boolean): string {
  return `${scope} ${complete}`;
}

function bytesOf(change: MapChange): number {
  return change.kind === 'leaves' ? 0 : change.deltas.reduce((sum, { length }) => sum + length, 0);
}
