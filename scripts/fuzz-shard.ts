/** Some cases of one target, drawn with one seed: what a thread does at a time. */
import fc from 'fast-check';
import { alterations } from './fuzz-alter.ts';
import { checkAltered, checkValid, FuzzFailure, type Target } from './fuzz-case.ts';

export interface Shard {
  readonly target: string;
  readonly seed: number;
  readonly cases: number;
  readonly milliseconds: number;
}

export interface Counts {
  cases: number;
  unaltered: number;
  /** Altered, and still right: another valid message. */
  other: number;
  refused: Record<string, number>;
  seconds: number;
}

export interface Failure {
  readonly target: string;
  readonly what: string;
  readonly seed: number;
  /** Of fast-check. */
  readonly path: string | undefined;
  /** For --replay. */
  readonly inputs: readonly Uint8Array[];
}

/** Each drawn pair of valid messages is altered in so many ways: signing is what takes the time. */
const WAYS = 30;
const CASES = WAYS + 1;

/** Before each reading: who watches knows then what the thread hangs on. */
export type Watch = (bytes: Uint8Array) => void;

/** Counts go up in `counts` while it runs. */
export async function runShard(
  target: Target,
  shard: Shard,
  counts: Counts,
  watch: Watch,
): Promise<Failure | undefined> {
  const head = target.head ?? (() => 0);
  // Without bias: kinds of alterations are no numbers of which the small ones matter more.
  const ways = fc.noBias(fc.array(alterations(target.format, head), { minLength: WAYS, maxLength: WAYS }));
  const property = fc.asyncProperty(target.valid, target.valid, ways, async (bytes, other, alters) => {
    watch(bytes);
    counts.cases++;
    const claims = [...(await checkValid(target, bytes)), ...(await checkValid(target, other))];
    counts.unaltered++;
    for (const alter of alters) {
      const altered = alter(bytes, other);
      watch(altered);
      counts.cases++;
      if (isOneOf(altered, bytes, other)) {
        counts.unaltered++;
        continue;
      }
      const outcome = await checkAltered(target, altered, [bytes, other], claims);
      if (outcome.kind === 'accepted') counts.other++;
      else counts.refused[outcome.code] = (counts.refused[outcome.code] ?? 0) + 1;
    }
  });
  const details = await fc.check(property, {
    seed: shard.seed,
    numRuns: Math.ceil(shard.cases / CASES),
    interruptAfterTimeLimit: shard.milliseconds,
    markInterruptAsFailure: false,
    endOnFailure: true,
  });
  if (!details.failed) return undefined;
  const cause = details.errorInstance;
  return {
    target: target.name,
    what: cause instanceof FuzzFailure ? cause.message : `the script itself failed: ${String(cause)}`,
    seed: shard.seed,
    path: details.counterexamplePath ?? undefined,
    inputs: cause instanceof FuzzFailure ? cause.inputs : [],
  };
}

function isOneOf(altered: Uint8Array, ...originals: readonly Uint8Array[]): boolean {
  return originals.some((original) => Buffer.compare(altered, original) === 0);
}

export function noCounts(): Counts {
  return { cases: 0, unaltered: 0, other: 0, refused: {}, seconds: 0 };
}
