import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { indexTopic } from '../../src/network/libp2p/protocol-names.ts';
import { createBuiltNode } from '../support/built-node.ts';

/** What of gossipsub's class is looked at. */
interface Inside {
  readonly mesh: Map<string, Set<string>>;
  readonly score: { score(id: string): number };
  readonly components: { readonly connectionManager: { openConnection(peer: unknown): Promise<unknown> } };
  readonly opts: { readonly scoreParams: { readonly topicScoreCap: number } };
  handlePrune(id: string, prune: readonly unknown[]): Promise<void>;
}

it('nobody chooses whom we dial by gossip, however good its score', async () => {
  const { node } = await createBuiltNode({ index: true });
  const gossip = node.services.pubsub as unknown as Inside;
  gossip.mesh.set(indexTopic, new Set(['friend']));
  mock.method(gossip.score, 'score', () => gossip.opts.scoreParams.topicScoreCap);
  const dial = mock.method(gossip.components.connectionManager, 'openConnection', () =>
    Promise.reject(new Error('dialled')),
  );
  const target = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const peers = [{ peerID: target.toMultihash().bytes }];
  await gossip.handlePrune('friend', [{ topicID: indexTopic, backoff: 60, peers }]);
  assert.equal(dial.mock.callCount(), 0);
  assert.equal(gossip.mesh.get(indexTopic)?.size, 0, 'it was heard');
});
