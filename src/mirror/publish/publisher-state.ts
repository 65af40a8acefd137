/**
 * What a publisher remembers beside its log, map and pages. Always true: a page that was read is here before it counts, so
 * that a killed import goes on where it was; `pending` is on disk, synced, before the map changes, so that the record of a
 * change can be signed after a kill between the two.
 */
import { type Digest, isDigest } from '../../core/digest.ts';
import type { IndexEntry } from '../../core/index-map/index-entry.ts';
import type { Retraction } from '../../core/log/retraction.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { type LevelDatabase, type LevelWrite, tables } from '../../store/level-database.ts';
import type { Farewell, NamedSuccessor } from './own-rotation.ts';

/** How a page was read last: for asking whether it is as it was. */
export interface PageTrace {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Of the canonical page, and they hold for no other; undefined: there was none at `absentAt` (wall clock, ms). */
  readonly digest: Digest | undefined;
  readonly absentAt?: number;
}

/** An entry that is in no record yet; undefined: it is to leave the map. */
export type Changed = readonly [ProjectName, IndexEntry | undefined];

/** What stands in the documents by name. */
export interface PublisherNotes {
  /** What every canonical page depends on, from before the first record. */
  readonly ground?: { readonly fileOrigin: string; readonly format: 'json' | 'html' };
  /** For which scope the first import is done. */
  readonly completeFor?: string;
  /** Names that the list lacks and whose pages are there: their files are forced empty. */
  readonly quarantined?: readonly ProjectName[];
  /** A change of the map, with its record not signed yet. */
  readonly pending?: { readonly from: Digest; readonly to: Digest; readonly change: RecordedChange };
  readonly list?: { readonly size: number; readonly bytes: number; readonly serials: boolean };
  /** Where nothing has serials: since when the round of all pages that is under way has been going on. */
  readonly roundBegan?: number;
  /** What the operator takes back. */
  readonly retractions?: readonly Retraction[];
  /** Every key that was named to take over, oldest first. */
  readonly rotations?: readonly NamedSuccessor[];
  readonly farewells?: readonly Farewell[];
  /** Why this log must not go on. */
  readonly stopped?: string;
}

/** What one record changed in the map. */
export interface RecordedChange {
  /** Base64 of the delta; null: too large for one. */
  readonly delta: string | null;
  /** The leaf hashes before, of the bins that changed. */
  readonly before: readonly (readonly [bin: number, hash: string])[];
  readonly signedAt: number;
}

interface Retired {
  readonly key: Uint8Array;
  readonly digest: Digest;
  readonly project: ProjectName | undefined;
}

export interface PublisherState {
  note<K extends keyof PublisherNotes>(name: K): Promise<PublisherNotes[K] | undefined>;
  putNote<K extends keyof PublisherNotes>(name: K, value: PublisherNotes[K], sync?: boolean): Promise<void>;
  /** All that `putChanged` wrote and `settle` did not take away. */
  changed(): Promise<Changed[]>;
  putChanged(change: Changed, trace: PageTrace | undefined): Promise<void>;
  trace(project: ProjectName): Promise<PageTrace | undefined>;
  putTrace(project: ProjectName, trace: PageTrace): Promise<void>;
  /** The record is signed; then what it holds is to be forgotten. */
  settle(seq: number, change: RecordedChange): Promise<void>;
  /** A record holds these, and they have not changed again. */
  forgetChanged(names: readonly ProjectName[]): Promise<void>;
  history(seq: number): Promise<RecordedChange | undefined>;
  /** Drops the changes of records before `signedAt`, from the oldest on. */
  forgetHistory(signedBefore: number): Promise<void>;
  /** A page that the map does not have any more since `at`; without a project a list of names that no record has. */
  retire(at: number, digest: Digest, project: ProjectName | undefined): Promise<void>;
  retiredBefore(at: number): Promise<readonly Retired[]>;
  forgetRetired(keys: readonly Uint8Array[]): Promise<void>;
}

export function createPublisherState(db: LevelDatabase): PublisherState {
  const write = (writes: readonly LevelWrite[], sync = false): Promise<void> => db.write(writes, { sync });
  return {
    note: async (name) => (await read(db, tables.documents, text(name))) as never,
    putNote: (name, value, sync) =>
      write([{ table: tables.documents, key: text(name), value: json(value) }], sync),
    async changed() {
      const all: Changed[] = [];
      for await (const batch of db.entries(tables.changed))
        for (const [key, value] of batch) {
          const entry = JSON.parse(value.toString()) as IndexEntry | null;
          all.push([key.toString() as ProjectName, entry ?? undefined]);
        }
      return all;
    },
    async putChanged([project, entry], trace) {
      const key = text(project);
      await write([
        { table: tables.changed, key, value: Buffer.from(JSON.stringify(entry ?? null)) },
        { table: tables.validators, key, value: json(trace) },
      ]);
    },
    trace: async (project) => (await read(db, tables.validators, text(project))) as PageTrace | undefined,
    putTrace: (project, trace) =>
      write([{ table: tables.validators, key: text(project), value: json(trace) }]),
    async settle(seq, change) {
      await write([
        { table: tables.history, key: number(seq), value: json(change) },
        { table: tables.documents, key: text('pending'), value: undefined },
      ]);
    },
    forgetChanged: (names) =>
      write(names.map((name) => ({ table: tables.changed, key: text(name), value: undefined }))),
    history: async (seq) => (await read(db, tables.history, number(seq))) as RecordedChange | undefined,
    async forgetHistory(signedBefore) {
      const old: LevelWrite[] = [];
      search: for await (const batch of db.entries(tables.history))
        for (const [key, value] of batch) {
          const { signedAt } = JSON.parse(value.toString()) as RecordedChange;
          if (signedAt >= signedBefore) break search;
          old.push({ table: tables.history, key, value: undefined });
        }
      if (old.length > 0) await write(old);
    },
    retire: (at, digest, project) =>
      write([
        { table: tables.retired, key: Buffer.concat([number(at), text(digest)]), value: text(project ?? '') },
      ]),
    async retiredBefore(at) {
      const found: Retired[] = [];
      for await (const batch of db.entries(tables.retired))
        for (const [key, value] of batch) {
          if (Number(key.readBigUInt64BE()) >= at) return found;
          const digest = key.toString('latin1', 8);
          if (isDigest(digest))
            found.push({ key, digest, project: (value.toString() || undefined) as ProjectName | undefined });
        }
      return found;
    },
    forgetRetired: (keys) => write(keys.map((key) => ({ table: tables.retired, key, value: undefined }))),
  };
}

async function read(
  db: LevelDatabase,
  table: (typeof tables)['documents' | 'validators' | 'history'],
  key: Uint8Array,
): Promise<unknown> {
  const value = await db.get(table, key);
  return value === undefined ? undefined : (JSON.parse(value.toString()) as unknown);
}

const text = (value: string): Buffer => Buffer.from(value);

function json(value: unknown): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(JSON.stringify(value));
}

/** Sorts as it counts. */
function number(value: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(value));
  return key;
}
