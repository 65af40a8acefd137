/** A PeerNetwork whose libp2p runs in another thread: this side, on the gateway's thread. */
import { ConfigurationError, PeerError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import type {
  Holder,
  NetworkStatus,
  PeerCallOptions,
  PeerNetwork,
  RangeAnswer,
  RangeRequest,
  Shelf,
} from '../peer-network.ts';
import { createCallTable, type Call } from './call-table.ts';
import type { FromNetwork, Port, RangeHead, ToNetwork } from './messages.ts';
import { lendShelf } from './lend-shelf.ts';

/** Bytes of a range on their way between the threads at most. */
const RANGE_CREDIT = 2 * 1024 * 1024;

export interface ThreadedNetworkDeps {
  readonly port: Port<ToNetwork, FromNetwork>;
  readonly shelf: Shelf;
  readonly facts: FactEmitter;
  /** Ends the thread, after its network has closed. */
  readonly terminate: () => Promise<void>;
}

const silent: NetworkStatus = {
  state: 'alone',
  connections: 0,
  routingTable: 0,
  uploadedBytes: 0,
  providerRecords: 0,
  activeGets: 0,
  busyAnswers: 0,
  peers: [],
  banned: [],
};

/** Resolves when the other thread's network listens; throws its ConfigurationError when it cannot. */
export async function createThreadedPeerNetwork(deps: ThreadedNetworkDeps): Promise<PeerNetwork> {
  const { port, shelf, facts } = deps;
  const calls = createCallTable(port);
  const lending = lendShelf({ shelf, port, facts });
  let state: { multiaddrs: readonly string[]; status: NetworkStatus } = { multiaddrs: [], status: silent };
  const started = Promise.withResolvers<string>();
  port.onMessage((message) => {
    if (message.kind === 'ready') started.resolve(message.peerId);
    else if (message.kind === 'refused') {
      started.reject(new ConfigurationError(message.fault, message.message, message.fix));
    } else if (message.kind === 'state') state = message;
    else if (message.kind === 'fact') facts.emit(message.name, message.fact);
    else if (message.kind === 'item' || message.kind === 'end' || message.kind === 'failure')
      calls.take(message);
    else lending.take(message);
  });
  lending.start();
  port.post({ kind: 'begin' });
  const peerId = await started.promise.catch(async (error: unknown) => {
    await deps.terminate();
    throw error;
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const call = calls.start({ method: 'close' });
    for await (const _ of call.items()) break;
    // Only now: the other thread may have been reading through our descriptors.
    lending.stop();
    calls.failAll();
    await deps.terminate();
  };

  return {
    peerId,
    multiaddrs: () => state.multiaddrs,
    status: () => state.status,
    ask: (digest, options) =>
      calls.start({ method: 'ask', digest }, options?.signal).items() as AsyncIterable<Holder>,
    find: (digest, options) =>
      calls.start({ method: 'find', digest }, options?.signal).items() as AsyncIterable<Holder>,
    range: (peer, request) => openRange(peer, request, (call, signal) => calls.start(call, signal)),
    advertise: (digest) => port.post({ kind: 'advertise', digest }),
    withdraw: (digest) => port.post({ kind: 'withdraw', digest }),
    judge: (peer, verdict) => port.post({ kind: 'judge', peerId: peer, verdict }),
    async peerConnected(options?: PeerCallOptions) {
      const call = calls.start({ method: 'peerConnected' }, options?.signal);
      for await (const _ of call.items()) break;
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function openRange(
  peerId: string,
  request: RangeRequest,
  start: (call: Parameters<ReturnType<typeof createCallTable>['start']>[0], signal?: AbortSignal) => Call,
): Promise<RangeAnswer> {
  const { digest, offset, length, priority = 0, signal } = request;
  const call = start({ method: 'range', peerId, digest, offset, length, priority }, signal);
  const items = call.items()[Symbol.asyncIterator]();
  const first = await items.next();
  if (first.done === true)
    throw new PeerError({ peerId, failure: 'reset' }, `${peerId} ended without an answer`);
  const head = first.value as RangeHead;
  call.credit(RANGE_CREDIT);
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (let item = await items.next(); item.done !== true; item = await items.next()) {
        const bytes = item.value as Uint8Array;
        yield bytes;
        call.credit(bytes.length);
      }
    } finally {
      call.stop();
    }
  }
  return {
    ...head,
    body: body(),
    async [Symbol.asyncDispose]() {
      call.stop();
    },
  };
}
