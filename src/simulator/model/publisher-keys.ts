/** The publishers of a run: their keys from its seed, and the policy that all nodes have. */
import type { Policy } from '../../core/log/policy.ts';
import { generateKeyPair, parseSignerKey, type Signer } from '../../core/log/signer-key.ts';
import { createRandomness, deriveStream } from '../scenario/streams.ts';

export interface PublisherKeys {
  readonly policy: Policy;
  /** By node. */
  readonly signers: ReadonlyMap<number, Signer>;
}

export function makePublisherKeys(
  nodes: readonly number[],
  { seed, run, threshold }: { readonly seed: number; readonly run: number; readonly threshold: number },
): PublisherKeys {
  const signers = new Map(
    nodes.map((node) => {
      const randomness = createRandomness(deriveStream(seed, run, node, 'publisher key'));
      return [node, parseSignerKey(generateKeyPair(`node-${node}.simulated/fondue`, randomness).signerKey)];
    }),
  );
  const publishers = [...signers].map(([node, { key }]) => ({ name: `node-${node}`, key, url: undefined }));
  return { policy: { k: threshold, publishers }, signers };
}
