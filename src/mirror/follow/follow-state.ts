/**
 * What a follower writes down, by text keys within a scope: what hangs on the policy and upstream stands in a scope named
 * after both, the rest (time, misconduct) in one of its own. Must always hold: a write is all or nothing and durable when it
 * resolves.
 */
import { hash } from 'node:crypto';
import { type LevelDatabase, tables } from '../../store/level-database.ts';

export type StateWrite = readonly [key: string, value: Uint8Array | undefined];

export interface FollowState {
  get(key: string): Promise<Uint8Array | undefined>;
  /** By ascending keys, those that begin with `prefix`. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  write(writes: readonly StateWrite[]): Promise<void>;
}

export interface FollowStates {
  scope(name: string): FollowState;
}

const SCOPE_BYTES = 16;

export function createLevelFollowStates(db: LevelDatabase): FollowStates {
  return {
    scope(name) {
      const head = hash('sha256', name, 'buffer').subarray(0, SCOPE_BYTES);
      const keyOf = (key: string): Buffer => Buffer.concat([head, Buffer.from(key)]);
      return {
        get: (key) => db.get(tables.follow, keyOf(key)),
        async *entries(prefix) {
          for await (const batch of db.entries(tables.follow, keyOf(prefix)))
            for (const [key, value] of batch) yield [key.toString('utf8', SCOPE_BYTES), value];
        },
        write: (writes) =>
          db.write(
            writes.map(([key, value]) => ({ table: tables.follow, key: keyOf(key), value })),
            { sync: true },
          ),
      };
    },
  };
}

/** For tests and the simulator. */
export function createMemoryFollowStates(): FollowStates {
  const scopes = new Map<string, Map<string, Uint8Array>>();
  return {
    scope(name) {
      const kept = scopes.get(name) ?? new Map<string, Uint8Array>();
      scopes.set(name, kept);
      return {
        get: async (key) => kept.get(key),
        async *entries(prefix) {
          const keys = [...kept.keys()].filter((key) => key.startsWith(prefix)).sort();
          for (const key of keys) yield [key, kept.get(key) as Uint8Array];
        },
        async write(writes) {
          for (const [key, value] of writes) {
            if (value === undefined) kept.delete(key);
            else kept.set(key, value.slice());
          }
        },
      };
    },
  };
}
