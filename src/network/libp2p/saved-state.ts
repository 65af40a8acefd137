/**
 * One small JSON value in the network's datastore that survives restarts. Saves are coalesced: while one is being written
 * the newest waits. A damaged value counts as none (what it held is only remembered advice), and says so.
 */
import type { Datastore } from 'interface-datastore';
import { Key } from 'interface-datastore/key';
import type { FactEmitter } from '../../core/facts.ts';

export interface SavedState extends AsyncDisposable {
  load(): Promise<unknown>;
  /** `make` is called when the write begins. */
  save(make: () => unknown): void;
}

export function createSavedState(datastore: Datastore, name: string, facts: FactEmitter): SavedState {
  const key = new Key(`/fondue/${name}`);
  let writing: Promise<void> | undefined;
  let next: (() => unknown) | undefined;
  const write = async (): Promise<void> => {
    while (next !== undefined) {
      const make = next;
      next = undefined;
      try {
        await datastore.put(key, new TextEncoder().encode(JSON.stringify(make())));
      } catch (error) {
        facts.emit('network:noted', { message: `could not keep ${name}: ${(error as Error).message}` });
      }
    }
    writing = undefined;
  };
  return {
    async load() {
      try {
        if (!(await datastore.has(key))) return undefined;
        return JSON.parse(new TextDecoder().decode(await datastore.get(key))) as unknown;
      } catch (error) {
        facts.emit('network:noted', {
          message: `what was kept of ${name} is damaged: ${(error as Error).message}`,
        });
        return undefined;
      }
    },
    save(make) {
      next = make;
      writing ??= write();
    },
    async [Symbol.asyncDispose]() {
      await writing;
    },
  };
}
