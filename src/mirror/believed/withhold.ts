/**
 * What publishers took back is not offered: files leave their page, a project loses all of them (as PyPI's quarantine does:
 * that it exists stays true, and nobody is told "no such project" by one publisher's word alone).
 */
import type { Digest } from '../../core/digest.ts';
import type { ProjectFile, ProjectPage } from '../../core/project-page.ts';
import type { IndexHead } from '../follow/index-head.ts';
import type { FileLookup, Mirror } from '../mirror.ts';

type Retracted = IndexHead['retracted'];

/** The same object when nothing of it was taken back. */
export function withholdFiles(page: ProjectPage, retracted: Retracted): ProjectPage {
  if (retracted(page.name))
    return { ...page, files: [], raw: { ...page.raw, 'project-status': { status: 'quarantined' } } };
  const files = page.files.filter((file) => !isRetracted(file, retracted));
  return files.length === page.files.length ? page : { ...page, files };
}

function isRetracted({ sha256 }: ProjectFile, retracted: Retracted): boolean {
  return sha256 !== undefined && retracted(sha256);
}

type Finders = Pick<Mirror, 'findFile' | 'findByPath' | 'findDirect'>;

/** A file that was taken back, or belongs to a project that was, is absent: also by its digest, and from this very disk. */
export function refuseRetracted(find: Finders, retracted: Retracted): Finders {
  const check = (found: FileLookup): FileLookup =>
    found.kind === 'file' &&
    (retracted(found.ref.project) || (found.ref.digest !== undefined && retracted(found.ref.digest)))
      ? { kind: 'absent' }
      : found;
  return {
    findFile: async (digest: Digest, filename, patience) =>
      retracted(digest) ? { kind: 'absent' } : check(await find.findFile(digest, filename, patience)),
    findByPath: async (path, patience) => check(await find.findByPath(path, patience)),
    findDirect: async (project, filename, patience) =>
      check(await find.findDirect(project, filename, patience)),
  };
}
