/** A disk store in a folder of its own, opened, killed and opened again as tests need. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFactEmitter, type FactEmitter, type FactName, type Facts } from '../../src/core/facts.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { openDiskBlobStore, type DiskBlobStoreDeps } from '../../src/store/disk-blob-store.ts';
import { createInlineHasher, type HasherFactory } from '../../src/store/hasher.ts';
import type { LevelDatabase } from '../../src/store/level-database.ts';
import { openLevel } from '../../src/store/open-level.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

export interface OpenedStore extends AsyncDisposable {
  readonly store: BlobStore;
  readonly db: LevelDatabase;
  readonly clock: FakeClock;
  readonly facts: FactEmitter;
  /** Told since opening, in order. */
  readonly told: { readonly name: FactName; readonly fact: Facts[FactName] }[];
  readonly dataDir: string;
  /** Bytes that went through a hasher. */
  hashedBytes(): number;
}

export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'fondue-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The folder stays. */
export async function openStoreIn(
  dataDir: string,
  options: Partial<Omit<DiskBlobStoreDeps, 'clock'>> & { clock?: FakeClock } = {},
): Promise<OpenedStore> {
  const { clock = createFakeClock(Date.now()), facts = createFactEmitter(), quotaBytes = 1e9 } = options;
  const told: OpenedStore['told'] = [];
  facts.onAny((name, fact) => told.push({ name, fact }));
  let hashed = 0;
  const createHasher: HasherFactory = () => {
    const hasher = createInlineHasher();
    return {
      update(bytes) {
        hashed += bytes.length;
        return hasher.update(bytes);
      },
      digest: () => hasher.digest(),
    };
  };
  const db = await openLevel(join(dataDir, 'catalog'), { clock, facts });
  const store = await openDiskBlobStore({ createHasher, ...options, dataDir, db, clock, facts, quotaBytes });
  return {
    store,
    db,
    clock,
    facts,
    told,
    dataDir,
    hashedBytes: () => hashed,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

/** What a kill at this moment would leave: a copy of the folder as the operating system has it. */
export async function snapshotOf(dataDir: string): Promise<{ path: string } & AsyncDisposable> {
  const folder = await temporaryFolder();
  await cp(dataDir, folder.path, { recursive: true, preserveTimestamps: true });
  return folder;
}
