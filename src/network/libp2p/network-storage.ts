/**
 * Where the network keeps what it must not forget: identity, peers, provider records, bans. In a folder, or in memory.
 * All but the identity is advice: a damaged database is replaced by an empty one, and that is said.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { MemoryDatastore } from 'datastore-core/memory';
import { LevelDatastore } from 'datastore-level';
import type { Datastore } from 'interface-datastore';
import { ConfigurationError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { loadIdentity } from './identity-key.ts';

export interface NetworkStorage extends AsyncDisposable {
  readonly privateKey: PrivateKey;
  readonly datastore: Datastore;
}

export interface StorageOptions {
  readonly datastore?: Datastore | undefined;
  readonly privateKey?: PrivateKey | undefined;
  /** Folder for `identity.key` and `peers/`; undefined: nothing is kept. */
  readonly storagePath?: string | undefined;
  readonly facts: FactEmitter;
}

export async function openNetworkStorage(options: StorageOptions): Promise<NetworkStorage> {
  const { storagePath, facts } = options;
  if (storagePath !== undefined) await mkdir(storagePath, { recursive: true });
  const privateKey =
    options.privateKey ??
    (storagePath === undefined
      ? await generateKeyPair('Ed25519')
      : await loadIdentity(join(storagePath, 'identity.key')));
  if (options.datastore !== undefined || storagePath === undefined) {
    return {
      privateKey,
      datastore: options.datastore ?? new MemoryDatastore(),
      async [Symbol.asyncDispose]() {},
    };
  }
  const level = await openLevel(join(storagePath, 'peers'), facts);
  return { privateKey, datastore: level, [Symbol.asyncDispose]: () => level.close() };
}

async function openLevel(path: string, facts: FactEmitter): Promise<LevelDatastore> {
  const first = new LevelDatastore(path);
  try {
    await first.open();
    return first;
  } catch (error) {
    // datastore-level keeps only the text of level's error, and the cause is not in it: open it once more to learn it.
    const cause = await first.db.open().then(
      () => undefined,
      (failure: Error) => failure.cause as (Error & { code?: string }) | undefined,
    );
    if (cause === undefined) return first;
    if (cause.code === 'LEVEL_LOCKED') {
      throw new ConfigurationError(
        'environment',
        `the peers database ${path} is in use by another process`,
        'stop the other node that uses this folder, or choose another folder',
        { cause: error },
      );
    }
    if (!REFUSED.test(cause.message)) return await replaceLevel(path, cause, facts);
    throw cannotOpen(path, cause, error);
  }
}

/** These say nothing of what is in it: it stays as it is, bans and all. */
const REFUSED =
  /: (Permission denied|Read-only file system|No space left on device|Disk quota exceeded|Too many open files|Operation not permitted)$/;

function cannotOpen(path: string, why: Error, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    'environment',
    `the peers database ${path} cannot be opened: ${why.message}`,
    'make the folder writable for this user and free some space, or choose another data folder',
    { cause },
  );
}

async function replaceLevel(path: string, cause: Error, facts: FactEmitter): Promise<LevelDatastore> {
  const fresh = new LevelDatastore(path);
  try {
    await rm(path, { recursive: true, force: true });
    await fresh.open();
  } catch (error) {
    throw cannotOpen(path, cause, error);
  }
  facts.emit('network:noted', {
    message: `the peers database ${path} is damaged (${cause.message}): a new one is begun`,
  });
  return fresh;
}
