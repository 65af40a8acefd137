/** Names on the wire that are ours. An incompatible change is a new number. */

/** Our own DHT: not the public one of IPFS. */
export const kadProtocol = '/fondue/kad/1.0.0';

/** Gossip about the signed index. */
export const indexTopic = '/fondue/index/1';

/** mDNS: carries the protocol name, so that other networks' nodes on the LAN are never mistaken for ours. */
export const mdnsServiceTag = '_fondue-kad-1-0-0._udp.local';
