/**
 * Opens files for clients: from disk, or through the blob's one flight. Always true: two clients of one cold blob share
 * one flight; a private blob is never asked of peers; a file without a digest is passed through only.
 */
import type { Digest } from '../core/digest.ts';
import { type StorageFullError, UnavailableError, UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Priority } from '../network/peer-network.ts';
import type { BlobReader } from '../store/blob-store.ts';
import { type Flight, type FlightDeps, startFlight } from './blob-flight.ts';
import { openDirectFile } from './direct-file.ts';
import { createMemoryBudget } from './memory-budget.ts';
import type { FileRef, Mirror, OpenAnswer, OpenedFile, Patience } from './mirror.ts';
import { createRaceMemory } from './race-memory.ts';
import { createStrangerGate } from './stranger-gate.ts';
import { OUT_OF_TIME, waitFor } from './wait-for.ts';

export type FileOpenerDeps = Omit<FlightDeps, 'memory' | 'races' | 'gate' | 'noRoom'>;

export interface OpenOptions extends Patience {
  /** Where reading will begin. */
  readonly offset?: number;
  /** How urgent it is to the peers that are asked; default 0, a client waits. */
  readonly priority?: Priority;
}

export interface FileOpener extends AsyncDisposable {
  openFile(ref: FileRef, options?: OpenOptions): Promise<OpenAnswer>;
  fileSize: Mirror['fileSize'];
  /** Blobs being fetched now. */
  readonly flights: number;
}

const FULL_TOLD_EVERY = 60_000;

export function createFileOpener(deps: FileOpenerDeps): FileOpener {
  const { store, upstream, network, clock, facts } = deps;
  const flights = new Map<Digest, Flight>();
  const all = new Set<Flight>();
  const shared = {
    memory: createMemoryBudget(limits.fetch.memory),
    races: createRaceMemory(),
    gate: createStrangerGate(),
  };
  let fullTold = -Infinity;
  let closed = false;

  function noRoom(error: StorageFullError): void {
    if (clock.monotonic() - fullTold < FULL_TOLD_EVERY) return;
    fullTold = clock.monotonic();
    facts.emit('storage:full', { message: error.message });
  }

  const isPrivate = (ref: FileRef, digest: Digest): boolean =>
    ref.private || upstream.private || store.visibility(digest) === 'private';

  function start(digest: Digest, ref: FileRef, priority: Priority, passThrough: boolean): Flight {
    const request = { digest, ref, private: isPrivate(ref, digest), priority, passThrough };
    const flight = startFlight({ ...deps, ...shared, noRoom }, request);
    shared.races.began();
    flights.set(digest, flight);
    all.add(flight);
    void forget(digest, flight);
    return flight;
  }

  async function forget(digest: Digest, flight: Flight): Promise<void> {
    await flight.gone;
    all.delete(flight);
    if (flights.get(digest) === flight) flights.delete(digest);
  }

  /** The flight to read from, or the blob itself when it has arrived meanwhile. */
  async function join(digest: Digest, ref: FileRef, options: OpenOptions): Promise<Flight | BlobReader> {
    const { offset = 0, priority = 0 } = options;
    for (;;) {
      options.signal?.throwIfAborted();
      if (closed) throw new UnavailableError('this node is closing');
      const held = await store.open(digest);
      if (held !== undefined) return held;
      const flight = flights.get(digest);
      if (flight === undefined) {
        if (store.stat(digest) === undefined) return start(digest, ref, priority, false);
      } else if (flight.failed) await flight.gone;
      else if (!flight.joinable(offset)) return start(digest, ref, priority, true);
      else {
        flight.join({ ref, private: isPrivate(ref, digest), priority });
        return flight;
      }
    }
  }

  /** What a peer with a good record claims, else what any claims. */
  async function sizeFromPeers(ref: FileRef, signal: AbortSignal): Promise<number | undefined> {
    const { digest } = ref;
    if (digest === undefined || deps.ask === 'none' || isPrivate(ref, digest)) return undefined;
    let claimed: number | undefined;
    for await (const { size, proven, lan } of network.ask(digest, { signal })) {
      if (size === undefined || (deps.ask === 'lan' && !lan)) continue;
      if (proven) return size;
      claimed ??= size;
    }
    return claimed;
  }

  return {
    async openFile(ref, options = {}) {
      const { digest } = ref;
      if (digest === undefined) return openDirectFile(deps, ref, options);
      if (isPrivate(ref, digest) && store.visibility(digest) !== 'private') {
        await store.markVisibility(digest, 'private');
      }
      const found = await join(digest, ref, options);
      if ('open' in found) return found.open(options.offset ?? 0, options);
      store.touch(digest);
      return { kind: 'opened', file: fromDisk(found) };
    },

    async fileSize(ref, patience = {}) {
      const held = ref.digest === undefined ? undefined : store.stat(ref.digest);
      if (held !== undefined) return { kind: 'size', size: held.size, source: 'disk' };
      const size = ref.size ?? (ref.digest === undefined ? undefined : flights.get(ref.digest)?.size);
      if (size !== undefined) return { kind: 'size', size, source: 'upstream' };
      const wait = patience.wait ?? limits.gateway.wait;
      const until = clock.monotonic() + wait;
      const stop = new AbortController();
      const asked = ref.url === '' || deps.offline ? undefined : ref.url;
      try {
        if (asked !== undefined) {
          const asking = upstream.fileInfo(asked, { signal: stop.signal });
          const info = await waitFor(clock, asking, wait, patience.signal);
          if (info === OUT_OF_TIME) return unknown(`${asked} did not answer within ${wait} ms`);
          if (info !== undefined) return { kind: 'size', size: info.size, source: 'upstream' };
        }
        // As GET has it: what the upstream does not have any more a peer may.
        const left = Math.max(0, until - clock.monotonic());
        const claimed = await waitFor(clock, sizeFromPeers(ref, stop.signal), left, patience.signal);
        if (typeof claimed === 'number') return { kind: 'size', size: claimed, source: 'peer' };
        return asked !== undefined && claimed === undefined
          ? { kind: 'absent' }
          : unknown(`nobody here knows the size of ${ref.filename}`);
      } catch (error) {
        if (error instanceof UpstreamError) return unknown(error.message);
        throw error;
      } finally {
        stop.abort(new Error('nobody waits for this size any more'));
      }
    },

    get flights() {
      return all.size;
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([...all].map((flight) => flight.close()));
    },
  };
}

function unknown(reason: string) {
  return { kind: 'unknown', reason, retryAfterSeconds: limits.gateway.retryAfterSeconds } as const;
}

function fromDisk(reader: BlobReader): OpenedFile {
  return {
    source: 'disk',
    complete: true,
    size: reader.size,
    available: reader.size,
    knownSize: async () => reader.size,
    read: (target, offset, options) => reader.read(target, offset, options),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}
