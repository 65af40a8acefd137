/** A page's files by digest, by PyPI's path, and by filename: built when first asked for, and gone with the page. */
import type { Digest } from '../core/digest.ts';
import type { ProjectFile, ProjectPage } from '../core/project-page.ts';

export interface PageFiles {
  byDigest(digest: Digest): ProjectFile | undefined;
  byPath(path: string): ProjectFile | undefined;
  byName(filename: string): ProjectFile | undefined;
}

const PACKAGES = '/packages/';
const built = new WeakMap<ProjectPage, PageFiles>();

export function filesOf(page: ProjectPage): PageFiles {
  let files = built.get(page);
  if (files === undefined) {
    files = index(page);
    built.set(page, files);
  }
  return files;
}

function index(page: ProjectPage): PageFiles {
  const digests = new Map<Digest, ProjectFile>();
  const paths = new Map<string, ProjectFile>();
  const names = new Map<string, ProjectFile>();
  for (const file of page.files) {
    if (file.sha256 !== undefined) digests.set(file.sha256, file);
    names.set(file.filename, file);
    const { pathname } = new URL(file.url);
    const start = pathname.indexOf(PACKAGES);
    if (start !== -1) paths.set(pathname.slice(start), file);
  }
  return {
    byDigest: (digest) => digests.get(digest),
    // A mirror with paths of its own has PyPI's files under the same names, which PyPI never gives twice.
    byPath: (path) => (paths.size > 0 ? paths.get(path) : names.get(filenameOf(path))),
    byName: (filename) => names.get(filename),
  };
}

/** The last segment, decoded; empty when it cannot be. */
export function filenameOf(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(last);
  } catch {
    return '';
  }
}
