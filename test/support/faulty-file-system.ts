/** A real file system with faults that tests switch on. */
import type { FileHandle, FileSystem } from '../../src/store/file-system.ts';
import { realFileSystem } from '../../src/store/file-system.ts';

export interface FaultyFileSystem {
  readonly fileSystem: FileSystem;
  /** Bytes that may still be written to files; undefined: no limit. Then ENOSPC, or `code`. */
  free: number | undefined;
  code: string;
  /** Called before each fsync. */
  beforeSync: (() => void) | undefined;
  /** Files that may still be opened for reading; then EMFILE. */
  opens: number | undefined;
  /** Files open now, and the most there were. */
  readonly openFiles: number;
  readonly mostOpenFiles: number;
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export function createFaultyFileSystem(): FaultyFileSystem {
  let openFiles = 0;
  const faults = {
    free: undefined as number | undefined,
    code: 'ENOSPC',
    beforeSync: undefined as (() => void) | undefined,
    opens: undefined as number | undefined,
    mostOpenFiles: 0,
    get openFiles() {
      return openFiles;
    },
  };

  function wrap(handle: FileHandle): FileHandle {
    openFiles++;
    faults.mostOpenFiles = Math.max(faults.mostOpenFiles, openFiles);
    let open = true;
    const write = async (
      bytes: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): Promise<unknown> => {
      if (faults.free === undefined) return handle.write(bytes, offset, length, position);
      if (faults.free === 0) throw systemError(faults.code);
      const fits = Math.min(length, faults.free);
      faults.free -= fits;
      return handle.write(bytes, offset, fits, position);
    };
    const sync = (method: 'sync' | 'datasync') => async (): Promise<void> => {
      faults.beforeSync?.();
      await handle[method]();
    };
    const close = async (): Promise<void> => {
      if (open) openFiles--;
      open = false;
      await handle.close();
    };
    const replaced: Record<PropertyKey, unknown> = {
      write,
      close,
      sync: sync('sync'),
      datasync: sync('datasync'),
    };
    return new Proxy(handle, {
      get(target, name) {
        if (name in replaced) return replaced[name];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  const fileSystem: FileSystem = {
    ...realFileSystem,
    async open(path, flags, mode) {
      if (flags === 'r' && faults.opens !== undefined && faults.opens-- <= 0) {
        faults.opens = 0;
        throw systemError('EMFILE');
      }
      return wrap(await realFileSystem.open(path, flags, mode));
    },
    writeFile: (async (path: string, data: string, options: object) => {
      if (faults.free !== undefined && faults.free < data.length) throw systemError(faults.code);
      await realFileSystem.writeFile(path, data, options);
    }) as FileSystem['writeFile'],
  };
  return Object.assign(faults, { fileSystem });
}
