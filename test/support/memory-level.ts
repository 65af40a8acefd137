/** A LevelDatabase in memory that outlives whoever uses it, as a disk does. */
import type { LevelDatabase } from '../../src/store/level-database.ts';

export function createMemoryLevel(): LevelDatabase {
  const values = new Map<string, Buffer>();
  const keyOf = (table: string, key: Uint8Array): string => table + Buffer.from(key).toString('latin1');
  return {
    async get(table, key) {
      return values.get(keyOf(table, key));
    },
    async write(writes) {
      for (const { table, key, value } of writes) {
        if (value === undefined) values.delete(keyOf(table, key));
        else values.set(keyOf(table, key), Buffer.from(value));
      }
    },
    async *entries(table, prefix = new Uint8Array()) {
      const found = [...values]
        .filter(([key]) => key.startsWith(keyOf(table, prefix)))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      yield found.map(([key, value]) => [Buffer.from(key.slice(table.length), 'latin1'), value] as const);
    },
    async [Symbol.asyncDispose]() {},
  };
}
