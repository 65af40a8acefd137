/**
 * The catalog in LevelDB. A page's facts and its body are two records: telling that it is still current (a 304) rewrites a
 * hundred bytes, and pages can be listed without their bodies. Names and times of all pages are in memory, in the order of
 * names only when listed. What is surely not there is not asked for (`known-keys.ts`). Pages that come while others are
 * being written are written together.
 */
import { crc32 } from 'node:zlib';
import type { Clock } from '../core/clock.ts';
import { digestFromBytes, digestToBytes, isDigest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Catalog, FileOrigin, KeptAbsence, KeptPage } from './catalog.ts';
import { KnownKeys } from './known-keys.ts';
import { tables, type LevelDatabase, type LevelWrite } from './level-database.ts';

/** What is written of a page beside its body: everything else of it, and which body belongs to it. */
type PageRecord = (Omit<KeptPage, 'body'> & { readonly length: number; readonly crc: number }) | KeptAbsence;

/** Which body a page has. */
interface KeptEntry {
  readonly observedAt: number;
  readonly length: number;
  readonly crc: number;
}

/** Pages that are written together. */
interface Joining {
  readonly pages: [ProjectName, KeptPage | KeptAbsence][];
  readonly done: Promise<void>;
  bytes: number;
}

const WRITES_AT_ONCE = 1000;
/** No page joins others whose bodies have more bytes than this: what is written is in memory three times. */
const JOINED_BYTES = 1024 * 1024;
/** Names of absences, documents and wheels with metadata that are known by heart: at most 2 MB. */
const KNOWN_MOST = 10_000;

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parse = (value: Buffer): unknown => JSON.parse(value.toString());
const documentKey = (part: string, name: string): string => `${part}\0${name}`;

function pageFrom(record: PageRecord, body: Buffer | undefined): KeptPage | KeptAbsence | undefined {
  if (record.kind === 'absent') return record;
  const { length, crc, ...facts } = record;
  if (body === undefined || body.length !== length || crc32(body) !== crc) return undefined;
  // JSON leaves out what is undefined.
  const { etag, lastModified, serial, absentSince } = facts;
  return { ...facts, etag, lastModified, serial, absentSince, body };
}

/** `db` stays the caller's to close, after this. */
export async function createLevelCatalog(db: LevelDatabase, { clock }: { clock: Clock }): Promise<Catalog> {
  /** Of every kept page: when it was observed, and which body it has. */
  const kept = new Map<ProjectName, KeptEntry>();
  const absences = new KnownKeys(KNOWN_MOST);
  let joining: Joining | undefined;
  /** Writes go one after the other: a body must not be skipped for one that is being deleted. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    // What comes after this must not be written with what came before it.
    joining = undefined;
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };

  const outdated: LevelWrite[] = [];
  for await (const batch of db.entries(tables.pages)) {
    for (const [key, value] of batch) {
      const record = parse(value) as PageRecord;
      if (record.kind === 'page') kept.set(key.toString() as ProjectName, record);
      else if (clock.now() - record.observedAt > limits.freshness.absenceKept) {
        outdated.push({ table: tables.pages, key, value: undefined });
      } else absences.add(key.toString());
    }
  }
  await db.write(outdated);
  const documents = await keysOf(db, tables.documents, 'utf8');
  const wheels = await keysOf(db, tables.wheels, 'hex');

  async function writePages(pages: Joining['pages']): Promise<void> {
    const changed = new Map<ProjectName, KeptEntry | undefined>();
    const writes: LevelWrite[] = [];
    for (const [project, page] of pages) {
      const key = Buffer.from(project);
      if (page.kind === 'absent') {
        absences.add(project);
        writes.push({ table: tables.pages, key, value: json(page) });
        writes.push({ table: tables.bodies, key, value: undefined });
        changed.set(project, undefined);
        continue;
      }
      const { body, ...facts } = page;
      const entry = { observedAt: page.observedAt, length: body.length, crc: crc32(body) };
      const before = changed.has(project) ? changed.get(project) : kept.get(project);
      const record: PageRecord = { ...facts, length: entry.length, crc: entry.crc };
      writes.push({ table: tables.pages, key, value: json(record) });
      if (before?.length !== entry.length || before.crc !== entry.crc)
        writes.push({ table: tables.bodies, key, value: body });
      changed.set(project, entry);
    }
    await db.write(writes);
    for (const [project, entry] of changed) {
      if (entry === undefined) kept.delete(project);
      else kept.set(project, entry);
    }
  }

  function join(): Joining {
    const pages: Joining['pages'] = [];
    const done = inTurn(() => {
      if (joining?.pages === pages) joining = undefined;
      return writePages(pages);
    });
    return (joining = { pages, done, bytes: 0 });
  }

  return {
    async page(project) {
      if (!kept.has(project) && !absences.mayHave(project)) return undefined;
      const key = Buffer.from(project);
      const read = async (): Promise<KeptPage | KeptAbsence | undefined> => {
        const [record, body] = await Promise.all([db.get(tables.pages, key), db.get(tables.bodies, key)]);
        return record && pageFrom(parse(record) as PageRecord, body);
      };
      // The two reads may fall on both sides of a write; behind the queue they cannot.
      return (await read()) ?? (kept.has(project) ? inTurn(read) : undefined);
    },
    putPage(project, page) {
      const others = joining === undefined || joining.bytes >= JOINED_BYTES ? join() : joining;
      others.pages.push([project, page]);
      if (page.kind === 'page') others.bytes += page.body.length;
      return others.done;
    },
    deletePage: (project) =>
      inTurn(async () => {
        const key = Buffer.from(project);
        await db.write([
          { table: tables.pages, key, value: undefined },
          { table: tables.bodies, key, value: undefined },
        ]);
        kept.delete(project);
      }),
    async *pages() {
      for (const project of [...kept.keys()].sort()) {
        const entry = kept.get(project);
        if (entry !== undefined) yield { project, observedAt: entry.observedAt };
      }
    },
    totals() {
      let oldestObservedAt: number | undefined;
      for (const { observedAt } of kept.values()) {
        if (oldestObservedAt === undefined || observedAt < oldestObservedAt) oldestObservedAt = observedAt;
      }
      return { pages: kept.size, oldestObservedAt };
    },
    async wheelMetadata(wheel) {
      if (!wheels.mayHave(wheel)) return undefined;
      const value = await db.get(tables.wheels, digestToBytes(wheel));
      if (value === undefined) return undefined;
      return value.length === 0 ? 'none' : digestFromBytes(value);
    },
    async putWheelMetadata(wheel, metadata) {
      wheels.add(wheel);
      const value = isDigest(metadata) ? digestToBytes(metadata) : new Uint8Array(0);
      await db.write([{ table: tables.wheels, key: digestToBytes(wheel), value }]);
    },
    async fileOrigin(digest) {
      const value = await db.get(tables.origins, digestToBytes(digest));
      return value && (parse(value) as FileOrigin);
    },
    async *fileOrigins() {
      for await (const batch of db.entries(tables.origins)) {
        yield batch.map(([key, value]) => [digestFromBytes(key), parse(value) as FileOrigin] as const);
      }
    },
    async deleteFileOrigins(digests) {
      const keys = [...digests].map(digestToBytes);
      for (let at = 0; at < keys.length; at += WRITES_AT_ONCE) {
        const some = keys.slice(at, at + WRITES_AT_ONCE);
        await db.write(
          [tables.origins, tables.wheels].flatMap((table) =>
            some.map((key) => ({ table, key, value: undefined })),
          ),
        );
      }
    },
    async deleteAbsences(time) {
      const isOld = (value: Buffer | undefined): boolean => {
        const record = value && (parse(value) as PageRecord);
        return record?.kind === 'absent' && record.observedAt < time;
      };
      for await (const batch of db.entries(tables.pages)) {
        const old = batch.filter(([, value]) => isOld(value)).map(([key]) => key);
        // In turn, and looked at again: a page may have come since.
        await inTurn(async () => {
          const still = await Promise.all(old.map((key) => db.get(tables.pages, key)));
          await db.write(
            old
              .filter((_, index) => isOld(still[index]))
              .map((key) => ({ table: tables.pages, key, value: undefined })),
          );
        });
      }
    },
    async putFileOrigins(origins) {
      let writes: LevelWrite[] = [];
      for (const [digest, { project, filename }] of origins) {
        const value = json({ project, filename });
        writes.push({ table: tables.origins, key: digestToBytes(digest), value });
        if (writes.length === WRITES_AT_ONCE) {
          await db.write(writes);
          writes = [];
        }
      }
      await db.write(writes);
    },
    async document(part, name) {
      const key = documentKey(part, name);
      if (!documents.mayHave(key)) return undefined;
      const value = await db.get(tables.documents, Buffer.from(key));
      return value && parse(value);
    },
    async putDocument(part, name, value) {
      const key = documentKey(part, name);
      if (value !== undefined) documents.add(key);
      await db.write([
        {
          table: tables.documents,
          key: Buffer.from(key),
          value: value === undefined ? undefined : json(value),
        },
      ]);
    },
    async [Symbol.asyncDispose]() {
      await queue;
    },
  };
}

/** Those of a whole table; its values are read too, but small. */
async function keysOf(
  db: LevelDatabase,
  table: typeof tables.documents | typeof tables.wheels,
  encoding: 'utf8' | 'hex',
): Promise<KnownKeys> {
  const known = new KnownKeys(KNOWN_MOST);
  for await (const batch of db.entries(table)) {
    for (const [key] of batch) known.add(key.toString(encoding));
    if (known.full) break;
  }
  return known;
}
