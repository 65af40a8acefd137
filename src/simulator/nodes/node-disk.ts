/** What a simulated node's disk holds between its lives. A crash takes what was not synced. */
import { MemoryDatastore } from 'datastore-core/memory';
import type { Signer } from '../../core/log/signer-key.ts';
import { createLevelFollowStates } from '../../mirror/follow/follow-state.ts';
import { createPublisherState } from '../../mirror/publish/publisher-state.ts';
import type { FollowerStorage } from '../../open-index.ts';
import type { PublisherParts } from '../../open-publisher.ts';
import { createMemoryIndexMaps } from '../../store/index-map/memory-index-maps.ts';
import { createMemoryBlobs, type MemoryBlobs } from '../../store/memory-blob-store.ts';
import { createMemoryLevel, type MemoryLevel } from '../../store/memory-level.ts';
import { createMemoryLogFiles } from '../../store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../store/publisher-log/open-publisher-log.ts';

export class NodeDisk {
  /** Of the catalog. */
  readonly catalog: MemoryLevel = createMemoryLevel();
  readonly blobs: MemoryBlobs = createMemoryBlobs();
  /** libp2p's: peers, records, bans. */
  readonly peers = new MemoryDatastore();
  readonly #follower: MemoryLevel = createMemoryLevel();
  readonly #publisher: MemoryLevel = createMemoryLevel();
  readonly #logFiles = createMemoryLogFiles();
  readonly #publishedMaps = createMemoryIndexMaps();
  readonly index: FollowerStorage = {
    maps: createMemoryIndexMaps(),
    states: createLevelFollowStates(this.#follower),
  };

  async publisher(signer: Signer): Promise<PublisherParts> {
    const signers = [signer] as const;
    return {
      signers,
      log: await openMemoryPublisherLog(signers, this.#logFiles),
      maps: this.#publishedMaps,
      state: createPublisherState(this.#publisher),
    };
  }

  crash(): void {
    for (const level of [this.catalog, this.#follower, this.#publisher]) level.crash();
  }
}
