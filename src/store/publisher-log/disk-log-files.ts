/** A log's files in a folder. Written beside their place, synced, renamed, and the folder synced: nobody sees half a file. */
import { dirname, join } from 'node:path';
import { type FileSystem, hasCode, removeFile, syncFolder } from '../file-system.ts';
import { diskFull, isDiskFull } from '../storage-full.ts';
import type { LogFiles } from './log-files.ts';

const TEMPORARY = '.new';

/** `root` must exist, and be used by nobody else. */
export function createDiskLogFiles(root: string, fileSystem: FileSystem): LogFiles {
  const known = new Set([root]);
  const inRoot = (path: string): string => join(root, path);

  async function makeFolder(path: string): Promise<void> {
    if (known.has(path)) return;
    await makeFolder(dirname(path));
    try {
      await fileSystem.mkdir(path);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    // Also one that exists: whoever made it may have been killed before this.
    await syncFolder(fileSystem, dirname(path));
    known.add(path);
  }

  async function write(path: string, bytes: Uint8Array): Promise<void> {
    const [temporary, target] = [inRoot(TEMPORARY), inRoot(path)];
    await makeFolder(dirname(target));
    const handle = await fileSystem.open(temporary, 'w', 0o644);
    try {
      // Not writeFile: its writes go past a handle that counts them.
      for (let at = 0; at < bytes.length;)
        at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fileSystem.rename(temporary, target);
    await syncFolder(fileSystem, dirname(target));
  }

  return {
    async read(path) {
      try {
        return await fileSystem.readFile(inRoot(path));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    async has(path) {
      try {
        return (await fileSystem.stat(inRoot(path))).isFile();
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
    },
    async write(path, bytes) {
      try {
        await write(path, bytes);
      } catch (error) {
        throw isDiskFull(error) ? diskFull(root, error) : error;
      }
    },
    async list(folder) {
      try {
        return await fileSystem.readdir(inRoot(folder));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return [];
        throw error;
      }
    },
    async remove(path) {
      await removeFile(fileSystem, inRoot(path));
    },
  };
}
