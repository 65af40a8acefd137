/**
 * A LevelDatabase in memory that outlives whoever uses it, as a disk does: for tests and the simulator. What LevelDB has not
 * synced is lost in a crash of the machine; a synced write takes all before it along, and so does the operating system.
 */
import type { Clock } from '../core/clock.ts';
import { SharedContent } from './shared-content.ts';
import { WRITEBACK } from './writeback.ts';
import type { LevelDatabase, LevelWrite } from './level-database.ts';

export interface MemoryLevel extends LevelDatabase {
  /** Back to what was synced, or written long enough ago. */
  crash(): void;
}

export interface MemoryLevelOptions {
  readonly shared?: SharedContent;
  /** Without it only a synced write is kept for good. */
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** Throws when nothing may be written any more. */
  readonly mayWrite?: () => void;
}

interface Undo {
  readonly key: string;
  readonly before: Buffer | undefined;
  /** Monotonic ms. */
  readonly at: number;
}

export function createMemoryLevel({
  shared = new SharedContent(),
  clock,
  mayWrite = () => {},
}: MemoryLevelOptions = {}): MemoryLevel {
  const values = new Map<string, Buffer>();
  /** What stood before each write since the last synced one, oldest first. */
  let undo: Undo[] = [];
  const keyOf = (table: string, key: Uint8Array): string => table + Buffer.from(key).toString('latin1');
  const put = (key: string, value: Uint8Array | undefined): void => {
    const before = values.get(key);
    if (value === undefined) values.delete(key);
    else values.set(key, shared.value(value));
    if (before) shared.releaseValue(before);
  };
  return {
    async get(table, key) {
      return values.get(keyOf(table, key));
    },
    async write(writes: readonly LevelWrite[], { sync = false } = {}) {
      mayWrite();
      const now = clock?.monotonic() ?? 0;
      for (const { table, key: bytes, value } of writes) {
        const key = keyOf(table, bytes);
        undo.push({ key, before: values.get(key), at: now });
        put(key, value);
      }
      if (sync) undo = [];
      else if (clock && undo[0] && undo[0].at < now - 2 * WRITEBACK) undo = lately(undo, now);
    },
    async *entries(table, prefix = new Uint8Array()) {
      const head = keyOf(table, prefix);
      const found = [...values].filter(([key]) => key.startsWith(head)).sort(([a], [b]) => (a < b ? -1 : 1));
      yield found.map(([key, value]) => [Buffer.from(key.slice(table.length), 'latin1'), value] as const);
    },
    crash() {
      const recent = clock ? lately(undo, clock.monotonic()) : undo;
      for (const { key, before } of recent.toReversed()) put(key, before);
      undo = [];
    },
    async [Symbol.asyncDispose]() {},
  };
}

function lately(undo: readonly Undo[], now: number): Undo[] {
  return undo.filter(({ at }) => at > now - WRITEBACK);
}
