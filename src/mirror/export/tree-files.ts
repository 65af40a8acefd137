/**
 * An exported tree on disk. Must always hold: a file under its own name is whole (temporary file, hash, rename), so a run that
 * was killed goes on where it was; what is not a tree of ours is never written to; one export at a time.
 *
 * Nothing is fsynced: after a power cut the next run mends what its length or its page betrays.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { ConfigurationError, IntegrityError } from '../../core/errors.ts';
import { hasCode } from '../../store/file-system.ts';
import { openRawLevel } from '../../store/level-database.ts';

/** Holds what is not part of the mirror: hide it from clients. */
export const OWN_FOLDER = '.fondue-export';
const FORMAT = 1;

export interface TreeFiles extends AsyncDisposable {
  /** Undefined when there is none. Paths are relative to the tree, with slashes. */
  read(path: string): Promise<Uint8Array | undefined>;
  size(path: string): Promise<number | undefined>;
  /** False when it had these very bytes. */
  write(path: string, bytes: Uint8Array): Promise<boolean>;
  /** A file as it comes; resolves to its length. @throws IntegrityError, and writes nothing, for other bytes */
  store(path: string, digest: Digest, chunks: AsyncIterable<Uint8Array>, source: string): Promise<number>;
  remove(path: string): Promise<void>;
  /** Names in a folder; none when it is not there. */
  list(path: string): Promise<string[]>;
  /** Streams what `lines` gives. */
  stream(path: string, lines: AsyncIterable<string>): Promise<void>;
}

/** Makes the folder when there is none. @throws ConfigurationError for a folder that is used for something else */
export async function openTree(folder: string): Promise<TreeFiles> {
  const own = join(folder, OWN_FOLDER);
  const temporary = join(own, 'tmp');
  let lock;
  try {
    await claim(folder, own);
    lock = openRawLevel(join(own, 'lock'));
    await lock.open();
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
  } catch (cause) {
    if (cause instanceof ConfigurationError) throw cause;
    const inUse = ((cause as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'LEVEL_LOCKED';
    throw new ConfigurationError(
      'environment',
      inUse
        ? `another export is writing to ${folder}`
        : `cannot write to ${folder}: ${(cause as Error).message}`,
      inUse ? 'let it end, or choose another folder' : 'choose a folder that this user may write to',
      { cause },
    );
  }
  const held = lock;
  let next = 0;

  /** Under its name only when `fill` has ended well. */
  async function place<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
    const target = join(folder, path);
    const scratch = join(temporary, String(next++));
    try {
      const result = await fill(scratch);
      try {
        await rename(scratch, target);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
        await mkdir(dirname(target), { recursive: true });
        await rename(scratch, target);
      }
      return result;
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
  }

  async function read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(folder, path));
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  return {
    read,
    async size(path) {
      try {
        return (await stat(join(folder, path))).size;
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
        throw error;
      }
    },
    async write(path, bytes) {
      const before = await read(path);
      if (before !== undefined && Buffer.compare(before, bytes) === 0) return false;
      await place(path, (scratch) => writeFile(scratch, bytes));
      return true;
    },
    store: (path, digest, chunks, source) =>
      place(path, async (scratch) => {
        const hash = createHash('sha256');
        let length = 0;
        await using handle = await open(scratch, 'w');
        for await (const chunk of chunks) {
          hash.update(chunk);
          length += chunk.length;
          await handle.writeFile(chunk);
        }
        const actual = hash.digest('hex');
        if (actual !== digest) throw new IntegrityError({ expected: digest, actual, source });
        return length;
      }),
    async remove(path) {
      await rm(join(folder, path), { force: true });
      // Others may be writing into ours right now.
      if (path.startsWith(OWN_FOLDER)) return;
      try {
        await rmdir(join(folder, dirname(path)));
      } catch (error) {
        if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
      }
    },
    async list(path) {
      try {
        return await readdir(join(folder, path));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return [];
        throw error;
      }
    },
    stream: (path, lines) =>
      place(path, async (scratch) => {
        await using handle = await open(scratch, 'w');
        for await (const text of lines) await handle.writeFile(text);
      }),
    async [Symbol.asyncDispose]() {
      await held.close();
    },
  };
}

async function claim(folder: string, own: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const marker = join(own, 'format.json');
  const text = await readFile(marker, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (text === undefined) {
    const names = (await readdir(folder)).filter((name) => name !== OWN_FOLDER && name !== 'lost+found');
    if (names.length > 0)
      throw new ConfigurationError(
        'environment',
        `${folder} is not empty and not an export of Fondue: nothing was changed in it`,
        'choose an empty or new folder',
      );
    await mkdir(own, { recursive: true });
    await writeFile(marker, `${JSON.stringify({ format: FORMAT })}\n`, { flush: true });
  } else if (!text.includes(`"format":${FORMAT}}`) && text.trim() !== '')
    throw new ConfigurationError(
      'environment',
      `${folder} was exported by another version of fondue`,
      'use that version, or a new folder',
    );
}
