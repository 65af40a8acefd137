/** What runs in the network's thread: libp2p, its ciphers and its hashing, away from the gateway's event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLibp2pPeerNetwork, type Libp2pNetworkConfig } from './network/libp2p/libp2p-peer-network.ts';
import { joinedPort } from './network/thread/joined-port.ts';
import type { FromNetwork, ToNetwork } from './network/thread/messages.ts';
import { serveNetwork } from './network/thread/serve-network.ts';
import { systemClock, systemRandomness } from './system-clock.ts';
import { releaseMemory } from './system-memory.ts';

export interface NetworkThreadData {
  readonly config: Libp2pNetworkConfig;
  readonly storagePath: string;
}

const port = parentPort;
if (port === null) throw new Error('network-worker.ts runs in a worker only');
const { config, storagePath } = workerData as NetworkThreadData;
// Loaded by those who take part only.
const headValues =
  config.index === true ? (await import('./core/log/head-value.ts')).headValueRules : undefined;
// Loading libp2p takes longest: it went on while the other thread opened the folder. Nothing is touched before it says so.
await serveNetwork({
  port: joinedPort<FromNetwork, ToNetwork>(port),
  clock: systemClock,
  create: (deps) =>
    createLibp2pPeerNetwork(config, {
      ...deps,
      clock: systemClock,
      randomness: systemRandomness,
      storagePath,
      headValues,
    }),
});
releaseMemory(systemClock);
