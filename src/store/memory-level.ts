/**
 * A LevelDatabase in memory that outlives whoever uses it, as a disk does: for tests and the simulator. What LevelDB has not
 * synced is lost in a crash of the machine; a synced write takes all before it along.
 */
import type { LevelDatabase, LevelWrite } from './level-database.ts';

export interface MemoryLevel extends LevelDatabase {
  /** Back to the last synced write. */
  crash(): void;
}

export function createMemoryLevel(): MemoryLevel {
  const values = new Map<string, Buffer>();
  /** What stood before each write since the last synced one, oldest first. */
  let undo: (readonly [key: string, before: Buffer | undefined])[] = [];
  const keyOf = (table: string, key: Uint8Array): string => table + Buffer.from(key).toString('latin1');
  const put = (key: string, value: Uint8Array | undefined): void => {
    if (value === undefined) values.delete(key);
    else values.set(key, Buffer.from(value));
  };
  return {
    async get(table, key) {
      return values.get(keyOf(table, key));
    },
    async write(writes: readonly LevelWrite[], { sync = false } = {}) {
      for (const { table, key, value } of writes) {
        const at = keyOf(table, key);
        undo.push([at, values.get(at)]);
        put(at, value);
      }
      if (sync) undo = [];
    },
    async *entries(table, prefix = new Uint8Array()) {
      const head = keyOf(table, prefix);
      const found = [...values].filter(([key]) => key.startsWith(head)).sort(([a], [b]) => (a < b ? -1 : 1));
      yield found.map(([key, value]) => [Buffer.from(key.slice(table.length), 'latin1'), value] as const);
    },
    crash() {
      for (const [key, before] of undo.toReversed()) put(key, before);
      undo = [];
    },
    async [Symbol.asyncDispose]() {},
  };
}
