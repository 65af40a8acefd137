/**
 * A page as clients get it: what the upstream gave, and what is said of each file's `.metadata` (design/gateway, "What
 * clients really do", 5). Always true: what is said does not change while the object lives, so ETags don't flicker.
 */
import { createHash } from 'node:crypto';
import { digestFromBytes, type Digest } from '../core/digest.ts';
import type { ProjectFile, ProjectPage } from '../core/project-page.ts';
import type { MetadataMark } from './metadata-marks.ts';
import type { ServedPage } from './mirror.ts';

type MetadataClaim = Readonly<Record<string, string>> | true | undefined;

/** What to say of a file: hashes to pass on, `true` without a hash, or nothing. */
function metadataClaim(file: ProjectFile, mark: MetadataMark | undefined): MetadataClaim {
  // Passed through only: what cannot be verified is not promised.
  if (file.sha256 === undefined || file.coreMetadata === false) return undefined;
  if (mark === 'none' || mark === 'unfit') return undefined;
  if (advertisedHash(file) !== undefined) return file.coreMetadata;
  if (!file.filename.endsWith('.whl')) return undefined;
  return mark === undefined ? true : { sha256: mark };
}

/** The SHA-256 that the upstream gives for `<url>.metadata`. Other hashes alone are no name for a blob: as if it said `true`. */
export function advertisedHash(file: ProjectFile | undefined): Digest | undefined {
  const claim = file?.coreMetadata;
  if (typeof claim !== 'object') return undefined;
  const sha256 = claim['sha256']?.toLowerCase();
  return sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) ? (sha256 as Digest) : undefined;
}

export function createServedPage(facts: {
  page: ProjectPage;
  /** SHA-256 of what was read. */
  content: string;
  serial: string | undefined;
  marks: ReadonlyMap<Digest, MetadataMark>;
}): ServedPage {
  const { page, marks } = facts;
  return {
    page,
    serial: facts.serial,
    version: digestVersion(page, facts.content, marks),
    coreMetadata: (file) => metadataClaim(file, file.sha256 && marks.get(file.sha256)),
  };
}

/** The same for the same page and marks, also after a restart. */
export function digestVersion(
  page: ProjectPage,
  content: string,
  marks: ReadonlyMap<Digest, MetadataMark>,
): Digest {
  const hash = createHash('sha256').update(`${page.format}\n${page.url}\n${content}\n`);
  for (const [wheel, mark] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${wheel} ${mark}\n`);
  return digestFromBytes(hash.digest());
}
