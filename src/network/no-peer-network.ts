/** The peer network of a node that has none (`--listen none`): nobody is asked, nobody is told. */
import { PeerError } from '../core/errors.ts';
import { createNoIndexChannel } from './no-index-channel.ts';
import type { Holder, PeerNetwork } from './peer-network.ts';
import { silentStatus } from './silent-status.ts';

export function createNoPeerNetwork(): PeerNetwork {
  return {
    peerId: '',
    multiaddrs: () => [],
    ask: () => nobody(),
    find: () => nobody(),
    async range(peerId) {
      throw new PeerError({ peerId, failure: 'unreachable' }, 'this node has no peer network');
    },
    advertise: () => undefined,
    withdraw: () => undefined,
    judge: () => undefined,
    index: createNoIndexChannel(),
    peerConnected: (options) => never(options?.signal),
    status: () => silentStatus('off'),
    async [Symbol.asyncDispose]() {},
  };
}

async function* nobody(): AsyncGenerator<Holder> {
  // Nothing to yield.
}

/** No peer ever connects: ends only with its signal. */
function never(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted === true) reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
