/**
 * A voter's map without its deltas: its leaf hashes, then the bins that no map here has, from any peers. What has arrived stays when
 * a connection breaks or the node restarts: only what is missing is asked for. Must always hold: no bin is kept that does not
 * fit the hash under the signed root.
 */
import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type Clock, deadline } from '../../core/clock.ts';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { IntegrityError, InvalidIndexMapError } from '../../core/errors.ts';
import { checkLeaves, rootOfLeaves } from '../../core/index-map/merkle-tree.ts';
import { HASH_BYTES, leafHash } from '../../core/index-map/tree-hash.ts';
import { binRuns, type BinRun } from '../../core/index-messages/index-request.ts';
import { limits } from '../../core/limits.ts';
import type { IndexRecord } from '../../core/log/record.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import { askForObject } from './answer-turns.ts';
import type { IndexAsker } from './ask-index.ts';
import type { Refusals } from './refusals.ts';

export interface FetchMapDeps {
  readonly clock: Clock;
  readonly asker: IndexAsker;
  readonly refusals: Refusals;
  readonly maps: Pick<IndexMaps, 'missing' | 'add'>;
  peers(): readonly string[];
}

const BATCH_BYTES = 1024 * 1024;
const RUNS_A_REQUEST = 16_000;

/**
 * The leaf hashes, when every bin is here; undefined when peers do not have all now, or `isWanted` says no of the leaf
 * hashes. @throws InvalidIndexMapError BIN_*
 */
export async function fetchMap(
  deps: FetchMapDeps,
  origin: string,
  record: Pick<IndexRecord, 'leaves' | 'mapRoot'>,
  signal: AbortSignal,
  options: { known?: Uint8Array; isWanted?: (leaves: Uint8Array) => boolean } = {},
): Promise<Uint8Array | undefined> {
  const { known, isWanted = () => true } = options;
  const leaves = known ?? (await fetchLeaves(deps, origin, record, signal));
  if (leaves === undefined || !isWanted(leaves)) return undefined;
  for (const peer of deps.peers()) {
    // Whoever drips keeps the other maps waiting; what came of it stays.
    using patience = deadline(deps.clock, limits.follow.mapTime, signal);
    const missing = deps.maps.missing(leaves);
    if (missing.length === 0) return leaves;
    const runs = binRuns(missing);
    try {
      for (let at = 0; at < runs.length; at += RUNS_A_REQUEST)
        await takeBins(
          deps,
          peer,
          { leaves, record, runs: runs.slice(at, at + RUNS_A_REQUEST) },
          patience.signal,
        );
    } catch (error) {
      signal.throwIfAborted();
      if (patience.signal.aborted) {
        deps.refusals.silent(peer);
        continue;
      }
      // A bin that its publisher signed and that breaks the rules is no better elsewhere.
      if (error instanceof InvalidIndexMapError) throw error;
      deps.refusals.caught(error, origin, peer);
    }
  }
  return deps.maps.missing(leaves).length === 0 ? leaves : undefined;
}

async function fetchLeaves(
  deps: FetchMapDeps,
  origin: string,
  record: Pick<IndexRecord, 'leaves' | 'mapRoot'>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { asker, clock, refusals } = deps;
  const answers = askForObject({ asker, clock, refusals, origin }, deps.peers(), record.leaves, signal);
  for await (const { peer, bytes: leaves } of answers) {
    try {
      const actual = digestFromBytes(hash('sha256', leaves, 'buffer'));
      if (actual !== record.leaves)
        throw new IntegrityError({ expected: record.leaves, actual, source: `peer:${peer}` });
      checkLeaves(leaves);
      const { mapRoot } = record;
      if ((await rootOfLeaves(leaves, setImmediate)) !== mapRoot)
        throw new InvalidIndexMapError(
          'DELTA_WRONG_ROOT',
          `the leaf hashes of ${origin} do not lead to its signed root ${mapRoot}`,
        );
      return leaves;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof InvalidIndexMapError) throw error;
      deps.refusals.caught(error, origin, peer);
    }
  }
  return undefined;
}

interface WantedBins {
  readonly leaves: Uint8Array;
  readonly record: { readonly leaves: Digest };
  readonly runs: readonly BinRun[];
}

async function takeBins(
  { asker, maps }: FetchMapDeps,
  peer: string,
  { leaves, record, runs }: WantedBins,
  signal: AbortSignal,
): Promise<void> {
  // Of what comes nothing is kept: a buffer for each piece would be garbage for megabytes.
  const room = Buffer.allocUnsafe(BATCH_BYTES);
  let filled = 0;
  let batch: [number, Uint8Array][] = [];
  const take = async (): Promise<void> => {
    await maps.add(batch);
    [batch, filled] = [[], 0];
  };
  try {
    for await (const bins of asker.bins(peer, record.leaves, runs, signal))
      for (const { number, bytes } of bins) {
        const wanted = leaves.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
        const actual = leafHash(bytes);
        if (!actual.equals(wanted))
          throw new IntegrityError({
            expected: Buffer.from(wanted).toString('hex'),
            actual: actual.toString('hex'),
            source: `peer:${peer}`,
          });
        if (filled + bytes.length > room.length) await take();
        room.set(bytes, filled);
        batch.push([number, room.subarray(filled, filled + bytes.length)]);
        filled += bytes.length;
        if (batch.length >= limits.follow.binsAtOnce) await take();
      }
  } finally {
    // Also when the connection broke: it is not asked for again.
    if (batch.length > 0) await take();
  }
}
