/** The catalog in memory: for tests and the simulator. Held to the contract of `level-catalog.ts`. */
import type { Digest } from '../core/digest.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Catalog, FileOrigin, KeptAbsence, KeptPage } from './catalog.ts';

const documentKey = (part: string, name: string): string => JSON.stringify([part, name]);

export function createMemoryCatalog(): Catalog {
  const pages = new Map<ProjectName, KeptPage | KeptAbsence>();
  const wheelMetadata = new Map<Digest, Digest | 'none'>();
  const origins = new Map<Digest, FileOrigin>();
  const documents = new Map<string, string>();

  return {
    page: async (project) => pages.get(project),
    async putPage(project, page) {
      pages.set(project, page.kind === 'page' ? { ...page, body: new Uint8Array(page.body) } : { ...page });
    },
    async deletePage(project) {
      pages.delete(project);
    },
    async *pages() {
      for (const project of [...pages.keys()].sort()) {
        const page = pages.get(project);
        if (page?.kind === 'page') yield { project, observedAt: page.observedAt };
      }
    },
    totals() {
      let count = 0;
      let oldest: number | undefined;
      for (const page of pages.values()) {
        if (page.kind !== 'page') continue;
        count++;
        oldest = Math.min(oldest ?? page.observedAt, page.observedAt);
      }
      return { pages: count, oldestObservedAt: oldest };
    },
    wheelMetadata: async (wheel) => wheelMetadata.get(wheel),
    async putWheelMetadata(wheel, metadata) {
      wheelMetadata.set(wheel, metadata);
    },
    fileOrigin: async (digest) => origins.get(digest),
    async *fileOrigins() {
      yield [...origins];
    },
    async deleteFileOrigins(digests) {
      for (const digest of digests) {
        origins.delete(digest);
        wheelMetadata.delete(digest);
      }
    },
    async deleteAbsences(time) {
      for (const [project, { kind, observedAt }] of pages)
        if (kind === 'absent' && observedAt < time) pages.delete(project);
    },
    async putFileOrigins(entries) {
      for (const [digest, { project, filename }] of entries) origins.set(digest, { project, filename });
    },
    async document(part, name) {
      const text = documents.get(documentKey(part, name));
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    async putDocument(part, name, value) {
      if (value === undefined) documents.delete(documentKey(part, name));
      else documents.set(documentKey(part, name), JSON.stringify(value));
    },
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
    },
  };
}
