/**
 * mDNS as a libp2p service that only tells us what it finds. As libp2p's own peer discovery everything found would be written
 * into the peer store, without bound, and nothing dialled.
 */
import type { PeerInfo } from '@libp2p/interface';
import { mdns } from '@libp2p/mdns';
import type { MulticastDNSComponents } from '@libp2p/mdns';
import { limits } from '../../core/limits.ts';
import { mdnsServiceTag } from './protocol-names.ts';

export interface MdnsService {
  start(): Promise<void>;
  stop(): Promise<void>;
  onPeer(listener: (peer: PeerInfo) => void): void;
  /** Called once, when the multicast socket fails. */
  onFailure(listener: (message: string) => void): void;
}

export function createMdns(components: MulticastDNSComponents): MdnsService {
  const discovery = mdns({ serviceTag: mdnsServiceTag, interval: limits.network.mdnsEvery })(components);
  const startable = discovery as unknown as {
    start(): Promise<void>;
    stop(): Promise<void>;
    readonly mdns?: { on(name: 'error' | 'warning', listener: (error: Error) => void): void };
  };
  let failed: ((message: string) => void) | undefined;
  let said = false;
  const failOnce = (error: unknown): void => {
    if (!said) failed?.((error as Error).message);
    said = true;
  };
  return {
    async start() {
      try {
        await startable.start();
        startable.mdns?.on('error', failOnce);
        // A packet that cannot be read is a warning too: only the machine's own refusals count.
        startable.mdns?.on('warning', (error) => {
          if ('syscall' in error) failOnce(error);
        });
      } catch (error) {
        failOnce(error);
      }
    },
    async stop() {
      try {
        await startable.stop();
      } catch {
        // A socket that never opened cannot be closed.
      }
    },
    onPeer: (listener) => discovery.addEventListener('peer', ({ detail }) => listener(detail)),
    onFailure(listener) {
      failed = listener;
    },
  };
}
