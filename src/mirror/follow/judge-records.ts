/**
 * What becomes of the records of one publisher's log: votes, no votes, refused, to be looked at later. Must always hold: what was
 * accepted once is not judged by what came after it, also after a restart.
 */
import { judgeRecord, type RecordVerdict } from '../../core/belief/record-order.ts';
import { decodeRecord, type IndexRecord, isKnownRecord } from '../../core/log/record.ts';
import type { AgreedFormat } from './agreed-format.ts';
import type { FollowedLog } from './followed-log.ts';
import type { MapHead } from './followed-map.ts';
import type { FollowState } from './follow-state.ts';
import type { Refusals } from './refusals.ts';
import { silentRecord, type SilentRecord } from './silent-record.ts';

export interface JudgeDeps {
  readonly upstream: string;
  readonly format: Pick<AgreedFormat, 'decided'>;
  readonly log: FollowedLog;
  readonly state: FollowState;
  readonly refusals: Refusals;
  /** Wall clock. */
  now(): number;
  /** Its newest record is no vote of any kind. */
  onSilent(silent: SilentRecord): void;
}

export interface RecordVote {
  readonly head: MapHead;
  readonly seq: number;
}

interface Seen {
  readonly seq: number;
  readonly observedAt: number;
}

export class RecordJudge {
  readonly #deps: JudgeDeps;
  #seen: Seen | undefined;
  /** What its publisher signed is refused: not tried again. */
  #hopeless = -1;
  #deferred = -1;
  #silent: SilentRecord | undefined;

  private constructor(deps: JudgeDeps, seen: Seen | undefined) {
    this.#deps = deps;
    this.#seen = seen;
  }

  static async open(deps: JudgeDeps): Promise<RecordJudge> {
    const bytes = await deps.state.get(seenKey(deps.log.origin));
    return new RecordJudge(deps, bytes && (JSON.parse(Buffer.from(bytes).toString()) as Seen));
  }

  /** Its newest record is no vote, and why. */
  get silent(): SilentRecord | undefined {
    return this.#silent;
  }

  /** Whatever it says is refused. */
  giveUp(seq: number): void {
    this.#hopeless = seq;
  }

  /** One was taken: the next that is ahead of the clock is told of again. */
  taken(): void {
    this.#deferred = -1;
  }

  /**
   * The votes after the record `taken`, oldest first (without one the newest alone); the next one may be looked at from `until` on.
   */
  async judge(taken: Seen | undefined): Promise<{ votes: RecordVote[]; until: number | undefined }> {
    const { log, refusals, upstream, now } = this.#deps;
    const format = await this.#deps.format.decided();
    const votes: RecordVote[] = [];
    let seen = this.#seen;
    let before = taken;
    for (let seq = taken === undefined ? log.size - 1 : taken.seq + 1; seq < log.size; seq++) {
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
      // What has been accepted and is no map yet is judged as it was then: after those before it.
      const previous = seen !== undefined && seq > seen.seq ? seen : before;
      const receivedAt = (await log.receivedAt(seq)) ?? now();
      const observedAt = previous?.observedAt ?? 0;
      const facts = known ?? { v: record.v, upstream, format: 'json', seq, signedAt: 0, observedAt };
      const place = { upstream, format: format ?? facts.format, leafIndex: seq, receivedAt, now: now() };
      const verdict = judgeRecord(previous, facts, place);
      if (verdict.verdict === 'deferred') {
        this.#tellDeferred(seq, verdict);
        return { votes: format === undefined ? [] : votes, until: verdict.until };
      }
      if (verdict.verdict === 'refused' || !this.#linksBack(known, seq)) {
        refusals.add({
          origin: log.origin,
          code: 'RECORD_OUT_OF_ORDER',
          message: `record ${seq} of ${log.origin} is refused: ${verdict.verdict === 'refused' ? verdict.reason : 'it names another record as the one before'}`,
          blame: 'publisher',
        });
        this.#hopeless = seq;
        continue;
      }
      before = { seq, observedAt: facts.observedAt };
      if (seq > (seen?.seq ?? -1)) seen = before;
      if (seq === log.size - 1) this.#judgedLast(verdict, known);
      if (verdict.verdict === 'vote' && known !== undefined)
        votes.push({ seq, head: { record: known, bytes, observedAt: verdict.observedAt } });
    }
    if (seen !== undefined && seen.seq !== this.#seen?.seq) await this.#see(seen);
    // Until publishers agree on a format nobody votes.
    return { votes: format === undefined ? [] : votes, until: undefined };
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
    await this.#deps.state.write([[seenKey(this.#deps.log.origin), Buffer.from(JSON.stringify(seen))]]);
    this.#seen = seen;
  }

  #linksBack(record: IndexRecord | undefined, seq: number): boolean {
    const before = this.#deps.log.tail?.leaf(seq - 1);
    return record === undefined || before === undefined || record.previous === before;
  }

  #tellDeferred(seq: number, { until }: Extract<RecordVerdict, { verdict: 'deferred' }>): void {
    if (this.#deferred === seq) return;
    this.#deferred = seq;
    const { origin } = this.#deps.log;
    this.#deps.refusals.add({
      origin,
      code: 'RECORD_FROM_FUTURE',
      message: `record ${seq} of ${origin} is ahead of this machine's clock: it waits until ${new Date(until).toISOString()}`,
      blame: 'nobody',
    });
  }
}

function seenKey(origin: string): string {
  return `seen/${encodeURIComponent(origin)}`;
}
