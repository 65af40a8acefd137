/**
 * `/simple/` from the index maps: written to one compressed file when somebody asks for it and the head has moved on, then
 * streamed in the form asked for. Must always hold: memory does not grow with it; only a list that was written to its end
 * replaces the one before; what was believed under another policy is no list; its age is that of the head it was made from; making it takes a small share of the time.
 */
import { hash } from 'node:crypto';
import type { ContentCoding } from '../../core/accept.ts';
import { pageAge } from '../../core/belief/page-age.ts';
import type { Clock } from '../../core/clock.ts';
import { UnavailableError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ListEntry, ListPart } from '../../core/list-entry.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ReplaceableFile } from '../../store/replaceable-file.ts';
import type { IndexHead } from '../follow/index-head.ts';
import { createListRenderings, type ListForm } from '../list-renderings.ts';
import type { Mirror, Patience } from '../mirror.ts';
import { readList, writeList, type ListFacts } from '../project-list-file.ts';
import type { ProjectList } from '../project-list.ts';
import { openRenderedList } from '../render-list.ts';
import { OUT_OF_TIME, waitFor } from '../wait-for.ts';
import { createHeadTime } from './head-time.ts';

export interface BelievedListDeps {
  readonly head: Pick<
    IndexHead,
    'names' | 'version' | 'policyId' | 'serial' | 'observedAt' | 'now' | 'clockResets' | 'retracted'
  >;
  readonly file: ReplaceableFile;
  /** Where its compressed forms are kept. */
  readonly fileFor: (form: ListForm) => ReplaceableFile;
  readonly clock: Clock;
  readonly isPrivate: (project: ProjectName) => boolean;
}

type ListAnswer = Awaited<ReturnType<Mirror['projectList']>>;
type Wanted = Patience & { readonly coding?: ContentCoding | undefined };

interface Known extends Pick<ListFacts, 'version' | 'observedAt'> {
  readonly serial: string | undefined;
}

const BATCH = 1000;
/** In the file's `upstream`, before the policy and the serial: no other list is taken for ours. */
const OURS = 'believed:';
const OTHER_POLICY = 'the policy has become another one';

export function createBelievedList(
  deps: BelievedListDeps,
  options: { readonly allowOld: boolean },
): ProjectList {
  const { head, file, clock } = deps;
  const now = createHeadTime(head, clock);
  const closing = new AbortController();
  const renderings = createListRenderings({ list: file, fileFor: deps.fileFor, clock });
  let known: Known | undefined;
  let looking: Promise<void> | undefined;
  /** Resolves to why it failed, or to nothing. */
  let flight: Promise<string | undefined> | undefined;
  let notBefore = -Infinity;

  const policyNow = (): string => `${OURS}${head.policyId?.() ?? ''}:`;
  let policy = policyNow();

  const versionNow = (): string => hash('sha256', `list\n${head.version()}`, 'hex').slice(0, 32);

  /** What the file holds, once after the start. */
  async function look(): Promise<void> {
    const kept = await readList(file).catch(() => undefined);
    await kept?.lines.return(undefined);
    if (kept === undefined || known !== undefined || !kept.facts.upstream.startsWith(policy)) return;
    const { version, observedAt, upstream } = kept.facts;
    known = { version, observedAt, serial: upstream.slice(policy.length) || undefined };
  }

  async function* parts(serial: string | undefined): AsyncGenerator<ListPart> {
    let entries: ListEntry[] = [];
    for await (const { name, serial } of head.names()) {
      closing.signal.throwIfAborted();
      if (head.retracted(name)) continue;
      entries.push({ name, raw: serial === 0 ? { name } : { name, '_last-serial': serial } });
      if (entries.length < BATCH) continue;
      yield { kind: 'entries', entries };
      entries = [];
    }
    yield { kind: 'entries', entries };
    const last = serial === undefined ? {} : { '_last-serial': Number(serial) };
    yield { kind: 'end', rest: { meta: { ...last, 'api-version': '1.0' } } };
  }

  async function make(observedAt: number): Promise<string | undefined> {
    const began = clock.monotonic();
    const madeUnder = policyNow();
    const version = versionNow();
    const highest = head.serial() ?? 0;
    const serial = highest === 0 ? undefined : String(highest);
    try {
      const facts = { observedAt, upstream: `${madeUnder}${serial ?? ''}`, version };
      await writeList(file, facts, parts(serial), deps.isPrivate);
      if (policyNow() !== madeUnder) return OTHER_POLICY;
      known = { version, observedAt, serial };
      return undefined;
    } catch (error) {
      return (error as Error).message;
    } finally {
      const took = clock.monotonic() - began;
      const pause = Math.max(limits.believed.listEvery, took / limits.believed.listShare - took);
      notBefore = policyNow() === madeUnder ? clock.monotonic() + pause : -Infinity;
    }
  }

  function forgetOtherPolicy(): void {
    if (policyNow() === policy) return;
    policy = policyNow();
    known = undefined;
    notBefore = -Infinity;
  }

  /** Undefined: there is nothing to be made now. */
  function refresh(): Promise<string | undefined> | undefined {
    const observedAt = head.observedAt();
    if (closing.signal.aborted || observedAt === undefined) return undefined;
    const due = clock.monotonic() >= notBefore && known?.version !== versionNow();
    if (flight === undefined && due) flight = make(observedAt).finally(() => (flight = undefined));
    return flight;
  }

  async function serve(format: 'json' | 'html', list: Known, wanted: Wanted): Promise<ListAnswer> {
    const { coding = 'identity', wait = limits.gateway.wait, signal } = wanted;
    const { state, ms } = pageAge(list.observedAt, now(), options.allowOld);
    if (state === 'refused') return unknown('nobody has vouched for it for more than a day');
    const age = { ageSeconds: Math.ceil(ms / 1000), stale: state !== 'fresh', serial: list.serial };
    const { version } = list;
    if (coding !== 'identity') {
      const body = await renderings.open(version, `${format}-${coding}`, wait, signal);
      if (body !== undefined) return { kind: 'list', body, coding, version, ...age };
    }
    const kept = await readList(file).catch(() => undefined);
    if (kept === undefined) {
      known = undefined;
      return unknown('the kept list of projects cannot be read');
    }
    const body = await openRenderedList(kept, format);
    // A newer one may have come in between: its age and serial are better than what is said.
    return { kind: 'list', body, coding: 'identity', version: kept.facts.version, ...age };
  }

  return {
    async projectList(format, patience: Wanted = {}) {
      patience.signal?.throwIfAborted();
      looking ??= look();
      await looking;
      forgetOtherPolicy();
      const making = refresh();
      if (making !== undefined) {
        const longest = patience.wait ?? limits.gateway.wait;
        const wait = known === undefined ? longest : Math.min(limits.freshness.revalidateWait, longest);
        const reason = await waitFor(clock, making, wait, patience.signal);
        if (known === undefined)
          return unknown(reason === OUT_OF_TIME || reason === undefined ? 'it is being made' : reason);
      }
      return known === undefined
        ? unknown('no record of enough trusted publishers is here yet')
        : serve(format, known, patience);
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new UnavailableError('the node is closing'));
      await flight;
      await renderings[Symbol.asyncDispose]();
    },
  };
}

function unknown(reason: string): ListAnswer {
  return {
    kind: 'unknown',
    reason: `the list of projects: ${reason}`,
    retryAfterSeconds: limits.gateway.retryAfterSeconds,
  };
}
