/** The index channel offered to the gateway's thread: this side, in the thread where libp2p runs. */
import { deadline, type Clock } from '../../core/clock.ts';
import { UnavailableError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { IndexChannel, IndexVerdict } from '../index-channel.ts';
import { INDEX_CREDIT, type IndexCallData, type IndexToNetwork } from './index-messages.ts';
import { giveBack, packChunks, type Credit } from './index-pack.ts';
import type { FromNetwork, Port, ToNetwork } from './messages.ts';

export interface IndexOffer {
  take(message: IndexToNetwork): void;
  /** Tells who takes part, if that has changed. */
  sendPeers(): void;
  /** Answers one call with items. */
  run(call: IndexCallData, id: number, credit: Credit, signal: AbortSignal): Promise<void>;
}

export function offerIndex(deps: {
  readonly index: IndexChannel;
  readonly port: Port<FromNetwork, ToNetwork>;
  readonly clock: Clock;
}): IndexOffer {
  const { index, port, clock } = deps;
  const asked = new Map<number, AnswerQueue>();
  const judging = new Map<number, (verdict: IndexVerdict) => void>();
  let lastId = 0;
  let told = '';

  const sendPeers = (came?: string): void => {
    const peers = index.peers();
    const text = peers.join(' ');
    if (came === undefined && text === told) return;
    told = text;
    port.post({ kind: 'index-peers', peers, came });
  };
  index.onPeer(sendPeers);

  const serve = (): void =>
    index.serve(async function* (peerId, request, signal) {
      const id = ++lastId;
      const queue = createAnswerQueue(signal);
      asked.set(id, queue);
      let over = false;
      try {
        port.post({ kind: 'index-asked', id, peerId, request, credit: INDEX_CREDIT });
        for (let bytes = await queue.next(); bytes; bytes = await queue.next()) {
          const { length } = bytes;
          yield bytes;
          port.post({ kind: 'index-credit', id, bytes: length });
          // It is copied where it is sent.
          giveBack(bytes);
        }
        over = true;
      } finally {
        asked.delete(id);
        if (!over) port.post({ kind: 'index-cancelled', id });
      }
    });
  const listen = (): void =>
    index.onMessage(async (peerId, message) => {
      const id = ++lastId;
      // Of a thread that is stuck nothing must pile up here.
      using limit = deadline(clock, limits.indexChannel.validationTime);
      try {
        return await new Promise<IndexVerdict>((resolve) => {
          judging.set(id, resolve);
          limit.signal.addEventListener('abort', () => resolve('ignore'), { once: true });
          port.post({ kind: 'index-message', id, peerId, message });
        });
      } finally {
        judging.delete(id);
      }
    });

  return {
    sendPeers: () => sendPeers(),
    take(message) {
      if (message.kind === 'index-serve') serve();
      else if (message.kind === 'index-listen') listen();
      else if (message.kind === 'index-verdict') judging.get(message.id)?.(message.verdict);
      else if (message.kind === 'index-answer') asked.get(message.id)?.push(message.bytes);
      else asked.get(message.id)?.end(message.failed);
    },
    async run(call, id, credit, signal) {
      if (call.method === 'index-publish') return index.publish(call.message);
      if (call.method === 'index-put') {
        port.post({ kind: 'item', id, item: await index.putValue(call.key, call.value, { signal }) });
      } else if (call.method === 'index-get') {
        for await (const item of index.getValue(call.key, { signal })) port.post({ kind: 'item', id, item });
      } else {
        const { peerId, request, limit } = call;
        const post = (item: Uint8Array<ArrayBuffer>): void =>
          port.post({ kind: 'item', id, item }, [item.buffer]);
        await packChunks({ clock, credit, post }, index.request(peerId, request, { signal, limit }));
      }
    },
  };
}

interface AnswerQueue {
  push(bytes: Uint8Array): void;
  end(failed: string | undefined): void;
  /** Throws what the handler did, or why it is not wanted any more. */
  next(): Promise<Uint8Array | undefined>;
}

/** Bounded by the credit that its sender has. */
function createAnswerQueue(signal: AbortSignal): AnswerQueue {
  const queue: Uint8Array[] = [];
  let ended: { readonly failed: string | undefined } | undefined;
  let wake: () => void = () => undefined;
  signal.addEventListener('abort', () => wake(), { once: true });
  return {
    push(bytes) {
      queue.push(bytes);
      wake();
    },
    end(failed) {
      ended = { failed };
      wake();
    },
    async next() {
      for (;;) {
        signal.throwIfAborted();
        const first = queue.shift();
        if (first) return first;
        if (ended?.failed !== undefined) throw new UnavailableError(ended.failed);
        if (ended) return undefined;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
