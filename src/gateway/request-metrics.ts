/**
 * What each request adds to the metrics. By hand, because `prom-client` takes 3 µs to find a counter by its labels, which is
 * a tenth of a warm answer; the text is the same as it would write.
 */
import type { FactEmitter, SourceKind } from '../core/facts.ts';

export interface RequestMetrics extends Disposable {
  /** In Prometheus' text format, without a newline at the end. */
  text(): string;
}

/** Seconds. */
const BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.3, 1, 3, 12, 60];

interface Route {
  readonly statuses: Map<number, number>;
  /** Requests that took at most BOUNDS[at], but more than the bound before; the last: more than all. */
  readonly buckets: number[];
  seconds: number;
}

export function createRequestMetrics(facts: Pick<FactEmitter, 'on'>): RequestMetrics {
  const routes = new Map<string, Route>();
  const served = new Map<SourceKind, number>();
  const stops = [
    facts.on('served:request', ({ route, status, ms }) => {
      let known = routes.get(route);
      if (known === undefined) {
        known = { statuses: new Map(), buckets: [...BOUNDS, Infinity].map(() => 0), seconds: 0 };
        routes.set(route, known);
      }
      known.statuses.set(status, (known.statuses.get(status) ?? 0) + 1);
      let at = 0;
      while (at < BOUNDS.length && ms / 1000 > (BOUNDS[at] ?? Infinity)) at++;
      known.buckets[at] = (known.buckets[at] ?? 0) + 1;
      known.seconds += ms / 1000;
    }),
    facts.on('served:bytes', ({ source, bytes }) => {
      served.set(source, (served.get(source) ?? 0) + bytes);
    }),
  ];
  return {
    text() {
      const requests = [...routes].flatMap(([route, { statuses }]) =>
        [...statuses].map(([status, count]) => `{route="${route}",status="${status}"} ${count}`),
      );
      const bytes = [...served].map(([source, count]) => `{source="${source}"} ${count}`);
      return [
        metric('http_requests_total', 'counter', 'Requests answered.', requests),
        metric('served_bytes_total', 'counter', 'Bytes of bodies sent to clients.', bytes),
        metric(
          'http_request_seconds',
          'histogram',
          'From a request to the end of its answer.',
          [...routes].flatMap(histogramLines),
        ),
      ].join('\n\n');
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

function metric(name: string, type: string, help: string, lines: readonly string[]): string {
  const full = `fondue_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines.map((line) => full + line)].join('\n');
}

function histogramLines([route, { buckets, seconds }]: [string, Route]): string[] {
  let count = 0;
  const lines = buckets.map((more, at) => {
    count += more;
    return `_bucket{le="${BOUNDS[at] ?? '+Inf'}",route="${route}"} ${count}`;
  });
  return [...lines, `_sum{route="${route}"} ${seconds}`, `_count{route="${route}"} ${count}`];
}
