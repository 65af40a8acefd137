/** `network` and `hosts`: what lies between the hosts, and each one's line. */
import { isMap } from 'yaml';
import { mapOf, orShort } from './compound-shapes.ts';
import { percent, line, time } from './common-shapes.ts';
import { latencyTables } from './latency-tables.ts';
import { choice } from './scalar-shapes.ts';
import type { HostProfile } from './scenario.ts';
import { derived, failed, optional, record, type Shape } from './shape.ts';

export const names = { pattern: /^[a-zA-Z][\w-]{0,31}$/, expected: 'a name of letters, digits, "-" and "_"' };

/** As written; the regions of `uniform` are those that the nodes have. */
export type GivenLatency =
  | { readonly kind: 'table'; readonly name: string }
  | { readonly kind: 'uniform'; readonly oneWay: number }
  | { readonly kind: 'matrix'; readonly rows: ReadonlyMap<string, ReadonlyMap<string, number>> };

const matrix = mapOf(mapOf(time, 'one-way latencies', names), 'regions', names);

const latency: Shape<GivenLatency> = {
  read(place) {
    if (isMap(place.node)) {
      const rows = matrix.read(place);
      if (rows === failed) return failed;
      for (const from of rows.keys()) {
        const missing = [...rows.keys()].filter((to) => !rows.get(from)?.has(to));
        const unknown = [...(rows.get(from)?.keys() ?? [])].filter((to) => !rows.has(to));
        if (missing.length + unknown.length === 0) continue;
        return place
          .at(from)
          .report(
            missing.length > 0
              ? `the row of ${from} lacks ${missing.join(', ')}`
              : `the row of ${from} has ${unknown.join(', ')}, which has no row`,
            'give the one-way latency from every region to every region, itself included',
          );
      }
      return { kind: 'matrix', rows };
    }
    if (typeof place.scalar === 'string' && /^[a-zA-Z]/.test(place.scalar)) {
      const name = place.scalar;
      if (Object.hasOwn(latencyTables, name)) return { kind: 'table', name };
      return place.report(
        `"${name}" is no latency table`,
        `write ${Object.keys(latencyTables).join(', ')}, one time for all such as 50ms, or {eu: {eu: 10ms, na: 45ms}, ...}`,
      );
    }
    const oneWay = time.read(place);
    return oneWay === failed ? failed : { kind: 'uniform', oneWay };
  },
  write(value) {
    if (value.kind === 'table') return value.name;
    return value.kind === 'uniform' ? time.write(value.oneWay) : matrix.write(value.rows);
  },
  schema: { anyOf: [{ enum: Object.keys(latencyTables) }, time.schema, matrix.schema] },
};

export interface GivenNetwork {
  readonly latency: GivenLatency;
  readonly jitter: number;
  readonly loss: number;
}

export const network = record<GivenNetwork>('the network', {
  latency: optional(
    latency,
    { kind: 'table', name: 'regions10' },
    'one-way latency: a named table, one time for all pairs, or a map of regions to maps',
  ),
  jitter: optional(percent, 0.05, "by how much a packet's latency varies, both ways"),
  loss: optional(percent, 0.001, 'share of segments that are lost'),
});

export type GivenProfile = { readonly [K in keyof HostProfile]: HostProfile[K] | undefined };

/** `unlimited`. */
const uplink: Shape<number> = orShort(
  { ...line, write: (value: number) => (value === Infinity ? 'unlimited' : line.write(value)) },
  { applies: (place) => place.scalar === 'unlimited', read: () => Infinity, schema: { const: 'unlimited' } },
);

export const profile: Shape<GivenProfile> = record<GivenProfile>('a host profile', {
  inbound: derived(
    choice('open', 'filtered', 'nat'),
    'open: can be dialled; filtered, nat: cannot, and nat forgets idle mappings (default: as home or server, else filtered)',
  ),
  up: derived(uplink, 'uplink (default: as home or server, else 20Mbit/s)'),
  down: derived(uplink, 'downlink (default: as home or server, else 100Mbit/s)'),
});

const home: HostProfile = { inbound: 'filtered', up: 2_500_000, down: 12_500_000 };
const server: HostProfile = { inbound: 'open', up: 125_000_000, down: 125_000_000 };

/** What a profile is where the scenario does not say. */
export const builtInProfiles: Readonly<Record<string, HostProfile>> = { home, server };

export function completeProfile(name: string, given: GivenProfile | undefined): HostProfile {
  const base = Object.hasOwn(builtInProfiles, name) ? (builtInProfiles[name] as HostProfile) : home;
  return {
    inbound: given?.inbound ?? base.inbound,
    up: given?.up ?? base.up,
    down: given?.down ?? base.down,
  };
}
