/** One life of the network's thread, as a PeerNetwork on the gateway's thread. When the thread ends it is as if all peers were gone. */
import { ConfigurationError, PeerError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
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
import { type Call, createCallTable } from './call-table.ts';
import type { IndexFromNetwork } from './index-messages.ts';
import { createRemoteIndex } from './index-remote.ts';
import { lendShelf } from './lend-shelf.ts';
import type { CallData, NetworkThread, RangeHead } from './messages.ts';
import { silentStatus } from '../silent-status.ts';

/** Bytes of a range on their way between the threads at most. */
const RANGE_CREDIT = 4 * 1024 * 1024;
/** What was taken is told when it is so much, and no more once more may come than there is (the other side ends with some left). */
const CREDIT_STEP = RANGE_CREDIT / 4;

export interface ThreadLife extends PeerNetwork {
  readonly ended: NetworkThread['ended'];
  refreshed(options: PeerCallOptions): Promise<void>;
}

/**
 * Resolves when the thread's network listens. Throws its ConfigurationError when it cannot, or why the thread ended; the
 * thread is gone then.
 */
export async function beginThreadLife(
  thread: NetworkThread,
  deps: { readonly shelf: Shelf; readonly facts: FactEmitter; readonly clock: Clock },
): Promise<ThreadLife> {
  const { shelf, facts } = deps;
  const calls = createCallTable(thread);
  const index = createRemoteIndex({ port: thread, calls, clock: deps.clock });
  const lending = lendShelf({ shelf, port: thread, facts });
  let state: { multiaddrs: readonly string[]; status: NetworkStatus } = {
    multiaddrs: [],
    status: silentStatus('alone'),
  };
  const started = Promise.withResolvers<string>();
  thread.onMessage((message) => {
    if (message.kind === 'ready') started.resolve(message.peerId);
    else if (message.kind === 'refused') {
      started.reject(new ConfigurationError(message.fault, message.message, message.fix));
    } else if (message.kind === 'state') state = message;
    else if (message.kind === 'fact') facts.emit(message.name, message.fact);
    else if (message.kind === 'item' || message.kind === 'end' || message.kind === 'failure')
      calls.take(message);
    else if (message.kind.startsWith('index-')) index.take(message as IndexFromNetwork);
    else lending.take(message as Parameters<typeof lending.take>[0]);
  });
  const ended = (async () => {
    const reason = await thread.ended;
    // Only now: until then it may have been reading through our descriptors.
    lending.stop();
    index.stop();
    calls.endAll();
    started.reject(reason ?? new Error('the thread of the network was ended before it was ready'));
    return reason;
  })();
  lending.start();
  thread.post({ kind: 'begin' });
  const peerId = await started.promise.catch(async (error: unknown) => {
    await thread.terminate();
    await ended;
    throw error;
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    for await (const _ of calls.start({ method: 'close' }).items()) break;
    await thread.terminate();
    await ended;
  };
  return {
    ended,
    peerId,
    multiaddrs: () => state.multiaddrs,
    status: () => state.status,
    ask: (digest, options) =>
      calls
        .start(
          {
            method: 'ask',
            digest,
            sizeKnown: options?.sizeKnown === true,
            inNeed: options?.inNeed === true,
          },
          options?.signal,
        )
        .items() as AsyncIterable<Holder>,
    find: (digest, options) =>
      calls.start({ method: 'find', digest }, options?.signal).items() as AsyncIterable<Holder>,
    range: (peer, request) => openRange(peer, request, (call, signal) => calls.start(call, signal)),
    advertise: (digest) => thread.post({ kind: 'advertise', digest }),
    withdraw: (digest) => thread.post({ kind: 'withdraw', digest }),
    judge: (peer, verdict) => thread.post({ kind: 'judge', peerId: peer, verdict }),
    async peerConnected(options?: PeerCallOptions) {
      const call = calls.start({ method: 'peerConnected' }, options?.signal);
      for await (const _ of call.items()) break;
    },
    index: index.channel,
    async refreshed({ signal }) {
      for await (const _ of calls.start({ method: 'state' }, signal).items()) break;
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function openRange(
  peerId: string,
  request: RangeRequest,
  start: (call: CallData, signal: AbortSignal | undefined) => Call,
): Promise<RangeAnswer> {
  const { digest, offset, length, priority = 0, signal } = request;
  const call = start(
    { method: 'range', peerId, digest, offset, length, priority, credit: RANGE_CREDIT },
    signal,
  );
  const items = call.items()[Symbol.asyncIterator]();
  const cutOff = (): PeerError =>
    new PeerError({ peerId, failure: 'reset' }, `${peerId} ended before its answer did`);
  const first = await items.next();
  if (first.done === true) throw cutOff();
  const head = first.value as RangeHead;
  async function* body(): AsyncGenerator<Uint8Array> {
    let left = head.length;
    let granted = RANGE_CREDIT;
    let taken = 0;
    try {
      for (let item = await items.next(); item.done !== true; item = await items.next()) {
        const bytes = item.value as Uint8Array;
        left -= bytes.length;
        yield bytes;
        taken += bytes.length;
        if (taken < CREDIT_STEP || granted > head.length) continue;
        call.credit(taken);
        granted += taken;
        taken = 0;
      }
      // It was disposed of while it was read.
      if (left > 0) throw cutOff();
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
