/**
 * A static mirror that nginx, S3 or a CDN serves as it is: `simple/<name>/index.html` and `index.json`, `files/<sha256>/<filename>`
 * with `.metadata`, relative links. Must always hold: at any moment, also after a kill, every page names only files that are
 * there; a project is removed only when its own page is said to be absent, or nobody asked for it any more.
 */
import { FondueError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { Outcome, Progress } from '../administration.ts';
import { exportProject, finishRemovals, pagePath, removeProject } from './export-project.ts';
import type { ExportSource } from './export-source.ts';
import { inParallel } from './in-parallel.ts';
import { openTree, type TreeFiles } from './tree-files.ts';

export interface ExportOutcome extends Outcome {
  readonly projects: number;
  readonly removedProjects: number;
  readonly removedFiles: number;
  /** Asked for by name, and no such project. */
  readonly absent: readonly ProjectName[];
}

export interface ExportOptions {
  /** Undefined: all. */
  readonly projects: readonly ProjectName[] | undefined;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ConfigurationError for a folder that cannot be used, UnavailableError when the list cannot be had */
export async function exportTree(
  folder: string,
  source: ExportSource,
  options: ExportOptions,
): Promise<ExportOutcome> {
  await using tree = await openTree(folder);
  await finishRemovals(tree);
  const wanted = new Set<ProjectName>(options.projects ?? []);
  if (options.projects === undefined) for await (const name of source.names()) wanted.add(name);
  const rest = (await tree.list('simple')).filter(
    (name) => !wanted.has(name as ProjectName) && !name.startsWith('index.'),
  ) as ProjectName[];
  const total = wanted.size + rest.length;
  const sum = { files: 0, bytes: 0, projects: 0, removedProjects: 0, removedFiles: 0 };
  const absent: ProjectName[] = [];
  const failures: string[] = [];
  let done = 0;
  const told = (text: string, ok: boolean): void =>
    options.onProgress?.({ done: ++done, total, unit: 'projects', text, ok });

  const remove = async (project: ProjectName): Promise<void> => {
    const files = await removeProject(tree, project);
    if (files === undefined) return;
    sum.removedProjects++;
    sum.removedFiles += files;
  };
  const bring = async (project: ProjectName): Promise<void> => {
    const page = await source.page(project);
    if (page === 'absent') {
      if (options.projects !== undefined && wanted.has(project)) absent.push(project);
      return remove(project);
    }
    const { files, bytes, removedFiles } = await exportProject(tree, source, page);
    sum.projects++;
    sum.files += files;
    sum.bytes += bytes;
    sum.removedFiles += removedFiles;
  };
  const attempt =
    (work: (project: ProjectName) => Promise<void>) =>
    async (project: ProjectName): Promise<void> => {
      options.signal?.throwIfAborted();
      try {
        await work(project);
        told(project, true);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!isOfProject(error)) throw error;
        failures.push(`${project}: ${error.message}`);
        told(`${project}: ${error.message}`, false);
      }
    };
  await inParallel(wanted, limits.export.projectsAtOnce, attempt(bring));
  // The whole list leaves out quarantined projects too: only their own page tells.
  await inParallel(
    rest,
    limits.export.projectsAtOnce,
    attempt(options.projects === undefined ? bring : remove),
  );
  await writeList(tree);
  return { ...sum, absent, failures };
}

/** Of one project: the others go on. A full or broken disk is everybody's. */
function isOfProject(error: unknown): error is Error {
  return (
    error instanceof FondueError ||
    (error as NodeJS.ErrnoException).code?.startsWith('UND_ERR') === true ||
    (error as NodeJS.ErrnoException).code === 'ECONNRESET'
  );
}

/** What is there now, failures of this run and what an earlier one left included. */
async function writeList(tree: TreeFiles): Promise<void> {
  const names: ProjectName[] = [];
  for (const name of (await tree.list('simple')).sort() as ProjectName[])
    if ((await tree.size(pagePath(name, 'index.json'))) !== undefined) names.push(name);
  await tree.stream('simple/index.html', asHtml(names));
  await tree.stream('simple/index.json', asJson(names));
}

const BATCH = 1000;

async function* asHtml(names: readonly ProjectName[]): AsyncGenerator<string> {
  yield '<!DOCTYPE html>\n<html>\n<head>\n<meta name="pypi:repository-version" content="1.0">\n<title>Simple index</title>\n</head>\n<body>\n';
  for (let at = 0; at < names.length; at += BATCH)
    yield names
      .slice(at, at + BATCH)
      .map((name) => `<a href="${name}/">${name}</a>\n`)
      .join('');
  yield '</body>\n</html>\n';
}

async function* asJson(names: readonly ProjectName[]): AsyncGenerator<string> {
  yield '{"meta":{"api-version":"1.0"},"projects":[';
  for (let at = 0; at < names.length; at += BATCH) {
    const part = names.slice(at, at + BATCH).map((name) => JSON.stringify({ name }));
    yield `${at === 0 ? '' : ','}${part.join(',')}`;
  }
  yield ']}\n';
}
