/** On which side of a cut a node is, in words of the scenario, while the cut lasts. */
import { groupsOf, type FaultHosts } from '../scenario/fault-hosts.ts';

export interface CutSides {
  readonly fault: string;
  /** Microseconds after the warm-up: to its heal. */
  readonly from: number;
  readonly until: number;
  /** All there are. */
  readonly sides: readonly string[];
  sideOf(node: number): string;
}

/** `heal`: undefined: it lasts. */
export function cutSides(
  { fault, membership, bridge }: FaultHosts,
  { from, heal }: { readonly from: number; readonly heal: number | undefined },
): CutSides {
  const groups = groupsOf(fault);
  const names = membership.members.map((_, index) => groups[index]?.join(' + ') ?? 'rest');
  return {
    fault: fault.id,
    from,
    until: heal ?? Infinity,
    sides: names.filter((_, index) => membership.members[index]?.some((id) => id >= 0) === true),
    sideOf(node) {
      if (bridge.has(node)) return 'the bridge';
      const group = membership.groupOf(node);
      return group === undefined ? 'the others' : (names[group] ?? 'rest');
    },
  };
}
