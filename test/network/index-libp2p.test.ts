import { testIndexChannel } from '../contracts/index-channel.ts';
import { createLibp2pIndexWorld } from '../support/index-world.ts';

testIndexChannel('the index channel over libp2p', async () => createLibp2pIndexWorld());
