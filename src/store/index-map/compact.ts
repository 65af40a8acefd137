/**
 * A new generation made from an old one. For each bin the new base has the version that most maps have, so that the overlays are as
 * small as they can be. A bin that is missing or damaged stays missing: the maps keep its leaf hash and can be mended.
 */
import { setImmediate } from 'node:timers/promises';
import { EMPTY_BIN, EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { type LeafChanges, packedChanges } from '../../core/index-map/leaf-changes.ts';
import { differingLeaves } from '../../core/index-map/leaf-scan.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import type { StoredBin } from './base-file.ts';
import type { NewBin } from './bin-shelf.ts';
import { type Generation, keyOf } from './generation.ts';
import { leafAt } from './map-view.ts';
import { type MapPlace, writeGeneration } from './open-generation.ts';

/** Looked up before others have their turn: some 5 ms. */
const BINS_AT_ONCE = 2048;

/** A map whose state the new generation must have. */
export interface CarriedView {
  readonly name: string;
  readonly leaves: Buffer;
}

export interface Rewritten {
  readonly generation: Generation;
  /** Maps of which every bin is here. */
  readonly whole: ReadonlySet<string>;
}

/** `bins` become the base; `made` is a map that is exactly these. */
export async function rewriteGeneration(
  place: MapPlace,
  old: Generation,
  views: readonly CarriedView[],
  bins: AsyncIterable<readonly StoredBin[]>,
  made?: string,
): Promise<Rewritten> {
  const whole = new Set<string>();
  const written = await writeGeneration(place, old.number + 1, bins, async (generation) => {
    for (const view of views) {
      if (await copyMissing(old, generation, view.leaves)) whole.add(view.name);
      const changed = differences(generation, view.leaves);
      await generation.log.append([{ kind: 'map', name: view.name, fromBase: true, changed }]);
    }
    if (made !== undefined)
      await generation.log.append([{ kind: 'map', name: made, fromBase: true, changed: new Map() }]);
  });
  return { generation: written, whole };
}

/** The leaves in which these differ from the base. */
export function differences({ base }: Generation, leaves: Buffer): LeafChanges {
  return packedChanges(leaves, differingLeaves(base.leaves, leaves));
}

/** The bins of the new base, in order, each there until the next piece. */
export async function* compactedBins(
  old: Generation,
  views: readonly CarriedView[],
): AsyncGenerator<StoredBin[]> {
  const leaves = await commonLeaves(old, views);
  for await (const piece of old.walk(leaves))
    yield piece.map(({ number, bytes }) => {
      const count = bytes === undefined ? 0 : (old.count(number, leafAt(leaves, number)) ?? 0);
      return { bytes: bytes ?? EMPTY_BIN, count };
    });
}

/** The most frequent of those that are here; of equals the first. */
async function commonLeaves(old: Generation, views: readonly CarriedView[]): Promise<Buffer> {
  const common = Buffer.from(old.base.leaves);
  for (let number = 0; number < BINS; number++) {
    if (number % BINS_AT_ONCE === 0) await setImmediate();
    if (areAll(views, number, old.base.leaves)) continue;
    const first = views[0]?.leaves ?? common;
    if (areAll(views, number, first)) {
      const hash = leafAt(first, number);
      if (old.count(number, hash) !== undefined) common.set(hash, number * HASH_BYTES);
      continue;
    }
    const votes = new Map<string, { hash: Buffer; votes: number }>();
    for (const { leaves } of views) {
      const hash = leafAt(leaves, number);
      const key = keyOf(hash);
      const vote = votes.get(key) ?? { hash, votes: 0 };
      if (old.count(number, hash) !== undefined) votes.set(key, { hash, votes: vote.votes + 1 });
    }
    let best = { hash: old.base.leaf(number), votes: 0 };
    for (const vote of votes.values()) if (vote.votes > best.votes) best = vote;
    common.set(best.hash, number * HASH_BYTES);
  }
  return common;
}

function areAll(views: readonly CarriedView[], number: number, others: Buffer): boolean {
  const [from, to] = [number * HASH_BYTES, (number + 1) * HASH_BYTES];
  for (const { leaves } of views) if (others.compare(leaves, from, to, from, to) !== 0) return false;
  return true;
}

/** False: some are not here. All of them may be missing: one by one that would be 65,536 readings. */
async function copyMissing(from: Generation, to: Generation, leaves: Buffer): Promise<boolean> {
  const lacking = Buffer.from(leaves);
  for (let number = 0; number < BINS; number++) {
    if (number % BINS_AT_ONCE === 0) await setImmediate();
    if (to.count(number, leafAt(leaves, number)) !== undefined) lacking.set(EMPTY_LEAF, number * HASH_BYTES);
  }
  let isWhole = true;
  for await (const piece of from.walk(lacking)) {
    const found: NewBin[] = [];
    for (const { number, bytes } of piece) {
      if (EMPTY_LEAF.equals(leafAt(lacking, number))) continue;
      const hash = leafAt(leaves, number);
      const count = from.count(number, hash);
      if (bytes === undefined || count === undefined) isWhole = false;
      else found.push({ number, bytes, hash, count });
    }
    await to.put(found);
  }
  return isWhole;
}
