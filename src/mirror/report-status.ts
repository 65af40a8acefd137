/** Builds the status object: counters from facts, the rest asked of the parts at the moment of the call. */
import type { Clock } from '../core/clock.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { PeerNetwork } from '../network/peer-network.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { HealthReport, NodeStatus } from './status.ts';

export interface StatusSources {
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly store: Pick<BlobStore, 'totals'>;
  readonly catalog: Pick<Catalog, 'totals'>;
  readonly upstream: Pick<Upstream, 'status'>;
  readonly network: Pick<PeerNetwork, 'peerId' | 'multiaddrs' | 'status'>;
  readonly version: string;
  readonly dataDir: string;
  readonly mode: NodeStatus['mode'];
  /** Memory and event loop of the process, measured by `node.ts`'s adapter. */
  readonly process: () => NodeStatus['process'];
}

export interface StatusReporter {
  status(gateway: string): NodeStatus;
  health(): HealthReport;
}

/** Who stores nothing finds no room either: what was full so long ago may not be so any more. */
const FULL_FOR = 300_000;

const iso = (ms: number): string => new Date(ms).toISOString();

export function createStatusReporter(sources: StatusSources): StatusReporter {
  const { clock, facts } = sources;
  const startedAt = clock.now();
  const started = clock.monotonic();
  const served = { requests: 0, bytes: { disk: 0, peer: 0, upstream: 0 } };
  const fetched = { bytes: { peer: 0, upstream: 0 }, blobs: { peer: 0, upstream: 0 }, discardedBytes: 0 };
  let stalePagesServed = 0;
  let full: { readonly at: number; readonly message: string } | undefined;
  facts.on('served:request', () => served.requests++);
  facts.on('served:bytes', ({ source, bytes }) => (served.bytes[source] += bytes));
  facts.on('blob:fetched', ({ bytes }) => {
    fetched.bytes.peer += bytes.peer;
    fetched.bytes.upstream += bytes.upstream;
    // A blob that came from both counts where most of it came from.
    fetched.blobs[bytes.peer > bytes.upstream ? 'peer' : 'upstream']++;
  });
  facts.on('fetch:discarded', ({ bytes }) => (fetched.discardedBytes += bytes));
  facts.on('page:stale-served', () => stalePagesServed++);
  facts.on('storage:full', ({ message }) => (full = { at: clock.monotonic(), message }));
  facts.on('blob:added', () => (full = undefined));

  return {
    status(gateway) {
      const upstream = sources.upstream.status();
      const { pages, oldestObservedAt } = sources.catalog.totals();
      const { partialBytes: _, ...store } = sources.store.totals();
      const network = sources.network.status();
      return {
        version: sources.version,
        peerId: sources.network.peerId,
        multiaddrs: sources.network.multiaddrs(),
        gateway,
        dataDir: sources.dataDir,
        mode: sources.mode,
        startedAt: iso(startedAt),
        uptimeSeconds: Math.floor((clock.monotonic() - started) / 1000),
        upstream: {
          url: upstream.url,
          state: upstream.state,
          lastSuccessAt: upstream.lastSuccessAt === undefined ? null : iso(upstream.lastSuccessAt),
          lastError: upstream.lastError ?? null,
          requests: upstream.requests,
          notModified: upstream.notModified,
        },
        index: {
          pages,
          oldestPageAgeSeconds:
            oldestObservedAt === undefined
              ? null
              : Math.max(0, Math.ceil((clock.now() - oldestObservedAt) / 1000)),
          stalePagesServed,
        },
        store,
        served: structuredClone(served),
        fetched: structuredClone(fetched),
        network: {
          ...network,
          banned: network.banned.map((ban) => ({
            ...ban,
            digest: ban.digest ?? null,
            at: iso(ban.at),
            until: iso(ban.until),
          })),
        },
        process: sources.process(),
      };
    },
    health() {
      const upstream = sources.upstream.status();
      const checks = {
        store:
          full && clock.monotonic() - full.at < FULL_FOR
            ? { ok: false, message: `${full.message}; what cannot be kept is passed through` }
            : { ok: true, message: `${sources.store.totals().blobs} files` },
        // An unreachable upstream alone is no reason to take the gateway away: what is kept is served.
        upstream: {
          ok: true,
          message: `${upstream.state}${upstream.lastError === undefined ? '' : `: ${upstream.lastError}`}`,
        },
        network: { ok: true, message: sources.network.status().state },
      };
      return { ok: Object.values(checks).every((check) => check.ok), checks };
    },
  };
}
