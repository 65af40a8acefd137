/**
 * One project of an exported tree. Must always hold: a page names only files that are there; files that a page names no more
 * are deleted after the page has changed, and that is written down before, so that a run that was killed leaves no rest.
 */
import { hash } from 'node:crypto';
import type { Digest } from '../../core/digest.ts';
import { IntegrityError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ProjectFile, ProjectPage } from '../../core/project-page.ts';
import { type PageLinks, renderHtml, renderJson } from '../../core/render-page.ts';
import { advertisedHash } from '../served-page.ts';
import type { ExportSource } from './export-source.ts';
import { inParallel } from './in-parallel.ts';
import { OWN_FOLDER, type TreeFiles } from './tree-files.ts';

export interface ProjectCounts {
  /** Fetched now. */
  readonly files: number;
  readonly bytes: number;
  readonly removedFiles: number;
}

type StoredFile = ProjectFile & { readonly sha256: Digest };

const JOURNALS = `${OWN_FOLDER}/removing`;
const FILE_LINK = /^\.\.\/\.\.\/(files\/[0-9a-f]{64}\/[^/\\]+)$/;

export const pagePath = (project: ProjectName, name: 'index.json' | 'index.html'): string =>
  `simple/${project}/${name}`;

/** @throws UnavailableError, IntegrityError, ... : the project stays as it was exported before */
export async function exportProject(
  tree: TreeFiles,
  source: ExportSource,
  page: ProjectPage,
): Promise<ProjectCounts> {
  const offered = page.files.filter((file): file is StoredFile => file.sha256 !== undefined);
  const counts = { files: 0, bytes: 0 };
  const metadata = new Map<Digest, string>();
  await inParallel(offered, limits.export.filesAtOnce, async (file) => {
    const stored = await storeFile(tree, source, file);
    if (stored !== undefined) {
      counts.files++;
      counts.bytes += stored;
    }
    const digest = await storeMetadata(tree, source, file);
    if (digest !== undefined) metadata.set(file.sha256, digest);
  });
  const shown = { ...page, files: offered.map(withoutProvenance) };
  const links: PageLinks = {
    fileHref: (file) => `../../${pathOf(file as StoredFile, true)}`,
    coreMetadata: ({ sha256 }) => {
      const digest = sha256 && metadata.get(sha256);
      return digest === undefined ? undefined : { sha256: digest };
    },
  };
  const before = await exportedFiles(tree, page.name);
  const after = new Set(offered.map((file) => pathOf(file)));
  const gone = [...before].filter((path) => !after.has(path));
  if (gone.length > 0) await writeJournal(tree, page.name, gone);
  // The JSON last: with it the project is done.
  await tree.write(pagePath(page.name, 'index.html'), renderHtml(shown, links));
  await tree.write(pagePath(page.name, 'index.json'), renderJson(shown, links));
  if (gone.length > 0) await replayJournal(tree, page.name);
  return { ...counts, removedFiles: gone.length };
}

/** Page and files; undefined when it was not there. */
export async function removeProject(tree: TreeFiles, project: ProjectName): Promise<number | undefined> {
  const files = [...(await exportedFiles(tree, project))];
  if (files.length > 0) await writeJournal(tree, project, files);
  const was = await tree.size(pagePath(project, 'index.json'));
  await tree.remove(pagePath(project, 'index.json'));
  await tree.remove(pagePath(project, 'index.html'));
  if (files.length > 0) await replayJournal(tree, project);
  return was === undefined ? undefined : files.length;
}

/** What runs that were killed meant to delete. */
export async function finishRemovals(tree: TreeFiles): Promise<void> {
  for (const name of await tree.list(JOURNALS)) await replayJournal(tree, name as ProjectName);
}

async function storeFile(
  tree: TreeFiles,
  source: ExportSource,
  file: StoredFile,
): Promise<number | undefined> {
  const path = pathOf(file);
  const size = await tree.size(path);
  if (size !== undefined && (file.size === undefined ? size > 0 : size === file.size)) return undefined;
  return tree.store(path, file.sha256, await source.file(file), file.url);
}

/** Resolves to its SHA-256; undefined: this file has none. */
async function storeMetadata(
  tree: TreeFiles,
  source: ExportSource,
  file: StoredFile,
): Promise<string | undefined> {
  if (file.coreMetadata === undefined || file.coreMetadata === false) return undefined;
  const path = `${pathOf(file)}.metadata`;
  const wanted = advertisedHash(file);
  const kept = await tree.read(path);
  if (kept !== undefined && kept.length > 0) {
    const digest = hash('sha256', kept, 'hex');
    if (wanted === undefined || digest === wanted) return digest;
  }
  const bytes = await source.metadata(file);
  if (bytes === undefined) return undefined;
  const actual = hash('sha256', bytes, 'hex');
  if (wanted !== undefined && actual !== wanted)
    throw new IntegrityError({ expected: wanted, actual, source: `${file.url}.metadata` });
  await tree.write(path, bytes);
  return actual;
}

/** In the tree; `encoded` as a link. */
function pathOf({ sha256, filename }: StoredFile, encoded = false): string {
  return `files/${sha256}/${encoded ? encodeURIComponent(filename) : filename}`;
}

/** The documents are not exported: what a page links must be there. */
function withoutProvenance(file: StoredFile): StoredFile {
  if (file.raw['provenance'] === undefined) return file;
  const { provenance: _, ...raw } = file.raw;
  return { ...file, raw };
}

/** What the exported page links to, as paths in the tree. */
async function exportedFiles(tree: TreeFiles, project: ProjectName): Promise<Set<string>> {
  const bytes = await tree.read(pagePath(project, 'index.json'));
  const paths = new Set<string>();
  if (bytes === undefined) return paths;
  try {
    const { files } = JSON.parse(Buffer.from(bytes).toString()) as { files: { url: string }[] };
    for (const { url } of files) {
      const path = FILE_LINK.exec(decodeURIComponent(url))?.[1];
      if (path !== undefined) paths.add(path);
    }
  } catch {
    // Cut by a power failure: written again now; its files are there and stay.
  }
  return paths;
}

function writeJournal(tree: TreeFiles, project: ProjectName, paths: readonly string[]): Promise<boolean> {
  return tree.write(`${JOURNALS}/${project}`, Buffer.from(JSON.stringify(paths)));
}

async function replayJournal(tree: TreeFiles, project: ProjectName): Promise<void> {
  const journal = `${JOURNALS}/${project}`;
  const bytes = await tree.read(journal);
  if (bytes === undefined) return;
  const named = await exportedFiles(tree, project);
  for (const path of JSON.parse(Buffer.from(bytes).toString() || '[]') as string[]) {
    if (!FILE_LINK.test(`../../${path}`) || named.has(path)) continue;
    await tree.remove(`${path}.metadata`);
    await tree.remove(path);
  }
  await tree.remove(journal);
}
