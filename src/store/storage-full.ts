/** The words of "no room": quota and disk, and a disk that cannot be written. */
import type { Digest } from '../core/digest.ts';
import { StorageFullError } from '../core/errors.ts';
import { hasCode } from './file-system.ts';

export function overQuota(digest: Digest, facts: { wanted: number; quotaBytes: number }): StorageFullError {
  return new StorageFullError(
    `no room for ${facts.wanted} bytes of ${digest}: the quota of ${facts.quotaBytes} bytes is taken by what is pinned, open or being written; raise --quota or unpin something`,
  );
}

/** True for errors that mean a full disk or a full disk quota, also when LevelDB reports them in words only. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return true;
    if (/No space left on device|Disk quota exceeded/.test(cause.message)) return true;
  }
  return false;
}

export function diskFull(place: string, cause: unknown): StorageFullError {
  return new StorageFullError(
    `the disk of ${place} is full: free space there, or lower --quota and restart`,
    {
      cause,
    },
  );
}

/** True for errors of a disk that can only be read, or not even that. */
export function isUnwritable(error: unknown): boolean {
  return hasCode(error, 'EROFS', 'EIO', 'EACCES', 'EPERM');
}

/** The same to whoever stores something as no room: what cannot be kept is passed through. */
export function unwritable(place: string, cause: unknown): StorageFullError {
  return new StorageFullError(
    `nothing can be written to the disk of ${place} (${(cause as Error).message}): mend it, or its permissions`,
    { cause },
  );
}
