/** The index channel over all lives of the network's thread: who serves and listens does so in each of them. */
import type { IndexChannel, IndexHandler, IndexValidator } from '../index-channel.ts';
import { createNoIndexChannel } from '../no-index-channel.ts';

export interface LastingIndex {
  readonly channel: IndexChannel;
  /** Another life has begun. */
  begin(index: IndexChannel): void;
  end(): void;
}

export function createLastingIndex(): LastingIndex {
  const nothing = createNoIndexChannel();
  const listeners = new Set<(peerId: string) => void>();
  let current = nothing;
  let handler: IndexHandler | undefined;
  let validator: IndexValidator | undefined;
  return {
    begin(index) {
      current = index;
      if (handler) index.serve(handler);
      if (validator) index.onMessage(validator);
      index.onPeer((peerId) => {
        for (const listener of listeners) listener(peerId);
      });
    },
    end: () => void (current = nothing),
    channel: {
      peers: () => current.peers(),
      onPeer(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      request: (peerId, request, options) => current.request(peerId, request, options),
      serve(given) {
        handler = given;
        current.serve(given);
      },
      onMessage(given) {
        validator = given;
        current.onMessage(given);
      },
      publish: (message) => current.publish(message),
      putValue: (key, value, options) => current.putValue(key, value, options),
      getValue: (key, options) => current.getValue(key, options),
    },
  };
}
