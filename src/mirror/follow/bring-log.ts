/**
 * Brings a log to an announced head: the records between from peers, or, where nobody has them any more, a proof that the new
 * log begins with the old one. Where neither can be, a proof is looked for that its publisher signed two histories.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { FondueError, IntegrityError, InvalidLogError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { VerifiedAnnouncement } from '../../core/log/announcement.ts';
import { encodeMisconduct, type LeafEvidence } from '../../core/log/misconduct.ts';
import { checkInclusion } from '../../core/log/tree-proofs.ts';
import { AnswerTurns } from './answer-turns.ts';
import type { IndexAsker, RangeItem } from './ask-index.ts';
import { type FollowedLog, knownRecord, type LogHeadKept } from './followed-log.ts';
import type { Refusals } from './refusals.ts';

/** `waiting`: nobody has what is needed now. */
export type LogOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'misconduct'; readonly proof: Uint8Array };

export interface BringLogDeps {
  readonly clock: Clock;
  readonly asker: IndexAsker;
  readonly refusals: Refusals;
  /** Whom to ask, the likeliest first. */
  peers(): readonly string[];
  /** Wall clock. */
  now(): number;
}

export async function bringLog(
  deps: BringLogDeps,
  log: FollowedLog,
  next: VerifiedAnnouncement,
  signal: AbortSignal,
): Promise<LogOutcome> {
  if (log.tail === undefined) {
    await log.join(next, undefined, deps.now());
    return { kind: 'done' };
  }
  const gap = next.checkpoint.size - log.size;
  // A longer one is joined anew: its leaves are in memory.
  const isLong = log.tail.size - log.tail.first + gap > limits.follow.tailLeaves;
  const ranged =
    gap <= limits.follow.rangeRecords && !isLong ? await fromRange(deps, log, next, signal) : undefined;
  if (ranged === 'done') return { kind: 'done' };
  if (ranged === undefined && (await fromConsistency(deps, log, next, signal))) return { kind: 'done' };
  const proof = await findRewrite(deps, log, next, signal);
  if (proof !== undefined) return { kind: 'misconduct', proof };
  return { kind: ranged === undefined ? 'waiting' : 'refused' };
}

/** What another head that was signed proves against this log's, if anything. */
export function misconductBetween(log: FollowedLog, other: VerifiedAnnouncement): Uint8Array | undefined {
  const { size, root } = other.checkpoint;
  const head = log.head;
  if (head === undefined || size > log.size) return undefined;
  if (size === log.size && root !== head.checkpoint.root) return forkProof(head, other);
  const ours = log.evidence(size - 1);
  if (ours === undefined || ours.leaf === other.digest) return undefined;
  return rewriteProof(other, size - 1, ours, {
    checkpoint: other.announcement.checkpoint,
    leaf: other.digest,
    proof: other.announcement.proof,
  });
}

/** Of two heads of one size with different roots. */
export function forkProof(a: LogHeadKept, b: VerifiedAnnouncement): Uint8Array | undefined {
  const notes = [a.announcement.checkpoint, b.announcement.checkpoint] as const;
  return proven(() => encodeMisconduct({ kind: 'fork', key: b.key, notes }));
}

/** Goes on with the next peer where one broke off. Undefined: nobody has all. */
async function fromRange(
  deps: BringLogDeps,
  log: FollowedLog,
  next: VerifiedAnnouncement,
  signal: AbortSignal,
): Promise<'done' | 'refused' | undefined> {
  const { asker, clock, refusals } = deps;
  const { origin } = log;
  const wanted = next.checkpoint.size - log.size;
  let items = new RangeItems();
  let senders: string[] = [];
  let mixed = false;
  const ask = (): AnswerTurns<RangeItem> =>
    new AnswerTurns(
      { clock, refusals, origin },
      deps.peers(),
      (peer, stop) => asker.range(peer, origin, log.size + items.length, next.checkpoint.size, stop),
      signal,
    );
  let turns = ask();
  let alone = false;
  for (;;) {
    const answer = await turns.next();
    if (answer === undefined) {
      if (alone || !mixed) return undefined;
      // Each alone: a prefix that one made up must not spoil the others' records again and again.
      [turns, alone] = [ask(), true];
      [items, senders] = [new RangeItems(), []];
      continue;
    }
    const { peer } = answer;
    if (alone) [items, senders] = [new RangeItems(), []];
    try {
      for await (const item of answer.items) {
        if (senders.at(-1) !== peer) senders.push(peer);
        checkDelta(item, log.size + items.length, peer);
        if (!items.add(item)) break;
        if (items.length > wanted)
          throw new InvalidLogError('MESSAGE_MALFORMED', 'an answer to "range" has too many records');
      }
    } catch (error) {
      signal.throwIfAborted();
      if (refusals.caught(error, origin, peer)) [items, senders] = [new RangeItems(), []];
    }
    // A proof takes less.
    if (items.isTooLarge) return undefined;
    if (items.length < wanted) continue;
    const verdict = log.judge(next, items.list);
    if (verdict === 'fits') {
      await log.extend(next, items.list, deps.now());
      return 'done';
    }
    if (verdict !== 'sender') {
      if (verdict === 'inconsistent')
        refusals.add({
          origin,
          code: 'CONSISTENCY_FAILED',
          message: `the signed root of ${origin} at ${next.checkpoint.size} is not that of its records`,
          blame: 'publisher',
        });
      return 'refused';
    }
    // Of several senders nobody can say whose records were wrong.
    if (senders.length > 1) mixed = true;
    else
      refusals.add({
        origin,
        code: 'RECORD_NOT_ANNOUNCED',
        message: `${peer} sent records that are not those of the announced log ${origin}`,
        peerId: peer,
        blame: 'sender',
      });
    [items, senders] = [new RangeItems(), []];
  }
}

/** What has come of a range, within bounds: 20,000 records and deltas of 1 MiB each would be 20 GB. */
class RangeItems {
  readonly list: RangeItem[] = [];
  isTooLarge = false;
  #bytes = 0;
  #deltaBytes = 0;
  /** The first that may have its delta. */
  #firstDelta = 0;

  get length(): number {
    return this.list.length;
  }

  /** The newest deltas stay: who needs more compares the leaves. False: enough. */
  add(item: RangeItem): boolean {
    this.#bytes += item.record.length;
    this.isTooLarge ||= this.#bytes > limits.follow.rangeBytes;
    if (this.isTooLarge) return false;
    this.list.push(item);
    this.#deltaBytes += item.delta?.length ?? 0;
    for (; this.#deltaBytes > limits.follow.deltaBytes; this.#firstDelta++) {
      const { record, delta } = this.list[this.#firstDelta] as RangeItem;
      this.#deltaBytes -= delta?.length ?? 0;
      this.list[this.#firstDelta] = { record, delta: undefined };
    }
    return true;
  }
}

/** Its digest stands in the record, so whoever sends another one is to blame. @throws IntegrityError */
function checkDelta({ record, delta }: RangeItem, seq: number, peer: string): void {
  if (delta === undefined) return;
  const expected = promisedDelta(record, seq);
  const actual = digestFromBytes(hash('sha256', delta, 'buffer'));
  if (expected !== actual)
    throw new IntegrityError({ expected: expected ?? 'no delta', actual, source: `peer:${peer}` });
}

function promisedDelta(record: Uint8Array, seq: number): Digest | null | undefined {
  try {
    return knownRecord(record, seq)?.delta;
  } catch {
    // A record that nobody can read is found where the log is judged.
    return undefined;
  }
}

async function fromConsistency(
  deps: BringLogDeps,
  log: FollowedLog,
  next: VerifiedAnnouncement,
  signal: AbortSignal,
): Promise<boolean> {
  const { size } = next.checkpoint;
  for (const peer of deps.refusals.answering(deps.peers())) {
    try {
      const proof = await deps.asker.consistency(peer, log.origin, log.size, size, signal);
      if (proof === undefined) continue;
      await log.join(next, proof, deps.now());
      return true;
    } catch (error) {
      signal.throwIfAborted();
      // An honest peer of a log that was forked has no other proof than this; whose leaf it is will be asked for.
      if (error instanceof InvalidLogError && error.code === 'CONSISTENCY_FAILED')
        deps.refusals.add({ origin: log.origin, code: error.code, message: error.message, blame: 'nobody' });
      else deps.refusals.caught(error, log.origin, peer);
    }
  }
  return false;
}

/** Another leaf where our head's last one is. */
async function findRewrite(
  deps: BringLogDeps,
  log: FollowedLog,
  next: VerifiedAnnouncement,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const index = log.size - 1;
  const ours = log.evidence(index);
  if (ours === undefined) return undefined;
  for (const peer of deps.refusals.answering(deps.peers())) {
    try {
      const found = await deps.asker.inclusion(peer, log.origin, index, next.checkpoint.size, signal);
      if (found === undefined) continue;
      checkInclusion(next.checkpoint, index, found.leaf, found.proof);
      // The log begins with ours after all.
      if (found.leaf === ours.leaf) return undefined;
      return rewriteProof(next, index, ours, { checkpoint: next.announcement.checkpoint, ...found });
    } catch (error) {
      signal.throwIfAborted();
      deps.refusals.caught(error, log.origin, peer);
    }
  }
  return undefined;
}

function rewriteProof(
  { key }: VerifiedAnnouncement,
  index: number,
  ours: LeafEvidence,
  theirs: LeafEvidence,
): Uint8Array | undefined {
  return proven(() => encodeMisconduct({ kind: 'rewrite', key, index, leaves: [ours, theirs] }));
}

/** During a rotation the two heads may be signed by different keys: that is refused, and no proof. */
function proven(make: () => Uint8Array): Uint8Array | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof FondueError) return undefined;
    throw error;
  }
}
