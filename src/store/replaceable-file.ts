/**
 * One file that is only ever replaced as a whole. Always true: a reader gets one whole version from beginning to end, also
 * while the file is replaced; a replacement that fails, or is cut off by a crash, leaves the version before.
 */
import { hasCode, realFileSystem, removeFile, syncFolder, type FileSystem } from './file-system.ts';
import { dirname } from 'node:path';

export interface ReplaceableFile {
  /** Undefined when there is none yet. Leaving the loop closes it. */
  read(): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Takes effect when `chunks` has ended; what `chunks` throws is thrown on. One at a time. */
  replace(chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

const CHUNK = 256 * 1024;

export function createReplaceableFile(
  path: string,
  fileSystem: FileSystem = realFileSystem,
): ReplaceableFile {
  const temporary = `${path}.new`;
  return {
    async read() {
      try {
        return chunksOf(await fileSystem.open(path, 'r'));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    async replace(chunks) {
      try {
        const handle = await fileSystem.open(temporary, 'w', 0o600);
        try {
          for await (const chunk of chunks) await handle.writeFile(chunk);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await fileSystem.rename(temporary, path);
        await syncFolder(fileSystem, dirname(path));
      } catch (error) {
        await removeFile(fileSystem, temporary).catch(() => false);
        throw error;
      }
    },
  };
}

async function* chunksOf(handle: Awaited<ReturnType<FileSystem['open']>>): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** For tests and the simulator. */
export function createMemoryReplaceableFile(): ReplaceableFile {
  let kept: readonly Uint8Array[] | undefined;
  return {
    async read() {
      const version = kept;
      return (
        version &&
        (async function* () {
          yield* version;
        })()
      );
    },
    async replace(chunks) {
      const version: Uint8Array[] = [];
      // `slice` of a Buffer is no copy.
      for await (const chunk of chunks) version.push(Uint8Array.from(chunk));
      kept = version;
    },
  };
}
