/** fsyncs of folders. Those who wait for the same folder's share the next one: it begins after all of them have asked. */
import { syncFolder, type FileSystem } from './file-system.ts';
import type { Gate } from './gate.ts';

export class FolderSyncs {
  readonly #fileSystem: FileSystem;
  readonly #gate: Gate;
  /** Not begun yet. */
  readonly #next = new Map<string, Promise<void>>();

  constructor(fileSystem: FileSystem, gate: Gate) {
    this.#fileSystem = fileSystem;
    this.#gate = gate;
  }

  /** Resolves when renames in `path` from before this call survive power loss. */
  sync(path: string): Promise<void> {
    const waiting = this.#next.get(path);
    if (waiting !== undefined) return waiting;
    const next = this.#inTurn(path);
    this.#next.set(path, next);
    return next;
  }

  async #inTurn(path: string): Promise<void> {
    // Not before it is known as the next one: a free gate begins at once.
    await Promise.resolve();
    await this.#gate.run(() => {
      this.#next.delete(path);
      return syncFolder(this.#fileSystem, path);
    });
  }
}
