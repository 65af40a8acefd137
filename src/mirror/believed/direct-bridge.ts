/**
 * After direct -> quorum (design/index, "What a node believes"): a page that this node read and served itself stays, with its
 * own age, until the quorum reaches its serial, at most a day. It sets no floor.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import type { Belief } from '../../core/belief/believe.ts';
import { directPageStands } from '../../core/belief/page-age.ts';
import { digestFromBytes } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ProjectPage } from '../../core/project-page.ts';
import type { Catalog } from '../../store/catalog.ts';
import type { IndexBelief } from '../follow/index-head.ts';
import { readPage } from '../read-page.ts';

export interface DirectReading {
  readonly page: ProjectPage;
  /** SHA-256 of what was read. */
  readonly content: string;
  readonly serial: string | undefined;
  readonly readAt: number;
}

export interface DirectBridge {
  /** The page that stands in for what is believed; undefined: what is believed counts. */
  over(project: ProjectName, belief: IndexBelief, now: number): Promise<DirectReading | undefined>;
}

const NO_DIGEST = digestFromBytes(new Uint8Array(32));

export function createDirectBridge(deps: {
  readonly catalog: Pick<Catalog, 'page'>;
  readonly clock: Clock;
  readonly upstreamUrl: string;
  /** When the mode became another one than direct, ms. */
  readonly switchedAt: number;
}): DirectBridge {
  const { catalog, clock, upstreamUrl, switchedAt } = deps;
  const known = new LRUCache<ProjectName, { reading: DirectReading | undefined; bytes: number }>({
    maxSize: limits.gateway.pageCache / 4,
    sizeCalculation: ({ bytes }) => 512 + 3 * bytes,
  });

  async function kept(project: ProjectName): Promise<DirectReading | undefined> {
    const found = known.get(project);
    if (found !== undefined) return found.reading;
    const page = await catalog.page(project).catch(() => undefined);
    let reading: DirectReading | undefined;
    let bytes = 0;
    // From a wrong clock's future it proves nothing.
    if (page?.kind === 'page' && page.upstream === upstreamUrl && page.observedAt <= clock.now()) {
      const read = readPage(page, project);
      if (read !== undefined)
        reading = { page: read.page, content: read.content, serial: read.serial, readAt: page.observedAt };
      bytes = page.body.length;
    }
    known.set(project, { reading, bytes });
    return reading;
  }

  return {
    async over(project, belief, now) {
      if (now - switchedAt >= limits.belief.bridge) return undefined;
      const reading = await kept(project);
      if (reading === undefined) return undefined;
      const serial = Number(reading.serial ?? 0);
      const page = {
        pair: { serial: Number.isSafeInteger(serial) ? serial : 0, digest: NO_DIGEST, length: 0 },
        readAt: reading.readAt,
      };
      return directPageStands(page, ofCore(belief), switchedAt, now) ? reading : undefined;
    },
  };
}

function ofCore(belief: IndexBelief): Belief | undefined {
  if (belief.kind === 'unknown') return undefined;
  if (belief.kind === 'absent') return { choice: 'absent', at: belief.since, floor: belief.floor };
  const { serial, digest, length } = belief;
  return { choice: { serial, digest, length }, at: belief.since, floor: serial };
}
