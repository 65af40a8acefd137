/** A publisher's log on disk, in a folder that one process uses at a time, and its twin in memory. */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from '../../core/errors.ts';
import type { Signer } from '../../core/log/signer-key.ts';
import { type FileSystem, realFileSystem, syncFolder } from '../file-system.ts';
import { openRawLevel, type RawLevel } from '../level-database.ts';
import { createDiskLogFiles } from './disk-log-files.ts';
import { createMemoryLogFiles } from './log-files.ts';
import type { PublisherLog } from './publisher-log.ts';
import { SignedLog } from './signed-log.ts';

export interface DiskPublisherLogOptions {
  /** Of this log alone; made when absent. `log` below it can be served as a tlog-tiles prefix. */
  readonly folder: string;
  readonly signers: readonly [Signer, ...Signer[]];
  readonly fileSystem?: FileSystem;
}

/** @throws ConfigurationError for a folder in use or of another key, InvalidLogError LOG_DAMAGED, StorageFullError */
export async function openDiskPublisherLog(options: DiskPublisherLogOptions): Promise<PublisherLog> {
  const { folder, signers, fileSystem = realFileSystem } = options;
  const place = join(folder, 'log');
  await makeFolder(resolve(place));
  const lock = await takeLock(folder);
  try {
    const files = createDiskLogFiles(place, fileSystem);
    return await SignedLog.open({ files, signers, place, release: () => lock.close() });
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** For tests and the simulator. */
export function openMemoryPublisherLog(
  signers: readonly [Signer, ...Signer[]],
  files = createMemoryLogFiles(),
): Promise<PublisherLog> {
  return SignedLog.open({ files, signers, place: 'memory' });
}

/** Held by the operating system, so it ends with the process (see `data-folder.ts`). */
async function takeLock(folder: string): Promise<RawLevel> {
  const lock = openRawLevel(join(folder, 'lock'));
  try {
    await lock.open();
    return lock;
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    throw new ConfigurationError(
      'environment',
      cause?.code === 'LEVEL_LOCKED'
        ? `another process publishes with the log in ${folder}`
        : `cannot use the folder ${folder} for a log: ${(cause ?? (error as Error)).message}`,
      'stop the other publisher: two that sign with one key are taken for a liar',
      { cause: error },
    );
  }
}

/** That stays after power loss, with all that was made above it. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  for (let made = path; first !== undefined && made.length >= first.length; made = dirname(made))
    await syncFolder(realFileSystem, dirname(made));
}
