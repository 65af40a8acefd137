/** The index channel of a network in another thread: this side, on the gateway's thread, for one life of that thread. */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { IndexChannel, IndexHandler, IndexValidator } from '../index-channel.ts';
import type { CallTable } from './call-table.ts';
import { INDEX_CREDIT, type IndexFromNetwork } from './index-messages.ts';
import { createCredit, giveBack, packChunks, type Credit } from './index-pack.ts';
import type { FromNetwork, Port, ToNetwork } from './messages.ts';

export interface RemoteIndex {
  readonly channel: IndexChannel;
  take(message: IndexFromNetwork): void;
  /** The thread is gone. */
  stop(): void;
}

export function createRemoteIndex(deps: {
  readonly port: Port<ToNetwork, FromNetwork>;
  readonly calls: CallTable;
  readonly clock: Clock;
}): RemoteIndex {
  const { port, calls, clock } = deps;
  const listeners = new Set<(peerId: string) => void>();
  const answering = new Map<number, { readonly abort: AbortController; readonly credit: Credit }>();
  let peers: readonly string[] = [];
  let handler: IndexHandler | undefined;
  let validator: IndexValidator | undefined;

  const answer = async (message: Extract<IndexFromNetwork, { kind: 'index-asked' }>): Promise<void> => {
    const { id, peerId, request } = message;
    const abort = new AbortController();
    const credit = createCredit(message.credit, abort.signal);
    answering.set(id, { abort, credit });
    let failed: string | undefined = 'nobody answers';
    try {
      const post = (bytes: Uint8Array<ArrayBuffer>): void =>
        port.post({ kind: 'index-answer', id, bytes }, [bytes.buffer]);
      if (handler) {
        await packChunks({ clock, credit, post }, handler(peerId, request, abort.signal));
        failed = undefined;
      }
    } catch (error) {
      failed = String(error);
    } finally {
      answering.delete(id);
      if (!abort.signal.aborted) port.post({ kind: 'index-answered', id, failed });
    }
  };
  const judge = async (message: Extract<IndexFromNetwork, { kind: 'index-message' }>): Promise<void> => {
    const { id, peerId } = message;
    const verdict = await validator?.(peerId, message.message).catch(() => 'ignore' as const);
    port.post({ kind: 'index-verdict', id, verdict: verdict ?? 'ignore' });
  };

  return {
    take(message) {
      if (message.kind === 'index-asked') void answer(message);
      else if (message.kind === 'index-message') void judge(message);
      else if (message.kind === 'index-credit') answering.get(message.id)?.credit.add(message.bytes);
      else if (message.kind === 'index-cancelled')
        answering.get(message.id)?.abort.abort(new Error('the peer no longer wants it'));
      else {
        peers = message.peers;
        if (message.came !== undefined) for (const listener of listeners) listener(message.came);
      }
    },
    stop() {
      peers = [];
      for (const { abort } of answering.values()) abort.abort(new Error('the network has ended'));
    },
    channel: {
      peers: () => peers,
      onPeer(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      async *request(
        peerId,
        request,
        { signal, limit = limits.indexChannel.answerBytes, passing = false } = {},
      ) {
        const data = { method: 'index-request', peerId, request, limit, credit: INDEX_CREDIT } as const;
        const call = calls.start(data, signal);
        for await (const bytes of call.items() as AsyncIterable<Uint8Array>) {
          const { length } = bytes;
          yield bytes;
          call.credit(length);
          if (passing) giveBack(bytes);
        }
      },
      serve(given) {
        if (!handler) port.post({ kind: 'index-serve' });
        handler = given;
      },
      onMessage(given) {
        if (!validator) port.post({ kind: 'index-listen' });
        validator = given;
      },
      async publish(message) {
        for await (const _ of calls.start({ method: 'index-publish', message }).items()) break;
      },
      async putValue(key, value, options) {
        let took = 0;
        for await (const item of calls.start({ method: 'index-put', key, value }, options?.signal).items())
          took = item as number;
        return took;
      },
      getValue: (key, options) =>
        calls.start({ method: 'index-get', key }, options?.signal).items() as AsyncGenerator<Uint8Array>,
    },
  };
}
