/** The file operations that the store uses: injected, so that tests can fill the disk and break it. */
import * as promises from 'node:fs/promises';

export type FileHandle = promises.FileHandle;

export type FileSystem = Pick<
  typeof promises,
  'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'stat' | 'truncate' | 'readFile' | 'writeFile'
>;

export const realFileSystem: FileSystem = promises;

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/** False when there was nothing. */
export async function removeFile(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.unlink(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Makes renames in `path` survive power loss. */
export async function syncFolder(fileSystem: FileSystem, path: string): Promise<void> {
  const handle = await fileSystem.open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems refuse it for folders; there it is not needed.
    if (!hasCode(error, 'EINVAL', 'EPERM', 'ENOTSUP')) throw error;
  } finally {
    await handle.close();
  }
}
