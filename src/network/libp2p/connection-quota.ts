/**
 * How many connections we keep, and which one goes for another. Pure: on a plain view of the connections.
 *
 * Inbound ones are bounded three ways: in all (a share of the maximum, and never the last places kept for outbound), and
 * a public /24 (/48). Whoever is refused a place by number alone may take that of the longest idle connection that nothing
 * protects.
 */
import { limits } from '../../core/limits.ts';

export interface ConnectionView {
  readonly id: string;
  readonly direction: 'inbound' | 'outbound';
  /** Undefined for addresses that are not public. */
  readonly publicSubnet: string | undefined;
  /** LAN, remembered, bootstrap. */
  readonly protected: boolean;
  readonly idleFor: number;
}

export type Admission =
  | { readonly kind: 'admit' }
  | { readonly kind: 'refuse'; readonly reason: string }
  | { readonly kind: 'replace'; readonly id: string };

export function admitInbound(
  connections: readonly ConnectionView[],
  candidate: { publicSubnet: string | undefined },
  max: number,
): Admission {
  const inbound = connections.filter(({ direction }) => direction === 'inbound');
  const { inboundPerSubnet, inboundShare, outboundKept } = limits.network;
  if (candidate.publicSubnet !== undefined) {
    const neighbours = inbound.filter(({ publicSubnet }) => publicSubnet === candidate.publicSubnet);
    if (neighbours.length >= inboundPerSubnet) {
      return replaceOneOf(neighbours, `${inboundPerSubnet} connections from ${candidate.publicSubnet}`);
    }
  }
  const inboundMax = Math.max(1, Math.min(Math.floor(max * inboundShare), max - outboundKept));
  if (inbound.length >= inboundMax) return replaceOneOf(inbound, `${inboundMax} inbound connections`);
  if (connections.length >= max) return replaceOneOf(connections, `${max} connections`);
  return { kind: 'admit' };
}

/** What to close when there are more connections than `max` (look-ups dial on their way). */
export function surplus(connections: readonly ConnectionView[], max: number): string | undefined {
  if (connections.length <= max) return undefined;
  const victim = replaceOneOf(connections, '');
  return victim.kind === 'replace' ? victim.id : undefined;
}

function replaceOneOf(connections: readonly ConnectionView[], reason: string): Admission {
  let victim: ConnectionView | undefined;
  for (const connection of connections) {
    if (connection.protected || connection.idleFor < limits.network.evictIdle) continue;
    if (victim === undefined || connection.idleFor > victim.idleFor) victim = connection;
  }
  return victim === undefined ? { kind: 'refuse', reason } : { kind: 'replace', id: victim.id };
}
