/**
 * Prometheus metrics (`/metrics`): counted from facts, or asked of the status at the moment of the scrape. Always true: the
 * labels are from short fixed lists, never names, digests or peers.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { FactEmitter, FactName, Facts } from '../core/facts.ts';
import type { NodeStatus } from '../mirror/status.ts';
import { createRequestMetrics } from './request-metrics.ts';

export interface Metrics extends Disposable {
  readonly contentType: string;
  text(): Promise<string>;
}

export function createMetrics(facts: FactEmitter, status: () => NodeStatus | Promise<NodeStatus>): Metrics {
  const registry = new Registry();
  const stops: (() => void)[] = [];
  const on = <K extends FactName>(name: K, listener: (fact: Facts[K]) => void): void => {
    stops.push(facts.on(name, listener));
  };
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `fondue_${name}`, help, labelNames, registers: [registry] });

  const requests = createRequestMetrics(facts);
  const fetched = counter('fetched_bytes_total', 'Verified bytes fetched.', ['source']);
  on('blob:fetched', ({ bytes }) => {
    fetched.inc({ source: 'peer' }, bytes.peer);
    fetched.inc({ source: 'upstream' }, bytes.upstream);
  });
  const discarded = counter('discarded_bytes_total', 'Bytes fetched in vain.', ['source']);
  on('fetch:discarded', ({ source, bytes }) => discarded.inc({ source }, bytes));
  const added = counter('blobs_added_total', 'Files stored.', ['source']);
  on('blob:added', ({ source }) => added.inc({ source }));
  const evicted = counter('blobs_evicted_total', 'Files removed to make room or by request.', ['reason']);
  on('blob:evicted', ({ reason }) => evicted.inc({ reason }));
  const mismatches = counter('integrity_mismatches_total', 'Bytes that did not fit their hash.', ['where']);
  on('blob:corrupt', () => mismatches.inc({ where: 'disk' }));
  on('integrity:mismatch', ({ source }) =>
    mismatches.inc({ where: source.startsWith('peer:') ? 'peer' : 'upstream' }),
  );
  const pages = counter('pages_refreshed_total', 'Project pages read from the upstream.', ['changed']);
  on('page:refreshed', ({ changed }) => pages.inc({ changed: String(changed) }));
  const stale = counter('stale_pages_served_total', 'Pages served past their time to live.', []);
  on('page:stale-served', () => stale.inc());
  const banned = counter('peers_banned_total', 'Peers banned.', []);
  on('peer:banned', () => banned.inc());
  const refused = counter('index_refused_total', 'What was refused of the signed index.', ['code', 'blame']);
  on('record:refused', ({ code, blame }) => refused.inc({ code, blame }));
  const misconduct = counter('index_misconduct_total', 'Proofs of misconduct of publishers.', ['kind']);
  on('misconduct:proven', ({ kind }) => misconduct.inc({ kind }));
  const full = counter('storage_full_total', 'Times the disk or the quota had no room.', []);
  on('storage:full', () => full.inc());

  const gauges = statusGauges.map(
    ([name, help]) => new Gauge({ name: `fondue_${name}`, help, registers: [registry] }),
  );
  return {
    contentType: registry.contentType,
    async text() {
      const now = await status();
      statusGauges.forEach(([, , read], at) => gauges[at]?.set(read(now)));
      return `${requests.text()}\n\n${await registry.metrics()}`;
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
      requests[Symbol.dispose]();
    },
  };
}

const statusGauges: readonly [name: string, help: string, read: (status: NodeStatus) => number][] = [
  ['store_bytes', 'Bytes of files stored.', ({ store }) => store.bytes],
  ['store_quota_bytes', 'Bytes that may be stored.', ({ store }) => store.quotaBytes],
  ['store_blobs', 'Files stored.', ({ store }) => store.blobs],
  ['index_pages', 'Project pages kept.', ({ index }) => index.pages],
  [
    'index_oldest_page_age_seconds',
    'Age of the oldest page kept, 0 without any.',
    ({ index }) => index.oldestPageAgeSeconds ?? 0,
  ],
  [
    'upstream_reachable',
    '1 when the upstream answered last.',
    ({ upstream }) => (upstream.state === 'ok' ? 1 : 0),
  ],
  ['peers_connected', 'Connections to peers.', ({ network }) => network.connections],
  ['peers_uploaded_bytes', 'Bytes of files sent to peers.', ({ network }) => network.uploadedBytes],
  ['process_resident_bytes', 'Memory of the process.', ({ process }) => process.rssBytes],
  [
    'event_loop_delay_p99_seconds',
    'How late the event loop is.',
    ({ process }) => process.eventLoopDelayP99Ms / 1000,
  ],
];
