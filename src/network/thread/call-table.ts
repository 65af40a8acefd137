/** The calls of one thread that wait for the other: items queue until they are read, aborting tells the other side. */
import { InvalidContentError, PeerError, UnavailableError } from '../../core/errors.ts';
import type { CallData, ErrorData, FromNetwork, Port, ToNetwork } from './messages.ts';

type Item = Extract<FromNetwork, { kind: 'item' }>['item'];

export interface Call {
  /** What the other side yields, once; leaving the loop aborts the call. */
  items(): AsyncGenerator<Item>;
  credit(bytes: number): void;
  stop(): void;
}

export interface CallTable {
  start(call: CallData, signal?: AbortSignal): Call;
  take(message: Extract<FromNetwork, { kind: 'item' | 'end' | 'failure' }>): void;
  /** The other side is gone: every call, waiting or to come, ends as one of its kind does when all peers are. */
  endAll(): void;
}

interface Waiting {
  readonly call: CallData;
  readonly queue: Item[];
  ended: boolean;
  error: Error | undefined;
  wake: () => void;
}

export function createCallTable(port: Port<ToNetwork, FromNetwork>): CallTable {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let over = false;
  const finish = (id: number, error?: Error): void => {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    waiting.delete(id);
    entry.ended = true;
    entry.error = error;
    entry.wake();
  };
  return {
    start(call, signal) {
      const id = ++lastId;
      const entry: Waiting = { call, queue: [], ended: false, error: undefined, wake: () => undefined };
      const stop = (reason?: Error): void => {
        signal?.removeEventListener('abort', onAbort);
        if (entry.ended) return;
        port.post({ kind: 'abort', id });
        finish(id, reason);
      };
      const onAbort = (): void => stop(signal?.reason as Error);
      waiting.set(id, entry);
      if (signal?.aborted === true) finish(id, signal.reason as Error);
      else if (over) finish(id, endOf(call));
      else {
        signal?.addEventListener('abort', onAbort, { once: true });
        port.post({ kind: 'call', id, call });
      }
      return {
        stop: () => stop(),
        credit(bytes) {
          if (!entry.ended) port.post({ kind: 'credit', id, bytes });
        },
        async *items() {
          try {
            for (;;) {
              const item = entry.queue.shift();
              if (item !== undefined) yield item;
              else if (entry.error !== undefined) throw entry.error;
              else if (entry.ended) return;
              else await new Promise<void>((resolve) => (entry.wake = resolve));
            }
          } finally {
            stop();
          }
        },
      };
    },
    take(message) {
      if (message.kind === 'end') finish(message.id);
      else if (message.kind === 'failure') finish(message.id, toError(message.error));
      else {
        const entry = waiting.get(message.id);
        entry?.queue.push(message.item);
        entry?.wake();
      }
    },
    endAll() {
      over = true;
      for (const [id, { call }] of waiting) finish(id, endOf(call));
    },
  };
}

/** Questions end with no more answers, as if nobody were left to ask. */
function endOf(call: CallData): Error | undefined {
  if (call.method === 'range' || call.method === 'index-request') {
    const { peerId } = call;
    return new PeerError({ peerId, failure: 'reset' }, `the network ended while ${peerId} was read from`);
  }
  const refused = call.method === 'peerConnected' || call.method === 'index-put';
  return refused ? new UnavailableError('the network has ended') : undefined;
}

export function toErrorData(error: unknown): ErrorData {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof PeerError)) return { message, invalid: error instanceof InvalidContentError };
  return { message, peer: { peerId: error.peerId, failure: error.failure, retryAfter: error.retryAfter } };
}

function toError({ message, invalid, peer }: ErrorData): Error {
  if (invalid === true) return new InvalidContentError(message);
  if (peer === undefined) return new UnavailableError(message);
  const { peerId, failure, retryAfter } = peer;
  return new PeerError({ peerId, failure, ...(retryAfter === undefined ? {} : { retryAfter }) }, message);
}
