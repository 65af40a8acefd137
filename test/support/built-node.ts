/** A node that is built with all its rules and never started. */
import { networkInterfaces } from 'node:os';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { MemoryDatastore } from 'datastore-core/memory';
import { createFactEmitter } from '../../src/core/facts.ts';
import { loadBans } from '../../src/network/libp2p/bans.ts';
import { buildNode, type BuiltNode } from '../../src/network/libp2p/build-node.ts';
import { createValueRules } from '../../src/network/libp2p/index-value-rules.ts';
import { createRememberedPeers } from '../../src/network/libp2p/remembered-peers.ts';
import { createSavedState } from '../../src/network/libp2p/saved-state.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { testValueRules } from './index-values.ts';

export async function createBuiltNode(
  options: { readonly listen?: string; readonly index?: boolean } = {},
): Promise<BuiltNode & { readonly clock: FakeClock }> {
  const { listen = '/ip4/0.0.0.0/tcp/0', index = false } = options;
  const clock = createFakeClock(Date.now());
  const datastore = new MemoryDatastore();
  const facts = createFactEmitter();
  const state = createSavedState(datastore, 'bans', facts);
  const randomness = systemRandomness;
  const built = await buildNode(
    { listen: [listen], bootstrap: [], mdns: false, dht: 'auto', dhtServer: true },
    {
      clock,
      datastore,
      randomness,
      privateKey: await generateKeyPair('Ed25519'),
      bans: await loadBans({ clock, facts, state }, () => undefined),
      remembered: createRememberedPeers({ clock, randomness }, undefined, () => undefined),
      transport: undefined,
      interfaces: networkInterfaces,
      valueRules: index ? createValueRules(testValueRules) : undefined,
    },
  );
  return { ...built, clock };
}
