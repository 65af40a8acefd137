/** A gateway over a double on a free port of loopback, and ways to ask it that show exactly what came over the socket. */
import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createFactEmitter, type FactEmitter } from '../../src/core/facts.ts';
import {
  createGateway,
  type Gateway,
  type GatewayConfig,
  type GatewayDeps,
} from '../../src/gateway/gateway.ts';
import type { NodeStatus } from '../../src/mirror/status.ts';
import { systemClock } from '../../src/system-clock.ts';
import { createMirrorDouble, type MirrorDouble } from './mirror-double.ts';

export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly mirror: MirrorDouble;
  readonly facts: FactEmitter;
  readonly port: number;
  readonly reported: unknown[];
  ask(path: string, options?: AskOptions): Promise<Answer>;
  /** Sends these bytes over a new connection; `end`: resolves with all that came until it closed. */
  raw(text: string): RawConnection;
}

interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** Why the body broke off; undefined when it ended as announced. */
  readonly broken: Error | undefined;
}

export interface RawConnection {
  readonly socket: Socket;
  readonly received: () => string;
  readonly closed: Promise<void>;
  /** Resolves when what was received fits. */
  readonly until: (pattern: RegExp) => Promise<string>;
}

export async function startGateway(
  options: Partial<GatewayConfig> &
    Partial<Pick<GatewayDeps, 'clock' | 'status' | 'health' | 'dashboard' | 'signer' | 'lastModified'>> = {},
): Promise<TestGateway> {
  const { clock = systemClock, status = () => sampleStatus(), ...rest } = options;
  const { health = () => ({ ok: true, checks: { store: { ok: true, message: '0 files' } } }) } = options;
  const {
    dashboard = { body: Buffer.from('<!doctype html>'), contentSecurityPolicy: "default-src 'none'" },
  } = options;
  const { signer, lastModified } = options;
  const mirror = createMirrorDouble();
  const facts = createFactEmitter();
  const reported: unknown[] = [];
  const gateway = await createGateway(
    {
      mirror,
      clock,
      facts,
      status,
      health,
      dashboard,
      signer,
      lastModified,
      report: (error) => reported.push(error),
    },
    { host: '127.0.0.1', port: 0, allowHosts: [], pageTtl: 600_000, ...rest },
  );
  const port = Number(new URL(gateway.url).port);
  const host = new URL(gateway.url).hostname.replace(/^\[|\]$/g, '');
  const sockets = new Set<Socket>();
  return {
    gateway,
    mirror,
    facts,
    port,
    reported,
    ask: (path, asking = {}) =>
      new Promise((resolve) => {
        const { method = 'GET', headers = {}, agent = false } = asking;
        const request = httpRequest({ host, port, path, method, headers, agent }, (response) => {
          const chunks: Buffer[] = [];
          let broken: Error | undefined;
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (error) => (broken = error));
          response.on('close', () => {
            const body = Buffer.concat(chunks);
            if (!response.complete) broken ??= new Error('not complete');
            const { statusCode = 0, headers } = response;
            resolve(answer(statusCode, headers, body, broken));
          });
        });
        // A reset overtakes what was sent before it: the head may never be seen.
        request.on('error', (broken) => {
          resolve(answer(0, {}, Buffer.alloc(0), broken));
        });
        request.end(asking.body);
      }),
    raw(text) {
      const socket = connect(port, host);
      sockets.add(socket);
      let received = '';
      const watchers = new Set<() => void>();
      socket.setEncoding('latin1');
      socket.on('data', (chunk: string) => {
        received += chunk;
        for (const watcher of watchers) watcher();
      });
      socket.on('error', () => {});
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.write(text, 'latin1');
      return {
        socket,
        received: () => received,
        closed,
        until: (pattern) =>
          new Promise((resolve, reject) => {
            const look = (): void => {
              if (!pattern.test(received)) return;
              watchers.delete(look);
              resolve(received);
            };
            watchers.add(look);
            void closed.then(() => reject(new Error(`closed after: ${received.slice(0, 500)}`)));
            look();
          }),
      };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await gateway.close();
    },
  };
}

function answer(
  status: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
  broken: Error | undefined,
): Answer {
  return {
    status,
    headers,
    body,
    broken,
    get text() {
      return body.toString();
    },
  };
}

export function sampleStatus(): NodeStatus {
  return {
    version: '0.1.0',
    peerId: '12D3KooWTest',
    multiaddrs: ['/ip4/127.0.0.1/tcp/8382'],
    gateway: 'http://127.0.0.1:8381',
    dataDir: '/home/someone/.local/share/fondue',
    mode: 'direct',
    startedAt: '2026-11-22T00:00:00.000Z',
    uptimeSeconds: 4242,
    upstream: {
      url: 'https://pypi.org/simple/',
      state: 'ok',
      lastSuccessAt: '2026-11-22T01:00:00.000Z',
      lastError: null,
      requests: 120,
      notModified: 80,
    },
    index: { pages: 64, oldestPageAgeSeconds: 580, stalePagesServed: 2 },
    store: {
      blobs: 1200,
      bytes: 4.2e9,
      quotaBytes: 20e9,
      pinnedBlobs: 3,
      partials: 1,
      evictedBlobs: 0,
      corruptBlobs: 0,
    },
    served: { requests: 900, bytes: { disk: 3.1e9, peer: 1.2e9, upstream: 4e8 } },
    fetched: {
      bytes: { peer: 1.2e9, upstream: 4e8 },
      blobs: { peer: 210, upstream: 95 },
      discardedBytes: 1e6,
    },
    network: {
      state: 'connected',
      connections: 2,
      routingTable: 40,
      uploadedBytes: 2.2e9,
      providerRecords: 1180,
      activeGets: 1,
      busyAnswers: 4,
      peers: [
        { peerId: '12D3KooWFirst', address: '/ip4/192.168.1.7/tcp/8382', receivedBytes: 9e8, sentBytes: 2e9 },
        {
          peerId: '12D3KooWSecond',
          address: '/ip4/203.0.113.9/tcp/8382',
          receivedBytes: 3e8,
          sentBytes: 2e8,
        },
      ],
      banned: [
        {
          peerId: '12D3KooWLiar',
          reason: 'wrong-bytes',
          digest: 'ab'.repeat(32),
          at: '2026-11-22T00:30:00.000Z',
          until: '2026-11-23T00:30:00.000Z',
        },
      ],
    },
    process: { rssBytes: 1.2e8, eventLoopDelayP99Ms: 3.1 },
  };
}
