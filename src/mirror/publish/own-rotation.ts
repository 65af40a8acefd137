/**
 * A publisher that changes its key: each record names the next one and both sign for a week; then the next one alone. Must always
 * hold: a key names one successor for ever (two are misconduct), and what was named is on disk before it is signed. The
 * old key's last head is kept: whoever was away finds the new key through it.
 */
import type { Clock } from '../../core/clock.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { encodeAnnouncement } from '../../core/log/announcement.ts';
import { limits } from '../../core/limits.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';
import type { PublisherLog } from '../../store/publisher-log/publisher-log.ts';
import type { PublisherState } from './publisher-state.ts';

/** Verifier keys, and since when (wall clock, ms) records name the second. */
export interface NamedSuccessor {
  readonly from: string;
  readonly to: string;
  readonly at: number;
}

/** The last head that a key signed and that names its successor. */
export interface Farewell {
  readonly key: string;
  readonly size: number;
  /** Base64 of the announcement. */
  readonly announcement: string;
}

export interface OwnRotation {
  /** Before each record: what it names. From the end of the week on the log is signed by the next key alone. */
  next(): Promise<string | undefined>;
  /** After each record: the old key may be gone with the next start. */
  signed(): Promise<void>;
  /** Of the keys that sign no more. */
  farewells(): readonly Farewell[];
}

export interface OwnRotationDeps {
  readonly log: Pick<PublisherLog, 'origin' | 'head' | 'keys' | 'signOnlyWith'>;
  readonly state: Pick<PublisherState, 'note' | 'putNote'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Tells the operator. */
  note(message: string): void;
}

/** @param keys as they were given: the log's, and the one that is to take over. @throws ConfigurationError */
export async function openOwnRotation(
  deps: OwnRotationDeps,
  keys: readonly VerifierKey[],
): Promise<OwnRotation> {
  const { log, state, clock, note } = deps;
  const [first, second] = keys.map(({ text }) => text);
  let named = await namedBefore(deps, first);
  let farewells: readonly Farewell[] = (await state.note('farewells')) ?? [];
  check(named, first, second, clock.now(), log.origin);
  const last = named.at(-1);
  if (second === undefined && last !== undefined && last.to === first && clock.now() < endOf(last))
    note(
      `the old key ${last.from} should go on signing until ${day(endOf(last))}: followers that have not heard of the new key wait for it`,
    );
  let told = false;

  async function begin(from: string, to: string): Promise<NamedSuccessor> {
    const rotation = { from, to, at: clock.now() };
    named = [...named, rotation];
    await state.putNote('rotations', named, true);
    note(
      `${log.origin} names its next key: both sign until ${day(endOf(rotation))}, then ${to} alone. Tell people to replace it in their policies`,
    );
    return rotation;
  }

  const signs = (key: string): boolean => log.keys.some(({ text }) => text === key);

  async function keepFarewell(): Promise<void> {
    const { head } = log;
    const announcement = head?.announcements[log.keys.findIndex(({ text }) => text === first)];
    // A head from after the week would count nowhere.
    if (first === undefined || second === undefined || head?.record.successor !== second) return;
    if (announcement === undefined) return;
    const bytes = Buffer.from(encodeAnnouncement(announcement)).toString('base64');
    const farewell = { key: first, size: head.checkpoint.size, announcement: bytes };
    farewells = [...farewells.filter(({ key }) => key !== first), farewell];
    await state.putNote('farewells', farewells, true);
  }

  async function partFromFirst(): Promise<void> {
    const next = log.keys.find(({ text }) => text === second);
    if (next === undefined) return;
    await keepFarewell();
    log.signOnlyWith(next);
  }

  return {
    async next() {
      if (first === undefined || second === undefined) return undefined;
      const known = named.findLast((one) => one.from === first && one.to === second);
      const rotation = known ?? (await begin(first, second));
      if (clock.now() < endOf(rotation)) return second;
      if (log.keys.length > 1) await partFromFirst();
      if (!told)
        note(
          `the change of ${log.origin} to its new key is done: start with --key and the new key's file from now on, and destroy the old key`,
        );
      told = true;
      return undefined;
    },
    signed: keepFarewell,
    farewells: () => farewells.filter(({ key }) => !signs(key)),
  };
}

/** From the state; where that was lost the log itself says at least the last. */
async function namedBefore(
  { log, state }: OwnRotationDeps,
  first: string | undefined,
): Promise<readonly NamedSuccessor[]> {
  const named = (await state.note('rotations')) ?? [];
  const record = log.head?.record;
  if (record?.successor === undefined || named.some(({ to }) => to === record.successor)) return named;
  const from = first === undefined || first === record.successor ? '' : first;
  return [...named, { from, to: record.successor, at: record.signedAt }];
}

function check(
  named: readonly NamedSuccessor[],
  first: string | undefined,
  second: string | undefined,
  now: number,
  origin: string,
): void {
  const last = named.at(-1);
  if (first !== undefined && first === second)
    refuse(
      `--key and --next-key are one key, ${first}`,
      'make the next one with: fondue key rotate FILE --out NEXT',
    );
  if (last === undefined) return;
  const until = endOf(last);
  const older = named.slice(0, -1).some(({ from }) => from === first);
  if (older || (last.from === first && second === undefined))
    refuse(
      `${origin} has named ${last.to} as its next key: what ${first} signs alone counts nowhere`,
      now < until
        ? `until ${day(until)} both sign: give --key the old file and --next-key the new one`
        : 'its week is over: give --key the file of the new key',
    );
  if (last.from === first && second !== last.to)
    refuse(
      `${origin} has named ${last.to} as its next key, and --next-key is ${second}: two successors are proof of misconduct`,
      'give the one that was named',
    );
  if (last.to === first && second !== undefined && now < until)
    refuse(
      `the change of ${origin} to ${last.to} goes on until ${day(until)}: another one can begin then`,
      `give --key the old file and --next-key that of ${last.to}`,
    );
  if (named.some(({ from }) => from === second))
    refuse(
      `${second} was a key of ${origin} before, and has handed over`,
      'make a new one: fondue key rotate FILE --out NEXT',
    );
}

function endOf({ at }: NamedSuccessor): number {
  return at + limits.belief.rotation;
}

function day(ms: number): string {
  return new Date(ms).toISOString();
}

function refuse(what: string, fix: string): never {
  throw new ConfigurationError('usage', what, fix);
}
