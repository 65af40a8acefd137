/** What an accepted record says beside its map: retractions, a successor's key, how far its serial is. */
import { hash } from 'node:crypto';
import { decode, encode } from '@ipld/dag-cbor';
import { InvalidLogError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import { encodeMisconduct, type RecordEvidence } from '../../core/log/misconduct.ts';
import type { IndexRecord } from '../../core/log/record.ts';
import type { RetractionEpisode } from '../../core/belief/retractions.ts';
import { Retractions } from '../../core/belief/retractions.ts';
import { leapingSlots } from '../../core/belief/serial-alarm.ts';
import type { Admission } from './admission.ts';
import type { FollowState } from './follow-state.ts';
import type { FollowedLog } from './followed-log.ts';
import type { MapHead } from './followed-map.ts';
import type { FollowedVoter } from './followed-voter.ts';
import type { MisconductDesk } from './misconduct-desk.ts';

/** For people; each once, as long as it is not over. */
export class Alarms {
  readonly #facts: FactEmitter;
  #messages: string[] = [];

  constructor(facts: FactEmitter) {
    this.#facts = facts;
  }

  raise(message: string): void {
    if (this.#messages.includes(message)) return;
    this.#messages = [...this.#messages, message].slice(-limits.follow.alarmsKept);
    this.#facts.emit('index:alarmed', { message });
  }

  /** Raised while it lasts, and not shown any more when it is over. */
  lasts(message: string, isSo: boolean): void {
    if (isSo) this.raise(message);
    else this.#messages = this.#messages.filter((one) => one !== message);
  }

  list(): readonly string[] {
    return this.#messages;
  }
}

export class RetractionDesk {
  readonly #state: FollowState;
  readonly #alarms: Alarms;
  readonly #retractions = new Retractions();

  constructor(state: FollowState, alarms: Alarms, overridden: readonly string[]) {
    this.#state = state;
    this.#alarms = alarms;
    for (const subject of overridden) this.#retractions.override(subject, true);
  }

  async load(slots: readonly string[]): Promise<void> {
    for (const slot of slots) {
      const kept = await this.#state.get(retractionsKey(slot));
      if (kept !== undefined)
        this.#retractions.restore(slot, JSON.parse(Buffer.from(kept).toString()) as RetractionEpisode[]);
    }
  }

  /** True when something may have changed. */
  async accept(slot: string, origin: string, record: IndexRecord, now: number): Promise<boolean> {
    const before = JSON.stringify(this.#retractions.kept(slot));
    const alarm = this.#retractions.accept(slot, record.retractions, now);
    if (alarm === 'too-many')
      this.#alarms.raise(`${origin} retracts ${record.retractions.length} subjects at once: all are ignored`);
    if (alarm === 'too-many-in-a-week')
      this.#alarms.raise(`${origin} retracted too many subjects within a week: new ones are ignored`);
    const after = JSON.stringify(this.#retractions.kept(slot));
    if (after === before) return false;
    await this.#state.write([[retractionsKey(slot), Buffer.from(after)]]);
    return true;
  }

  exclude(slot: string): void {
    this.#retractions.exclude(slot);
  }

  inForce(subject: string, now: number): { readonly slot: string; readonly reason: string } | undefined {
    return this.#retractions.inForce(subject, now);
  }
}

export interface TakeRecordDeps {
  readonly admission: Admission;
  readonly alarms: Alarms;
  readonly facts: FactEmitter;
  readonly misconduct: Pick<MisconductDesk, 'take'>;
  readonly retractions: RetractionDesk;
  readonly state: FollowState;
  readonly k: number;
}

export class TakeRecord {
  readonly #deps: TakeRecordDeps;

  constructor(deps: TakeRecordDeps) {
    this.#deps = deps;
  }

  async take(
    slot: string,
    log: FollowedLog,
    { record, observedAt }: MapHead,
    now: number,
    voters: readonly FollowedVoter[],
  ): Promise<void> {
    const { alarms, facts, retractions, admission, k } = this.#deps;
    await retractions.accept(slot, log.origin, record, now);
    await this.rotate(slot, log, record, now);
    const serials = new Map<string, number>();
    for (const { map, origin, slot: other } of voters)
      if (map.head !== undefined && !admission.isExcluded(other)) serials.set(origin, map.head.record.serial);
    for (const origin of leapingSlots(serials, k))
      alarms.raise(`the serial of ${origin} is more than a million above what ${k} publishers see`);
    const { seq, count: names, serial, mapRoot } = record;
    facts.emit('head:advanced', { origin: log.origin, seq, names, serial, observedAt, mapRoot });
  }

  checkClock(verdict: 'plausible' | 'behind' | 'set-back'): void {
    const { alarms, k } = this.#deps;
    alarms.lasts(
      `${k} publishers are ahead of this machine's clock: it is wrong, set it right`,
      verdict === 'behind',
    );
    alarms.lasts(
      "this machine's clock was set back: ages are told by the later time it had shown",
      verdict === 'set-back',
    );
  }

  /** A record names a successor in the name of the key that signed the log's head: its map need not be here. */
  async rotate(slot: string, log: FollowedLog, record: IndexRecord | undefined, now: number): Promise<void> {
    const { admission, alarms, misconduct, state } = this.#deps;
    const successor = record?.successor;
    const key = log.head && admission.signerOf(slot, log.head.announcement.checkpoint);
    if (record === undefined || successor === undefined || key === undefined) return;
    const outcome = admission.rotate({ key: key.text, successor, at: Math.min(record.signedAt, now) });
    if (outcome === 'named') {
      await state.write([['rotations', Buffer.from(JSON.stringify(admission.rotations()))]]);
      const named = await log.recordEvidence(record.seq);
      if (named) await state.write([[namedKey(key.text), encode({ ...named })]]);
      alarms.raise(
        `${log.origin} names a new key, ${successor}: put it into the policy within a week (fondue trust replace NAME VKEY)`,
      );
    }
    if (outcome === 'taken')
      alarms.raise(`${log.origin} names a successor that is in the policy already: it gets no second vote`);
    if (outcome === 'too-many')
      alarms.raise(
        `${log.origin} has changed its key too often: ${successor} is not followed. If it is right: fondue trust replace NAME VKEY`,
      );
    if (outcome !== 'misconduct') return;
    const [first, second] = [await state.get(namedKey(key.text)), await log.recordEvidence(record.seq)];
    if (first === undefined || second === undefined) return;
    try {
      const records = [decode<RecordEvidence>(first), second] as const;
      await misconduct.take(encodeMisconduct({ kind: 'successors', key, records }));
    } catch (error) {
      if (!(error instanceof InvalidLogError)) throw error;
      alarms.raise(
        `${log.origin} names two successors, by different keys: trust neither before you have asked`,
      );
    }
  }
}

/** Under which the record is kept that named this key's successor. */
export function namedKey(key: string): string {
  return `named/${hash('sha256', key, 'hex').slice(0, 32)}`;
}

/** Under which the slot's retractions are kept. */
export function retractionsKey(slot: string): string {
  return `retractions/${hash('sha256', slot, 'hex').slice(0, 32)}`;
}
