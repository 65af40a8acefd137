/** What people and monitors read: the dashboard, health, status, events, metrics. Nothing here changes anything. */
import type { HealthReport, NodeStatus } from '../mirror/status.ts';
import type { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { RequestError } from './http-errors.ts';
import type { Metrics } from './metrics.ts';
import { sendBuffer, sendJson } from './send.ts';

/** The dashboard as `dashboard/dashboard-page.ts` makes it; layers don't import each other, `node.ts` hands it over. */
export interface StaticPage {
  readonly body: Uint8Array;
  readonly contentSecurityPolicy: string;
}

export interface ServiceDeps {
  readonly status: () => NodeStatus | Promise<NodeStatus>;
  readonly health: () => HealthReport | Promise<HealthReport>;
  readonly events: EventStream;
  readonly metrics: Metrics;
  readonly dashboard: StaticPage;
  readonly limits: GatewayLimits;
}

export async function serveService(deps: ServiceDeps, exchange: Exchange): Promise<void> {
  const path = exchange.path.segments.join('/');
  const { idleTime } = deps.limits;
  switch (path) {
    case '': {
      const { body, contentSecurityPolicy } = deps.dashboard;
      const headers = ['Content-Security-Policy', contentSecurityPolicy, 'Referrer-Policy', 'no-referrer'];
      headers.push('Cache-Control', 'no-cache', 'Cross-Origin-Opener-Policy', 'same-origin');
      sendBuffer(exchange, { type: 'text/html; charset=utf-8', body, headers }, idleTime);
      return;
    }
    case '-/health': {
      const report = await deps.health();
      sendJson(exchange, report.ok ? 200 : 503, report, idleTime);
      return;
    }
    case '-/status':
      sendJson(exchange, 200, await deps.status(), idleTime);
      return;
    case '-/events':
      deps.events.serve(exchange);
      return;
    case 'metrics': {
      const body = Buffer.from(await deps.metrics.text());
      const headers = ['Cache-Control', 'no-store', 'Cross-Origin-Resource-Policy', 'same-origin'];
      sendBuffer(exchange, { type: deps.metrics.contentType, body, headers }, idleTime);
      return;
    }
    default:
      throw new RequestError(
        'NO_ROUTE',
        'nothing is served at this path; package installers want /simple/, people want /',
      );
  }
}
