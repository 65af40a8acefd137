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
  /** One name a digest: a blob that goes is found at once, however many go and however many are kept. */
  const kept = new LRUCache<Digest, SmallFile & { readonly until: number }>({
    maxSize: bounds.smallFileCache,
    sizeCalculation: ({ body }) => body.length + 512,
  });
  let turn = 0;
  const drop = ({ digest }: { digest: Digest }): void => {
    turn++;
    kept.delete(digest);
  };
  const stops = [
    facts.on('blob:evicted', drop),
    facts.on('blob:corrupt', drop),
    facts.on('page:refreshed', ({ project, changed }) => {
      if (!changed) return;
      turn++;
      for (const [digest, file] of kept.entries()) if (file.project === project) kept.delete(digest);
    }),
  ];
  return {
    find(digest, filename) {
      const file = kept.get(digest);
      return file?.filename === filename && clock.monotonic() < file.until ? file.body : undefined;
    },
    get turn() {
      return turn;
    },
    keep(file, readIn) {
      if (readIn !== turn) return;
      const until = clock.monotonic() + bounds.smallFileFresh;
      kept.set(file.digest, { ...file, until });
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
      kept.clear();
    },
  };
}
