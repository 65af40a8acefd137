/**
 * Makes a record of what is known: changes the map, then has the log store and sign. Always true, through `kill -9`: the map
 * and what leads to it are durable before the record is signed, and a record's delta leads from the record before to it.
 */
import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../core/clock.ts';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { InvalidIndexMapError, InvalidLogError } from '../../core/errors.ts';
import { EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { encodeDelta, type IndexDelta } from '../../core/index-map/index-delta.ts';
import { type IndexEntry, sameEntry } from '../../core/index-map/index-entry.ts';
import { MerkleTree } from '../../core/index-map/merkle-tree.ts';
import { digestOfNames, encodeNames } from '../../core/index-map/name-list.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexMap } from '../../store/index-map/index-maps.ts';
import type { LogHead, PublisherLog, RecordDraft } from '../../store/publisher-log/publisher-log.ts';
import type { Changed, PublisherState, RecordedChange } from './publisher-state.ts';
import type { KnownPages } from './known-pages.ts';
import type { PageBlobs } from './page-blobs.ts';

/** What the record says besides the map. */
export interface Seen extends Pick<
  RecordDraft,
  'upstream' | 'fileOrigin' | 'format' | 'scope' | 'complete' | 'serial' | 'apiVersion' | 'retractions'
> {
  readonly observedAt: number;
  readonly stale: ReadonlySet<ProjectName>;
  readonly successor?: string | undefined;
}

export interface RecordSigner {
  /** One at a time. */
  sign(seen: Seen): Promise<{ head: LogHead; changed: number }>;
}

export interface RecordSignerDeps {
  readonly log: PublisherLog;
  readonly map: IndexMap;
  readonly state: PublisherState;
  readonly known: Pick<KnownPages, 'changed' | 'settled'>;
  readonly blobs: Pick<PageBlobs, 'keep' | 'retire'>;
  readonly clock: Clock;
}

/** Forgotten in one write. */
const CHANGES_AT_ONCE = 2048;
/** Of an entry in a delta, beside its name: four heads, a serial, a digest, a length. */
const ENTRY_LEAST = 38;

const EMPTY_ROOT = MerkleTree.ofEqualLeaves(EMPTY_LEAF).root();

/** Finishes what a kill left between the map and its record. */
export async function createRecordSigner(deps: RecordSignerDeps): Promise<RecordSigner> {
  const { log, map, state, known, blobs, clock } = deps;
  /** The map is ahead of the last record by this. */
  let carried = await recover();

  async function recover(): Promise<RecordedChange | undefined> {
    const signed = log.head?.record.mapRoot ?? EMPTY_ROOT;
    const pending = await state.note('pending');
    if (map.root() === signed) {
      if (pending !== undefined && pending.to === signed && log.size > 0)
        await settle(log.size - 1, pending.change, await heldOf([...known.changed]));
      else await state.putNote('pending', undefined);
      return undefined;
    }
    if (pending !== undefined && pending.from === signed && pending.to === map.root()) return pending.change;
    // Followers compare the leaves.
    return { delta: null, before: [], signedAt: clock.now() };
  }

  /** Of these changes those that the map holds already. */
  async function heldOf(changes: readonly Changed[]): Promise<Changed[]> {
    const held: Changed[] = [];
    for (const [project, entry] of changes) {
      const answer = await map.get(project);
      const now = typeof answer === 'object' ? answer : undefined;
      if (entry === undefined ? now === undefined : now !== undefined && sameEntry(now, entry))
        held.push([project, entry]);
    }
    return held;
  }

  /** Some at a time; a kill meanwhile leaves changes that the map holds already, and the next record says nothing of them. */
  async function settle(seq: number, change: RecordedChange, changes: readonly Changed[]): Promise<number> {
    const settled: ProjectName[][] = [];
    for (let at = 0; at < changes.length; at += CHANGES_AT_ONCE) {
      if (at > 0) await setImmediate();
      settled.push(known.settled(changes.slice(at, at + CHANGES_AT_ONCE)));
    }
    await state.settle(seq, change);
    // Not one that was read again meanwhile.
    for (const names of settled) await state.forgetChanged(names.filter((name) => !known.changed.has(name)));
    return settled.flat().length;
  }

  interface Applied {
    readonly change: RecordedChange;
    /** What the record holds. */
    readonly held: () => Promise<readonly Changed[]>;
    /** Read before, and not in this record. */
    readonly late: readonly ProjectName[];
  }

  async function applyChanges(): Promise<Applied> {
    if (carried !== undefined) {
      const read = [...known.changed];
      const held = new Set((await heldOf(read)).map(([project]) => project));
      const late = read.flatMap(([project]) => (held.has(project) ? [] : [project]));
      return { change: carried, held: () => heldOf([...known.changed]), late };
    }
    const changes = [...known.changed];
    const set = changes.flatMap(([, entry]) => entry ?? []);
    const del = changes.flatMap(([project, entry]) => (entry === undefined ? [project] : []));
    const [from, leaves] = [map.root(), Buffer.from(map.leaves())];
    const staged = await map.change({ set, del });
    const before = staged.bins.map(
      (bin) => [bin, leaves.toString('base64', bin * HASH_BYTES, (bin + 1) * HASH_BYTES)] as const,
    );
    const delta = isTooLarge(set, del) ? null : deltaOf(staged.delta);
    const change = { delta, before, signedAt: clock.now() };
    await state.putNote('pending', { from, to: staged.root, change }, true);
    await staged.commit();
    carried = change;
    return { change, held: async () => changes, late: [] };
  }

  async function append(draft: RecordDraft): Promise<LogHead> {
    try {
      return await log.append(draft);
    } catch (error) {
      if (error instanceof InvalidLogError) throw error;
      // It may be stored all the same.
      const head = await log.recover();
      if (head === undefined || head.record.seq !== draft.seq) throw error;
      return head;
    }
  }

  return {
    async sign({ stale, successor, ...seen }) {
      const before = log.head?.record;
      // Together with what changes: a page that is read from here on is in the next record.
      const { change, held, late } = await applyChanges();
      const staleDigest = await keepStale(new Set([...stale, ...late]));
      const head = await append({
        ...seen,
        seq: log.size,
        signedAt: clock.now(),
        observedAt: Math.max(seen.observedAt, before?.observedAt ?? 0),
        count: map.count,
        mapRoot: map.root(),
        leaves: sha256(map.leaves()),
        delta: change.delta === null ? null : sha256(Buffer.from(change.delta, 'base64')),
        stale: staleDigest,
        ...(successor === undefined ? {} : { successor }),
      });
      const changed = await settle(head.record.seq, change, await held());
      carried = undefined;
      if (before !== undefined && before.stale !== null && before.stale !== head.record.stale)
        await blobs.retire(before.stale, undefined);
      await state.forgetHistory(clock.now() - limits.publish.deltasKept);
      return { head, changed };
    },
  };

  async function keepStale(names: ReadonlySet<ProjectName>): Promise<Digest | null> {
    if (names.size === 0) return null;
    const bytes = encodeNames(names);
    const digest = digestOfNames(bytes);
    await blobs.keep(bytes, digest, 'local');
    return digest;
  }
}

/** Known without making it: with all names that takes 20 s. */
function isTooLarge(set: readonly IndexEntry[], del: readonly ProjectName[]): boolean {
  let bytes = set.length * ENTRY_LEAST + del.length;
  for (const { name } of set) bytes += name.length;
  for (const name of del) bytes += name.length;
  return bytes > limits.indexMap.deltaBytes;
}

function deltaOf(delta: IndexDelta): string | null {
  try {
    return Buffer.from(encodeDelta(delta)).toString('base64');
  } catch (error) {
    if (error instanceof InvalidIndexMapError && error.code === 'DELTA_TOO_LARGE') return null;
    throw error;
  }
}

function sha256(bytes: Uint8Array): Digest {
  return digestFromBytes(hash('sha256', bytes, 'buffer'));
}
