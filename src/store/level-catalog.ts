/**
 * The catalog in LevelDB. A page's facts and its body are two records: telling that it is still current (a 304) rewrites a
 * hundred bytes, and pages can be listed without their bodies. Names and times of all pages are in memory, in the order of
 * names only when listed.
 */
import { crc32 } from 'node:zlib';
import type { Clock } from '../core/clock.ts';
import { digestFromBytes, digestToBytes, isDigest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Catalog, FileOrigin, KeptAbsence, KeptPage } from './catalog.ts';
import { tables, type LevelDatabase, type LevelWrite } from './level-database.ts';

/** What is written of a page beside its body: everything else of it, and which body belongs to it. */
type PageRecord = (Omit<KeptPage, 'body'> & { readonly length: number; readonly crc: number }) | KeptAbsence;

const WRITES_AT_ONCE = 1000;

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parse = (value: Buffer): unknown => JSON.parse(value.toString());
const documentKey = (part: string, name: string): Buffer => Buffer.from(`${part}\0${name}`);

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
  const kept = new Map<ProjectName, { observedAt: number; length: number; crc: number }>();
  /** Writes go one after the other: a body must not be skipped for one that is being deleted. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
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
      }
    }
  }
  await db.write(outdated);

  return {
    async page(project) {
      const key = Buffer.from(project);
      const read = async (): Promise<KeptPage | KeptAbsence | undefined> => {
        const [record, body] = await Promise.all([db.get(tables.pages, key), db.get(tables.bodies, key)]);
        return record && pageFrom(parse(record) as PageRecord, body);
      };
      // The two reads may fall on both sides of a write; behind the queue they cannot.
      return (await read()) ?? (kept.has(project) ? inTurn(read) : undefined);
    },
    putPage: (project, page) =>
      inTurn(async () => {
        const key = Buffer.from(project);
        if (page.kind === 'absent') {
          await db.write([
            { table: tables.pages, key, value: json(page) },
            { table: tables.bodies, key, value: undefined },
          ]);
          kept.delete(project);
          return;
        }
        const { body, ...facts } = page;
        const entry = { observedAt: page.observedAt, length: body.length, crc: crc32(body) };
        const before = kept.get(project);
        const record: PageRecord = { ...facts, length: entry.length, crc: entry.crc };
        const writes: LevelWrite[] = [{ table: tables.pages, key, value: json(record) }];
        if (before?.length !== entry.length || before.crc !== entry.crc) {
          writes.push({ table: tables.bodies, key, value: body });
        }
        await db.write(writes);
        kept.set(project, entry);
      }),
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
      const value = await db.get(tables.wheels, digestToBytes(wheel));
      if (value === undefined) return undefined;
      return value.length === 0 ? 'none' : digestFromBytes(value);
    },
    async putWheelMetadata(wheel, metadata) {
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
      const value = await db.get(tables.documents, documentKey(part, name));
      return value && parse(value);
    },
    async putDocument(part, name, value) {
      const key = documentKey(part, name);
      await db.write([
        { table: tables.documents, key, value: value === undefined ? undefined : json(value) },
      ]);
    },
    async [Symbol.asyncDispose]() {
      await queue;
    },
  };
}
