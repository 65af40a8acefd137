/**
 * Believed pages in a bounded memory, ready to be served. Must always hold: the same `ServedPage` is given until the page,
 * what was taken back of it, or what is known of its metadata changes; what was taken back is noticed within seconds.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ProjectPage } from '../../core/project-page.ts';
import type { IndexHead } from '../follow/index-head.ts';
import type { MetadataMarks } from '../metadata-marks.ts';
import type { ServedPage } from '../mirror.ts';
import { createServedPage } from '../served-page.ts';
import { withholdFiles } from './withhold.ts';

export interface ShownPage {
  /** What it is the page of: a digest, or whatever else names its bytes. */
  readonly content: string;
  /** When k voters last stood for it, as far as was looked, ms; never later than the truth. */
  since: number;
  served: ServedPage;
}

export interface ShownPages {
  /** From memory; undefined also when it is time to look anew. */
  fresh(project: ProjectName): ShownPage | undefined;
  /** From memory. */
  peek(project: ProjectName): ShownPage | undefined;
  /** Looks at retractions and metadata anew where that is due. */
  look(project: ProjectName, since: number): Promise<ShownPage | undefined>;
  show(project: ProjectName, page: NewPage): Promise<ShownPage>;
  forget(project: ProjectName): void;
  forgetAll(): void;
}

export interface NewPage {
  readonly page: ProjectPage;
  readonly content: string;
  readonly serial: string | undefined;
  readonly since: number;
  /** Of what was read. */
  readonly bytes: number;
}

interface Entry extends ShownPage {
  /** Before anything was withheld. */
  readonly whole: ProjectPage;
  readonly serial: string | undefined;
  readonly bytes: number;
  withheld: string;
  /** The head's version, and the monotonic time, when retractions were looked at. */
  version: string;
  lookedAt: number;
  marksAt: number;
}

/** As kept pages weigh (`kept-pages.ts`). */
const PARSED_WEIGHT = 3;
const ENTRY_WEIGHT = 4096;

export function createShownPages(
  deps: {
    readonly head: Pick<IndexHead, 'retracted' | 'version'>;
    readonly marks: Pick<MetadataMarks, 'of'>;
    readonly clock: Clock;
    readonly facts: Pick<FactEmitter, 'emit'>;
  },
  options: { readonly cacheBytes?: number | undefined } = {},
): ShownPages {
  const { head, marks, clock, facts } = deps;
  const memory = new LRUCache<ProjectName, Entry>({
    maxSize: options.cacheBytes ?? limits.gateway.pageCache,
    sizeCalculation: (entry) => ENTRY_WEIGHT + entry.bytes * PARSED_WEIGHT,
  });

  const isDue = (entry: Entry): boolean =>
    entry.version !== head.version() || clock.monotonic() - entry.lookedAt >= limits.believed.recheck;

  /** What of it is withheld, as a text: two that are equal withhold the same. */
  function withheldOf(whole: ProjectPage, left: ProjectPage): string {
    if (left === whole) return '';
    const shown = new Set(left.files);
    return whole.files
      .filter((file) => !shown.has(file))
      .map(({ filename }) => filename)
      .concat(left.files.length === 0 ? ['*'] : [])
      .join('/');
  }

  function forget(project: ProjectName): void {
    if (memory.delete(project)) facts.emit('page:refreshed', { project, changed: true });
  }

  async function render(project: ProjectName, page: NewPage): Promise<Entry> {
    const left = withholdFiles(page.page, (subject) => head.retracted(subject));
    const withheld = withheldOf(page.page, left);
    const version = head.version();
    const known = await marks.of(project);
    const content = withheld === '' ? page.content : `${page.content} without ${withheld}`;
    return {
      content: page.content,
      since: page.since,
      served: createServedPage({ page: left, content, serial: page.serial, marks: known }),
      whole: page.page,
      serial: page.serial,
      bytes: page.bytes,
      withheld,
      version,
      lookedAt: clock.monotonic(),
      marksAt: clock.monotonic(),
    };
  }

  return {
    fresh(project) {
      const entry = memory.get(project);
      return entry === undefined || isDue(entry) ? undefined : entry;
    },
    peek: (project) => memory.peek(project),
    async look(project, since) {
      const entry = memory.get(project);
      if (entry === undefined) return undefined;
      entry.since = Math.max(entry.since, since);
      if (!isDue(entry)) return entry;
      const left = withholdFiles(entry.whole, (subject) => head.retracted(subject));
      const marksDue = clock.monotonic() - entry.marksAt >= limits.belief.fresh;
      if (withheldOf(entry.whole, left) === entry.withheld && !marksDue) {
        entry.version = head.version();
        entry.lookedAt = clock.monotonic();
        return entry;
      }
      const { whole: page, content, serial, bytes } = entry;
      const next = await render(project, { page, content, serial, bytes, since: entry.since });
      const same = next.served.version === entry.served.version;
      memory.set(project, same ? { ...next, served: entry.served } : next);
      if (!same) facts.emit('page:refreshed', { project, changed: true });
      return memory.get(project);
    },
    async show(project, page) {
      const entry = await render(project, page);
      memory.set(project, entry);
      facts.emit('page:refreshed', { project, changed: true });
      return entry;
    },
    forget,
    forgetAll() {
      const all = Array.from(memory.keys());
      for (const project of all) forget(project);
    },
  };
}
