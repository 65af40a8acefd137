/**
 * A transport whose dials obey the rules at the last moment, when it is certain that this address is dialled: kad-dht asks
 * the connection gater about addresses that it never dials. It also sees how a dial ended, which nothing else in libp2p
 * tells: an address where another peer answers is left alone.
 */
import { transportSymbol } from '@libp2p/interface';
import type { Transport } from '@libp2p/interface';

export interface DialGuard {
  /** Why this address is not dialled now; undefined counts as a dial. */
  begin(address: string): string | undefined;
  /** The far end proved another identity than the address names. */
  wrongIdentity(address: string): void;
}

/** The rules forbid this dial (now): says nothing of the peer. */
export class NotDialledError extends Error {
  override readonly name = 'NotDialledError';
}

export function guardTransport<C>(
  create: (components: C) => Transport,
  guard: DialGuard,
): (components: C) => Transport {
  return (components) => {
    const inner = create(components);
    return {
      [transportSymbol]: true,
      [Symbol.toStringTag]: inner[Symbol.toStringTag],
      async dial(ma, options) {
        const why = guard.begin(ma.toString());
        if (why !== undefined) throw new NotDialledError(`${ma.toString()} is not dialled: ${why}`);
        try {
          return await inner.dial(ma, options);
        } catch (error) {
          // libp2p's upgrader keeps only the message of Noise's UnexpectedPeerError.
          if (/does not match expected remote identity/.test((error as Error).message)) {
            guard.wrongIdentity(ma.toString());
          }
          throw error;
        }
      },
      createListener: (options) => inner.createListener(options),
      listenFilter: (addresses) => inner.listenFilter(addresses),
      dialFilter: (addresses) => inner.dialFilter(addresses),
    };
  };
}
