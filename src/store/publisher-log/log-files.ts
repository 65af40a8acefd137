/** Where a log's files are: paths as tlog-tiles has them, so that the folder can be served as it is. */

export interface LogFiles {
  read(path: string): Promise<Uint8Array | undefined>;
  has(path: string): Promise<boolean>;
  /** All or nothing, and for good when it resolves: power loss included. When it rejects, either. One at a time. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Names in a folder; none when it does not exist. */
  list(folder: string): Promise<readonly string[]>;
  /** Fine when it does not exist. */
  remove(path: string): Promise<void>;
}

/** Every write is for good at once, as the contract wants it. `mayWrite` throws when nothing may be written any more. */
export function createMemoryLogFiles({
  mayWrite = () => {},
}: { readonly mayWrite?: () => void } = {}): LogFiles {
  const files = new Map<string, Uint8Array>();
  return {
    async read(path) {
      return files.get(path);
    },
    async has(path) {
      return files.has(path);
    },
    async write(path, bytes) {
      mayWrite();
      files.set(path, bytes.slice());
    },
    async list(folder) {
      const within = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(within.map((path) => path.slice(folder.length + 1).split('/')[0] as string))];
    },
    async remove(path) {
      mayWrite();
      files.delete(path);
    },
  };
}
