/**
 * libp2p's datastore on a simulated disk. The real one (datastore-level) never syncs: what the operating system has not
 * written back yet is lost when the machine crashes.
 */
import { MemoryDatastore } from 'datastore-core/memory';
import { Key } from 'interface-datastore';
import type { Clock } from '../../core/clock.ts';
import { WRITEBACK } from '../../store/writeback.ts';

export interface DiskDatastoreDeps {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Throws when nothing may be written any more. */
  readonly mayWrite: () => void;
}

interface Undo {
  /** As text: a key's bytes hold 64 KiB of Node's pool. */
  readonly key: string;
  readonly before: Uint8Array | undefined;
  /** Monotonic ms. */
  readonly at: number;
}

export class DiskDatastore extends MemoryDatastore {
  readonly #deps: DiskDatastoreDeps;
  /** Oldest first. */
  #undo: Undo[] = [];

  constructor(deps: DiskDatastoreDeps) {
    super();
    this.#deps = deps;
  }

  override put(key: Key, value: Uint8Array): Key {
    this.#note(key);
    // A copy: what peers are written as is a piece of Node's pool, and 300 bytes would hold 64 KiB.
    return super.put(key, new Uint8Array(value)) as Key;
  }

  override delete(key: Key): void {
    this.#note(key);
    void super.delete(key);
  }

  /** Back to what was written back. */
  crash(): void {
    for (const { key: text, before } of this.#recent().toReversed()) {
      const key = new Key(text);
      if (before === undefined) void super.delete(key);
      else void super.put(key, before);
    }
    this.#undo = [];
  }

  #note(key: Key): void {
    this.#deps.mayWrite();
    const at = this.#deps.clock.monotonic();
    const before = super.has(key) === true ? (super.get(key) as Uint8Array) : undefined;
    this.#undo.push({ key: key.toString(), before, at });
    if ((this.#undo[0] as Undo).at < at - 2 * WRITEBACK) this.#undo = this.#recent();
  }

  #recent(): Undo[] {
    const since = this.#deps.clock.monotonic() - WRITEBACK;
    return this.#undo.filter(({ at }) => at > since);
  }
}
