/**
 * The bytes of a believed page, by their digest: disk, then peers raced against the upstream. Must always hold: what comes
 * out has the digest that was asked for, whoever gave it; peers are asked for a digest, never for a name; one flight for
 * each digest, which goes on when its clients have left.
 */
import { deadline, sleep, type Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter, SourceKind } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { FileRef } from '../mirror.ts';
import type { FileOpener } from '../open-file.ts';
import { readAll } from '../read-fully.ts';
import type { OwnReadings } from './own-readings.ts';
import { type BelievedPage, digestOfPage } from './read-believed-page.ts';

export interface PageBytes extends AsyncDisposable {
  /** From this disk alone. */
  held(digest: Digest): Promise<Uint8Array | undefined>;
  /** Never rejects. */
  fetch(project: ProjectName, belief: BelievedPage): Promise<FetchedPage>;
}

export type FetchedPage =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly source: SourceKind }
  | { readonly kind: 'failed'; readonly reason: string };

export interface PageBytesDeps {
  readonly store: Pick<BlobStore, 'open' | 'stat' | 'touch' | 'openPartial'>;
  readonly openFile: FileOpener['openFile'];
  /** Undefined: nothing leaves for the upstream. */
  readonly own: Pick<OwnReadings, 'read'> | undefined;
  /** What the upstream gives is private. */
  readonly private: boolean;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
}

type Lane = { bytes: Uint8Array; source: SourceKind } | { reason: string };

export function createPageBytes(deps: PageBytesDeps): PageBytes {
  const { store, own, clock, facts } = deps;
  const closing = new AbortController();
  const flights = new Map<Digest, Promise<FetchedPage>>();
  const keeping = new Set<Promise<void>>();

  async function held(digest: Digest): Promise<Uint8Array | undefined> {
    await using reader = await store.open(digest);
    if (reader === undefined) return undefined;
    const bytes = await readAll(reader, limits.page.decodedBytes, `the page ${digest}`);
    if (digestOfPage(bytes) !== digest) return undefined;
    store.touch(digest);
    return bytes;
  }

  function fits(bytes: Uint8Array, digest: Digest, source: string): boolean {
    const actual = digestOfPage(bytes);
    if (actual !== digest) facts.emit('integrity:mismatch', { digest, actual, source });
    return actual === digest;
  }

  async function fromPeers(project: ProjectName, belief: BelievedPage, signal: AbortSignal): Promise<Lane> {
    const { digest, length } = belief;
    const ref: FileRef = {
      project,
      filename: `the page of ${project}`,
      url: '',
      digest,
      size: length,
      private: deps.private,
      file: undefined,
    };
    const opened = await deps.openFile(ref, { wait: limits.believed.pageFlight, signal });
    if (opened.kind !== 'opened')
      return { reason: opened.kind === 'absent' ? 'no peer has it' : opened.reason };
    await using file = opened.file;
    const bytes = await readAll(file, limits.page.decodedBytes, ref.filename, signal);
    if (!fits(bytes, digest, file.source)) return { reason: 'a peer gave other bytes' };
    return { bytes, source: file.source === 'disk' ? 'disk' : 'peer' };
  }

  async function fromUpstream(
    project: ProjectName,
    belief: BelievedPage,
    peersOver: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<Lane> {
    if (own === undefined) return { reason: 'this node does not ask the upstream' };
    await Promise.race([peersOver, sleep(clock, limits.race.upstreamStart, signal)]);
    signal.throwIfAborted();
    let reason = '';
    // A cache on the way may have an older page than the publishers saw.
    for (const noCache of [false, true]) {
      const read = await own.read(project, belief, { noCache });
      if (read.kind === 'page') {
        if (digestOfPage(read.bytes) === belief.digest) return { bytes: read.bytes, source: 'upstream' };
        reason = 'the upstream has another page now';
      } else reason = read.kind === 'absent' ? 'the upstream has no such page now' : read.reason;
    }
    return { reason };
  }

  async function fly(project: ProjectName, belief: BelievedPage): Promise<FetchedPage> {
    if (belief.length > limits.page.decodedBytes)
      return { kind: 'failed', reason: `its page has ${belief.length} bytes, more than are read` };
    const kept = await held(belief.digest).catch(() => undefined);
    if (kept !== undefined) return { kind: 'bytes', bytes: kept, source: 'disk' };
    const limit = deadline(clock, limits.believed.pageFlight, closing.signal);
    const won = new AbortController();
    const peers = whole(fromPeers(project, belief, limit.signal));
    void peers.then(() => limit[Symbol.dispose]());
    const upstream = whole(fromUpstream(project, belief, peers, AbortSignal.any([limit.signal, won.signal])));
    try {
      const first = await Promise.any([peers, upstream].map(onlyBytes)).catch(() => undefined);
      if (first !== undefined) {
        // The peers' flight holds the blob's partial until it ends, and keeps what it finds itself.
        if (first.source === 'upstream') behind(peers.then(() => keep(belief, first.bytes)));
        return { kind: 'bytes', ...first };
      }
      const reasons = await Promise.all([peers, upstream]);
      return {
        kind: 'failed',
        reason: reasons.map((lane) => ('reason' in lane ? lane.reason : '')).join('; '),
      };
    } finally {
      won.abort(new DOMException('the page is here', 'AbortError'));
    }
  }

  function behind(task: Promise<void>): void {
    keeping.add(task);
    void task.finally(() => keeping.delete(task));
  }

  /** For peers, and for the time without an upstream. A full disk, or a flight that still holds the partial, costs no page. */
  async function keep({ digest }: BelievedPage, bytes: Uint8Array): Promise<void> {
    try {
      if (store.stat(digest) !== undefined) return;
      await using partial = await store.openPartial(digest, { size: bytes.length });
      await partial.truncate(0);
      await partial.append(bytes, 'upstream');
      await partial.commit({ visibility: deps.private ? 'private' : 'public' });
      facts.emit('blob:fetched', { digest, size: bytes.length, bytes: { peer: 0, upstream: bytes.length } });
    } catch {
      // Fetched again when it is next needed.
    }
  }

  return {
    held,
    fetch(project, belief) {
      const known = flights.get(belief.digest);
      if (known !== undefined) return known;
      const flight = fly(project, belief)
        .catch((error: unknown): FetchedPage => ({ kind: 'failed', reason: (error as Error).message }))
        .finally(() => flights.delete(belief.digest));
      flights.set(belief.digest, flight);
      return flight;
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new DOMException('the node is closing', 'AbortError'));
      await Promise.all([...flights.values(), ...keeping]);
    },
  };
}

/** What goes wrong is a reason, not an end. */
async function whole(lane: Promise<Lane>): Promise<Lane> {
  try {
    return await lane;
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

async function onlyBytes(lane: Promise<Lane>): Promise<{ bytes: Uint8Array; source: SourceKind }> {
  const end = await lane;
  if ('bytes' in end) return end;
  throw new Error(end.reason);
}
