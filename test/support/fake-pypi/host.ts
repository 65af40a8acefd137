/** One HTTP server on a port, of loopback unless told otherwise, that can go away and come back on the same port. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface TlsFiles {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

export interface Host {
  /** Without trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Refuses connections and resets those that are open. */
  down(): Promise<void>;
  /** Listens again on the same port. */
  up(): Promise<void>;
  /** Connections accepted so far, and open now. */
  readonly connections: { readonly accepted: number; readonly open: number };
}

export async function startHost(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  options: { port?: number; tls?: TlsFiles | undefined; address?: string | undefined } = {},
): Promise<Host> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const { address = '127.0.0.1' } = options;
  let port = options.port ?? 0;
  let server: Server | undefined;
  const up = async (): Promise<void> => {
    if (server) return;
    const fresh = options.tls ? createTlsServer({ ...options.tls }, handle) : createServer(handle);
    fresh.keepAliveTimeout = 60_000;
    fresh.requestTimeout = 0;
    fresh.on('connection', (socket) => {
      accepted++;
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      fresh.once('error', reject);
      fresh.listen(port, address, resolve);
    });
    port = (fresh.address() as AddressInfo).port;
    server = fresh;
  };
  await up();
  return {
    get url() {
      return `${options.tls ? 'https' : 'http'}://${address}:${port}`;
    },
    get port() {
      return port;
    },
    up,
    async down() {
      const old = server;
      server = undefined;
      if (!old) return;
      const closed = new Promise((resolve) => old.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    get connections() {
      return { accepted, open: sockets.size };
    },
  };
}
