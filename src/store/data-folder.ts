/**
 * The data folder: ours or refused, and used by one process at a time. `fondue.json` says that it is ours. The lock is an
 * empty LevelDB's: held by the operating system (fcntl, LockFileEx), so it is gone with the process that held it, however it
 * ended, and holds across containers that share the folder, where process ids mean nothing.
 */
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from '../core/errors.ts';
import { hasCode } from './file-system.ts';
import { openRawLevel, type RawLevel } from './level-database.ts';

const FORMAT = 1;
const MARKER = 'fondue.json';
/** What a fresh file system has in its root, and what `fondue trust` may have written before the first start. */
const NOBODYS = new Set(['lost+found', '.DS_Store', 'policy', 'policy.new']);

export interface DataFolder extends AsyncDisposable {
  readonly path: string;
  /** Of the catalog's database. */
  readonly catalog: string;
}

/** Creates it when absent. Throws ConfigurationError (`environment`). */
export async function openDataFolder(path: string): Promise<DataFolder> {
  let lock: RawLevel;
  try {
    await makeFolder(resolve(path));
    await claim(path);
    lock = await takeLock(path);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(
      'environment',
      `cannot use the data folder ${path}: ${(error as Error).message}`,
      hasCode(error, 'EEXIST', 'ENOTDIR')
        ? 'it, or something above it, is a file: choose another folder with --data-dir'
        : 'make it a folder that this user may write to, with space left, or choose another with --data-dir',
      { cause: error },
    );
  }
  let open = true;
  return {
    path,
    catalog: join(path, 'catalog'),
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      await rm(ownerFile(path), { force: true });
      await lock.close();
    },
  };
}

/** Node's `recursive` never ends where mkdir says ENOENT for a folder whose parent exists, as in /proc (Node 24.21). */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (hasCode(error, 'EEXIST') && (await stat(path)).isDirectory()) return;
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o700 });
  }
}

/** Makes the marker in an empty folder, checks it in any other. */
async function claim(path: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => !NOBODYS.has(name));
  const text = names.includes(MARKER) ? await readFile(join(path, MARKER), 'utf8') : '';
  // Empty and alone: killed between making and writing it.
  if (text === '' && names.every((name) => name === MARKER)) {
    await writeFile(join(path, MARKER), `${JSON.stringify({ format: FORMAT })}\n`, {
      mode: 0o600,
      flush: true,
    });
    return;
  }
  const format = text === '' ? undefined : readFormat(text);
  if (format === undefined) {
    throw new ConfigurationError(
      'environment',
      `${path} is not empty and not a data folder of Fondue (${text === '' ? `it has no ${MARKER}` : `its ${MARKER} is not ours`})`,
      'choose an empty or new folder with --data-dir; nothing was changed in this one',
    );
  }
  if (format > FORMAT) {
    throw new ConfigurationError(
      'environment',
      `the data folder ${path} has format ${format}, this program knows ${FORMAT}`,
      'use the newer fondue that made it, or choose another folder with --data-dir',
    );
  }
}

function readFormat(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    return typeof format === 'number' && Number.isInteger(format) && format > 0 ? format : undefined;
  } catch {
    return undefined;
  }
}

const ownerFile = (path: string): string => join(path, 'lock', 'owner.json');

async function takeLock(path: string): Promise<RawLevel> {
  const lock = openRawLevel(join(path, 'lock'));
  try {
    await lock.open();
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code === 'LEVEL_LOCKED') throw await inUse(path, error);
    if (cause?.code !== 'LEVEL_CORRUPTION' && !/No such file/.test(cause?.message ?? ''))
      throw cause ?? error;
    // It holds nothing: begin anew.
    await rm(join(path, 'lock'), { recursive: true, force: true });
    await lock.open();
  }
  await writeFile(ownerFile(path), JSON.stringify({ pid: process.pid }), { mode: 0o600 });
  return lock;
}

async function inUse(path: string, cause: unknown): Promise<ConfigurationError> {
  let owner = 'another node';
  try {
    const { pid } = JSON.parse(await readFile(ownerFile(path), 'utf8')) as { pid?: unknown };
    if (typeof pid === 'number')
      owner = pid === process.pid ? 'this very process' : `another node (pid ${pid})`;
  } catch {
    // It is just starting or just ending.
  }
  return new ConfigurationError(
    'environment',
    `${owner} uses the data folder ${path}`,
    'stop it, or give this one another folder with --data-dir',
    { cause },
  );
}
