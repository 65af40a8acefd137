/**
 * A process of its own: a stock DHT peer that dials one node, looks for the providers of a CID, dials each of them by the
 * addresses it was told, and prints what it found. Imports nothing from `src/`.
 *
 *   node stock-dht-query.ts <multiaddr> <cid>
 */
import { multiaddr } from '@multiformats/multiaddr';
import { CID } from 'multiformats/cid';
import { createStockDhtPeer } from './stock-dht-peer.ts';

const [address = '', cid = ''] = process.argv.slice(2);
const peer = await createStockDhtPeer({ listen: false });
const identified = new Promise((resolve) => peer.addEventListener('peer:identify', resolve, { once: true }));
await peer.dial(multiaddr(address));
await identified;
// kad-dht takes up a new peer in the background.
const table = (peer.services.dht as unknown as { routingTable: { size: number } }).routingTable;
while (table.size === 0) await new Promise((resolve) => setTimeout(resolve, 10));

const found: { peerId: string; addresses: string[]; dialled: boolean }[] = [];
for await (const event of peer.services.dht.findProviders(CID.parse(cid), {
  signal: AbortSignal.timeout(10_000),
})) {
  if (event.name !== 'PROVIDER') continue;
  for (const { id, multiaddrs } of event.providers) {
    const targets = multiaddrs.map((ma) =>
      multiaddr(`${ma.toString().replace(/\/p2p\/.*/, '')}/p2p/${id.toString()}`),
    );
    const connection = targets.length === 0 ? undefined : await peer.dial(targets).catch(() => undefined);
    found.push({
      peerId: id.toString(),
      addresses: multiaddrs.map((ma) => ma.toString()),
      dialled: connection?.remotePeer.equals(id) ?? false,
    });
  }
}
process.stdout.write(`${JSON.stringify(found)}\n`);
process.exit(0);
