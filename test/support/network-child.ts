/**
 * A process of its own with one peer network in it, led by its parent over IPC: `{skip}` hurries its timers, `{status}` asks
 * for its status. Its first message is where it listens.
 *
 *   node network-child.ts <bootstrap or ''> <bytes of the blob it holds or ''>
 */
import { createFactEmitter } from '../../src/core/facts.ts';
import { createLibp2pPeerNetwork } from '../../src/network/libp2p/libp2p-peer-network.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { createMemoryShelf } from './memory-shelf.ts';
import { createSkippingClock } from './skipping-clock.ts';

const [bootstrap = '', blob = ''] = process.argv.slice(2);
const clock = createSkippingClock();
const shelf = createMemoryShelf();
if (blob !== '') shelf.put(new TextEncoder().encode(blob));
const network = await createLibp2pPeerNetwork(
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: bootstrap === '' ? [] : [bootstrap],
    mdns: false,
    share: 'all',
    ask: 'all',
    dht: 'auto',
    uploadLimit: undefined,
  },
  { clock, randomness: systemRandomness, facts: createFactEmitter(), shelf },
);
process.on('message', (message: { skip?: number; status?: true }) => {
  if (message.skip !== undefined) clock.skip(message.skip);
  if (message.status === true) process.send?.({ status: network.status() });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ address: network.multiaddrs()[0], peerId: network.peerId });
