/**
 * A publisher: looks at the upstream, reads what is due, and signs what it saw. Looking, reading and signing go on side by
 * side, so that a slow upstream never keeps a heartbeat back.
 */
import { deadline, type Clock } from '../../core/clock.ts';
import { UnavailableError, UpstreamError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { decodeAnnouncement, encodeAnnouncement } from '../../core/log/announcement.ts';
import { encodeHeadValue, headValueKey } from '../../core/log/head-value.ts';
import { parseVerifierKey, type VerifierKey } from '../../core/log/verifier-key.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import type { LogHead, PublisherLog } from '../../store/publisher-log/publisher-log.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { PublisherAdministration, RetractionReport } from '../administration.ts';
import { OUT_OF_TIME, waitFor } from '../wait-for.ts';
import { dueAgain } from './due-again.ts';
import { openKnownPages } from './known-pages.ts';
import { conflictWith } from './own-log.ts';
import { openOwnRetractions } from './own-retractions.ts';
import { openOwnRotation } from './own-rotation.ts';
import { createPageBlobs } from './page-blobs.ts';
import { createPublishedIndex, type PublishedIndex } from './published-index.ts';
import { createPublishedScope } from './published-scope.ts';
import type { PublisherState } from './publisher-state.ts';
import { createRecordSigner } from './sign-record.ts';
import { type Hint, UpstreamReading } from './upstream-reading.ts';

export interface PublisherDeps {
  /** Asks once for each call: retries are the publisher's. Disposed of by its owner. */
  readonly upstream: Upstream;
  readonly log: PublisherLog;
  readonly maps: IndexMaps;
  readonly state: PublisherState;
  readonly store: Pick<BlobStore, 'open' | 'stat' | 'openPartial' | 'pin' | 'unpin'>;
  readonly network: Pick<IndexChannel, 'publish' | 'putValue'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly isPrivate: (project: ProjectName) => boolean;
  /** Names that this node holds pages of: they are imported first. */
  readonly popular: () => AsyncIterable<ProjectName>;
  /** Announcements of this very log that peers hold: asked for once, before the first record after a start. */
  readonly ownHeads?: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

export interface PublisherOptions {
  /** The log's key; and the one that is to take over. */
  readonly keys: readonly [VerifierKey, ...VerifierKey[]];
  /** The simple index, as records name it. */
  readonly upstreamUrl: string;
  /** Undefined: all. In the order in which they are imported. */
  readonly projects: readonly ProjectName[] | undefined;
  /** Ms between two looks. */
  readonly interval: number;
  /** Whose URLs pages have as paths; undefined: that of the first page's files. */
  readonly fileOrigin?: string | undefined;
}

export interface Publisher extends AsyncDisposable, PublisherAdministration {
  readonly index: PublishedIndex;
  /** Another publisher's delta has a newer pair than ours, or another one of the same serial. */
  hint(hint: Hint): Promise<void>;
  /** An announcement of this very log came from a peer. */
  heard(announcement: Uint8Array): Promise<void>;
}

/** The view of the index maps that a publisher changes. */
const VIEW = 'published';

/** Who takes something back is told when it is signed, or after this that it is not yet. */
const SIGNED_WITHIN = 15_000;

/** Goes on where the last one in this place was; resolves before the upstream is asked for anything. @throws ConfigurationError */
export async function createPublisher(deps: PublisherDeps, options: PublisherOptions): Promise<Publisher> {
  const { log, maps, state, clock, facts, network, upstream } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const map = maps.view(VIEW);
  const scope = createPublishedScope(options.projects, deps.isPrivate);
  const blobs = createPageBlobs(deps);
  const known = await openKnownPages({ map, state, blobs });
  const retractions = await openOwnRetractions({ state, clock });
  const rotation = await openOwnRotation(
    { log, state, clock, note: (message) => tellLater(() => facts.emit('publisher:noted', { message })) },
    options.keys,
  );
  const signer = await createRecordSigner({ log, map, state, known, blobs, clock });
  if (scope.bytes !== undefined && scope.id !== 'all') await blobs.keep(scope.bytes, scope.id, 'local');
  let wake: () => void = () => undefined;
  const reading = await UpstreamReading.open({
    ...deps,
    map,
    known,
    scope,
    ...(await dueAgain({ clock, scope, blobs }, log.head?.record)),
    before: log.head?.record,
    fileOrigin: options.fileOrigin,
    wake: () => wake(),
  });
  const listeners = new Set<() => void>();
  const begunAt = clock.monotonic();
  let nextLookAt = begunAt;
  const last = log.head?.record.signedAt;
  let signedAt = last === undefined ? -Infinity : clock.monotonic() - Math.max(0, clock.now() - last);
  let toldAt = -Infinity;
  /** The operator said something that is not signed yet. */
  let urgent = false;
  let heardOfOwn = false;
  let stopped = await state.note('stopped');
  let failure = '';

  /** Of what may be signed now when that begins to be due (monotonic ms). */
  function signAt(): number {
    const { recordGap, recordEvery, heartbeatGrace } = limits.publish;
    const earliest = signedAt + recordGap;
    const { looked, hinted } = reading.news;
    if (hinted || urgent) return earliest;
    if ((looked || known.changed.size > 0) && reading.isSettled) return earliest;
    const since = Math.max(signedAt, begunAt);
    if (known.changed.size > 0) return Math.max(earliest, since + recordEvery);
    return Math.max(earliest, since + options.interval + Math.min(heartbeatGrace, options.interval));
  }

  async function signNow(seen: NonNullable<ReturnType<typeof reading.seen>>): ReturnType<typeof signer.sign> {
    return signer.sign({
      ...seen,
      upstream: options.upstreamUrl,
      scope: scope.id,
      retractions: retractions.list(),
      successor: await rotation.next(),
    });
  }

  async function sign(): Promise<void> {
    if (reading.seen() === undefined) return;
    if (!heardOfOwn) await hearOfOwn();
    const seen = reading.seen();
    if (stopped !== undefined || seen === undefined) return;
    reading.news.looked = false;
    reading.news.hinted = false;
    const wasUrgent = urgent;
    urgent = false;
    const { head, changed } = await signNow(seen).catch((error: unknown) => {
      urgent ||= wasUrgent;
      throw error;
    });
    await rotation.signed();
    signedAt = clock.monotonic();
    const { count: names, complete, serial, observedAt, mapRoot } = head.record;
    const [size, stale] = [head.checkpoint.size, seen.stale.size];
    facts.emit('publisher:signed', {
      origin: log.origin,
      size,
      names,
      changed,
      stale,
      complete,
      serial,
      observedAt,
      mapRoot,
    });
    for (const listener of listeners) listener();
    await tell(head);
    await blobs.letGo(async (project, digest) =>
      project === undefined
        ? digest === head.record.stale || digest === scope.id
        : (await known.get(project))?.digest === digest,
    );
  }

  async function tell(head: LogHead): Promise<void> {
    for (const announcement of head.announcements)
      await network.publish(encodeAnnouncement(announcement)).catch(note);
    if (clock.monotonic() - toldAt < limits.publish.dhtEvery) return;
    toldAt = clock.monotonic();
    const farewells = rotation.farewells().map(({ key, announcement }) => {
      return [parseVerifierKey(key), decodeAnnouncement(Buffer.from(announcement, 'base64'))] as const;
    });
    const newest = log.keys.flatMap((key, index) => {
      const announcement = head.announcements[index];
      return announcement === undefined ? [] : [[key, announcement] as const];
    });
    for (const [key, announcement] of [...farewells, ...newest])
      // Not waited for: it takes as long as the DHT takes.
      Promise.resolve()
        .then(() => network.putValue(headValueKey(key), encodeHeadValue(key, announcement), { signal }))
        .catch(note);
  }

  /** Whoever starts it listens only then. */
  function tellLater(tell: () => void): void {
    clock.setTimer(tell, 0);
  }

  /** Resolves when what the operator said is signed, or cannot be for now. */
  async function signSoon(): Promise<RetractionReport> {
    if (stopped !== undefined) throw new UnavailableError(`${log.origin} signs no more: ${stopped}`);
    const { promise, resolve } = Promise.withResolvers<number>();
    // A record that was begun before says nothing of it.
    const said = JSON.stringify(retractions.list());
    const listener = (): void => {
      if (JSON.stringify(log.head?.record.retractions) === said) resolve(log.size - 1);
    };
    urgent = true;
    listeners.add(listener);
    wake();
    const seq = await waitFor(clock, promise, SIGNED_WITHIN, signal).finally(() =>
      listeners.delete(listener),
    );
    return report(seq === OUT_OF_TIME ? null : seq);
  }

  function report(seq: number | null): RetractionReport {
    return { retractions: retractions.list(), limit: limits.log.retractions, seq };
  }

  async function hearOfOwn(): Promise<void> {
    heardOfOwn = true;
    if (deps.ownHeads === undefined) return;
    using limit = deadline(clock, limits.publish.ownHeadTime, signal);
    try {
      for await (const announcement of deps.ownHeads(limit.signal)) await heard(announcement);
    } catch (error) {
      if (!limit.signal.aborted) note(error);
    }
  }

  async function heard(announcement: Uint8Array): Promise<void> {
    const message = await conflictWith(announcement, log, options.keys);
    if (message === undefined || stopped !== undefined) return;
    stopped = message;
    await state.putNote('stopped', message, true);
    facts.emit('publisher:stopped', { origin: log.origin, message });
  }

  /** Once, as long as it stays the same. */
  function note(error: unknown): void {
    if (signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    if (message !== failure) facts.emit('publisher:noted', { message });
    failure = message;
  }

  function sleepUntil(at: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = at === Infinity ? undefined : clock.setTimer(() => wake(), at - clock.monotonic());
      wake = () => {
        timer?.cancel();
        wake = () => undefined;
        resolve();
      };
      if (signal.aborted) wake();
    });
  }

  async function run(): Promise<void> {
    if (stopped !== undefined) {
      const told = { origin: log.origin, message: stopped };
      tellLater(() => facts.emit('publisher:stopped', told));
    }
    while (!signal.aborted && stopped === undefined) {
      // What happens from here on is seen by the next turn.
      let woken = false;
      wake = () => (woken = true);
      if (clock.monotonic() >= nextLookAt && !reading.isLooking) {
        nextLookAt = Math.max(nextLookAt + options.interval, clock.monotonic());
        reading.startLook(signal);
      }
      try {
        await reading.startReads(signal);
        if (signAt() <= clock.monotonic()) await sign();
        failure = '';
      } catch (error) {
        note(error);
        // A full disk, as a rule: not at once again.
        signedAt = clock.monotonic();
      }
      if (woken || signal.aborted) continue;
      const look = reading.isLooking ? Infinity : nextLookAt;
      const signable = reading.seen() === undefined ? Infinity : signAt();
      await sleepUntil(Math.min(look, signable, reading.nextAt()));
    }
  }

  const running = run();
  return {
    index: createPublishedIndex({
      log,
      maps,
      map,
      state,
      farewells: () => rotation.farewells(),
      onSigned(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    }),
    hint: (hint) => reading.hint(hint),
    heard,
    retractions: async () => report(log.head?.record.seq ?? null),
    async retract(subject, reason) {
      await retractions.add(subject, reason);
      return signSoon();
    },
    async unretract(subject) {
      await retractions.remove(subject);
      return signSoon();
    },
    async acceptLoss() {
      const loss = reading.acceptLoss();
      nextLookAt = clock.monotonic();
      wake();
      return loss;
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new UpstreamError({ url: upstream.status().url }, 'the publisher is closing'));
      wake();
      await running;
      await reading.ended();
    },
  };
}
