/**
 * Node's HTTP server with this gateway's bounds, and what is said to a connection on which no request could be read.
 * Always true: a request's head has a size and a time; an idle connection is closed; so is one that takes nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ConfigurationError } from '../core/errors.ts';
import type { ConnectionGuard } from './connection-guard.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { problemOnSocket, RequestError } from './http-errors.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes what a new connection comes to first; `toHttp` gives it to Node's `http`. */
type Lane = (toHttp: (socket: Socket) => void) => (socket: Socket) => void;

export function createHttpServer(
  limits: GatewayLimits,
  guard: ConnectionGuard,
  lane: Lane,
  handler: Handler,
): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerTime,
      // The whole request: those that we take have no body.
      requestTimeout: limits.headerTime,
      keepAliveTimeout: limits.idleTime,
      connectionsCheckingInterval: Math.max(50, limits.headerTime / 10),
      noDelay: true,
    },
    (request, response) => {
      if (guard.begin(request, response)) handler(request, response);
    },
  );
  // What `http` itself does with a connection: the only listeners that there are yet.
  const own = server.listeners('connection');
  const toHttp = (socket: Socket): void => {
    for (const listener of own) listener.call(server, socket);
  };
  const enter = lane(toHttp);
  server.removeAllListeners('connection');
  server.on('connection', (socket) => (guard.connected(socket) ? enter : toHttp)(socket));
  return server;
}

/** A connection on which nothing came in time. */
export function refuseSilent(limits: GatewayLimits, socket: Socket): void {
  refuseUnreadable(limits, Object.assign(new Error('silent'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
}

interface UnreadableError extends Error {
  readonly code?: string | undefined;
  readonly rawPacket?: unknown;
}

/** For Node's `clientError`. */
export function refuseUnreadable(limits: GatewayLimits, error: UnreadableError, socket: Socket): void {
  // An answer that is under way must not get another into its body.
  const answering = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (!socket.writable || error.code === 'ECONNRESET' || answering?.headersSent === true) {
    socket.destroy();
    return;
  }
  socket.end(problemOnSocket(describeUnreadable(limits, error)), () => socket.destroySoon());
}

function describeUnreadable(limits: GatewayLimits, error: UnreadableError): RequestError {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = `no whole request came within ${limits.headerTime / 1000} s`;
    return new RequestError('REQUEST_TIMEOUT', message);
  }
  if (error.code !== 'HPE_HEADER_OVERFLOW') {
    const message = 'this is not an HTTP/1.1 request that can be read';
    return new RequestError(
      'BAD_REQUEST',
      error.code === 'HPE_INVALID_METHOD' ? `${message} (HTTPS?)` : message,
    );
  }
  const rawPacket = Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.alloc(0);
  const lineEnd = rawPacket.indexOf('\n');
  if (/^[A-Z]+ \//.test(rawPacket.toString('latin1', 0, 16)) && (lineEnd < 0 || lineEnd > limits.urlBytes))
    return new RequestError('URL_TOO_LONG', `the URL has more than ${limits.urlBytes} bytes`);
  return new RequestError(
    'HEADERS_TOO_LARGE',
    `the request's head has more than ${limits.headerBytes} bytes`,
  );
}

/** Resolves to the port. @throws ConfigurationError('environment') when the address cannot be had. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(describeListenError(error, host, port));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function describeListenError(error: NodeJS.ErrnoException, host: string, port: number): ConfigurationError {
  const where = `port ${port} of ${host}`;
  const free = 'choose another with --gateway HOST:PORT; port 0 takes any that is free';
  const [message, fix] =
    error.code === 'EADDRINUSE'
      ? [`${where} is taken by another program`, free]
      : error.code === 'EACCES'
        ? [`${where} may not be opened by this user`, 'choose a port above 1023 with --gateway HOST:PORT']
        : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
          ? [`${host} is not an address of this machine`, 'choose another with --gateway HOST:PORT']
          : [`${where} cannot be opened: ${error.message}`, free];
  return new ConfigurationError('environment', `the gateway cannot listen: ${message}`, fix, {
    cause: error,
  });
}

/** Takes no more connections and lets what is being answered end, but waits no longer than `grace`. */
export async function closeServer(
  server: Server,
  guard: ConnectionGuard,
  grace: Promise<void>,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  guard.drain();
  await Promise.race([closed, grace]);
  server.closeAllConnections();
  guard.cut();
  await closed;
}
