/** Whom a fault concerns, fixed at the instant when it begins. */
import { fixGroups, type GroupFault, type Membership } from './groups.ts';
import type { ScenarioHost } from './scenario-host.ts';
import type { Fault, GroupText, Scenario } from './scenario.ts';
import { createRandomness, deriveStream } from './streams.ts';
import { shuffle } from './samplers.ts';

export interface FaultHosts {
  readonly fault: Fault;
  readonly membership: Membership;
  /** Of a partition: cut from nobody. */
  readonly bridge: ReadonlySet<number>;
}

/** By index: partition: its groups; one-way: from, to; all others: the one group. None for the upstream's. */
export function groupsOf(fault: Fault): readonly GroupText[] {
  switch (fault.kind) {
    case 'partition':
      return fault.groups;
    case 'one-way':
      return [fault.from, fault.to];
    case 'upstream':
      return [];
    default:
      return [fault.group];
  }
}

/**
 * `hosts`: every machine there is when the fault begins, up or down, the upstream's too. The order behind `fraction:` is
 * the fault's own, whatever happens elsewhere in the run.
 */
export function fixFaultHosts(
  fault: Fault,
  hosts: readonly ScenarioHost[],
  { seed }: Pick<Scenario, 'seed'>,
  run: number,
): FaultHosts | GroupFault {
  const nodes = hosts.filter(({ roles }) => !roles.includes('upstream')).map(({ id }) => id);
  const order = shuffle(nodes, createRandomness(deriveStream(seed, run, 'scenario', `fault ${fault.id}`)));
  const options = { hosts, order };
  if (fault.kind !== 'partition') {
    const membership = fixGroups(groupsOf(fault), options);
    return 'message' in membership ? membership : { fault, membership, bridge: new Set() };
  }
  let bridge = new Set<number>();
  if (fault.bridge !== undefined) {
    const fixed = fixGroups([fault.bridge], options);
    if ('message' in fixed) return { ...fixed, group: fault.groups.length };
    bridge = new Set(fixed.members[0]);
  }
  const others = hosts.filter(({ id }) => !bridge.has(id));
  const membership = fixGroups(fault.groups, { hosts: others, order, partition: true });
  if ('message' in membership) return membership;
  const outside = others.filter(({ id }) => membership.groupOf(id) === undefined);
  if (outside.length === 0) return { fault, membership, bridge };
  const some = outside.slice(0, 5).map(({ id }) => id);
  return {
    group: fault.groups.length - 1,
    message: `${outside.length} nodes are in no group (${some.join(', ')}${outside.length > 5 ? ', ...' : ''})`,
    fix: 'add the group [rest], or name them in "bridge" if they are cut from nobody',
  };
}
