/**
 * Tells the network what has come to be shared, and what no longer is. What is here at the start it reads off the shelf
 * itself; rate and number are its own to bound.
 */
import type { FactEmitter } from '../core/facts.ts';
import type { PeerNetwork } from '../network/peer-network.ts';

export interface AnnounceDeps {
  readonly facts: Pick<FactEmitter, 'on'>;
  readonly network: Pick<PeerNetwork, 'advertise' | 'withdraw'>;
}

/** Until it is disposed. */
export function announce({ facts, network }: AnnounceDeps): Disposable {
  const stops = [
    facts.on('blob:added', ({ digest, shareable }) => {
      if (shareable) network.advertise(digest);
    }),
    facts.on('blob:evicted', ({ digest }) => network.withdraw(digest)),
    facts.on('blob:corrupt', ({ digest }) => network.withdraw(digest)),
    facts.on('blob:hidden', ({ digest }) => network.withdraw(digest)),
  ];
  return {
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}
