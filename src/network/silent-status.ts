/** What is said of a network of which nothing is heard: not yet, or not any more. */
import type { NetworkStatus } from './peer-network.ts';

export function silentStatus(state: 'alone' | 'off'): NetworkStatus {
  return {
    state,
    connections: 0,
    routingTable: 0,
    uploadedBytes: 0,
    providerRecords: 0,
    activeGets: 0,
    busyAnswers: 0,
    peers: [],
    banned: [],
  };
}
