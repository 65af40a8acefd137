/**
 * What a simulated node's disk holds between its lives. A crash takes what was not synced; only the life that runs now may
 * write, in its own events. How long a disk takes to sync is not modelled.
 */
import type { Clock } from '../../core/clock.ts';
import type { Signer } from '../../core/log/signer-key.ts';
import { createLevelFollowStates } from '../../mirror/follow/follow-state.ts';
import { createPublisherState } from '../../mirror/publish/publisher-state.ts';
import type { FollowerStorage } from '../../open-index.ts';
import type { PublisherParts } from '../../open-publisher.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from '../../store/index-map/memory-index-maps.ts';
import { createMemoryBlobs, type MemoryBlobs } from '../../store/memory-blob-store.ts';
import { createMemoryLevel, type MemoryLevel } from '../../store/memory-level.ts';
import { createMemoryLogFiles, type LogFiles } from '../../store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../store/publisher-log/open-publisher-log.ts';
import type { SharedContent } from '../../store/shared-content.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { DeadOwnerError, describeOwner, type Owner } from '../kernel/owner.ts';
import { DiskDatastore } from './disk-datastore.ts';

export interface NodeDiskDeps {
  readonly kernel: Pick<Kernel, 'current' | 'now' | 'fail'>;
  /** What all disks hold once. */
  readonly shared: SharedContent;
}

export class NodeDisk {
  /** Of the catalog. */
  readonly catalog: MemoryLevel;
  readonly blobs: MemoryBlobs;
  /** libp2p's: peers, records, bans. */
  readonly peers: DiskDatastore;
  readonly index: FollowerStorage;
  readonly #follower: MemoryLevel;
  readonly #publisher: MemoryLevel;
  readonly #logFiles: LogFiles;
  readonly #publishedMaps: IndexMaps;
  /** The life that writes, or the last one that did; none yet: whoever prepares the disk. */
  #life: Owner | undefined;

  constructor({ kernel, shared }: NodeDiskDeps) {
    const clock: Pick<Clock, 'monotonic'> = { monotonic: () => kernel.now / 1000 };
    const mayWrite = (): void => {
      if (this.#life === undefined) return;
      if (!this.#life.alive) throw new DeadOwnerError(this.#life, 'write to its disk');
      if (kernel.current === this.#life) return;
      // Whoever called may catch it, and the run would be worth nothing.
      const error = new ForeignWriteError(this.#life, kernel.current);
      kernel.fail(error);
      throw error;
    };
    this.catalog = createMemoryLevel({ shared, clock, mayWrite });
    this.#follower = createMemoryLevel({ shared, clock, mayWrite });
    this.#publisher = createMemoryLevel({ shared, clock, mayWrite });
    this.blobs = createMemoryBlobs({ shared, mayWrite });
    this.peers = new DiskDatastore({ clock, mayWrite });
    this.#logFiles = createMemoryLogFiles({ mayWrite });
    this.#publishedMaps = createMemoryIndexMaps({ shared, mayWrite });
    this.index = {
      maps: createMemoryIndexMaps({ shared, mayWrite }),
      states: createLevelFollowStates(this.#follower),
    };
  }

  /** From now on this life writes, and nobody else. */
  belongTo(life: Owner): void {
    this.#life = life;
  }

  async publisher(signer: Signer): Promise<PublisherParts> {
    const signers = [signer] as const;
    return {
      signers,
      log: await openMemoryPublisherLog(signers, this.#logFiles),
      maps: this.#publishedMaps,
      state: createPublisherState(this.#publisher),
    };
  }

  /** The machine lost power. */
  crash(): void {
    for (const store of [this.catalog, this.#follower, this.#publisher, this.peers]) store.crash();
  }
}

/** Something of one node went on in the event of another. */
class ForeignWriteError extends Error {
  override readonly name = 'ForeignWriteError';

  constructor(life: Owner, current: Owner) {
    super(`the disk of ${describeOwner(life)} was written in an event of ${describeOwner(current)}`);
  }
}
