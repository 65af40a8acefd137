/** How long what an owner asked for is waited for, ms: nobody waits a minute a file for an upstream that is known to be down. */
import { limits } from '../core/limits.ts';
import type { Upstream } from '../upstream/upstream.ts';

export function ownerPatience(upstream: Pick<Upstream, 'status'>): number {
  const { aheadWait, aheadWaitPeers } = limits.fetch;
  return upstream.status().state === 'unreachable' ? aheadWaitPeers : aheadWait;
}
