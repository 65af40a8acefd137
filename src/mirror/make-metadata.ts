/**
 * The bytes of `<file url>.metadata` (design/gateway, "What clients really do", 5). Always true: what is served fits the
 * hash that the page gives; without one it is the same every time, until the whole wheel proves it wrong; "there is none"
 * is said only of what was never promised or when the whole wheel proves it.
 */
import { deadline, sleep, type Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { IntegrityError, InvalidContentError, UnavailableError } from '../core/errors.ts';
import type { FactEmitter, SourceKind } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { createMetadataBlobs, digestOf } from './metadata-blobs.ts';
import type { FileRef, Mirror } from './mirror.ts';
import { collect, readAll } from './read-fully.ts';
import { createRecordedMetadata } from './recorded-metadata.ts';
import { advertisedHash } from './served-page.ts';
import { staggered, type Way } from './staggered.ts';
import { OUT_OF_TIME, waitFor } from './wait-for.ts';
import { metadataByRanges, metadataOfOpened, metadataOfWhole } from './wheel-reading.ts';

type MetadataAnswer = Awaited<ReturnType<Mirror['metadata']>>;

export interface WheelMetadata {
  metadata: Mirror['metadata'];
  /** A whole wheel came: what was made of its end before must agree, else the wheel's own counts from now on. Never rejects. */
  onWheelStored(wheel: Digest): Promise<void>;
}

export interface WheelMetadataDeps {
  readonly catalog: Pick<
    Catalog,
    'wheelMetadata' | 'putWheelMetadata' | 'fileOrigin' | 'document' | 'putDocument'
  >;
  readonly store: Pick<
    BlobStore,
    'open' | 'openPartial' | 'stat' | 'touch' | 'markVisibility' | 'visibility'
  >;
  readonly upstream: Pick<Upstream, 'file' | 'fileInfo'>;
  readonly openFile: Mirror['openFile'];
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
}

interface Made {
  /** `none`: a whole wheel holds none. */
  readonly bytes: Uint8Array | 'none';
  readonly source: SourceKind;
  /** Read from a whole, verified wheel: this is the truth of it. */
  readonly proven: boolean;
  /** A URL, or `local`. */
  readonly from: string;
}

/** Waits between rounds of all ways, ms. */
const ROUNDS = [500, 1000, 2000, 4000] as const;

export function createWheelMetadata(deps: WheelMetadataDeps, options: { offline: boolean }): WheelMetadata {
  const { catalog, store, upstream, clock, facts } = deps;
  const blobs = createMetadataBlobs(store);
  const recorded = createRecordedMetadata({ catalog, facts });
  /** Until what they made is stored: who comes before that is answered by them. */
  const flights = new Map<Digest, Promise<MetadataAnswer>>();

  /** What is being stored behind its clients' backs: they are answered at the hash. */
  const keeping = new Map<Digest, Promise<void>>();

  /** Blobs of metadata that are being stored: no wheels to be compared with anything. */
  const own = new Set<Digest>();

  async function finish(wheel: Digest, flight: Promise<MetadataAnswer>): Promise<void> {
    await flight.catch(() => undefined);
    await keeping.get(wheel);
    keeping.delete(wheel);
    flights.delete(wheel);
  }

  /** What is here already. */
  async function held(wheel: Digest, hash: Digest | undefined): Promise<MetadataAnswer | undefined> {
    // What the page gives a hash for needs no catalog.
    const known = await (hash === undefined ? recorded.of(wheel) : recorded.of(wheel).catch(() => undefined));
    if (known === 'none') return { kind: 'absent' };
    const digest = hash ?? known;
    const body = digest && (await blobs.read(digest));
    return body && digest && { kind: 'metadata', body, digest, source: 'disk' };
  }

  async function fromHeldWheel(ref: FileRef, wheel: Digest, signal: AbortSignal): Promise<Made> {
    await using blob = await store.open(wheel);
    if (blob === undefined) throw new UnavailableError(`${ref.filename} is not held`);
    const bytes = await metadataOfWhole(blob, blob.size, ref.filename, signal);
    return { bytes, source: 'disk', proven: true, from: 'local' };
  }

  async function fromUpstream(ref: FileRef, signal: AbortSignal): Promise<Made> {
    const url = `${ref.url}.metadata`;
    await using answer = await upstream.file(url, { signal });
    if (answer === undefined) throw new UnavailableError(`${url} is not there`);
    const bytes = await collect(answer.body, limits.file.metadataBytes, url);
    if (answer.size !== undefined && answer.size !== bytes.length)
      throw new UnavailableError(`${url} ended after ${bytes.length} of ${answer.size} bytes`);
    // Without a hash this is all that tells metadata from a login page.
    if (!/^Metadata-Version:/im.test(Buffer.from(bytes.subarray(0, 4096)).toString('latin1')))
      throw new UnavailableError(`${url} is not metadata`);
    return { bytes, source: 'upstream', proven: false, from: url };
  }

  async function fromRanges(ref: FileRef, signal: AbortSignal): Promise<Made> {
    const bytes = await metadataByRanges(upstream, ref, signal);
    return { bytes, source: 'upstream', proven: false, from: 'local' };
  }

  /** The metadata's own blob, from peers that hold it: its hash names it. */
  async function fromPeers(ref: FileRef, hash: Digest, signal: AbortSignal): Promise<Made> {
    const filename = `${ref.filename}.metadata`;
    const blob: FileRef = { ...ref, filename, url: '', digest: hash, size: undefined, file: undefined };
    const opened = await deps.openFile(blob, { signal, wait: limits.metadata.wait });
    if (opened.kind !== 'opened') throw new UnavailableError(`no peer gave ${filename}`);
    await using file = opened.file;
    const bytes = await readAll(file, limits.file.metadataBytes, filename, signal);
    return { bytes, source: file.source, proven: false, from: 'local' };
  }

  async function fromWholeWheel(ref: FileRef, _wheel: Digest, signal: AbortSignal): Promise<Made> {
    const opened = await deps.openFile(ref, { signal, wait: limits.metadata.flight });
    if (opened.kind === 'absent') throw new UnavailableError(`${ref.filename} is not there`);
    if (opened.kind === 'unknown') throw new UnavailableError(opened.reason);
    await using file = opened.file;
    const bytes = await metadataOfOpened(file, ref.filename, signal);
    return { bytes, source: file.source, proven: true, from: 'local' };
  }

  /** Best first. `unread` is told of a whole wheel that is refused here. */
  function waysTo(ref: FileRef, wheel: Digest, hash: Digest | undefined, unread: () => void): Way<Made>[] {
    const ofWhole =
      (way: (ref: FileRef, wheel: Digest, signal: AbortSignal) => Promise<Made>): Way<Made> =>
      async (signal) => {
        try {
          return await way(ref, wheel, signal);
        } catch (error) {
          if (error instanceof InvalidContentError) unread();
          throw error;
        }
      };
    const isWheel = ref.filename.endsWith('.whl');
    const reachable = !options.offline && ref.url !== '';
    const promised = hash !== undefined || ref.file?.coreMetadata !== undefined;
    const ways: (Way<Made> | false)[] = [
      isWheel && store.stat(wheel) !== undefined && ofWhole(fromHeldWheel),
      reachable && promised && ((signal) => fromUpstream(ref, signal)),
      reachable && isWheel && ((signal) => fromRanges(ref, signal)),
      hash !== undefined && !ref.private && ((signal) => fromPeers(ref, hash, signal)),
      isWheel && ofWhole(fromWholeWheel),
    ];
    return ways.filter((way) => way !== false);
  }

  /** Refuses what does not fit the hash that the page gives, and tells. */
  function checked(way: Way<Made>, hash: Digest, disprove: (as: 'none' | 'unfit') => void): Way<Made> {
    return async (signal) => {
      const made = await way(signal);
      const actual = made.bytes === 'none' ? 'no metadata' : digestOf(made.bytes);
      if (actual === hash) return made;
      const { proven, from: source } = made;
      if (proven) disprove(made.bytes === 'none' ? 'none' : 'unfit');
      facts.emit('integrity:mismatch', { digest: hash, actual, source });
      throw new IntegrityError({ expected: hash, actual, source });
    };
  }

  async function make(ref: FileRef, wheel: Digest): Promise<MetadataAnswer> {
    const hash = advertisedHash(ref.file);
    using limit = deadline(clock, limits.metadata.flight);
    /** What the whole wheel shows, where that is not what was advertised. */
    let truth: 'none' | 'unfit' | undefined;
    let unread = false;
    for (let round = 0; ; round++) {
      const ways = waysTo(ref, wheel, hash, () => (unread = true));
      const safe = hash === undefined ? ways : ways.map((way) => checked(way, hash, (as) => (truth = as)));
      try {
        return await settle(
          ref,
          wheel,
          hash,
          await staggered(clock, safe, limits.metadata.stagger, limit.signal),
        );
      } catch (error) {
        const pause = ROUNDS[round];
        const reason = `${ref.filename}.metadata: ${(error as Error).message}`;
        if (truth !== undefined) return await giveUp(ref, wheel, truth, reason);
        const last = pause === undefined || limit.signal.aborted;
        // Only the upstream may still have what fits its own hash.
        if (unread && (last || hash === undefined)) return await giveUp(ref, wheel, 'unfit', reason);
        if (last) return unknown(reason);
        await sleep(clock, pause, limit.signal).catch(() => undefined);
      }
    }
  }

  /** Nothing right can be served under the advertised hash: the page says no more of it when it is next refreshed. */
  async function giveUp(
    ref: FileRef,
    wheel: Digest,
    truth: 'none' | 'unfit',
    reason: string,
  ): Promise<MetadataAnswer> {
    if (ref.file !== undefined) await recorded.mark(ref.project, wheel, truth);
    if (truth === 'unfit') return unknown(reason);
    await recorded.set(wheel, 'none');
    return { kind: 'absent' };
  }

  /** Keeps what was made, and says it. */
  async function settle(
    ref: FileRef,
    wheel: Digest,
    hash: Digest | undefined,
    made: Made,
  ): Promise<MetadataAnswer> {
    const { bytes } = made;
    if (bytes === 'none') {
      await record(ref.project, wheel, 'none', ref.file !== undefined);
      return { kind: 'absent' };
    }
    const digest = digestOf(bytes);
    if (hash === undefined) {
      const before = await recorded.of(wheel);
      // Its blob was evicted and the end of the wheel reads differently now: only the whole wheel may say so.
      if (before !== undefined && before !== 'none' && before !== digest) {
        facts.emit('integrity:mismatch', { digest: before, actual: digest, source: ref.url });
        if (!made.proven) return unknown(`${ref.filename}.metadata is not what it was; the wheel will tell`);
      }
      await record(ref.project, wheel, digest, ref.file !== undefined);
    }
    own.add(digest);
    const kept = blobs
      .keep(bytes, digest, ref.private ? 'private' : 'public', made.from)
      .finally(() => own.delete(digest));
    // That it is private is on disk before anybody has it.
    if (ref.private) await kept;
    else keeping.set(wheel, kept);
    return { kind: 'metadata', body: bytes, digest, source: made.source };
  }

  async function record(
    project: FileRef['project'],
    wheel: Digest,
    what: Digest | 'none',
    onPage: boolean,
  ): Promise<void> {
    await recorded.set(wheel, what);
    if (onPage) await recorded.mark(project, wheel, what);
  }

  async function compareWithWhole(wheel: Digest): Promise<void> {
    await flights.get(wheel)?.catch(() => undefined);
    await keeping.get(wheel);
    const known = await recorded.of(wheel);
    const origin = known && (await catalog.fileOrigin(wheel));
    if (known === undefined || origin === undefined || !origin.filename.endsWith('.whl')) return;
    await using blob = await store.open(wheel);
    if (blob === undefined) return;
    const bytes = await metadataOfWhole(blob, blob.size, origin.filename);
    const actual = bytes === 'none' ? 'none' : digestOf(bytes);
    if (actual === known) return;
    const digest = known === 'none' ? wheel : known;
    facts.emit('integrity:mismatch', { digest, actual, source: `${origin.filename}, its end` });
    if (bytes !== 'none') {
      const visibility = store.visibility(wheel) ?? 'public';
      await blobs.keep(bytes, digestOf(bytes), visibility, 'local');
    }
    await record(origin.project, wheel, actual, true);
  }

  return {
    async metadata(ref, patience = {}) {
      patience.signal?.throwIfAborted();
      const { digest: wheel, file } = ref;
      const hash = advertisedHash(file);
      if (wheel === undefined || file?.coreMetadata === false) return { kind: 'absent' };
      if (hash === undefined && !ref.filename.endsWith('.whl')) return { kind: 'absent' };
      const here = await held(wheel, hash);
      if (here !== undefined) return here;
      let flight = flights.get(wheel);
      if (flight === undefined) {
        if (flights.size >= limits.metadata.flights) return unknown('too many wheels are being read');
        flight = make(ref, wheel);
        flights.set(wheel, flight);
        void finish(wheel, flight);
      }
      const answer = await waitFor(clock, flight, patience.wait ?? limits.gateway.wait, patience.signal);
      return answer === OUT_OF_TIME ? unknown(`${ref.filename}.metadata is still being looked for`) : answer;
    },

    async onWheelStored(wheel) {
      if (own.has(wheel)) return;
      try {
        await compareWithWhole(wheel);
      } catch (error) {
        // Nobody waits for this; what was made before stays.
        facts.emit('network:noted', {
          message: `metadata of ${wheel} could not be compared with its wheel: ${(error as Error).message}`,
        });
      }
    },
  };
}

function unknown(reason: string): MetadataAnswer {
  return { kind: 'unknown', reason, retryAfterSeconds: limits.gateway.retryAfterSeconds };
}
