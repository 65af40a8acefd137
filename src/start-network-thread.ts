/** Starts the network's thread: libp2p, its ciphers and hashes run there, so that a client's first byte waits for no stranger's megabytes. */
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Config } from './config.ts';
import { joinedPort } from './network/thread/joined-port.ts';
import type { FromNetwork, NetworkThread, ToNetwork } from './network/thread/messages.ts';
import type { NetworkThreadData } from './network-worker.ts';

/** It loads at once, and touches nothing before it is told to begin. `before`: where the thread before it listened. */
export function startNetworkThread(
  config: Config,
  { serve, index }: { readonly serve: boolean; readonly index: boolean },
  before: readonly string[] = [],
): NetworkThread {
  const { bootstrap, mdns, share, ask, dht, uploadLimit } = config;
  // A command that ends soon needs to be reached by nobody.
  const listen = serve ? samePorts(config.listen, before) : [];
  const workerData: NetworkThreadData = {
    config: { listen, bootstrap, mdns, share, ask, dht, uploadLimit, index },
    storagePath: join(config.dataDir, 'network'),
  };
  // `.ts` in a clone, `.js` as published.
  const entry = new URL(`./network-thread${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, { workerData });
  let failure: Error | undefined;
  let terminated = false;
  // Unheard, an error of the thread would end the whole process.
  worker.on('error', (error: Error) => (failure = error));
  const ended = new Promise<Error | undefined>((resolve) => {
    worker.once('exit', (code) => {
      resolve(failure ?? (terminated ? undefined : new Error(`it exited with code ${code}`)));
    });
  });
  return {
    ...joinedPort<ToNetwork, FromNetwork>(worker),
    ended,
    async terminate() {
      terminated = true;
      await worker.terminate();
    },
  };
}

/** Others remember where this node was: "any free port" is the port it was then. */
function samePorts(listen: readonly string[], before: readonly string[]): string[] {
  const taken = new Set<string | undefined>();
  return listen.map((text) => {
    const [, family, host, transport, port] = text.split('/');
    if (port !== '0') return text;
    const everywhere = host === '0.0.0.0' || host === '::';
    const [, , , , was] =
      before
        .map((address) => address.split('/'))
        .find(
          ([, f, h, t, p]) => f === family && t === transport && (everywhere || h === host) && !taken.has(p),
        ) ?? [];
    taken.add(was);
    return was === undefined ? text : `/${family}/${host}/${transport}/${was}`;
  });
}
