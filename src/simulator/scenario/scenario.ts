/**
 * What a scenario says once it was read and every default filled in: all that a run needs besides its number. Times are
 * integer microseconds (those of faults after the warm-up), sizes bytes, shares and percentages in 0..1, rates a second.
 */

export type Distribution =
  | { readonly kind: 'fixed'; readonly value: number }
  | { readonly kind: 'exponential'; readonly mean: number }
  | { readonly kind: 'weibull'; readonly shape: number; readonly mean: number }
  /** `sigma` is of the natural logarithm. */
  | { readonly kind: 'lognormal'; readonly median: number; readonly sigma: number };

/** `every`: with a fixed period; `rate`: Poisson. */
export type Recurrence =
  { readonly kind: 'every'; readonly every: number } | { readonly kind: 'rate'; readonly rate: number };

/** A union of expressions, as written: `region:eu`, `profile:home & !even`, `rest` (see group-expression.ts). */
export type GroupText = readonly string[];

export interface Placed {
  readonly count: number;
  /** Whom they are drawn from. */
  readonly among: GroupText;
}

export interface Latency {
  /** `regions10`; undefined: written in the scenario. */
  readonly table: string | undefined;
  readonly regions: readonly string[];
  /** By the order of `regions`: from row to column. */
  readonly oneWay: readonly (readonly number[])[];
}

export interface HostProfile {
  readonly inbound: 'open' | 'filtered' | 'nat';
  /** Bytes a second; Infinity: unlimited. */
  readonly up: number;
  readonly down: number;
}

export interface Churn {
  readonly session: Distribution;
  readonly downtime: Distribution;
  readonly rejoin: { readonly address: 'keep' | 'new'; readonly state: 'keep' | 'wipe' };
  readonly among: GroupText;
}

export interface PipWorkload {
  /** Installations a second, of the whole network or of each node. */
  readonly rate: number;
  readonly per: 'network' | 'node';
  /** Exponent of the projects' popularity; 0: all alike. */
  readonly popularity: { readonly zipf: number };
  /** The gateways that are asked. */
  readonly among: GroupText;
}

export interface Workload {
  /** None: nodes read the upstream themselves (direct mode). */
  readonly publishers: Placed;
  readonly snapshots: { readonly every: number };
  readonly pip: PipWorkload | undefined;
  readonly newFiles: Recurrence | undefined;
  readonly removals: Recurrence | undefined;
  readonly quarantine: Recurrence | undefined;
  readonly upstream: {
    readonly projects: number;
    readonly fileSize: Distribution;
    /** How long it answers and how long it does not, by turns. */
    readonly outages: { readonly up: Distribution; readonly down: Distribution } | undefined;
  };
}

export type CutMode =
  | { readonly kind: 'blackhole' }
  | { readonly kind: 'reject' }
  /** Starts down. */
  | { readonly kind: 'flaky'; readonly up: number; readonly down: number };

export const misbehaviours = ['stale', 'forged', 'rolled-back', 'wrong-bytes'] as const;
export type Misbehaviour = (typeof misbehaviours)[number];

export type FaultAction =
  | {
      readonly kind: 'partition';
      readonly groups: readonly GroupText[];
      /** Cut from nobody. */
      readonly bridge: GroupText | undefined;
      readonly mode: CutMode;
    }
  | { readonly kind: 'isolate'; readonly group: GroupText; readonly mode: CutMode }
  | { readonly kind: 'one-way'; readonly from: GroupText; readonly to: GroupText }
  /** `crash`: what was not synced is lost; `restart`: closed in order. Either comes back at the fault's end. */
  | { readonly kind: 'crash' | 'restart'; readonly group: GroupText; readonly state: 'keep' | 'wipe' }
  | { readonly kind: 'clock'; readonly group: GroupText; readonly skew: number }
  | { readonly kind: 'byzantine'; readonly group: GroupText; readonly behaviours: readonly Misbehaviour[] }
  | { readonly kind: 'upstream'; readonly mode: 'blackhole' | 'reject' };

export type FaultKind = FaultAction['kind'];

/** Active in [at, at + for). */
export type Fault = FaultAction & {
  readonly id: string;
  readonly at: number;
  /** undefined: to the end of the run. */
  readonly for: number | undefined;
};

/** What an observer outside the nodes counts; each is a promise of the design that was broken. */
export const invariants = [
  'wrong_bytes',
  'index_rollback',
  'age_understated',
  'unfounded_404',
  'unproven_page',
  'lost_blob',
  'removed_served',
] as const;
export type Invariant = (typeof invariants)[number];

export const conditions = ['converged', 'reconverge_topology'] as const;
export type Condition = (typeof conditions)[number];

export const ratios = [
  'lookup_all',
  'lookup_eligible',
  'delivery',
  'delivery_reach',
  'availability',
] as const;
export type Ratio = (typeof ratios)[number];

export interface WithinAssert {
  readonly condition: Condition;
  /** `fault` undefined: every fault that cuts. `heal`: its links are up again; `end`: its time is over. */
  readonly after: { readonly event: 'heal' | 'end'; readonly fault: string | undefined };
  readonly within: number;
  /** Of the nodes live then. */
  readonly share: number;
}

export interface Asserts {
  readonly never: readonly Invariant[];
  readonly within: readonly WithinAssert[];
  readonly atLeast: readonly { readonly ratio: Ratio; readonly share: number }[];
}

export interface Scenario {
  readonly name: string;
  readonly seed: number;
  readonly runs: number;
  /** After the warm-up. */
  readonly duration: number;
  readonly warmup: number;
  readonly security: 'noise' | 'plaintext';
  readonly cpu: 'reference' | 'young' | 'zero';
  /** That all nodes share; undefined: each has one of its own. */
  readonly cores: number | undefined;
  readonly nodes: {
    readonly count: number;
    readonly regions: ReadonlyMap<string, number>;
    readonly profiles: ReadonlyMap<string, number>;
    readonly bootstraps: Placed;
  };
  readonly hosts: ReadonlyMap<string, HostProfile>;
  readonly network: { readonly latency: Latency; readonly jitter: number; readonly loss: number };
  /** Publishers that must agree; 0 without publishers. */
  readonly policy: { readonly threshold: number };
  /** Nodes that hold each file when the run starts. */
  readonly replication: number;
  readonly churn: Churn | undefined;
  readonly workload: Workload;
  readonly faults: readonly Fault[];
  readonly assert: Asserts;
}

export type LinkFault = Extract<Fault, { kind: 'partition' | 'isolate' | 'one-way' }>;

/** When a fault is over, µs after the warm-up; Infinity: never. */
export function endOf(fault: Fault): number {
  return fault.for === undefined ? Infinity : fault.at + fault.for;
}

/** Whether it acts on packets between hosts, so that `heal(id)` has a meaning. */
export function cutsLinks(fault: Fault): fault is LinkFault {
  return fault.kind === 'partition' || fault.kind === 'isolate' || fault.kind === 'one-way';
}
