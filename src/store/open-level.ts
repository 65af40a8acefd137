/**
 * Opens the catalog's LevelDB. One that cannot be opened is kept aside (the last one only) and mended with LevelDB's own
 * repair, or begun anew: blobs are found again on disk, pages are fetched again.
 */
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Level } from 'level';
import type { Clock } from '../core/clock.ts';
import { ConfigurationError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { openRawLevel, tables, wrapLevel, type LevelDatabase, type RawLevel } from './level-database.ts';

const SCHEMA = 1;

export interface OpenLevelDeps {
  readonly clock: Clock;
  readonly facts: FactEmitter;
}

/** LevelDB's statics, which the types of `level` leave out. */
const leveldb = Level as unknown as { repair(path: string): Promise<void> };

type Failure = 'locked' | 'refused' | 'damaged';

function judge(error: unknown): { failure: Failure; message: string } {
  const cause = (error as Error).cause ?? error;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'LEVEL_LOCKED') return { failure: 'locked', message };
  if (
    /Permission denied|Read-only|No space left|quota exceeded|Too many open files|not permitted/i.test(
      message,
    )
  ) {
    return { failure: 'refused', message };
  }
  return { failure: 'damaged', message };
}

async function open(path: string): Promise<RawLevel> {
  // LevelDB takes tables and logs without CURRENT for leftovers of an empty database, and deletes them.
  const names = await readdir(path);
  if (names.some((name) => /\.(ldb|log)$/.test(name)) && !names.includes('CURRENT')) {
    throw new Error('its file CURRENT is missing');
  }
  const raw = openRawLevel(path);
  await raw.open();
  return raw;
}

async function setAside(path: string, clock: Clock): Promise<string> {
  const prefix = `${basename(path)}.damaged-`;
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix)) await rm(join(dirname(path), name), { recursive: true });
  }
  const aside = join(dirname(path), prefix + new Date(clock.now()).toISOString().replace(/\W/g, ''));
  await rename(path, aside);
  return aside;
}

async function mend(path: string, aside: string): Promise<{ raw: RawLevel; how: string }> {
  try {
    await cp(aside, path, { recursive: true });
    await leveldb.repair(path);
    return { raw: await open(path), how: 'what could be read was kept' };
  } catch {
    await rm(path, { recursive: true, force: true });
    return { raw: await open(path), how: 'kept pages and pins are lost, blobs are found again on disk' };
  }
}

/** Throws ConfigurationError when another process has it, it may not be written, or a newer version made it. */
export async function openLevel(path: string, { clock, facts }: OpenLevelDeps): Promise<LevelDatabase> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  let raw: RawLevel;
  try {
    raw = await open(path);
  } catch (error) {
    const { failure, message } = judge(error);
    if (failure === 'locked') {
      throw new ConfigurationError(
        'environment',
        `another node uses ${path}`,
        'stop it, or choose another folder with --data-dir',
        { cause: error },
      );
    }
    if (failure === 'refused') {
      throw new ConfigurationError(
        'environment',
        `cannot open the catalog in ${path}: ${message}`,
        'make the folder writable for this user and free some space, or choose another with --data-dir',
        { cause: error },
      );
    }
    const aside = await setAside(path, clock);
    const mended = await mend(path, aside);
    raw = mended.raw;
    facts.emit('storage:repaired', {
      message: `the catalog was damaged (${message}): ${mended.how}; the damaged one is in ${aside}`,
    });
  }
  const db = wrapLevel(raw, path, facts);
  try {
    await checkSchema(db, path);
  } catch (error) {
    await db[Symbol.asyncDispose]();
    throw error;
  }
  return db;
}

async function checkSchema(db: LevelDatabase, path: string): Promise<void> {
  const key = Buffer.from('schema');
  const found = (await db.get(tables.meta, key))?.toString();
  if (found === undefined) {
    await db.write([{ table: tables.meta, key, value: Buffer.from(String(SCHEMA)) }], { sync: true });
  } else if (found !== String(SCHEMA)) {
    throw new ConfigurationError(
      'environment',
      `the catalog in ${path} has format ${found}, this program knows ${SCHEMA}`,
      'use the newer fondue that made it, or choose another folder with --data-dir',
    );
  }
}
