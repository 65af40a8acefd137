/**
 * What was learned of wheels' metadata, a document a project, so that its page can say it when it is next built. The
 * bytes themselves are blobs, named in the catalog (`wheelMetadata`).
 */
import { isDigest, type Digest } from '../core/digest.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Catalog } from '../store/catalog.ts';

/**
 * A digest: made from the wheel, and will stay so. `none`: the wheel is proven to hold no metadata. `unfit`: nothing
 * that is right can be served, as the wheel's own has another hash than the upstream advertises, or the archive is refused here.
 */
export type MetadataMark = Digest | 'none' | 'unfit';

export interface MetadataMarks {
  of(project: ProjectName): Promise<ReadonlyMap<Digest, MetadataMark>>;
  set(project: ProjectName, wheel: Digest, mark: MetadataMark): Promise<void>;
  /** All of the project's. */
  forget(project: ProjectName): Promise<void>;
}

const PART = 'wheel-metadata';

export function createMetadataMarks(catalog: Pick<Catalog, 'document' | 'putDocument'>): MetadataMarks {
  /** Changes of one document wait for each other. */
  const writing = new Map<ProjectName, Promise<void>>();

  async function of(project: ProjectName): Promise<Map<Digest, MetadataMark>> {
    const marks = new Map<Digest, MetadataMark>();
    const stored = await catalog.document(PART, project);
    if (typeof stored !== 'object' || stored === null) return marks;
    for (const [wheel, mark] of Object.entries(stored)) {
      if (isDigest(wheel) && isMark(mark)) marks.set(wheel, mark);
    }
    return marks;
  }

  async function write(project: ProjectName, wheel: Digest, mark: MetadataMark): Promise<void> {
    const marks = await of(project);
    if (marks.get(wheel) === mark) return;
    marks.set(wheel, mark);
    await catalog.putDocument(PART, project, Object.fromEntries(marks));
  }

  return {
    of,
    forget: (project) => catalog.putDocument(PART, project, undefined),
    async set(project, wheel, mark) {
      const before = writing.get(project) ?? Promise.resolve();
      const mine = before.catch(() => undefined).then(() => write(project, wheel, mark));
      writing.set(project, mine);
      try {
        await mine;
      } finally {
        if (writing.get(project) === mine) writing.delete(project);
      }
    },
  };
}

function isMark(value: unknown): value is MetadataMark {
  return typeof value === 'string' && (value === 'none' || value === 'unfit' || isDigest(value));
}
