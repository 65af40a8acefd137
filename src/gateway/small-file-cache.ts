/**
 * Small files in memory, as they were read from verified, complete blobs: what makes 100 KB files quick (design/gateway,
 * "Speed"). Always true: a blob that was evicted or found corrupt is dropped at once, one that was being read meanwhile is
 * not kept; nothing stays longer than a minute without the mirror being asked again.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { ProjectName } from '../core/project-name.ts';

interface SmallFile {
  readonly digest: Digest;
  readonly filename: string;
  readonly project: ProjectName;
  readonly body: Uint8Array;
}

export interface SmallFileCache extends Disposable {
  find(digest: Digest, filename: string): Uint8Array | undefined;
  /** To be asked before reading and given to `keep`. */
  readonly turn: number;
  /** Does nothing when something was dropped since `turn`. */
  keep(file: SmallFile, turn: number): void;
}

export function createSmallFileCache(
  deps: { clock: Clock; facts: FactEmitter },
  bounds: { smallFileCache: number; smallFileFresh: number },
): SmallFileCache {
  const { clock, facts } = deps;
  const kept = new LRUCache<string, SmallFile & { readonly until: number }>({
    maxSize: bounds.smallFileCache,
    sizeCalculation: ({ body }) => body.length + 512,
  });
  let turn = 0;
  const drop = (fits: (file: SmallFile) => boolean): void => {
    turn++;
    for (const [key, file] of kept.entries()) if (fits(file)) kept.delete(key);
  };
  const stops = [
    facts.on('blob:evicted', ({ digest }) => drop((file) => file.digest === digest)),
    facts.on('blob:corrupt', ({ digest }) => drop((file) => file.digest === digest)),
    facts.on('page:refreshed', ({ project, changed }) => {
      if (changed) drop((file) => file.project === project);
    }),
  ];
  return {
    find(digest, filename) {
      const file = kept.get(`${digest}/${filename}`);
      return file !== undefined && clock.monotonic() < file.until ? file.body : undefined;
    },
    get turn() {
      return turn;
    },
    keep(file, readIn) {
      if (readIn !== turn) return;
      const until = clock.monotonic() + bounds.smallFileFresh;
      kept.set(`${file.digest}/${file.filename}`, { ...file, until });
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
      kept.clear();
    },
  };
}
