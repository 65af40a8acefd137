/** The status object of design/README, "Contracts": `/-/status` and `fondue status --json`. Counters since start; times RFC 3339. */
export interface NodeStatus {
  readonly version: string;
  readonly peerId: string;
  readonly multiaddrs: readonly string[];
  readonly gateway: string;
  readonly dataDir: string;
  readonly mode: 'direct' | 'quorum' | 'offline';
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly upstream: {
    readonly url: string;
    readonly state: 'ok' | 'unreachable' | 'unknown' | 'off';
    readonly lastSuccessAt: string | null;
    readonly lastError: string | null;
    readonly requests: number;
    readonly notModified: number;
  };
  readonly index: {
    readonly pages: number;
    readonly oldestPageAgeSeconds: number | null;
    readonly stalePagesServed: number;
  };
  readonly store: {
    readonly blobs: number;
    readonly bytes: number;
    readonly quotaBytes: number;
    readonly pinnedBlobs: number;
    readonly partials: number;
    readonly evictedBlobs: number;
    readonly corruptBlobs: number;
  };
  readonly served: {
    readonly requests: number;
    readonly bytes: { readonly disk: number; readonly peer: number; readonly upstream: number };
  };
  readonly fetched: {
    readonly bytes: { readonly peer: number; readonly upstream: number };
    readonly blobs: { readonly peer: number; readonly upstream: number };
    readonly discardedBytes: number;
  };
  readonly network: {
    readonly state: 'connected' | 'alone' | 'off';
    readonly connections: number;
    readonly routingTable: number;
    readonly uploadedBytes: number;
    readonly providerRecords: number;
    readonly activeGets: number;
    readonly busyAnswers: number;
    readonly peers: readonly {
      readonly peerId: string;
      readonly address: string;
      readonly receivedBytes: number;
      readonly sentBytes: number;
    }[];
    readonly banned: readonly {
      readonly peerId: string;
      readonly reason: string;
      readonly digest: string | null;
      readonly at: string;
      readonly until: string;
    }[];
  };
  readonly process: { readonly rssBytes: number; readonly eventLoopDelayP99Ms: number };
}

export interface HealthReport {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly message: string }>>;
}
