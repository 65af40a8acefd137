/** The index channel of a node that takes no part in it: nobody is there, nothing comes. */
import { PeerError } from '../core/errors.ts';
import type { IndexChannel } from './index-channel.ts';

export function createNoIndexChannel(): IndexChannel {
  return {
    peers: () => [],
    onPeer: () => () => undefined,
    request: (peerId) => ({
      [Symbol.asyncIterator]: () => ({
        async next() {
          throw new PeerError(
            { peerId, failure: 'unreachable' },
            'this node takes no part in the signed index',
          );
        },
      }),
    }),
    serve: () => undefined,
    async publish() {},
    onMessage: () => undefined,
    putValue: async () => 0,
    async *getValue() {},
  };
}
