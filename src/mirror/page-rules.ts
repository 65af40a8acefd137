/**
 * What an upstream's answer does to the page that is kept: the rules alone, without I/O.
 *
 * Always true: a kept page gives way only to a newer one, or to an answer that was repeated long enough to be the
 * upstream's own will; and no rule can hold for ever. Times are those of the answers (start minus Age), so a cached copy
 * that is read twice confirms nothing.
 */
import { limits } from '../core/limits.ts';

/** What matters of a kept page. */
export interface KeptReading {
  readonly observedAt: number;
  readonly serial: string | undefined;
  readonly absentSince: number | undefined;
  readonly olderSince?: number | undefined;
  /** How long ago, by the monotonic clock, the mark was made; undefined when that was before a restart. */
  readonly markedFor?: number | undefined;
  /** SHA-256 of what was read: equal content is no change, whatever the validators say. */
  readonly content: string;
  readonly fileCount: number;
}

/** What matters of a 200. */
export interface PageReading {
  readonly observedAt: number;
  readonly serial: string | undefined;
  readonly content: string;
  readonly format: 'json' | 'html';
  readonly fileCount: number;
}

/** Not believed yet: the kept page stays, with the mark to remember. */
export interface Doubt {
  readonly kind: 'doubt';
  readonly mark: 'absentSince' | 'olderSince';
  readonly since: number;
}

/** `take`: the answer replaces what is kept. `confirm`: what is kept is still current. */
type Take = { readonly kind: 'take'; readonly observedAt: number };
type Confirm = { readonly kind: 'confirm'; readonly observedAt: number };

/** `Age` counts whole seconds: two readings of one cached copy may differ by that. */
const AGE_SLACK = 2000;

/** @param now wall clock, ms: nothing is ever taken as observed later than that. */
export function judgePage(kept: KeptReading, answer: PageReading, now: number): Take | Confirm | Doubt {
  const observedAt = Math.min(answer.observedAt, now);
  if (kept.content === answer.content) return confirmed(kept, answer.observedAt, now);
  const order = compareSerials(answer.serial, kept.serial);
  if (order !== undefined && order > 0) return { kind: 'take', observedAt };
  // A page kept under a clock that ran ahead proves nothing by its time.
  const earlier = kept.observedAt <= now && observedAt < kept.observedAt - AGE_SLACK;
  if ((order !== undefined && order < 0) || earlier) {
    return judgeMark('olderSince', kept, observedAt, now, limits.freshness.olderBelieved);
  }
  // A maintenance page is HTML without files too. JSON without files is a quarantine, and counts at once.
  if (answer.format === 'html' && answer.fileCount === 0 && kept.fileCount > 0) {
    return judgeMark('absentSince', kept, observedAt, now, limits.freshness.absenceConfirm);
  }
  return { kind: 'take', observedAt };
}

/** A 404 or 410. `take` means that the name is absent. */
export function judgeAbsence(kept: KeptReading, observedAt: number, now: number): Take | Doubt {
  const seen = Math.min(observedAt, now);
  return judgeMark('absentSince', kept, seen, now, limits.freshness.absenceConfirm);
}

/** A 304: the kept bytes are what the upstream has. */
export function confirmed(kept: KeptReading, observedAt: number, now: number): Confirm {
  const before = kept.observedAt <= now ? kept.observedAt : Number.NEGATIVE_INFINITY;
  return { kind: 'confirm', observedAt: Math.max(before, Math.min(observedAt, now)) };
}

function judgeMark(
  mark: Doubt['mark'],
  kept: KeptReading,
  observedAt: number,
  now: number,
  enough: number,
): Take | Doubt {
  const since = kept[mark];
  // A mark from the future was made under a wrong clock: start again.
  if (since === undefined || since > now) return { kind: 'doubt', mark, since: observedAt };
  // Both clocks must agree: one that is set right at last has not waited.
  if (observedAt - since >= enough && (kept.markedFor ?? Infinity) >= enough)
    return { kind: 'take', observedAt };
  return { kind: 'doubt', mark, since };
}

/** Negative when `a` is older; undefined when they cannot be compared. */
export function compareSerials(a: string | undefined, b: string | undefined): number | undefined {
  const left = readSerial(a);
  const right = readSerial(b);
  if (left === undefined || right === undefined) return undefined;
  return Math.sign(left - right);
}

function readSerial(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value > 0 && Number.isSafeInteger(value) ? value : undefined;
}
