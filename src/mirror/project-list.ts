/**
 * The list of all projects (`/simple/`): kept in one compressed file, streamed in the form asked for, whichever form the
 * upstream has. Always true: only a list that was read to its end replaces the kept one; memory does not grow with it;
 * while the upstream fails the kept list is served with its true age.
 */
import type { ContentCoding } from '../core/accept.ts';
import { deadline, type Clock, type Randomness } from '../core/clock.ts';
import { InvalidContentError, UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import { readListHtml } from '../core/read-list-html.ts';
import { readListJson } from '../core/read-list-json.ts';
import type { ReplaceableFile } from '../store/replaceable-file.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { createListRenderings, type ListForm } from './list-renderings.ts';
import type { Mirror, Patience } from './mirror.ts';
import { createAgeLine, elapsedSince, momentNow, type AgeLine, type Moment } from './page-age.ts';
import { readList, writeList } from './project-list-file.ts';
import { openRenderedList } from './render-list.ts';
import { OUT_OF_TIME, waitFor } from './wait-for.ts';

export interface ProjectList extends AsyncDisposable {
  projectList: Mirror['projectList'];
}

export interface ProjectListDeps {
  readonly upstream: Pick<Upstream, 'projectList' | 'status'>;
  readonly file: ReplaceableFile;
  /** Where its compressed forms are kept. */
  readonly fileFor: (form: ListForm) => ReplaceableFile;
  readonly clock: Clock;
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly isPrivate: (project: ProjectName) => boolean;
}

type Wanted = Patience & { readonly coding?: ContentCoding | undefined };
type ListAnswer = Awaited<ReturnType<Mirror['projectList']>>;
interface Known {
  readonly version: string;
  readonly age: AgeLine;
  readonly checked: Moment;
}

export function createProjectList(
  deps: ProjectListDeps,
  options: { pageTtl: number; offline: boolean; listBytes?: number },
): ProjectList {
  const { upstream, file, clock } = deps;
  const { listBytes = limits.page.listDecodedBytes } = options;
  const upstreamUrl = upstream.status().url;
  const closing = new AbortController();
  const renderings = createListRenderings({ list: file, fileFor: deps.fileFor, clock });
  let known: Known | undefined;
  let looked = false;
  /** Resolves to why it failed, or to nothing. */
  let flight: Promise<string | undefined> | undefined;
  let failed: { at: number; reason: string } | undefined;

  /** What the file holds, once after the start. */
  async function look(): Promise<Known | undefined> {
    if (looked) return known;
    const kept = await readList(file).catch(() => undefined);
    if (kept !== undefined) {
      await kept.lines.return(undefined);
      if (kept.facts.upstream === upstreamUrl && !looked) {
        const age = createAgeLine(clock, kept.facts.observedAt);
        known = {
          version: kept.facts.version,
          age,
          checked: { wall: kept.facts.observedAt, monotonic: clock.monotonic() - age.age() },
        };
      }
    }
    looked = true;
    return known;
  }

  async function fetch(): Promise<string | undefined> {
    const checked = momentNow(clock);
    using limit = deadline(clock, limits.list.fetch, closing.signal);
    const over = new AbortController();
    try {
      const signal = AbortSignal.any([limit.signal, over.signal]);
      const answer = await upstream.projectList({ signal });
      if (answer === undefined) throw new UpstreamError({ url: upstreamUrl, status: 404 }, 'it has no list');
      const observedAt = Math.min(answer.observedAt ?? checked.wall, clock.now());
      const version = Buffer.from(deps.randomness.bytes(16)).toString('hex');
      const read = answer.format === 'json' ? readListJson : readListHtml;
      await writeList(
        file,
        { observedAt, upstream: upstreamUrl, version },
        read(bounded(answer.body, listBytes, limit.signal)),
        deps.isPrivate,
      );
      known = { version, age: createAgeLine(clock, observedAt), checked };
      looked = true;
      failed = undefined;
      return undefined;
    } catch (error) {
      const reason = (error as Error).message;
      failed = { at: clock.monotonic(), reason };
      return reason;
    } finally {
      // A body that nobody began to read (the file could not be opened) would keep its connection for ever.
      over.abort(new DOMException('the list of projects is not read any more', 'AbortError'));
    }
  }

  function refresh(): Promise<string | undefined> {
    flight ??= fetch().finally(() => (flight = undefined));
    return flight;
  }

  async function serve(format: 'json' | 'html', state: Known, wanted: Wanted): Promise<ListAnswer> {
    const { coding = 'identity', wait = limits.gateway.wait, signal } = wanted;
    const age = {
      ageSeconds: Math.ceil(state.age.age() / 1000),
      stale: elapsedSince(clock, state.checked) >= options.pageTtl,
    };
    if (coding !== 'identity') {
      const { version } = state;
      const body = await renderings.open(version, `${format}-${coding}`, wait, signal);
      if (body !== undefined) return { kind: 'list', body, coding, version, ...age };
    }
    const kept = await readList(file).catch(() => undefined);
    if (kept === undefined) {
      known = undefined;
      return unknown('the kept list of projects cannot be read');
    }
    const { version } = kept.facts;
    const body = await openRenderedList(kept, format);
    return { kind: 'list', body, coding: 'identity', version, ...age };
  }

  /** Waits for the upstream as long as it is worth it; nothing waits for one that has just failed. */
  async function wait(state: Known | undefined, patience: Patience): Promise<string | undefined> {
    const recently = failed !== undefined && clock.monotonic() - failed.at < limits.freshness.troubled;
    if (state !== undefined && recently && patience.noCache !== true) return failed?.reason;
    const worth = patience.noCache === true ? limits.freshness.noCacheWait : limits.freshness.revalidateWait;
    const longest = patience.wait ?? limits.gateway.wait;
    const ms = state === undefined ? longest : Math.min(worth, longest);
    const reason = await waitFor(clock, refresh(), ms, patience.signal);
    return reason === OUT_OF_TIME ? 'the upstream has not sent the list of projects yet' : reason;
  }

  return {
    async projectList(format, patience: Wanted = {}) {
      patience.signal?.throwIfAborted();
      const state = await look();
      const fresh = state !== undefined && elapsedSince(clock, state.checked) < options.pageTtl;
      if (state !== undefined && (options.offline || (fresh && patience.noCache !== true)))
        return serve(format, state, patience);
      if (options.offline) return unknown('no list of projects is kept, and this node is offline');
      const reason = await wait(state, patience);
      return known === undefined
        ? unknown(reason ?? 'there is no list of projects')
        : serve(format, known, patience);
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new DOMException('the node is closing', 'AbortError'));
      await flight;
      await renderings[Symbol.asyncDispose]();
    },
  };
}

async function* bounded(
  body: AsyncIterable<Uint8Array>,
  most: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of body) {
    signal.throwIfAborted();
    length += chunk.length;
    if (length > most) throw new InvalidContentError(`the list of projects has more than ${most} bytes`);
    yield chunk;
  }
}

function unknown(reason: string): ListAnswer {
  return { kind: 'unknown', reason, retryAfterSeconds: limits.gateway.retryAfterSeconds };
}
