/**
 * Lets libp2p tell others our public addresses. Without AutoNAT its address manager takes every public address of our own
 * interfaces for unverified for ever and announces none: a server on the open Internet would be unknown. An address on an
 * interface of ours is ours; whether a firewall is before it, peers find out by dialling.
 */
import type { Libp2pEvents } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

export interface OwnAddressComponents {
  readonly addressManager: {
    getAddressesWithMetadata(): { multiaddr: Multiaddr; verified: boolean; type: string }[];
    confirmObservedAddr(address: Multiaddr, options?: { type?: 'transport' }): void;
  };
  readonly events: {
    addEventListener(name: keyof Libp2pEvents, listener: () => void): void;
  };
}

export function confirmOwnAddresses(components: OwnAddressComponents): { confirm(): void } {
  const confirm = (): void => {
    for (const { multiaddr, verified, type } of components.addressManager.getAddressesWithMetadata()) {
      if (!verified && type === 'transport') {
        components.addressManager.confirmObservedAddr(multiaddr, { type: 'transport' });
      }
    }
  };
  components.events.addEventListener('transport:listening', confirm);
  return { confirm };
}
