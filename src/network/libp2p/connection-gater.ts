/** What libp2p asks before it dials or accepts: bans by peer id, dial rules by address, limits for what comes in. */
import type { ConnectionGater } from '@libp2p/interface';
import type { ConnectionActivity } from './connection-activity.ts';

export interface GaterDeps {
  readonly isBanned: (peerId: string) => boolean;
  readonly whyNotDial: (address: string) => string | undefined;
  readonly admitInbound: (address: string) => boolean;
  readonly activity: ConnectionActivity;
}

export function createConnectionGater(deps: GaterDeps): ConnectionGater {
  return {
    denyDialPeer: (peerId) => deps.isBanned(peerId.toString()),
    denyDialMultiaddr: (ma) => deps.whyNotDial(ma.toString()) !== undefined,
    denyInboundConnection: ({ remoteAddr }) => !deps.admitInbound(remoteAddr.toString()),
    denyInboundEncryptedConnection: (peerId) => deps.isBanned(peerId.toString()),
    denyOutboundEncryptedConnection: (peerId) => deps.isBanned(peerId.toString()),
    denyInboundUpgradedConnection(_peerId, connection) {
      deps.activity.watch(connection);
      return false;
    },
    denyOutboundUpgradedConnection(_peerId, connection) {
      deps.activity.watch(connection);
      return false;
    },
  };
}
