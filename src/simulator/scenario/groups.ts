/**
 * Which hosts a fault's groups are. Always true once fixed: no host is in two groups, no group is empty, and membership does
 * not change; a host that comes later takes its region's group, else `rest`.
 */
import { parseExpression, type Expression, type Term } from './group-expression.ts';
import type { ScenarioHost } from './scenario-host.ts';
import type { GroupText } from './scenario.ts';

/** Whether a host is among the drawn part of the nodes. */
export interface Drawn {
  (id: number, share: number): boolean;
}

export function matches(expression: readonly Term[], host: ScenarioHost, drawn: Drawn): boolean {
  const upstream = host.roles.includes('upstream');
  // The upstream is in no group that does not say so: not in `all`, not in a complement.
  if (upstream && !expression.every(({ atom, negated }) => !negated && atom.kind === 'role')) return false;
  return expression.every(({ atom, negated }) => holds(atom, host, drawn) !== negated);
}

function holds(atom: Term['atom'], host: ScenarioHost, drawn: Drawn): boolean {
  switch (atom.kind) {
    case 'all':
      return true;
    case 'even':
      return host.id % 2 === 0;
    case 'odd':
      return host.id % 2 === 1;
    case 'region':
      return host.region === atom.name;
    case 'profile':
      return host.profile === atom.name;
    case 'role':
      return host.roles.includes(atom.role);
    case 'node':
      return host.id >= atom.first && host.id <= atom.last;
    case 'fraction':
      return drawn(host.id, atom.share);
  }
}

/** The part that `fraction:` means: the first of one order of the nodes, so that a larger part holds a smaller one. */
export function drawnFrom(order: readonly number[]): Drawn {
  const rank = new Map(order.map((id, index) => [id, index]));
  return (id, share) => (rank.get(id) ?? Infinity) < Math.round(share * order.length);
}

/** A fault's groups cannot be what its text says. */
export interface GroupFault {
  /** Place among the groups. */
  readonly group: number;
  readonly message: string;
  readonly fix: string;
}

export interface Membership {
  /** Index of the host's group; undefined: in none. */
  groupOf(id: number): number | undefined;
  /** Ids by group, ascending. */
  readonly members: readonly (readonly number[])[];
  /** A host that was not there when the fault began. */
  join(host: ScenarioHost): void;
}

export interface FixOptions {
  /** Every host there is now, up or down; the upstream's too. */
  readonly hosts: readonly ScenarioHost[];
  /** One order of the nodes' ids, for `fraction:`. */
  readonly order: readonly number[];
  /** Nobody is outside: the upstream is with the first group unless another names it, and so is who comes later. */
  readonly partition?: boolean;
}

export function fixGroups(groups: readonly GroupText[], options: FixOptions): Membership | GroupFault {
  const { hosts, order, partition = false } = options;
  const drawn = drawnFrom(order);
  const parsed = groups.map((texts) => texts.map((text) => parseExpression(text) as Expression));
  const rests = parsed.flatMap((group, index) => group.filter((item) => item === 'rest').map(() => index));
  if (rests.length > 1) {
    return {
      group: rests[1] as number,
      message: 'a second "rest"',
      fix: 'name the hosts of one of the two groups',
    };
  }
  const [restGroup] = rests;
  const groupOf = new Map<number, number>();
  for (const host of hosts) {
    const named = parsed.flatMap((group, index) =>
      group.some((item) => item !== 'rest' && matches(item, host, drawn)) ? [index] : [],
    );
    const [first, second] = named;
    if (first !== undefined && second !== undefined) {
      return {
        group: second,
        message: `${describe(host)} is in group ${first} (${quote(groups[first])}) and in group ${second} (${quote(groups[second])})`,
        fix: `make them disjoint, such as "${[...(groups[second] ?? [])].join(' ')} & !..." in the second, or use rest`,
      };
    }
    const isUpstream = host.roles.includes('upstream');
    const group = first ?? (isUpstream ? (partition ? 0 : undefined) : restGroup);
    if (group !== undefined) groupOf.set(host.id, group);
  }
  const members = (group: number): number[] =>
    [...groupOf].flatMap(([id, index]) => (index === group ? [id] : [])).sort((a, b) => a - b);
  const lists = groups.map((_, index) => members(index));
  const nodesOnly = new Set(hosts.filter(({ roles }) => !roles.includes('upstream')).map(({ id }) => id));
  for (const [index, list] of lists.entries()) {
    const asked = list.some((id) => nodesOnly.has(id)) || (groups[index] ?? []).includes('role:upstream');
    if (asked && list.length > 0) continue;
    return {
      group: index,
      message: `group ${index} (${quote(groups[index])}) is empty`,
      fix: 'name hosts that the scenario has, or a larger fraction',
    };
  }
  const byRegion = parsed.map((group) =>
    group.some((item) => item !== 'rest' && item.some(({ atom }) => atom.kind === 'region')),
  );
  const regionGroups = wholeRegions(hosts, (id) => {
    const group = groupOf.get(id);
    return group !== undefined && (byRegion[group] || group === restGroup) ? group : undefined;
  });
  return {
    groupOf: (id) => groupOf.get(id),
    members: lists,
    join(host) {
      if (groupOf.has(host.id)) return;
      const own = parsed.findIndex((items) =>
        items.some((item) => item !== 'rest' && matches(item, host, () => false)),
      );
      const group = regionGroups.get(host.region) ?? restGroup ?? (partition ? Math.max(0, own) : undefined);
      if (group !== undefined) groupOf.set(host.id, group);
    },
  };
}

/** Regions all of whose hosts are in one group. */
function wholeRegions(
  hosts: readonly ScenarioHost[],
  groupOf: (id: number) => number | undefined,
): ReadonlyMap<string, number> {
  const found = new Map<string, number | undefined>();
  for (const { id, region, roles } of hosts) {
    if (roles.includes('upstream')) continue;
    const group = groupOf(id);
    found.set(region, found.has(region) && found.get(region) !== group ? undefined : group);
    if (group === undefined) found.set(region, undefined);
  }
  return new Map(
    [...found].flatMap(([region, group]) => (group === undefined ? [] : [[region, group] as const])),
  );
}

function describe({ id, region, profile }: ScenarioHost): string {
  return id < 0 ? 'the upstream' : `node ${id} (${region}, ${profile})`;
}

function quote(texts: GroupText | undefined): string {
  return (texts ?? []).join(', ');
}
