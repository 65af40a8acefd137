/**
 * The HTTP server that pip, uv, Poetry and PDM take for PyPI. Fastify routes; handlers take over the reply (`hijack`) and
 * write prepared buffers, which costs no more than bare `http` (measured: 45,000 pages of 40 KB a second either way).
 *
 * Always true: a request is looked at by `admit` before any route sees it; whatever a route throws becomes an honest
 * status or a reset connection, never a clean end of something incomplete.
 */
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sleep, type Clock } from '../core/clock.ts';
import { FondueError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits as defaults } from '../core/limits.ts';
import { urlHost } from '../core/url-host.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { HealthReport, NodeStatus } from '../mirror/status.ts';
import { createBufferPool } from './buffer-pool.ts';
import { createConnectionGuard } from './connection-guard.ts';
import { serveProjectJson, serveProvenance } from './document-routes.ts';
import { createEventStream } from './event-stream.ts';
import { Exchange } from './exchange.ts';
import { serveFiles } from './file-routes.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { isFromAnotherSite } from './cross-site.ts';
import { createHostCheck } from './host-check.ts';
import { RequestError } from './http-errors.ts';
import { closeServer, createHttpServer, listen, refuseSilent, refuseUnreadable } from './http-server.ts';
import { createMetrics } from './metrics.ts';
import { createPageRenderings } from './page-renderings.ts';
import { servePages } from './page-routes.ts';
import { createPlainRequests } from './plain-requests.ts';
import { parseRequestPath } from './request-path.ts';
import { sendProblem } from './send.ts';
import { serveService, type StaticPage } from './service-routes.ts';
import { type PageSigner, serveSigned } from './signed-routes.ts';
import { createSmallFileCache } from './small-file-cache.ts';
import { createWarmAnswers } from './warm-answers.ts';
import { createWarmLane } from './warm-lane.ts';

export interface GatewayDeps {
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly status: () => NodeStatus | Promise<NodeStatus>;
  readonly health: () => HealthReport | Promise<HealthReport>;
  readonly dashboard: StaticPage;
  /** Signs pages (PEP 381). */
  readonly signer?: PageSigner | undefined;
  /** See `SignedDeps`. */
  readonly lastModified?: (() => number | undefined) | undefined;
  /** Told of what went wrong in the program itself and was answered 500. */
  readonly report?: (error: unknown) => void;
}

export interface GatewayConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Hosts besides loopback and the bound address that a Host header may name. */
  readonly allowHosts: readonly string[];
  /** Milliseconds. */
  readonly pageTtl: number;
  /** Single bounds other than those of the table, for tests. */
  readonly limits?: Partial<GatewayLimits>;
}

export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  /** Fastify's way to ask without a socket. */
  readonly inject: ReturnType<typeof fastify>['inject'];
  /** Idempotent; waits a little for what is being answered. */
  close(): Promise<void>;
}

type Serve = (exchange: Exchange) => Promise<void>;

/** No route has a schema: without these fastify loads two compilers of schemas at each start (60 ms). */
const NO_SCHEMAS = {
  compilersFactory: { buildValidator: neverAsked, buildSerializer: neverAsked },
};

function neverAsked(): never {
  throw new Error('no route of the gateway has a schema');
}

/** Listens when it resolves. @throws ConfigurationError('environment') when the address cannot be had. */
export async function createGateway(deps: GatewayDeps, config: GatewayConfig): Promise<Gateway> {
  const limits: GatewayLimits = { ...defaults.gateway, ...config.limits };
  const { clock, facts, mirror, report } = deps;
  const hostAllowed = createHostCheck(config.host, config.allowHosts);
  await using opened = new AsyncDisposableStack();
  const smallFiles = opened.use(createSmallFileCache({ clock, facts }, limits));
  const events = opened.use(createEventStream({ clock, facts }, limits));
  const metrics = opened.use(createMetrics(facts, deps.status));
  const { copyBuffer: bufferBytes, copyMemory: totalBytes } = limits;
  const pool = createBufferPool({ bufferBytes, totalBytes });
  const renderings = createPageRenderings(limits.pageCache);
  const pages = { mirror, renderings, clock, limits, pageTtl: config.pageTtl };
  const files = { mirror, clock, pool, smallFiles, limits };
  const documents = { mirror, limits };
  const signed = { ...pages, signer: deps.signer, lastModified: deps.lastModified };
  const exchangeDeps = { clock, facts, limits };
  const services = { ...deps, events, metrics, limits };

  const plain = createPlainRequests();
  const answers = createWarmAnswers({ mirror, renderings, smallFiles, clock, limits });

  const admit = (request: IncomingMessage, response: ServerResponse, route: string): Exchange => {
    const path = parseRequestPath(request.url ?? '', limits.urlBytes);
    if (!hostAllowed(path.authority ?? request.headers.host, request.socket.localAddress)) {
      const message = 'this Host is not served here; "fondue up --allow-host NAME" adds one';
      throw new RequestError('MISDIRECTED', message);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const message = 'this is a mirror: it answers GET and HEAD';
      throw new RequestError('METHOD_NOT_ALLOWED', message, ['Allow', 'GET, HEAD']);
    }
    if (isFromAnotherSite(request.headers))
      throw new RequestError('CROSS_SITE', 'pages of other sites get nothing here');
    plain.learn(request);
    return new Exchange(exchangeDeps, request, response, path, route);
  };
  const answer =
    (route: string, serve: Serve) =>
    (request: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack();
      const asJson = route === 'json' || route === 'provenance' || route === 'service';
      const fail = (error: unknown): void => {
        const ours = error instanceof FondueError || (error as Error | undefined)?.name === 'AbortError';
        if (!ours) report?.(error);
        sendProblem({ request: request.raw, response: reply.raw }, error, asJson);
      };
      try {
        serve(admit(request.raw, reply.raw, route)).catch(fail);
      } catch (error) {
        fail(error);
      }
    };

  const nothing = answer('none', (exchange) => serveService(services, exchange));
  const guard = createConnectionGuard(limits);
  const app = fastify({
    serverFactory: (handler) =>
      createHttpServer(
        limits,
        guard,
        (toHttp) => {
          const silent = (socket: Socket): void => refuseSilent(limits, socket);
          const lane = { plain, answers, guard, hostAllowed, clock, facts, limits };
          return createWarmLane({ ...lane, toHttp, refuseSilent: silent });
        },
        handler,
      ),
    clientErrorHandler: (error, socket) => refuseUnreadable(limits, error, socket),
    frameworkErrors: (_error, request, reply) => nothing(request, reply),
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: limits.headerBytes },
    schemaController: NO_SCHEMAS,
  });
  // Bodies are never read, whatever type they claim to be.
  app.removeAllContentTypeParsers();
  app.addHook('onRequest', (request, reply, done) => {
    if (request.raw.method === 'GET' || request.raw.method === 'HEAD') done();
    else nothing(request, reply);
  });
  app.setNotFoundHandler(nothing);
  const at = (url: string, route: string, serve: Serve): void => {
    app.route({ method: ['GET', 'HEAD'], url, handler: answer(route, serve) });
  };
  at('/simple', 'page', (exchange) => servePages(pages, exchange));
  at('/simple/*', 'page', (exchange) => servePages(pages, exchange));
  for (const prefix of ['files', 'packages', 'direct'])
    at(`/${prefix}/*`, 'file', (exchange) => serveFiles(files, exchange));
  at('/pypi/*', 'json', (exchange) => serveProjectJson(documents, exchange));
  at('/integrity/*', 'provenance', (exchange) => serveProvenance(documents, exchange));
  for (const path of ['/last-modified', '/serverkey', '/serversig', '/serversig/*'])
    at(path, 'signed', (exchange) => serveSigned(signed, exchange));
  for (const path of ['/', '/-/health', '/-/status', '/-/events', '/metrics'])
    at(path, 'service', (exchange) => serveService(services, exchange));

  await app.ready();
  const { server } = app;
  const port = await listen(server, config.host, config.port);
  const resources = opened.move();
  // Without a listener an error while accepting would end the process.
  server.on('error', (error) => report?.(error));
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    // Ends the event streams, which would never end by themselves.
    await resources.disposeAsync();
    await closeServer(server, guard, sleep(clock, limits.closeTime));
    await app.close();
  };
  const close = (): Promise<void> => (closing ??= closeAll());
  return {
    url: `http://${urlHost(config.host)}:${port}`,
    server,
    inject: app.inject.bind(app) as Gateway['inject'],
    close,
    [Symbol.asyncDispose]: close,
  };
}
